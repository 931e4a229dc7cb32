std = "lua54"
max_line_length = 80
ignore = { "211/_.+" } -- what is only there to be closed: local _f <close>
exclude_files = { "build", ".luarocks", "lua_modules" }

-- Recipes run under the driver, which has these two.
files["scripts"] = { read_globals = { "ns", "farside" } }
files["scripts/dev"] = { read_globals = { "ns", "farside" } }
files["spec"] = { std = "+busted" }
files["rockspec"] = { std = "rockspec" }

-- What the specs of attacks share: an attacker in a container, as a program in
-- Lua with this library, in Perl, or in shell, and what it said.

local t <const> = require "spec.helper"
local containers <const> = require "spec.containers"
local ns <const> = require "farside"

local M = { sh = containers.sh }

--- A file that everybody may read, in a directory that everybody may enter.
function M.file(text, mode)
  local path <const> = t.tmpdir() .. "/file"
  containers.write(path, text)
  ns.fchmodat(nil, path, mode or "0644")
  return path
end

local function absolute(path)
  return path:find "^/" and path or ns.getcwd() .. "/" .. path
end

local function here(path)
  return { bind = absolute(path), at = "/farside/" .. path, "ro" }
end

-- The interpreter of these specs: a program in the path, or one of the build.
local function interpreter(mounts)
  if not t.lua:find "/" then return t.lua end
  table.insert(mounts, { bind = absolute(t.lua), at = "/farside/run", "ro" })
  return "/farside/run"
end

-- What the attacker's program begins with.
local preamble <const> = [[
  package.path = "/farside/lua/?.lua;/farside/lua/?/init.lua"
  package.cpath = "/farside/lib/?.so"
  ns = require "farside"
  -- "done", or the errno of what was tried
  function try(fn, ...)
    local ok, err = pcall(fn, ...)
    print(ok and "done" or type(err) == "table" and err.code or err)
  end
  -- Opens what must not be written, and never writes there: a spec that finds
  -- the way open must do no harm by it.
  function writable(path)
    local fd <close> = ns.openat2(nil, path, "wronly")
  end
]]

--- A recipe of an attacker's container; the program has `ns`, `try`,
-- `writable`.
function M.attacker(program, recipe)
  recipe = recipe or {}
  recipe.mounts = {
    { bind = M.file(preamble .. program), at = "/attack" }, here "lua",
    { bind = absolute(t.build) .. "/lib", at = "/farside/lib", "ro" },
    table.unpack(recipe.mounts or {}),
  }
  recipe[1], recipe[2] = interpreter(recipe.mounts), "/attack"
  return recipe
end

--- What a container's program says.
function M.said(recipe) return (containers.output(recipe)) end

--- The attacker's lines, as one.
function M.attack(program, recipe)
  local lines <const> = M.said(M.attacker(program, recipe))
  return (lines:gsub("\n$", ""):gsub("\n", " "))
end

--- What a program in Perl says.
function M.perl(program, recipe)
  t.needs "perl"
  recipe = recipe or {}
  recipe[1], recipe[2], recipe[3] = "perl", "-e", program
  return M.said(recipe)
end

--- A container that stays.
function M.sleeper(recipe)
  recipe = recipe or {}
  recipe[1], recipe[2] = "/bin/sleep", "1000"
  return ns.spawn(recipe)
end

return M

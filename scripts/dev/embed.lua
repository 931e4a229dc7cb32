-- Writes the library's Lua files, compiled, into one C file for the driver:
--   lua5.4 scripts/dev/embed.lua OUT.c lua/farside/init.lua …
-- A file becomes a string constant, which compiles many times faster than
-- an array of numbers. The same input gives the same output: the modules are
-- sorted, and a chunk is named after its place in the library.

-- The part of a path below the library's root: "farside/cli/run.lua".
local function relative(path)
  return assert(path:match "^.*%f[%w]lua/(farside/.*%.lua)$"
    or path:match "^lua/(farside/.*%.lua)$", path .. ": not below lua/farside")
end

local function module_name(path)
  return (path:gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

local slim <const> = dofile((arg[0]:match "^(.*/)" or "") .. "slim.lua")

-- An error tells its line, but not the names of local variables.
local function compile(path, name)
  local file <close> = assert(io.open(path, "rb"))
  local source = file:read "a":gsub("^#[^\n]*", "")
  return slim(string.dump(assert(load(source, "@" .. name, "t"))))
end

-- Octal escapes always have three digits, so that a digit may follow; "?"
-- is escaped because of trigraphs.
local escapes <const> = {}
for byte = 0, 255 do
  local char = string.char(byte)
  local plain = char:match "[%w%p ]" and byte < 127
    and not char:match '["\\?]'
  escapes[char] = plain and char or ("\\%03o"):format(byte)
end

-- A C string constant over many lines, each below 80 columns.
local function literal(data)
  local lines = {}
  for first = 1, #data, 18 do
    local piece = data:sub(first, first + 17)
    lines[#lines + 1] = '  "' .. piece:gsub(".", escapes) .. '"'
  end
  return table.concat(lines, "\n")
end

local function modules(paths)
  local list = {}
  for i, path in ipairs(paths) do
    local name = relative(path)
    list[i] = { name = module_name(name), data = compile(path, name) }
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

local function render(list)
  local text = { '/* Made by scripts/dev/embed.lua. */\n#include "embedded.h"' }
  local function add(...) text[#text + 1] = string.format(...) end
  for i, module in ipairs(list) do
    add("\n/* %s */\nstatic const char module_%d[] =\n%s;", module.name, i,
      literal(module.data))
  end
  add "\nconst struct farside_embedded farside_embedded[] = {"
  for i, module in ipairs(list) do
    add('  { "%s", module_%d, sizeof module_%d - 1 },', module.name, i, i)
  end
  add("  { 0, 0, 0 },\n};\n\nconst size_t farside_embedded_count = %d;\n",
    #list)
  return table.concat(text, "\n")
end

local out <const> = assert(arg[1], "usage: embed.lua OUT.c FILE.lua …")
local text <const> = render(modules { table.unpack(arg, 2) })
local file <close> = assert(io.open(out, "wb"))
assert(file:write(text))

-- Writes the list of Lua files into a rockspec, which can name files only one
-- by one:
--   lua5.4 scripts/dev/rockspec.lua rockspec/farside-scm-1.rockspec
-- With --check it only says whether the list is right.

local check <const> = arg[1] == "--check"
local path <const> = assert(arg[check and 2 or 1], "a rockspec is missing")

local function files()
  local list = {}
  local find <close> = assert(io.popen "find lua -name '*.lua'")
  for file in find:lines() do list[#list + 1] = file end
  table.sort(list)
  return list
end

local function lines()
  local text = {}
  for i, file in ipairs(files()) do
    local module = file:match "^lua/(.*)%.lua$":gsub("/", ".")
    text[i] = ('      ["%s"] =\n        "%s",\n'):format(module, file)
  end
  return table.concat(text)
end

local file <close> = assert(io.open(path))
local old <const> = file:read "a"
local head <const>, tail <const> =
  old:match "^(.-\n    lua = {\n).-(    },\n.*)$"
local new <const> = assert(head, "no list `lua = {`") .. lines() .. tail

if new == old then return end
if check then
  io.stderr:write(path, ": the list of Lua files is out of date: run lua5.4 ",
    arg[0], " ", path, "\n")
  os.exit(false)
end
local out <close> = assert(io.open(path, "w"))
assert(out:write(new))

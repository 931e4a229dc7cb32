--- The `mounts` of a recipe: a list of operations, each a table with the one
-- key that says which, the place in the container, and what else it takes.

local fields <const> = require "farside.fields"

local M = {}

local text <const>, boolean <const> = fields.string, fields.boolean

-- Where something is put; the root itself is what `root` is for.
local function place(value, where, fail)
  fields.path(value, where, fail)
  if not value:find "[^/]" then
    fail(where, "path below / expected, got '%s'", value)
  end
  return value
end

-- What is shown: a path, or a descriptor of it.
local function source(value, where, fail)
  if type(value) == "string" then return text(value, where, fail) end
  return fields.descriptor(value, where, fail)
end

local function directories(value, where, fail)
  local copy = fields.list(text)(value, where, fail)
  if #copy == 0 then fail(where, "at least one directory expected") end
  return copy
end

local mode <const> = fields.form("^[0-7]+$", "octal digits such as \"1777\"")
local size <const> = fields.form("^%d+[KMGTkmgt%%]?$",
                                 "size such as \"16M\" or \"10%\"")

-- Each operation: its own key's check, the other keys that it takes, those of
-- them that it needs, and whether words may stand beside them.
local operations <const> = {
  bind = { source, words = true, needs = "at",
           at = place, optional = boolean, idmap = boolean },
  device = { fields.path, words = true, at = place, optional = boolean },
  tmpfs = { place, words = true, size = size, mode = mode },
  overlay = { place, words = true, needs = "layers", layers = directories,
              upper = text, idmap = boolean },
  proc = { place, words = true },
  sysfs = { place, words = true },
  mqueue = { place, words = true },
  devpts = { place, words = true },
  directory = { place, mode = mode },
  file = { place, needs = "text", text = fields.text, mode = mode },
  symlink = { place, needs = "to", to = text },
}

local described <const> = {
  at = "path inside the container", layers = "list of directories",
  text = "what is in the file", to = "what the link says",
}

local words <const> = fields.word("ro", "rw", "nosuid", "nodev", "noexec")

local names <const>, checks <const> = {}, {}
for name, operation in pairs(operations) do
  names[#names + 1] = name
  local known = { [name] = operation[1] }
  for key, check in pairs(operation) do
    if type(check) == "function" and type(key) == "string" then
      known[key] = check
    end
  end
  checks[name] = fields.record(known, operation.words and words)
end
table.sort(names)

-- The one operation that an entry names.
local function which(value, where, fail)
  local found
  for _, name in ipairs(names) do
    if value[name] ~= nil and found then
      fail(where, "either %s or %s expected, not both", found, name)
    elseif value[name] ~= nil then
      found = name
    end
  end
  return found or fail(where, "one of %s expected", table.concat(names, ", "))
end

-- One entry; the answer has its operation's name as `kind`.
local function mount(value, where, fail)
  if type(value) ~= "table" then
    fail(where, "table expected, got %s", type(value))
  end
  local name = which(value, where, fail)
  local copy = checks[name](value, where, fail)
  local needs = operations[name].needs
  if needs and copy[needs] == nil then
    fail(where .. "." .. needs, "%s expected", described[needs])
  end
  copy.kind = name
  return copy
end

--- The check of the key.
M.check = fields.list(mount)

return M

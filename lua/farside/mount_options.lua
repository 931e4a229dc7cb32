--- The options of the command line that add to a recipe's mounts, each with
-- what stands between its colons.

local fields <const> = require "farside.fields"
local options <const> = require "farside.options"

local M = {}

-- Splits at colons; one that belongs to a path is given as "\:".
local function split(text)
  local parts, part = {}, ""
  for escape, char in text:gmatch "(\\?)(.)" do
    if char == ":" and escape == "" then
      parts[#parts + 1], part = part, ""
    else
      part = part .. (char == ":" and "" or escape) .. char
    end
  end
  parts[#parts + 1] = part
  return parts
end

-- Words that are keys of a mount, on when they are there.
local switches <const> = { optional = true, idmap = true }

-- "ro,optional,size=16M" → adds "ro", optional = true and size = "16M".
local function words(text, mount)
  for word in (text or ""):gmatch "[^,]+" do
    local key, value = word:match "^([%w_]+)=(.*)$"
    if key then
      mount[key] = value
    elseif switches[word] then
      mount[word] = true
    else
      mount[#mount + 1] = word
    end
  end
  return mount
end

local function read(path)
  local file <close> = path == "-" and io.stdin or assert(io.open(path))
  return (assert(file:read "a"))
end

-- What is there is a layer, but for the last, and words after it.
local function overlay(parts)
  local mount = {}
  if parts[#parts]:find "^upper=" then words(table.remove(parts), mount) end
  mount.overlay = table.remove(parts)
  mount.layers = parts
  return mount
end

local kind <const> = fields.word("proc", "sysfs", "mqueue", "devpts", "tmpfs")

-- How many parts there must be and may be, and what they make.
local specs <const> = {
  { name = "bind", option = "SRC:DST[:ro]", least = 2, most = 3,
    help = "show a file or directory of the caller's at DST; after a colon "
        .. "come words: ro, noexec, idmap, optional",
    make = function(p) return words(p[3], { bind = p[1], at = p[2] }) end },
  { name = "ro_bind", option = "SRC:DST", least = 2, most = 3,
    help = "the same, read-only",
    make = function(p)
      return words(p[3], { bind = p[1], at = p[2], "ro" })
    end },
  { name = "bind_fd", option = "FD:DST[:ro]", least = 2, most = 3,
    help = "show what a descriptor of the caller's is open on",
    make = function(p)
      local fd = math.tointeger(tonumber(p[1])) or p[1]
      return words(p[3], { bind = fd, at = p[2] })
    end },
  { name = "tmpfs", option = "DST[:size=16M]", least = 1, most = 2,
    help = "an empty file system in memory, with a size or mode",
    make = function(p) return words(p[2], { tmpfs = p[1] }) end },
  { name = "mount", option = "KIND:DST[:ro]", least = 2, most = 3,
    help = "a new proc, sysfs, mqueue, devpts or tmpfs",
    make = function(p, word)
      kind(p[1], "--mount", function(at, format, ...)
        options.usage(word, "%s: " .. format, at, ...)
      end)
      return words(p[3], { [p[1]] = p[2] })
    end },
  { name = "overlay", option = "LAYER:…:DST[:upper=DIR]", least = 2,
    most = 500,
    help = "directories as one, later ones win; what is written is thrown "
        .. "away or kept in DIR/upper",
    make = overlay },
  { name = "device", option = "DEV[:DST]", least = 1, most = 2,
    help = "a device of the host's, such as /dev/fuse",
    make = function(p) return { device = p[1], at = p[2] } end },
  { name = "dir", option = "DST[:mode=0755]", least = 1, most = 2,
    help = "an empty directory",
    make = function(p) return words(p[2], { directory = p[1] }) end },
  { name = "file", option = "SRC:DST[:mode=0644]", least = 2, most = 3,
    help = "a copy of a file of the caller's; - is standard input",
    make = function(p)
      return words(p[3], { file = p[2], text = read(p[1]) })
    end },
  { name = "symlink", option = "TO:DST", least = 2, most = 2,
    help = "a symbolic link",
    make = function(p) return { symlink = p[2], to = p[1] } end },
}

-- An option's entry among the mounts.
local function parse(spec, text, word)
  local parts = split(text)
  if #parts < spec.least or #parts > spec.most or parts[1] == "" then
    local name <const> = spec.name:gsub("_", "-")
    options.usage(word, "--%s: %s expected, got '%s'", name, spec.option, text)
  end
  return spec.make(parts, word)
end

--- Adds the options to those of a command line.
-- @tparam table all a list of specs
-- @tparam table set how an option changes a recipe
function M.add(all, set)
  for _, spec in ipairs(specs) do
    all[#all + 1] = spec
    set[spec.name] = function(recipe, text, word)
      recipe.mounts = recipe.mounts or {}
      table.insert(recipe.mounts, parse(spec, text, word))
    end
  end
end

return M

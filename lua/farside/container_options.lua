--- Recipes from the command line: every key of a recipe is an option of the
-- same name; `--bind` and `--tmpfs` add to `mounts`.

local keys <const> = require("farside.recipe").keys
local options <const> = require "farside.options"

local M = {}

-- SRC:DST[:ro,nosuid]; a colon in a path is given as "\:".
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

local function words(text, into)
  for word in (text or ""):gmatch "[^,]+" do
    local key, value = word:match "^(%w+)=(.*)$"
    if key then into[key] = value else into[#into + 1] = word end
  end
  return into
end

local function bind(text)
  local parts = split(text)
  if #parts < 2 or #parts > 3 then
    options.usage("run", "--bind: SRC:DST[:ro] expected, got '%s'", text)
  end
  return words(parts[3], { bind = parts[1], at = parts[2] })
end

local function tmpfs(text)
  local parts = split(text)
  return words(parts[2], { tmpfs = parts[1] })
end

-- What an option's text is to its key, where it is not a plain string.
local parse <const> = {
  capabilities = function(text)
    if text == "all" or text == "none" then return text end
    return words(text, {})
  end,
  env = function(text)
    local name, value = text:match "^([^=]+)=(.*)$"
    return { [name or text] = value or true }
  end,
  share = function(text) return words(text, {}) end,
  keep = function(text) return { math.tointeger(text) or text } end,
  rlimits = function(text) return words(text, {}) end,
  time = function(text) return words(text, {}) end,
}

--- The options, for the parser and the help text.
M.specs = {}
for _, key in ipairs(keys) do
  local boolean = key.check == require("farside.fields").boolean
  if key.option or boolean then M.specs[#M.specs + 1] = key end
end
for _, spec in ipairs {
  { name = "bind", option = "SRC:DST[:ro]", add = bind,
    help = "show a file or directory of the caller's inside" },
  { name = "tmpfs", option = "DST[:size=16M]", add = tmpfs,
    help = "an empty file system in memory" },
} do M.specs[#M.specs + 1] = spec end

local function merge(into, more)
  for key, value in pairs(more) do
    if math.type(key) == "integer" then
      into[#into + 1] = value
    else
      into[key] = value
    end
  end
  return into
end

--- Fills a recipe from parsed options.
-- @tparam table values from farside.options
-- @tparam table recipe
-- @treturn table the same recipe
function M.fill(values, recipe)
  for _, given in ipairs(values) do
    local spec, value = given.spec, given.value
    local name = spec.name
    if spec.add then
      recipe.mounts = merge(recipe.mounts or {}, { spec.add(value) })
    elseif parse[name] and (spec.many or name == "rlimits"
                            or name == "time") then
      recipe[name] = merge(recipe[name] or {}, parse[name](value))
    elseif parse[name] then
      recipe[name] = parse[name](value)
    else
      recipe[name] = value
    end
  end
  return recipe
end

return M

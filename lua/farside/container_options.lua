--- Recipes from the command line: every key of a recipe that is not a function
-- or an object is an option of the same name; some have shorter ways.

local keys <const> = require("farside.recipe").keys
local options <const> = require "farside.options"

local M = {}

-- "net_raw,kill" → adds the words to a list.
local function words(text, into)
  for word in text:gmatch "[^,]+" do into[#into + 1] = word end
  return into
end

local function list(recipe, key)
  recipe[key] = recipe[key] or {}
  return recipe[key]
end

-- A recipe's root may be a directory; layers make it a table.
local function layered(recipe)
  if type(recipe.root) ~= "table" then recipe.root = {} end
  return recipe.root
end

-- What an option does to the recipe, where it is more than to set the key.
local set <const> = {}

function set.layer(recipe, text)
  local layers = list(layered(recipe), "layers")
  layers[#layers + 1] = text
end

function set.image(recipe, text)
  layered(recipe).image = text
end

function set.upper(recipe, text)
  layered(recipe).upper = text
end

function set.capabilities(recipe, text)
  local all = text == "all" or text == "none"
  recipe.capabilities = all and text or words(text, {})
end

function set.env(recipe, text)
  local name, value = text:match "^([^=]+)=(.*)$"
  list(recipe, "env")[name or text] = value or true
end

function set.groups(recipe, text)
  words(text, list(recipe, "groups"))
end

function set.share(recipe, text)
  words(text, list(recipe, "share"))
end

function set.keep(recipe, text)
  local keep = list(recipe, "keep")
  keep[#keep + 1] = math.tointeger(text) or text
end

-- "deny:chmod,fchmod", "otherwise:ENOSYS"; false is the option that turns the
-- filter off.
function set.seccomp(recipe, text, word)
  if not text then
    recipe.seccomp = false
    return
  end
  local action, calls = text:match "^(%w+):(.+)$"
  if not action then
    options.usage(word, "--seccomp: ACTION:CALL[,CALL] expected, got '%s'",
                  text)
  end
  local rules = list(recipe, "seccomp")
  if action == "otherwise" then
    rules.otherwise = calls
  else
    rules[#rules + 1] = words(calls, { action })
  end
end

local booleans <const> = { ["true"] = true, ["false"] = false }

-- "bridge=br0,address=10.7.0.2/24": a key that comes again makes a list. A
-- single word is what the recipe takes as one, but for "user", which can have
-- keys beside it.
local function interface(text)
  if text ~= "user" and not text:find "[=,]" then return text end
  local result = {}
  for word in text:gmatch "[^,]+" do
    local key, value = word:match "^([%w_]+)=(.*)$"
    if booleans[value] ~= nil then value = booleans[value] end
    local before = result[key]
    if not key then
      result[word] = true
    elseif before == nil then
      result[key] = value
    else
      result[key] = type(before) == "table" and before or { before }
      table.insert(result[key], value)
    end
  end
  return result
end

-- Several make a list; the first replaces what a recipe says.
function set.network(recipe, text, _, first)
  local one <const> = interface(text)
  if type(one) ~= "table" then
    recipe.network = one
  elseif first or type(recipe.network) ~= "table" then
    recipe.network = { one }
  else
    table.insert(recipe.network, one)
  end
end

-- Ports are the first interface's that can have any.
function set.publish(recipe, text, word)
  local network = recipe.network
  if network == "user" then network = { user = true } end
  if type(network) ~= "table" then network = {} end
  recipe.network = network
  for _, one in ipairs(#network == 0 and { network } or network) do
    if one.bridge or one.user then
      table.insert(list(one, "publish"), text)
      return
    end
  end
  options.usage(word, "--publish: comes after --network user or --network "
    .. "bridge=NAME, whose ports they are")
end

-- "ro:/usr,/etc", "bind:80", "optional"
function set.landlock(recipe, text, word)
  local rules = list(recipe, "landlock")
  local kind, values = text:match "^(%l+):(.+)$"
  if text == "optional" then
    rules.optional = true
  elseif not kind then
    options.usage(word, "--landlock: KIND:PATH[,PATH] expected, got '%s'", text)
  else
    for value in values:gmatch "[^,]+" do
      local numeric <const> = kind == "bind" or kind == "connect"
      table.insert(list(rules, kind), numeric and math.tointeger(value)
                   or value)
    end
  end
end

local function assignment(key)
  set[key] = function(recipe, text, word)
    local name, value = text:match "^([%w_]+)=(.+)$"
    if not name then
      options.usage(word, "--%s: NAME=VALUE expected, got '%s'", key, text)
    end
    list(recipe, key)[name] = value
  end
end

assignment "rlimits"
assignment "limits"

local limit <const> = set.limits

-- "hugetlb=2M:64M", "io=/dev/sda:rbps=1M" are about one of several.
function set.limits(recipe, text, word)
  local size, amount = text:match "^hugetlb=(.*):(.*)$"
  local device, rate, number = text:match "^io=(.*):(%l+)=(.*)$"
  if size then
    list(list(recipe, "limits"), "hugetlb")[size] = amount
  elseif device then
    list(list(list(recipe, "limits"), "io"), device)[rate] = number
  else
    limit(recipe, text, word)
  end
end

--- The options, for the parser and the help text.
M.specs = {}

for _, key in ipairs(keys) do
  if key.help then M.specs[#M.specs + 1] = key end
end

for _, spec in ipairs {
  { name = "layer", option = "DIR",
    help = "a directory or a tar archive as a layer of its files; later ones "
        .. "win" },
  { name = "image", option = "DIR:TAG",
    help = "the layers of an image in an OCI layout, with the command, "
        .. "environment, user and directory that it says" },
  { name = "publish", option = "PORT:PORT",
    help = "lead a port of this machine to one of the container: 8080:80, "
        .. "127.0.0.1:8080:80/udp" },
  { name = "upper", option = "DIR",
    help = "keep what is written above the layers in DIR/upper" },
  { name = "seccomp", off = "no_seccomp",
    help = "no filter of system calls" },
  { name = "tty", off = "no_tty", help = "not a terminal of its own" },
} do M.specs[#M.specs + 1] = spec end

require("farside.mount_options").add(M.specs, set)

--- Fills a recipe from parsed options.
-- @tparam string word the sub-command, for messages
-- @tparam table values from farside.options
-- @tparam table recipe
-- @treturn table the same recipe
function M.fill(word, values, recipe)
  local seen = {}
  for _, given in ipairs(values) do
    local name = given.spec.name
    if set[name] then
      set[name](recipe, given.value, word, not seen[name])
      seen[name] = true
    else
      recipe[name] = given.value
    end
  end
  return recipe
end

return M

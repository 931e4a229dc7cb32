--- The keys of a recipe that say who the container's processes are: the maps of
-- ids, and the user of the program.

local fields <const> = require "farside.fields"

local M = {}

local LAST <const> = 4294967294 -- 4294967295 is -1: no id

--- A map of ids in any spelling, or "auto".
function M.map(value, where, fail)
  if value == "auto" then return value end
  local ok, result = pcall(require("farside.idmap").parse, value, where)
  if not ok then
    fail(where, "%s", (tostring(result):gsub("^.-" .. where .. ": ", "")))
  end
  return result
end

--- The name of a user or group, or its number. What is all digits is a number
-- and never looked up as a name.
function M.id(value, where, fail)
  if type(value) == "string" and value:find "^%d+$" then
    value = #value <= 10 and math.tointeger(tonumber(value)) or LAST + 1
  end
  if math.type(value) == "integer" then
    if value >= 0 and value <= LAST then return value end
    fail(where, "id from 0 to %d expected", LAST)
  end
  fields.string(value, where, fail)
  if value:find "[:/%s%c]" then
    fail(where, "name or number expected, got '%s'", value)
  end
  return value
end

--- A user, "www-data", 33, or with its group, "www-data:adm".
function M.user(value, where, fail)
  local user, group
  if type(value) == "string" then user, group = value:match "^(.-):(.*)$" end
  return { user = M.id(user or value, where, fail),
           group = group and M.id(group, where, fail) }
end

--- Groups beside the first.
M.groups = fields.list(M.id)

--- The checks of the keys for a program's user.
M.checks = { user = M.user, group = M.id, groups = M.groups }

--- What `user`, `group` and `groups` ask of each other.
-- @tparam table keys checked
-- @tparam function fail
-- @treturn ?table `user`, `group` and `groups`, when there is a user
function M.account(keys, fail)
  local user <const> = keys.user
  if keys.groups and not user then
    fail("groups", "they go with a user")
  elseif keys.group and not user then
    fail("group", "it goes with a user")
  elseif keys.group and user.group then
    fail("group", "the user has one already, after the colon")
  end
  return user and { user = user.user, group = user.group or keys.group,
                    groups = keys.groups }
end

--- What these keys ask of each other.
function M.consistent(recipe, fail)
  M.account(recipe, fail)
  local shared <const> = recipe.share.user
  if shared and (recipe.uid_map or recipe.gid_map) then
    fail("uid_map", "ids cannot be mapped with share = \"user\"")
  elseif recipe.gid_map == "auto" and recipe.uid_map ~= "auto" then
    fail("gid_map", "\"auto\" goes with uid_map = \"auto\"")
  elseif recipe.userns == false and shared then
    fail("userns", "would forbid them to the host with share = \"user\"")
  end
  if recipe.userns ~= false then return end
  local words <const> = recipe.capabilities
  for _, word in ipairs(words == "all" and { "sys_resource" } or words or {}) do
    if word:lower():gsub("^cap_", "") == "sys_resource" then
      fail("userns", "sys_resource among the capabilities would undo that")
    end
  end
end

return M

--- The users that /etc/passwd knows. Other sources of names (LDAP and the like)
-- are not asked: that would load code into whoever asks.

local files <const> = require "farside.file"

local M = {}

--- An id out of digits; nil for what is beyond all ids.
function M.id(digits)
  return #digits <= 10 and math.tointeger(tonumber(digits)) or nil
end

local function each()
  local users = {}
  for line in (files.find(nil, "/etc/passwd") or ""):gmatch "[^\n]+" do
    local name, digits = line:match "^([^:]*):[^:]*:(%d+):"
    local uid <const> = name and M.id(digits)
    if uid then users[#users + 1] = { name, uid } end
  end
  return users
end

--- A user by name or by number.
-- @tparam string|integer user
-- @treturn string|nil the name, nil for a number that nobody has
-- @treturn integer|nil the uid, nil for a name that nobody has
function M.find(user)
  for _, one in ipairs(each()) do
    if one[1] == user or one[2] == user then return one[1], one[2] end
  end
  if math.type(user) == "integer" then return nil, user end
  return user
end

--- All names: uid → name, the first of several.
function M.names()
  local names = {}
  for _, one in ipairs(each()) do names[one[2]] = names[one[2]] or one[1] end
  return names
end

return M

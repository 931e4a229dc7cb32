--- Users and groups of a root that is somebody else's: its /etc/passwd and
-- /etc/group as text. No name service is asked, which would load code.

local core <const> = require "farside.core"
local users <const> = require "farside.users"

local M = {}

local MOST <const> = 4 << 20 -- bytes of a file that is still believed

local function refuse(path)
  core.raise(core.errno.EINVAL, "account", path,
             path .. " (no file of users or groups)")
end

-- What is open and plain, to its end.
local function content(file, path)
  local parts, size = {}, 0
  for part in function() return core.read(file, 65536) end do
    parts[#parts + 1], size = part, size + #part
    if size > MOST then refuse(path) end
  end
  return table.concat(parts)
end

-- The text of a plain file in a root, "" when there is none; what would keep
-- the reader waiting or has no end is refused. It is opened once: who lives in
-- there may put something else in its place meanwhile.
local function read(root, path)
  local ok, fd = pcall(root.open, root, path, "rdonly,nonblock")
  if not ok and fd.code == "ENOENT" then return "" end
  if not ok then error(fd, 0) end
  local file <close> = fd
  if core.fstatat(file, "").type ~= "file" then refuse(path) end
  return content(file, path)
end

-- Lines as lists of what stands between their colons.
local function rows(text, least)
  return coroutine.wrap(function()
    for line in text:gmatch "[^\n]+" do
      local row = {}
      for part in (line .. ":"):gmatch "([^:]*):" do row[#row + 1] = part end
      if #row >= least then coroutine.yield(row) end
    end
  end)
end

local function number(text)
  return text:find "^%d+$" and users.id(text)
end

-- The row whose name or number it is.
local function find(text, least, wanted)
  for row in rows(text, least) do
    local id <const> = number(row[3])
    if id and (row[1] == wanted or id == wanted) then return row, id end
  end
end

local function missing(what, name, path)
  core.raise(core.errno.ENOENT, "account", path,
             ("%s '%s' (not in %s of the container)"):format(what, name, path))
end

local function gid_of(group, text)
  if math.type(group) == "integer" then return group end
  local _, gid = find(text, 3, group)
  return gid or missing("group", group, "/etc/group")
end

-- The groups that a name is a member of.
local function memberships(name, text)
  local list = {}
  for row in rows(text, 4) do
    local members <const> = "," .. row[4] .. ","
    local gid <const> = number(row[3])
    if gid and members:find("," .. name .. ",", 1, true) then
      list[#list + 1] = gid
    end
  end
  return list
end

--- A user of a root.
-- @tparam Root root
-- @tparam string|integer user
-- @tparam[opt] string|integer group
-- @tparam[opt] table groups names and numbers
-- @treturn table `uid`, `gid`, `groups`, `home`
-- @raise ENOENT for a name that is not there; a number need not be
function M.find(root, user, group, groups)
  local passwd <const> = read(root, "/etc/passwd")
  local all <const> = read(root, "/etc/group")
  local row, uid = find(passwd, 6, user)
  if not row and type(user) == "string" then
    missing("user", user, "/etc/passwd")
  end
  local list = groups or row and memberships(row[1], all) or {}
  for i, name in ipairs(list) do list[i] = gid_of(name, all) end
  return {
    uid = uid or user, home = row and row[6] ~= "" and row[6] or "/",
    gid = group and gid_of(group, all) or row and number(row[4]) or 0,
    groups = list,
  }
end

return M

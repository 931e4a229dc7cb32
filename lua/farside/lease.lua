--- Ranges of ids that containers of root have for themselves while they live.
--
-- A range is leased by a lock on a file that is named after its first id, in a
-- directory of root's. The lock ends with whoever holds it, however that ends;
-- the file is removed when the lease is given back in good order. So a file
-- without a lock tells of a crash, and its range is free once no process has
-- an id of it.
--
-- Ranges come out of those that /etc/subuid and /etc/subgid grant to the user
-- "farside", or else out of those that no user is granted, from 524288 on: what
-- systemd, too, leaves to containers.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local files <const> = require "farside.file"
local subid <const> = require "farside.subid"

local M = {}

local FIRST <const>, LAST <const> = 524288, 1879048191

---- what there is to lease ----

local function overlaps(first, count, ranges)
  for _, range in ipairs(ranges) do
    if first < range.first + range.count and range.first < first + count then
      return range
    end
  end
end

local function within(first, count, ranges)
  for _, range in ipairs(ranges) do
    if first >= range.first
        and first + count <= range.first + range.count then
      return true
    end
  end
end

-- The firsts of ranges of a size that were granted to "farside" for both kinds
-- of ids.
local function own(count, uids, gids)
  return coroutine.wrap(function()
    for _, range in ipairs(uids) do
      local last <const> = range.first + range.count - count
      for first = range.first, last, count do
        if within(first, count, gids) then coroutine.yield(first) end
      end
    end
  end)
end

-- Those that nobody was granted.
local function nobodys(count, taken)
  return coroutine.wrap(function()
    local first = FIRST
    while first + count - 1 <= LAST do
      local range <const> = overlaps(first, count, taken)
      if not range then coroutine.yield(first) end
      first = range and range.first + range.count or first + count
    end
  end)
end

local function candidates(count)
  local uids <const> = subid.subids("uid", "farside")
  if #uids > 0 then return own(count, uids, subid.subids("gid", "farside")) end
  local taken <const>, others <const> = subid.all "uid", subid.all "gid"
  return nobodys(count, table.move(others, 1, #others, #taken + 1, taken))
end

---- who has it ----

-- Whether some process has an id of a range: the last of a crashed container
-- may still be about to end.
local function lived_in(first, count)
  for _, entry in ipairs(core.readdir "/proc") do
    local status = entry.name:find "^%d+$"
      and (files.find(nil, "/proc/" .. entry.name .. "/status") or "")
        :match "\nUid:\t([%d\t]+)"
    for uid in (status or ""):gmatch "%d+" do
      uid = math.tointeger(uid)
      if uid >= first and uid < first + count then return true end
    end
  end
  return false
end

local function same(dir, name, fd)
  local there <close> = core.openat2(dir, name, "path,nofollow",
                                     { optional = true })
  return there and core.fstatat(there, "").ino == core.fstatat(fd, "").ino
end

-- The locked file, or nil when somebody has the range.
local function lock(dir, first, count)
  local name <const> = tostring(first)
  local new, fd = pcall(core.openat2, dir, name, "wronly,create,excl",
                        { mode = "0600" })
  if not new then
    if fd.code ~= "EEXIST" then error(fd, 0) end
    fd = core.openat2(dir, name, "wronly,nofollow", { optional = true })
    if not fd then return lock(dir, first, count) end -- just given back
  end
  local ok, free = pcall(function()
    return core.flock(fd, "exclusive,nonblock") and same(dir, name, fd)
      and (new or not lived_in(first, count))
  end)
  if ok and free then return fd end
  fd:close()
  if ok then return nil end
  if new then pcall(core.unlinkat, dir, name) end
  error(free, 0)
end

---- leases ----

local Lease <const> = {}
Lease.__index = Lease

--- Gives it back.
function Lease:close()
  if not self.file then return end
  core.unlinkat(self.directory, tostring(self.map[1][2]))
  self.file = self.file:close()
  self.directory:close()
end

Lease.__close = Lease.close

--- Leases a range of ids that no other container has.
-- @tparam[opt=65536] integer count
-- @treturn table `map`, the map of it, { { 0, FIRST, count } }; the method
-- `close` gives it back
-- @raise EAGAIN when all are taken
function M.lease_ids(count)
  count = count or 65536
  if math.type(count) ~= "integer" or count < 1 then
    errors.usage("lease_ids: a number of ids expected")
  end
  local _, dir = require("farside.state").directory "ids"
  for first in candidates(count) do
    local fd = lock(dir, first, count)
    if fd then
      return setmetatable({ map = { { 0, first, count } }, file = fd,
                            directory = dir }, Lease)
    end
  end
  dir:close()
  core.raise(core.errno.EAGAIN, "lease_ids", nil,
             ("a range of %d ids"):format(count))
end

return M

--- What /proc/self/exe of a process that joins a container leads to: the
-- program file of the caller. If somebody in there could write it, a link to
-- /proc/self/exe in place of the program that was meant would hand it to them
-- (CVE-2019-5736). Who neither owns it nor is in its group cannot, unless all
-- others may. Where somebody can, the driver joins as a copy of itself in
-- memory that is sealed. A function (farside.inside) cannot be handed to one:
-- its process is nobody's to look into, but programs are for `exec` to start.

local core <const> = require "farside.core"
local idmap <const> = require "farside.idmap"

local M = {}

local program <const> = "/proc/self/exe"

-- Whether a map has an id of the caller's side.
local function has(map, id)
  for _, range in ipairs(map) do
    if id >= range[2] and id < range[2] + range[3] then return true end
  end
  return false
end

local function own(target)
  local ok, theirs = pcall(core.open, target, "user")
  if not ok then return false end -- EACCES: not of ours
  local mine <close> = core.open("self", "user")
  local same <const> = theirs == mine
  theirs:close()
  return same
end

--- Whether the caller's program could be written by somebody with the ids of a
-- process's user namespace.
-- @tparam process|fd|Container target
-- @treturn boolean
function M.exposed(target)
  if own(target) then return core.faccessat(nil, program, "write") end
  local file <const> = core.fstatat(nil, program)
  local mode <const> = tonumber(file.mode, 8)
  if mode & 2 ~= 0 or has(idmap.read_uid_map(target), file.uid) then
    return true
  end
  return mode & 16 ~= 0 and has(idmap.read_gid_map(target), file.gid)
end

--- The driver as a file in memory that nobody can write any more.
-- @treturn fd
-- @raise a message when this program is not the driver, and cannot be started
-- again
function M.copy()
  if not package.preload["farside.sealed"] then
    require("farside.error").usage("exec: the container could write this "
      .. "program, %s, by way of the process that joins it: let the program "
      .. "belong to somebody who is not in the container, or use the driver, "
      .. "farside", core.readlinkat(nil, program))
  end
  local from <close> = core.openat2(nil, program, "rdonly")
  local ok, copy = pcall(core.memfd_create, "farside", "allow_sealing,exec")
  if not ok then -- EINVAL before Linux 6.3, where all can be executed
    copy = core.memfd_create("farside", "allow_sealing")
  end
  for part in function() return core.read(from, 1 << 20) end do
    core.write(copy, part)
  end
  core.seal(copy, "write", "grow", "shrink", "seal")
  return copy
end

return M

--- Ways into namespaces that exist: joining them, and what a process must be
-- and have before it may, since whoever lives in there may mean harm.
--
-- From the join on the files in sight are somebody else's, so nothing is
-- loaded any more. Whoever joins has the caller's memory and descriptors: it
-- cannot be looked into until it has become another program, and keeps no
-- descriptor then. What /proc/self/exe leads to can be written by nobody in
-- there: see farside.sealed.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local kinds <const> = require "farside.kinds"

local M = {}

--- Loads whatever the library may load later: nothing is loaded any more once
-- others' files are in sight. The driver has it all in memory.
function M.prepare()
  if package.preload["farside.join"] then return end
  require "farside.hint"
  for _ in pairs(require "farside") do end
end

--- Handles of all namespaces that a process is in.
-- @tparam process|int|fd target a process, a pid or a pidfd
-- @tparam[opt] {string,...} wanted their kinds; all without it
-- @treturn {namespace,...} to be closed by the caller
-- @raise EACCES without the right to look into the process. See namespaces(7),
-- ptrace(2).
function M.namespaces(target, wanted)
  local handles = {}
  for i, kind in ipairs(wanted or kinds) do
    handles[i] = core.open(target, kind)
  end
  return handles
end

-- The namespaces that are not the caller's own, and the set of their kinds.
local function foreign(handles)
  local others, joined = {}, {}
  for _, handle in ipairs(handles) do
    local own <close> = core.open("self", handle.kind)
    if handle ~= own then
      others[#others + 1] = handle
      joined[handle.kind] = true
    end
  end
  return others, joined
end

local NOBODY <const> = 65534

-- The caller's groups are not for those in another user namespace, who could
-- make them stay: by denying setgroups, or by a map that has no group 0. EPERM:
-- an ordinary user's stay his own. EINVAL: where the caller is, nobody has that
-- number, and root's group is no more than that of a user namespace.
local function leave_groups(joined, preserve)
  if joined.user and not preserve and pcall(core.setgroups, {}) then
    pcall(core.setresgid, NOBODY, NOBODY, NOBODY)
  end
end

-- All at once: the kernel takes the user namespace first and the others with
-- the rights in there, or none.
local function join_process(process, wanted, preserve)
  local others, joined = foreign(M.namespaces(process, wanted))
  local names = {}
  leave_groups(joined, preserve)
  for i, handle in ipairs(others) do names[i] = handle.kind end
  if #names > 0 then core.setns(process, table.unpack(names)) end
  return joined
end

-- Rights over a namespace come from here or from the user namespace in the
-- list: what fails before it is joined is tried once more after.
local function join_handles(handles, preserve)
  local others, joined = foreign(handles)
  local user, again = {}, {}
  leave_groups(joined, preserve)
  for _, handle in ipairs(others) do
    if handle.kind == "user" then
      user[#user + 1] = handle
    elseif not errors.try(core.setns, handle) then
      again[#again + 1] = handle
    end
  end
  for _, handle in ipairs(user) do core.setns(handle) end
  for _, handle in ipairs(again) do core.setns(handle) end
  return joined
end

local function is_list(target)
  return type(target) == "table" and target[1] ~= nil
end

--- Joins, for good; the pid namespace only for children to come.
-- @param target a process (a pid, a process object, a container), a namespace
-- (a handle, a descriptor or a path), or a list of namespaces
-- @tparam[opt] {string,...} wanted of a process, the kinds; all without it
-- @tparam[opt] boolean preserve keep the caller's groups, also in another user
-- namespace
-- @treturn table the kinds that were not the caller's own, as a set
-- @raise as setns
function M.join(target, wanted, preserve)
  if type(target) == "table" and target.namespaces then
    -- a container of one's own
    return join_handles(target.namespaces, preserve)
  end
  if math.type(target) == "integer" then
    local pidfd <close> = core.pidfd_open(target)
    return join_process(pidfd, wanted, preserve)
  elseif is_list(target) then
    local handles = {}
    for i, one in ipairs(target) do handles[i] = core.open(one) end
    return join_handles(handles, preserve)
  elseif type(target) == "string" then
    return join_handles({ core.open(target) }, preserve)
  end
  local ok, handle = pcall(core.open, target)
  if ok then return join_handles({ handle }, preserve) end
  return join_process(target, wanted, preserve)
end

--- In a user namespace that was joined one is nobody until one says who one
-- is. EPERM: setgroups is denied there. EINVAL: nobody is root there.
function M.become_root()
  errors.unless("EPERM", core.setgroups, {})
  errors.unless("EINVAL", core.setresgid, 0, 0, 0)
  errors.unless("EINVAL", core.setresuid, 0, 0, 0)
end

--- Whoever runs others' programs must be somebody that they know: an id that is
-- not mapped in there is still the caller's own out here, and with root's they
-- could do much.
-- @raise EINVAL
function M.check_user()
  local id <const> = core.geteuid()
  local ok, err = pcall(core.setresuid, id, id, id)
  if ok then return end
  err.hint = "in the user namespace that was joined nobody is root, and the "
    .. "caller is nobody there: `farside enter` takes --setuid, a user to be"
  error(err, 0)
end

--- Whoever is in there must not look into this process, which has the memory
-- and the descriptors of the caller; nor get those by way of a program that
-- it starts.
-- @tparam table joined from join
function M.shield(joined)
  if joined.user then core.prctl("dumpable", false) end
  core.close_range(3, nil, "cloexec")
end

--- A child whose caller has gone has nobody left to work for. The signal comes
-- from now on (a change of credentials, such as a join, takes it back); the
-- pidfd tells what happened before.
-- @tparam fd caller a pidfd
function M.live_with(caller)
  core.prctl("pdeathsig", "KILL")
  if #core.poll({ caller }, 0) > 0 then core._exit(1) end
end

return M

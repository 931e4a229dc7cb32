--- The namespaces of the machine, and what holds each: processes, threads and
-- the children that they will have, descriptors, mounts, sockets; or another
-- namespace, whose owner or parent it is.
--
-- One pass over /proc tells who is where; from then on a process may have
-- ended, or its number be another's. So what is opened later counts only when
-- it is the namespace that was seen.

local core <const> = require "farside.core"
local mountinfo <const> = require "farside.mountinfo"

local M = {}

-- The namespace of an id, new when it was not known.
local function namespace(self, id, kind)
  local found = self.by_id[id]
  if not found then
    found = { id = id, type = kind, nprocs = 0, processes = {}, holders = {} }
    self.by_id[id] = found
    self[#self + 1] = found
  end
  return found
end

local function hold(self, id, kind, holder)
  local holders <const> = namespace(self, id, kind).holders
  holders[#holders + 1] = holder
end

local function unseen(self, what)
  self.unseen[what] = (self.unseen[what] or 0) + 1
end

---- processes ----

local function add_process(self, process)
  for kind, id in pairs(process.namespaces) do
    local found <const> = namespace(self, id, kind)
    found.nprocs = found.nprocs + 1
    found.processes[found.nprocs] = process.pid
  end
end

local function add_children(self, process)
  for kind, id in pairs(process.children or {}) do
    hold(self, id, kind, { how = "children", pid = process.pid })
  end
end

-- Threads in other namespaces than their process's first.
local function add_threads(self, process)
  for _, thread in ipairs(process.threads or {}) do
    for kind, id in pairs(thread.namespaces) do
      if id ~= process.namespaces[kind] then
        hold(self, id, kind, { how = "thread", pid = process.pid,
                               tid = thread.tid })
      end
    end
  end
end

local function add_descriptors(self, process)
  for _, open in ipairs(process.open or {}) do
    if open.kind ~= "socket" then
      hold(self, open.id, open.kind, { how = "descriptor", pid = process.pid,
                                       fd = open.fd })
    end
  end
end

---- mounts ----

-- The lines of a mountinfo about kept namespaces; nil when it cannot be read,
-- and why.
local function kept_in(pid)
  local file <close>, _, code = io.open(("/proc/%s/mountinfo"):format(pid))
  local text = file and file:read "a"
  if not text then return nil, code end
  local lines = {}
  for line in text:gmatch "[^\n]* %- nsfs [^\n]*" do
    lines[#lines + 1] = line
  end
  return #lines == 0 and {} or mountinfo.mountinfo(table.concat(lines, "\n"))
end

-- The mounts of a mount namespace, by way of any process in it.
local function mounts_of(self, found)
  local denied = false
  for _, pid in ipairs(found.processes) do
    local mounts, code = kept_in(pid)
    if mounts then return mounts, pid end
    denied = denied or code == core.errno.EACCES
  end
  if denied then unseen(self, "mounts") end
  return {}
end

local function add_mounts(self)
  local own <const> = core.readlinkat(nil, "/proc/self/ns/mnt")
  for _, found in ipairs(table.move(self, 1, #self, 1, {})) do
    local mounts, pid = {}, nil
    if found.type == "mnt" then mounts, pid = mounts_of(self, found) end
    local mine <const> = own == ("mnt:[%d]"):format(found.id)
    for _, mount in ipairs(mounts) do
      local kind, id = mount.root:match "^(%l+):%[(%d+)%]$"
      if kind then
        hold(self, math.tointeger(id), kind,
          { how = "mount", path = mount.target, pid = not mine and pid or nil })
      end
    end
  end
end

-- Whether /proc keeps the processes of others out of sight, even their number.
local function hides()
  local file <close> = io.open "/proc/self/mountinfo"
  local text = file and file:read "a" or ""
  local how = text:match " /proc [^\n]* %- proc [^\n]*hidepid=(%w+)"
  return how and how ~= "0" and how ~= "off"
    and not core.capability.has "sys_ptrace"
end

---- sockets ----

-- The namespace of a socket of a process: a handle, or nil and why.
local function of_socket(pidfd, number)
  local ok, socket = pcall(core.pidfd_getfd, pidfd, number)
  if not ok then return nil, socket.code end
  local copy <close> = socket
  local got, fd = pcall(core.socket_namespace, copy)
  if not got then return nil, fd.code end
  local namespace_fd <close> = fd
  return core.open(namespace_fd, "net")
end

-- It has ended, or closed the socket: there is nothing more to see.
local gone <const> = { ESRCH = true, EBADF = true, ENOTTY = true }

local function add_socket(self, process, pidfd, open)
  local handle <close>, code = of_socket(pidfd, open.fd)
  if handle then
    if handle.id == process.namespaces.net then return end
    hold(self, handle.id, "net", { how = "socket", pid = process.pid,
                                   fd = open.fd })
  elseif not gone[code] then
    unseen(self, "sockets")
  end
end

-- Each socket once, whoever else has it.
local function add_sockets(self, process)
  local pidfd
  for _, open in ipairs(process.open or {}) do
    if open.kind == "socket" and not self.sockets[open.id] then
      self.sockets[open.id] = true
      local ok = pidfd or pcall(function()
        pidfd = core.pidfd_open(process.pid)
      end)
      if not ok then return end -- it has ended
      add_socket(self, process, pidfd, open)
    end
  end
  if pidfd then pidfd:close() end
end

---- opening ----

-- A path in somebody else's mounts is followed there, and nothing but a
-- namespace is opened.
local function open_mounted(holder)
  if not holder.pid then return core.open(holder.path) end
  local root <close> = core.openat2(nil, ("/proc/%d/root"):format(holder.pid),
    "path,directory")
  local file <close> = core.openat2(root, holder.path, "path",
    { resolve = "in_root,no_symlinks,no_magiclinks" })
  if core.statfs(file).type == "nsfs" then
    return core.open(("/proc/self/fd/%d"):format(file:fileno()))
  end
end

local ways <const> = {
  children = function(holder, kind)
    return core.open(holder.pid, kind .. "_for_children")
  end,
  thread = function(holder, kind)
    return core.open(("/proc/%d/task/%d/ns/%s"):format(holder.pid, holder.tid,
      kind))
  end,
  descriptor = function(holder)
    return core.open(("/proc/%d/fd/%d"):format(holder.pid, holder.fd))
  end,
  mount = open_mounted,
  socket = function(holder)
    local pidfd <close> = core.pidfd_open(holder.pid)
    return (of_socket(pidfd, holder.fd))
  end,
}

local refused <const> = { EACCES = true, EPERM = true }

-- A handle when it is of the namespace that was meant; otherwise nil, and
-- whether it may not be had.
local function right(found, ok, handle)
  if not ok then return nil, refused[handle.code] end
  if not handle then return nil, false end
  if handle.id == found.id then return handle end
  handle:close()
  return nil, false
end

--- Opens a namespace that was seen, by whatever still holds it.
-- @treturn namespace|nil
-- @treturn boolean without one, whether it is there and may not be opened
function M.open(found)
  local denied = false
  local function try(...)
    local handle, no = right(found, pcall(...))
    denied = denied or no
    return handle
  end
  for _, pid in ipairs(found.processes) do
    local handle = try(core.open, pid, found.type)
    if handle then return handle end
  end
  for _, holder in ipairs(found.holders) do
    local way <const> = ways[holder.how]
    local handle = way and try(way, holder, found.type)
    if handle then return handle end
  end
  return nil, denied
end

---- relatives ----

local nests <const> = { pid = true, user = true }

local learn

-- One that is known already has been, or will be, learned from itself.
local function relative(self, handle, how, of)
  if not self.by_id[handle.id] then
    hold(self, handle.id, handle.kind, { how = how, id = of })
    learn(self, self.by_id[handle.id], handle)
  end
  return handle.id
end

-- Owner and parent, and those that are known by nothing else.
function learn(self, found, handle)
  local owner <close> = handle:user()
  found.owner = owner and relative(self, owner, "owner", found.id)
  local parent <close> = nests[found.type] and handle:parent() or nil
  found.parent = parent and relative(self, parent, "parent", found.id)
  if found.type == "net" then found.netnsid = core.nsid.get(handle) end
  if found.type == "user" then found.creator = handle.owner end
end

-- What nothing holds any more has ended since it was seen.
local function drop(self, ended)
  for i = #self, 1, -1 do
    if ended[self[i]] then table.remove(self, i) end
  end
end

local function add_relatives(self)
  local ended = {}
  for _, found in ipairs(table.move(self, 1, #self, 1, {})) do
    local handle <close>, denied = M.open(found)
    if handle then
      learn(self, found, handle)
    elseif denied then
      unseen(self, "relatives")
    else
      ended[found] = true
    end
  end
  if next(ended) then drop(self, ended) end
end

--- Looks at the machine.
-- @treturn table a list of namespaces, each with `id`, `type`, `nprocs`,
-- `processes`, `holders`, `owner`, `parent`, `netnsid`, `creator`; its
-- fields: `unseen`, what could not be looked at; `seen`, the processes
function M.look()
  local self <const> = { by_id = {}, sockets = {}, unseen = {} }
  self.seen = core.processes("threads", "descriptors", "parents")
  for _, process in ipairs(self.seen) do
    add_process(self, process)
    if process.denied then unseen(self, "processes") end
  end
  for _, process in ipairs(self.seen) do
    add_children(self, process)
    add_threads(self, process)
    add_descriptors(self, process)
  end
  for _, process in ipairs(self.seen) do add_sockets(self, process) end
  add_mounts(self)
  add_relatives(self)
  self.unseen.hidden = hides() or nil
  return self
end

return M

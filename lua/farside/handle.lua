--- Namespaces without a process, held by a handle or by a path.
-- A child makes the namespace, the parent opens it, and the child ends. Only
-- a pid namespace keeps a process, its PID 1 (see farside.holder).
--
-- A path keeps a namespace by a bind mount of its nsfs file, as ip-netns(8)
-- and unshare(1) do it, so that each finds what the others have kept.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local fields <const> = require "farside.fields"
local holder <const> = require "farside.holder"
local names <const> = require "farside.kinds"

local M = {}

M.open = core.open

---- making ----

local function any(value) return value end -- what clone checks

local function handle(value, path, fail)
  if type(value) ~= "userdata" then
    fail(path, "handle of a user namespace expected, got %s", type(value))
  end
  return value
end

local propagation <const> = fields.word("private", "slave", "shared")

-- The kinds of namespaces, and the options of each.
local kinds <const> = {
  mnt = { propagation = propagation },
  uts = {}, ipc = {}, net = {}, pid = {}, cgroup = {},
  user = { uid_map = any, gid_map = any, setgroups = any },
  time = { monotonic = any, boottime = any },
}
for _, options in pairs(kinds) do options.user = handle end

local function check(word, options)
  local kind <const> = names.of(word)
  if not kind then
    errors.usage("new: unknown namespace '%s' (expected %s)", tostring(word),
      table.concat(names, ", "))
  end
  return kind, fields.check("new", fields.record(kinds[kind]), options or {})
end

-- In the child: it tells that all is made and waits for its end, or for ours.
local function wait_there(kind, options, channel)
  if kind == "mnt" then
    core.mount(nil, "/", nil, "r" .. (options.propagation or "private"))
  end
  core.sendmsg(channel, "+")
  core.recvmsg(channel, 1)
end

local function clone(kind, options, fn)
  local list <const> = { kind, uid_map = options.uid_map,
    gid_map = options.gid_map, setgroups = options.setgroups,
    monotonic = options.monotonic, boottime = options.boottime }
  return require("farside.clone").clone(list, fn)
end

-- Waits for the child's first message; without one, raises what it raised.
local function first_message(channel, child)
  local data, descriptors = core.recvmsg(channel, 16)
  if data then return data, descriptors end
  local _, how, code = child:wait()
  error(("new: the child ended before it was ready (%s %d)"):format(how, code),
    0)
end

-- A handle, and what holds a pid namespace, which may be the parent's child.
local function make(kind, options, parent)
  if kind == "pid" then
    local process, control = holder.new(parent)
    return core.open(process, kind), process, control
  end
  local one, other = core.socketpair "seqpacket"
  local mine <close>, theirs <const> = one, other
  local child <close> = clone(kind, options, function()
    mine:close() -- or our hanging up would never arrive
    wait_there(kind, options, theirs)
  end)
  theirs:close()
  first_message(mine, child)
  return core.open(child, kind)
end

-- The same by a child that has joined the user namespace; it sends what it
-- made as descriptors.
local function make_within(user, kind, options)
  local one, other = core.socketpair "seqpacket"
  local mine <close>, theirs <const> = one, other
  local child <close> = require("farside.clone").clone({}, function()
    mine:close()
    core.setns(user, "user")
    local made, process, control = make(kind, options, true)
    core.sendmsg(theirs, ("<i4"):pack(process and process.pid or 0),
                 { made, process, control })
  end)
  theirs:close()
  local data <const>, descriptors <const> = first_message(mine, child)
  child:wait()
  local made <close> = descriptors[1]
  local pidfd <close> = descriptors[2]
  local process = pidfd and core.process(("<i4"):unpack(data), pidfd)
  return core.open(made, kind), process, descriptors[3]
end

local function make_network(user)
  local fd <close> = core.network_namespace(user)
  return core.open(fd, "net")
end

-- The clone that failed is not what the user called.
local function cannot_make(kind, err)
  if errors.is(err) and err.call == "clone" then
    err.call, err.detail = "new", kind
    errors.explain(err)
  end
  error(err, 0)
end

--- Makes a namespace that a handle holds. No process is left, but for a pid
-- namespace: that has a PID 1 of ours, which reaps, ignores signals from
-- within, and ends when the handle is closed or the calling process ends.
-- @tparam string kind "mnt", "uts", "ipc", "net", "pid", "user", "cgroup" or
-- "time"
-- @tparam[opt] table options
--
-- - `user`: the handle of a user namespace that is to own the new one
-- - `uid_map`, `gid_map`, `setgroups`: of a user namespace, as in clone
-- - `monotonic`, `boottime`: the offsets of a time namespace, as in clone
-- - `propagation`: of a mount namespace's mounts, "private" when not given
-- @treturn namespace
-- @raise as clone. See namespaces(7).
-- @usage local net <close> = ns.new "net"
function M.new(kind, options)
  kind, options = check(kind, options)
  local ok, made, process, control
  if kind == "net" then
    return make_network(options.user)
  elseif options.user then
    made, process, control = make_within(options.user, kind, options)
  else
    ok, made, process, control = pcall(make, kind, options)
    if not ok then cannot_make(kind, made) end
  end
  if process then made:keep(holder.adopt(process, control)) end
  return made
end

---- keeping under a path ----

local function check_handle(who, value)
  local ok, kind = pcall(function() return value.kind end)
  if type(value) ~= "userdata" or not (ok and kind) then
    errors.usage("%s: namespace expected, got %s", who, type(value))
  end
end

local function check_path(who, value)
  if type(value) ~= "string" or value == "" then
    errors.usage("%s: path expected, got %s", who,
      value == "" and "an empty string" or type(value))
  end
end

-- The file to mount on, and whether it is new. One that is there already must
-- be a plain, empty one.
local function place(path)
  local ok, file = pcall(core.openat2, nil, path, "create,excl,rdonly",
    { mode = "0000" })
  if ok then return file, true end
  if file.code ~= "EEXIST" then
    core.raise(file.errno, "persist", path)
  end
  file = core.openat2(nil, path, "path,nofollow")
  local stat <const> = core.fstatat(file, "")
  if stat.type ~= "file" or stat.size > 0
      or core.statfs(file).type == "nsfs" then
    file:close()
    core.raise(core.errno.EEXIST, "persist", path)
  end
  return file, false
end

local function attach(self, file)
  local tree <close> = core.open_tree(self, "", "clone")
  core.move_mount(tree, "", file, "")
end

local refusals <const> = { EINVAL = true, ELOOP = true }

-- The kernel's word, and for mount namespaces what it means by that.
local function cannot_persist(self, path, err)
  local detail = path
  if self.kind == "mnt" and refusals[err.code] then
    detail = path .. " (a mount namespace can be kept only outside of itself,"
      .. " in one that is older, and on a mount that is not shared with it)"
  end
  core.raise(err.errno, "persist", path, detail, { kind = self.kind })
end

-- The holder of a pid namespace, which then outlives us.
local function release(self)
  local kept <const> = self:keep(nil)
  if kept and kept.release then kept:release() end
end

--- Keeps a namespace under a path, until unpersist or umount; `ip netns` finds
-- those in /run/netns. The PID 1 that a handle from `new` holds stays then.
-- Also `handle:persist(path)`.
-- @tparam namespace self
-- @tparam string path a file that is made, or an empty one; its directory
-- must be there. On failure it is left as it was
-- @raise EEXIST when something is there; EPERM without CAP_SYS_ADMIN over the
-- caller's mount namespace; EINVAL or ELOOP for a mount namespace seen from
-- itself, from one that is newer, or through a mount that is shared with it.
-- See mount(2), ip-netns(8).
function M.persist(self, path)
  check_handle("persist", self)
  check_path("persist", path)
  local file <close>, new = place(path)
  local ok, err = pcall(attach, self, file)
  if not ok then
    if new then core.unlinkat(nil, path) end
    cannot_persist(self, path, err)
  end
  release(self)
end

core.namespace.persist = M.persist
core.namespace.init = holder.init

local function check_kept(path)
  local ok, file = pcall(core.openat2, nil, path, "path,nofollow")
  if not ok then core.raise(file.errno, "unpersist", path) end
  local there <close> = file
  if core.statfs(there).type ~= "nsfs" then
    core.raise(core.errno.EINVAL, "unpersist", path,
      path .. " (no namespace is kept there)")
  end
end

--- Ends what persist began: the path is unmounted and removed, and a PID 1 of
-- ours is ended, with all in its pid namespace. The namespace itself lives
-- on while anything else holds it.
-- @tparam string path
-- @raise EINVAL when no namespace is kept there; EPERM. See umount(2).
function M.unpersist(path)
  check_path("unpersist", path)
  check_kept(path)
  local kept <close> = core.open(path)
  core.umount(path, "detach,nofollow")
  core.unlinkat(nil, path)
  if kept.kind == "pid" then holder.finish(kept) end
end

return M

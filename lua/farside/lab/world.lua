--- Where the programs of a lab run: one pid namespace for all of them, whose
-- PID 1 ends with the lab or with the process that made it, and everything with
-- it; and for each node a view of its own, mounts and host name, made when its
-- first program is. In it /proc shows the lab's processes, /sys the node's
-- interfaces, and /etc/hosts has the names of all nodes.

local core <const> = require "farside.core"
local topology <const> = require "farside.lab.topology"

local M = {}

local function close(object)
  if object then object:close() end
end

--- Makes the pid namespace.
-- @tparam table lab
function M.open(lab)
  if not lab.world then
    lab.world = require("farside").new("pid", { user = lab.user })
  end
end

local function hosts(lab)
  local lines = { "127.0.0.1 localhost", "::1 localhost" }
  for _, node in ipairs(lab.nodes) do
    for _, address in ipairs(topology.addresses(node)) do
      lines[#lines + 1] = address.plain .. " " .. node.name
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

-- A file in memory over /etc/hosts, or within /etc where there is none to
-- cover; /proc is where it can be made, before what belongs there covers it.
local function cover_hosts(text)
  core.mount("tmpfs", "/proc", "tmpfs", "size=4M")
  core.mkdirat(nil, "/proc/etc")
  do
    local file <close> = core.openat2(nil, "/proc/etc/hosts",
                                      "wronly,create", { mode = "0644" })
    core.write(file, text)
  end
  local ok, failure = pcall(core.mount, "/proc/etc/hosts", "/etc/hosts", nil,
                            "bind")
  if not ok and failure.code == "ENOENT" then
    core.mkdirat(nil, "/proc/work")
    core.mount("overlay", "/etc", "overlay",
               "lowerdir=/etc,upperdir=/proc/etc,workdir=/proc/work")
    ok = true
  end
  core.umount("/proc", "detach")
  if not ok then error(failure, 0) end
end

-- In a child that is in the node's network and the lab's pid namespace.
local function make_view(channel, name, text)
  core.unshare("mnt", "uts")
  core.mount(nil, "/", nil, "rslave")
  cover_hosts(text)
  core.mount("proc", "/proc", "proc", "nosuid,nodev,noexec")
  core.mount("sysfs", "/sys", "sysfs", "nosuid,nodev,noexec")
  core.sethostname(name)
  local mnt <close> = core.open("self", "mnt")
  local uts <close> = core.open("self", "uts")
  core.sendmsg(channel, "+", { mnt, uts })
end

local function view_of(node, joined)
  local lab <const> = node.lab
  local one, other = core.socketpair "seqpacket"
  local mine <close> = one
  local theirs <close> = other
  require("farside").inside(joined, make_view, theirs, node.name, hosts(lab))
  local _, descriptors = core.recvmsg(mine, 1)
  local handles = {}
  for i, fd in ipairs(descriptors) do
    handles[i] = core.open(fd)
    fd:close()
  end
  return handles
end

--- The namespaces that a node's programs run in.
-- @tparam table node
-- @treturn {namespace,...}
function M.namespaces(node)
  if node.view then return node.view end
  local lab <const> = node.lab
  M.open(lab)
  local shared = { lab.user or lab.world, lab.world, node:namespace_handle() }
  if not lab.user then table.remove(shared, 1) end
  local own = view_of(node, shared)
  node.own = own
  node.view = table.move(own, 1, #own, #shared + 1, shared)
  return node.view
end

--- Lets go of a node's view, as when there are more names to know.
function M.forget(node)
  if not node.own then return end -- a container's is none of ours
  for _, handle in ipairs(node.own) do close(handle) end
  node.own, node.view = nil, nil
end

return M

--- Network namespaces with a name, as ip-netns(8) has them: each finds what the
-- other has made.
--
-- A name is a file in /run/netns with the namespace bound on it. The directory
-- is a mount of its own and shared, so that a name that is removed is removed
-- in the mount namespaces of others, too, and nobody keeps its namespace.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local handle <const> = require "farside.handle"

local M = {}

local directory <const> = "/run/netns"

local function check_name(who, name)
  if type(name) ~= "string" then
    errors.usage("netns.%s: name expected, got %s", who, type(name))
  end
  if name == "" or #name > 255 or name:find "[/%z]" or name == "."
      or name == ".." then
    errors.usage("netns.%s: bad name '%s' (expected 1 to 255 bytes, no '/')",
      who, name)
  end
  return directory .. "/" .. name
end

--- Where a name is kept.
-- @function netns.path
-- @tparam string name
-- @treturn string
-- @raise a message about what is no name
local function path(name) return check_name("path", name) end

---- making and removing ----

-- EINVAL: it is no mount yet.
local function share()
  local ok, err = pcall(core.mount, nil, directory, nil, "rshared")
  if ok then return end
  if err.code ~= "EINVAL" then error(err, 0) end
  core.mount(directory, directory, nil, "rbind")
  core.mount(nil, directory, nil, "rshared")
end

-- Whoever else sets the directory up waits for the lock.
local function prepare()
  local ok, err = pcall(core.mkdirat, nil, directory, "0755")
  if not ok and err.code ~= "EEXIST" then error(err, 0) end
  local lock <close> = core.openat2(nil, directory, "rdonly,directory")
  core.flock(lock, "exclusive")
  share()
end

--- Makes a network namespace with a name, or gives one to a namespace that
-- there is.
-- @function netns.add
-- @tparam string name
-- @param[opt] target a process, a pid, a handle; a new namespace when nil
-- @raise EEXIST when there is one of that name; EPERM without CAP_SYS_ADMIN.
-- See ip-netns(8).
local function add(name, target)
  local at <const> = check_name("add", name)
  local net <close> = target == nil and handle.new "net"
    or core.open(target, "net")
  prepare()
  handle.persist(net, at)
end

--- Takes a name away, and what is left of one. The namespace itself lives on
-- while anything else holds it.
-- @function netns.delete
-- @tparam string name
-- @raise ENOENT; EPERM without CAP_SYS_ADMIN. See ip-netns(8).
local function delete(name)
  local at <const> = check_name("delete", name)
  local ok, err = pcall(core.umount, at, "detach,nofollow")
  if not ok and err.code ~= "EINVAL" then -- EINVAL: nothing is bound there
    core.raise(err.errno, "netns.delete", name)
  end
  core.unlinkat(nil, at)
end

---- what there is ----

local function is_kept(at)
  local ok, fs = pcall(core.statfs, at)
  return ok and fs.type == "nsfs"
end

local function names()
  local ok, entries = pcall(core.readdir, directory)
  if not ok and entries.code == "ENOENT" then return {} end
  if not ok then error(entries, 0) end
  local list = {}
  for _, entry in ipairs(entries) do list[#list + 1] = entry.name end
  table.sort(list)
  return list
end

--- The names that there are.
-- @function netns.list
-- @treturn {table,...} each with `name` and, where it has one, `id`: the number
-- under which this network namespace knows it; `stale` (true) when nothing is
-- bound on it
-- @raise EACCES. See ip-netns(8).
local function list()
  local found = {}
  for i, name in ipairs(names()) do
    local at <const> = directory .. "/" .. name
    local kept <const> = is_kept(at)
    found[i] = { name = name, stale = not kept or nil,
                 id = kept and core.nsid.get(at) or nil }
  end
  return found
end

--- Opens a namespace by its name.
-- @function netns.open
-- @tparam string name
-- @treturn namespace to be closed
-- @raise ENOENT; EINVAL for a name that nothing is bound on.
local function open(name)
  return core.open(check_name("open", name), "net")
end

--- The names that the network namespace of a process has.
-- @function netns.identify
-- @param[opt] target a process or a pid; the caller when nil
-- @treturn {string,...}
-- @raise ESRCH; EACCES without the right to look at it.
local function identify(target)
  local net <close> = core.open(target or "self", "net")
  local found = {}
  for _, name in ipairs(names()) do
    if is_kept(directory .. "/" .. name) then
      local other <close> = open(name)
      if other == net then found[#found + 1] = name end
    end
  end
  return found
end

--- The processes that are in the namespace of a name, of those that the caller
-- may look at.
-- @function netns.pids
-- @tparam string name
-- @treturn {int,...}
-- @raise ENOENT
local function pids(name)
  local net <close> = open(name)
  local found = {}
  for _, entry in ipairs(core.readdir "/proc") do
    local pid = math.tointeger(tonumber(entry.name))
    local ok, other = pcall(core.open, pid or -1, "net")
    if pid and ok then
      if other == net then found[#found + 1] = pid end
      other:close()
    end
  end
  table.sort(found)
  return found
end

---- going there ----

-- Files of /etc/netns/NAME stand in for those of /etc.
local function bind_files(name)
  local from <const> = "/etc/netns/" .. name
  local ok, entries = pcall(core.readdir, from)
  if not ok and entries.code == "ENOENT" then return end
  if not ok then error(entries, 0) end
  for _, entry in ipairs(entries) do
    local file <const> = entry.name
    core.mount(from .. "/" .. file, "/etc/" .. file, nil, "bind")
  end
end

-- A /sys that shows the links of the namespace, as writable as it was.
local function mount_sys(name)
  local readonly <const> = core.statfs "/sys".flags.ro
  local ok, err = pcall(core.umount, "/sys", "detach")
  if not ok and err.code ~= "EINVAL" then error(err, 0) end
  core.mount(name, "/sys", "sysfs", readonly and "ro" or nil)
end

--- Moves the calling process into the namespace of a name, and into a mount
-- namespace of its own where /sys shows it and the files in /etc/netns/NAME
-- stand in for those in /etc: what `ip netns exec` does before the command.
-- @function netns.enter
-- @tparam string name
-- @raise ENOENT; EPERM without CAP_SYS_ADMIN. See ip-netns(8).
local function enter(name)
  local net <close> = open(name)
  core.setns(net, "net")
  core.unshare "mnt"
  core.mount(nil, "/", nil, "rslave")
  mount_sys(name)
  bind_files(name)
end

M.netns = { path = path, add = add, delete = delete, list = list, open = open,
            identify = identify, pids = pids, enter = enter }

return M

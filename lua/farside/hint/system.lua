--- What hints read of the system. The first functions are all that touches it;
-- the rest is made of them, so that a spec has only these to replace. Each
-- answers nil for what cannot be known.

local core <const> = require "farside.core"
local mountinfo <const> = require "farside.mountinfo"

local System = {}
System.__index = System

--- A reader of the running system, or of what is given in its place.
-- @tparam[opt] table primitives read, owner, mounted, setuid,
-- fstype, up, ids, capable, foreign, waiting, namespace
function System.new(primitives)
  return setmetatable(primitives or {}, System)
end

---- what touches the system ----

-- A file's text.
function System.read(path)
  local file <close> = io.open(path)
  return file and file:read "a"
end

-- The uid that a file belongs to.
function System.owner(path)
  local ok, stat = pcall(core.fstatat, nil, path)
  return ok and stat.uid or nil
end

-- Whether a path is the root of a mount.
function System.mounted(path)
  local ok, stat = pcall(core.fstatat, nil, path)
  if ok then return stat.mount_root end
end

-- Whether a program gains privilege, by its mode or by file capabilities.
function System.setuid(path)
  local ok, stat = pcall(core.fstatat, nil, path)
  if not ok then return nil end
  return tonumber(stat.mode, 8) & 0x800 ~= 0 or
         (pcall(core.getxattr, path, "security.capability"))
end

-- The type of the file system that a descriptor is on.
function System.fstype(fd)
  local ok, stat = pcall(core.statfs, fd)
  return ok and stat.type or nil
end

-- Whether a link of ours is up.
function System.up(link)
  local ok, found = pcall(core.link.get, link)
  if ok then return found.up end
end

-- The effective uid and gid.
function System.ids()
  return core.geteuid(), core.getegid()
end

function System.capable(word)
  return core.capability.has(word)
end

-- A namespace of our own, nil when it cannot be seen.
local function own(kind)
  local ok, namespace = pcall(core.open, nil, kind)
  return ok and namespace or nil
end

-- Whether the namespace of a kind that we are in belongs to a user namespace
-- outside of ours, where our capabilities count for nothing.
function System.foreign(kind)
  local namespace <close> = own(kind)
  if not namespace then return nil end
  local user <close> = namespace:user()
  return user == nil
end

-- Whether an unshare or setns of pid or time waits for the next child.
function System.waiting(kind)
  local now <close> = own(kind)
  if not now then return nil end
  -- not to be seen before its first process is there, nor after that ended
  local later <close> = own(kind .. "_for_children")
  return now ~= later
end

-- What a descriptor holds: the kind of a namespace, and whether it is the
-- one that we are in; of a process its namespace of a kind.
function System.namespace(fd, kind)
  local copy <close> = core.dup(fd)
  local namespace <close> = core.open(copy, kind)
  local mine <close> = own(namespace.kind)
  return namespace.kind, namespace == mine
end

---- what is made of it ----

function System:number(path)
  return tonumber(self.read(path) or "")
end

-- A field of /proc/self/status.
function System:status(field)
  local text = "\n" .. (self.read "/proc/self/status" or "")
  return text:match("\n" .. field .. ":%s*([^\n]*)")
end

-- The ranges of a map: { { inside, outside, count }, … }.
function System:map(which)
  local text = self.read("/proc/self/" .. which .. "_map")
  if not text then return nil end
  local ranges = {}
  for inside, outside, count in text:gmatch "(%d+)%s+(%d+)%s+(%d+)" do
    ranges[#ranges + 1] = { inside // 1 | 0, outside // 1 | 0, count // 1 | 0 }
  end
  return ranges
end

-- Whether an id of our user namespace stands for one outside.
function System:mapped(which, id)
  local ranges = self:map(which)
  if not ranges then return nil end
  for _, range in ipairs(ranges) do
    if id >= range[1] and id < range[1] + range[3] then return true end
  end
  return false
end

-- Whether we are in another user namespace than the first.
function System:in_userns()
  local ranges = self:map "uid"
  if not ranges then return nil end
  local first = ranges[1]
  return not (first and first[1] == 0 and first[2] == 0 and
              first[3] == 4294967295)
end

-- The mounts that we see, in the kernel's order.
function System:mounts()
  local text = self.read "/proc/self/mountinfo"
  self.table = self.table or text and mountinfo.mountinfo(text)
  return self.table
end

local function below(path, directory)
  directory = directory == "/" and "" or directory
  return #path > #directory + 1 and
         path:sub(1, #directory + 1) == directory .. "/"
end

-- The mounts by the one that they are on and where; those whose parent we do
-- not see, or who are their own, as the first of all is, are on none, 0.
local function children(list)
  local there, on = {}, {}
  for _, mount in ipairs(list) do there[mount.id] = true end
  for _, mount in ipairs(list) do
    local seen = there[mount.parent] and mount.parent ~= mount.id
    local parent = seen and mount.parent or 0
    on[parent .. " " .. mount.target] = mount
  end
  return on
end

-- The mount that a path leads to, as the kernel goes: at every name, and again
-- on the root of what was found there, into the mount that is on it.
function System:mount_of(path)
  self.on = self.on or children(self:mounts() or {})
  local at
  local function into(target)
    local mount = self.on[(at and at.id or 0) .. " " .. target]
    while mount do
      at, mount = mount, self.on[mount.id .. " " .. target]
    end
  end
  into "/"
  for finish in path:gmatch "()%f[/\0]" do
    into(path:sub(1, finish - 1))
  end
  return at
end

-- The mount on top at a path, nil when nothing is mounted there.
function System:mount_at(path)
  local mount <const> = self:mount_of(path)
  return mount and mount.target == path and mount or nil
end

-- The mounts below a path that can be seen.
function System:mounts_below(path)
  local found = {}
  for _, mount in ipairs(self:mounts() or {}) do
    if below(mount.target, path) and self:mount_at(mount.target) == mount then
      found[#found + 1] = mount
    end
  end
  return found
end

return System

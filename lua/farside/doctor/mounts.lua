--- Checks: the file systems of which a container is made.

local core <const> = require "farside.core"
local trial <const> = require "farside.doctor.trial"

-- A directory of the kind's file system, new and somewhere out of the way.
local function new_mount(fstype, options)
  local context <close> = core.fsopen(fstype)
  for key, value in pairs(options or {}) do
    core.fsconfig(context, "string", key, value)
  end
  core.fsconfig(context, "create")
  return core.fsmount(context)
end

local function calls()
  trial.within({ "mnt" }, function()
    trial.workplace()
    core.mkdirat(nil, "at", "0755")
    local mount <close> = new_mount "tmpfs"
    core.mount_setattr(mount, "", { set = "nosuid,nodev" })
    core.move_mount(mount, "", nil, "at")
    local tree <close> = core.open_tree(nil, "at", "clone")
    core.openat2(tree, ".", "path", { resolve = "in_root" }):close()
  end)
  return "fsopen, fsmount, open_tree, move_mount, mount_setattr, openat2"
end

-- What is mounted anew in each container, and in which namespace.
local own <const> = {
  { "proc", "pid" }, { "sysfs", "net", "ro" }, { "cgroup2", "cgroup", "ro" },
  { "mqueue", "ipc" }, { "devpts", nil, "newinstance" },
}

local function own_mount(fstype, kind, options)
  return { name = fstype .. " of its own", needed = true, try = function()
    trial.within({ "mnt", kind }, function()
      trial.workplace()
      core.mkdirat(nil, "at", "0755")
      core.mount(fstype, "at", fstype, options)
    end)
  end }
end

---- overlay ----

local function overlay(options)
  trial.workplace()
  for _, name in ipairs { "lower", "upper", "work", "at" } do
    core.mkdirat(nil, name, "0755")
  end
  core.mount("overlay", "at", "overlay",
    "lowerdir=lower,upperdir=upper,workdir=work" .. options)
  core.mkdirat(nil, "at/made", "0755")
end

local no_overlay <const> = "the kernel needs the module overlay: have root run "
  .. "modprobe overlay, or give the container a root of its own with --root"

local function overlays(facts, checks)
  checks[#checks + 1] = { name = "overlay in a user namespace", needed = true,
    remedy = no_overlay, try = function()
      trial.within({ "mnt" }, function() overlay ",userxattr" end)
    end }
  if not facts.root then return end
  checks[#checks + 1] = { name = "overlay by root", remedy = no_overlay,
    try = function()
      trial.child({ "mnt" }, function()
        core.mount(nil, "/", nil, "rprivate")
        overlay ""
      end)
    end }
end

---- ids of files ----

-- Where a file system of each type is mounted, for those that have files.
local function places()
  local found, list = { tmpfs = false }, {}
  for _, mount in ipairs(require("farside.mountinfo").points()) do
    local type <const> = mount.fstype
    local holds_files = require("farside.host").has_files(type)
      or type == "overlay"
    if holds_files and not found[type] then
      found[type] = true
      list[#list + 1] = { type = type, at = mount.target }
    end
  end
  list[#list + 1] = { type = "tmpfs" }
  return list
end

-- A tree of a file system with ids of a user namespace of its own.
local function idmap(facts, place)
  local try <const> = facts.root and trial.child or trial.within
  try({ "mnt" }, function()
    local users <close> = require("farside.handle").new("user", {
      uid_map = "0:0:1", gid_map = "0:0:1" })
    local tree <close> = place.at and core.open_tree(nil, place.at, "clone")
      or new_mount(place.type)
    core.mount_setattr(tree, "", { set = "idmap", userns = users })
  end)
end

local function idmaps(facts, checks)
  for _, place in ipairs(places()) do
    local name = place.at and ("%s on %s"):format(place.type, place.at)
      or place.type
    checks[#checks + 1] = { name = "other ids, " .. name,
      remedy = facts.root and "this file system cannot on this kernel: files "
        .. "of ids that are not mapped are nobody's" or "only root may, for "
        .. "what root has mounted: run it as root",
      try = function() idmap(facts, place) end }
  end
end

return function(facts)
  local checks = { { name = "mounts by descriptor", needed = true, try = calls,
    remedy = "Linux 5.19 or later has them" } }
  for _, one in ipairs(own) do
    checks[#checks + 1] = own_mount(table.unpack(one, 1, 3))
  end
  overlays(facts, checks)
  idmaps(facts, checks)
  return checks
end

--- Why something could not be mounted, unmounted, or made the root.

local M = {}

local function row(calls, codes, check)
  M[#M + 1] = { calls = calls, codes = codes, check = check }
end

-- The options of a mount as a set; "size=16M" is also the value of `size`.
local function options(err)
  local set = {}
  for word in (err.options or ""):gmatch "[^,]+" do
    set[word] = true
    local key, value = word:match "^([^=]*)=(.*)$"
    if key then set[key] = value end
  end
  return set
end

local function absolute(path)
  return path and path:sub(1, 1) == "/" and (path:gsub("(.)/+$", "%1")) or nil
end

local changing <const> = "mount umount pivot_root move_mount open_tree "
    .. "mount_setattr fsopen fsmount fspick"

row(changing, "EPERM", function(_, sys)
  if sys.foreign "mnt" then
    return "the mount namespace belongs to an outer user namespace: add "
        .. "\"mnt\""
  elseif not sys.capable "sys_admin" then
    return "mounts need CAP_SYS_ADMIN: unshare \"user\" and \"mnt\" first"
  end
end)

-- tmpfs does since Linux 6.3.
local keeps_ids <const> = {
  overlay = true, tmpfs = true, nfs = true, cifs = true, ["9p"] = true,
  fuse = true, proc = true, sysfs = true, cgroup2 = true, devpts = true,
}

row("mount_setattr", "EINVAL", function(err, sys)
  local fstype = err.idmap and sys.fstype(err.fd)
  if keeps_ids[fstype] then
    return ("%s cannot show its files with other ids: without an idmap those "
        .. "that are not mapped are nobody's"):format(fstype)
  end
end)

---- new file systems ----

-- File systems that show a namespace, which must be ours.
local shows <const> = {
  proc = "pid", sysfs = "net", mqueue = "ipc", cgroup = "cgroup",
  cgroup2 = "cgroup",
}

row("mount fsconfig fsmount", "EPERM", function(err, sys)
  local kind = shows[err.fstype]
  if not kind or not sys.foreign(kind) then return nil end
  if kind == "pid" and sys.waiting "pid" then
    return "proc shows the pid namespace of the process that mounts it, and "
        .. "the new one begins with the next child: mount it there"
  end
  return ("%s needs its own %s namespace: add %q"):format(err.fstype, kind,
                                                          kind)
end)

-- In a user namespace a new proc or sysfs may not show more than one that is
-- there: fully visible, that is, and not more read-only than the new one.
row("mount fsmount", "EPERM", function(err, sys)
  local fs, seen = err.fstype, nil
  if (fs ~= "proc" and fs ~= "sysfs") or not sys:in_userns() then return nil end
  for _, mount in ipairs(sys:mounts() or {}) do
    if mount.fstype == fs and mount.root == "/" then
      seen = mount
      if mount.options.ro and not options(err).ro then
        return ("the %s on %s is read-only, and a new one must be, too: add "
            .. "\"ro\""):format(fs, mount.target)
      end
    end
  end
  if sys:mounts() and not seen then
    return ("no %s is mounted here, and the kernel allows a new one only "
        .. "beside one that is: mount it before the old one goes"):format(fs)
  end
end)

-- What sits on these is no reason to refuse: the kernel keeps them empty.
local empty <const> = {
  ["/proc/sys/fs/binfmt_misc"] = true, ["/proc/fs/nfsd"] = true,
  ["/sys/fs/cgroup"] = true, ["/sys/kernel/debug"] = true,
  ["/sys/kernel/security"] = true, ["/sys/kernel/tracing"] = true,
  ["/sys/fs/bpf"] = true, ["/sys/fs/fuse/connections"] = true,
  ["/sys/kernel/config"] = true, ["/sys/fs/pstore"] = true,
  ["/sys/firmware/efi/efivars"] = true, ["/sys/fs/selinux"] = true,
}

row("mount fsmount", "EPERM", function(err, sys)
  local fs = err.fstype
  if (fs ~= "proc" and fs ~= "sysfs") or not sys:in_userns() then return nil end
  local at = fs == "proc" and "/proc" or "/sys"
  for _, mount in ipairs(sys:mounts_below(at)) do
    if not empty[mount.target] then
      return ("%s is covered, as in an engine's container, and the kernel "
          .. "refuses a new %s that would show it: bind %s instead, or run "
          .. "the outer container with %s unmasked"):format(
        mount.target, fs, at, at)
    end
  end
end)

local allowed <const> = {
  proc = true, sysfs = true, tmpfs = true, devpts = true, mqueue = true,
  cgroup = true, cgroup2 = true, overlay = true, ramfs = true, bpf = true,
  fuse = true, binfmt_misc = true,
}

row("mount fsopen fsconfig", "EPERM", function(err, sys)
  if err.fstype and not allowed[err.fstype] and sys:in_userns() then
    return ("a user namespace cannot mount %s: mount it outside, and bind it"
       ):format(err.fstype)
  end
end)

row("mount", "EINVAL EPERM", function(err, sys)
  local gid = err.fstype == "devpts" and math.tointeger(
    tonumber(options(err).gid))
  if gid and sys:mapped("gid", gid) == false then
    return ("gid %d is not mapped in this user namespace: leave gid= out")
        :format(gid)
  end
end)

---- overlay ----

local function inside(path, directory)
  directory = directory == "/" and "" or directory
  return path:sub(1, #directory + 1) == directory .. "/"
end

local overlay_checks <const> = {
  function(upper, work)
    if upper and upper == work then
      return "workdir is upperdir: give it an empty directory beside it"
    elseif upper and not work then
      return "upperdir needs a workdir: an empty directory beside it"
    elseif upper and (inside(work, upper) or inside(upper, work)) then
      return "workdir and upperdir lie in each other: put them side by side"
    end
  end,
  function(upper, _, lower)
    if not upper and #lower == 1 then
      return "one lower layer needs an upperdir, or a second lowerdir"
    end
  end,
  function(upper, work, _, sys)
    local one = upper and absolute(upper) and sys:mount_of(upper)
    local other = work and absolute(work) and sys:mount_of(work)
    if one and other and one.target ~= other.target then
      return ("upperdir is on the mount %s, workdir on %s: both must be on "
          .. "one"):format(one.target, other.target)
    end
  end,
  function(upper, _, lower)
    for _, layer in ipairs(lower) do
      if upper and inside(upper, layer) then
        return ("upperdir lies in lowerdir %s: put it on another mount"
           ):format(layer)
      end
    end
  end,
  function(_, _, lower, sys)
    for _, layer in ipairs(lower) do
      local below = absolute(layer) and sys:mounts_below(layer)[1]
      if below and sys:in_userns() then
        return ("lowerdir %s has mounts below it (%s), and those from an "
            .. "outer user namespace are locked to it: use directories "
            .. "without"):format(layer, below.target)
      end
    end
  end,
}

row("mount fsconfig", "EINVAL ELOOP", function(err, sys)
  if err.fstype ~= "overlay" then return nil end
  local given, lower = options(err), {}
  for layer in (given.lowerdir or ""):gmatch "[^:]+" do
    lower[#lower + 1] = layer
  end
  for _, check in ipairs(overlay_checks) do
    local advice = check(given.upperdir, given.workdir, lower, sys)
    if advice then return advice end
  end
end)

---- binds and remounts ----

row("mount", "EINVAL", function(err, sys)
  local given, source = options(err), absolute(err.source)
  local below = source and given.bind and not given.remount and
                sys:mounts_below(source)[1]
  if below and sys:in_userns() then
    return ("%s has mounts below it (%s), and those from an outer user "
        .. "namespace are locked to it: use \"rbind\""):format(
      source, below.target)
  end
end)

row("mount", "EPERM", function(err, sys)
  local given = options(err)
  if given.remount and not given.bind and sys:in_userns() then
    return "the file system belongs to an outer user namespace, only the "
        .. "mount can be changed: add \"bind\""
  end
end)

-- Option and the flag that it takes away.
local drops <const> = {
  { "rw", "ro" }, { "suid", "nosuid" }, { "dev", "nodev" },
  { "exec", "noexec" }, { "atime", "noatime" }, { "relatime", "noatime" },
  { "strictatime", "noatime" },
}

local function dropped(words, flags)
  for _, pair in ipairs(drops) do
    if words[pair[1]] and flags[pair[2]] then return pair[1], pair[2] end
  end
end

row("mount", "EPERM", function(err, sys)
  local given, target = options(err), absolute(err.target)
  local mount = given.remount and target and sys:mount_at(target)
  local word, flag = nil, nil
  if mount and sys:in_userns() then
    word, flag = dropped(given, mount.options)
  end
  if word then
    return ("%s is locked on %s, where an outer user namespace set it: leave "
        .. "%q out"):format(flag, target, word)
  end
end)

---- leaving ----

row("umount", "EINVAL", function(err, sys)
  local mounted = sys.mounted(err.path)
  if mounted == false then
    return "nothing is mounted there"
  elseif mounted and sys:in_userns() then
    return "the mount came from an outer user namespace and is locked: mount "
        .. "over it, or unmount the whole tree that came with it"
  end
end)

row("umount", "EBUSY", function()
  return "something is still used there, a working directory or an open file: "
      .. "use \"detach\""
end)

row("pivot_root", "EBUSY EINVAL", function(err, sys)
  if sys.mounted(err.path) == false then
    return "the new root is no mount: bind it on itself first"
  elseif err.path == "/" then
    return "the new root is the root already"
  end
end)

-- Where a path's mount hangs.
local function parent(sys, mount)
  for _, other in ipairs(mount and sys:mounts() or {}) do
    if other.id == mount.parent then return other end
  end
end

row("pivot_root", "EINVAL", function(err, sys)
  local new = sys:mount_at(absolute(err.path) or "/")
  for _, mount in pairs { new, parent(sys, new), sys:mount_at "/" } do
    if mount.propagation.shared then
      return ("the mount %s is shared: make the mounts private first, with "
          .. "mount(nil, \"/\", nil, \"rprivate\")"):format(mount.target)
    elseif mount.fstype == "rootfs" then
      return "the root is the initial RAM file system, which cannot be left: "
          .. "use chroot, or move the new root over it"
    end
  end
end)

return M

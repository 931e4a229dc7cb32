--- Checks: control groups, version 2. To make one for a try could leave it
-- behind if we were killed; so it is asked whether that is allowed.

local core <const> = require "farside.core"
local trial <const> = require "farside.doctor.trial"

local function content(path)
  local file <close> = io.open(path)
  return file and file:read "a" or ""
end

local unified <const> = "mount it, or boot with "
  .. "systemd.unified_cgroup_hierarchy=1"

local function mounted()
  for _, mount in ipairs(require("farside.mountinfo").mountinfo()) do
    if mount.fstype == "cgroup2" then return mount end
  end
  trial.no("no cgroup2 is mounted", unified)
end

-- The directory of the cgroup that the caller is in.
local function own()
  local mount <const> = mounted()
  local path = content "/proc/self/cgroup":match "0::([^\n]*)"
  if not path then
    trial.no("this process is in no cgroup of version 2", unified)
  end
  local root <const> = mount.root == "/" and "" or mount.root
  if path:sub(1, #root) ~= root then
    trial.no(("the caller's cgroup %s is not below what is mounted on %s")
      :format(path, mount.target), "mount cgroup2 where the caller's is in "
      .. "sight")
  end
  return mount.target .. path:sub(#root + 1):gsub("/$", ""), mount.target
end

local function has(directory, name)
  local all <const> = content(directory .. "/cgroup.controllers")
  return (" " .. all:gsub("%s+", " ") .. " "):find(" " .. name .. " ", 1, true)
end

local before <const> = { io = "blkio" } -- as it was called in version 1

-- Where a controller that is not here is instead.
local function missing(name, directory, top)
  for list in content "/proc/self/cgroup":gmatch "%d+:([^:]+):" do
    if ("," .. list .. ","):find("," .. (before[name] or name) .. ",", 1,
                                 true) then
      trial.no("version 1 holds it", "boot with cgroup_no_v1=all, or with "
        .. "systemd.unified_cgroup_hierarchy=1")
    end
  end
  if has(top, name) then
    trial.no(directory .. " was not given it", ("have root write +%s to "
      .. "cgroup.subtree_control of each cgroup above"):format(name))
  end
  trial.no("the kernel does not have it", "a kernel that does, and no "
    .. "cgroup_disable= at boot")
end

local function controller(name, what)
  return { name = "controller " .. name, try = function()
    local directory <const>, top <const> = own()
    if not has(directory, name) then missing(name, directory, top) end
    return what
  end }
end

local function delegation()
  local directory <const> = own()
  for _, name in ipairs { "", "/cgroup.procs", "/cgroup.subtree_control" } do
    local path <const> = directory .. name
    local there = pcall(core.fstatat, nil, path)
    if there and not core.faccessat(nil, path, "write") then
      core.raise(core.errno.EACCES, "write", path)
    end
  end
  return directory
end

return function(facts)
  return {
    { name = "version 2", try = function()
      return mounted().target
    end },
    { name = "one of one's own", try = delegation, remedy = facts.root
      and "it is mounted read-only, or belongs to an outer user namespace"
      or "have systemd delegate one: systemd-run --user --scope -p "
        .. "Delegate=yes farside …" },
    controller("memory", "limits memory"),
    controller("pids", "limits the number of processes"),
    controller("cpu", "limits processor time"),
    controller("io", "limits reading and writing of disks"),
  }
end

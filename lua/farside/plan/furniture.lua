--- Steps: /proc, /sys, /dev, /tmp and the mounts that were asked for.

local ref <const> = require("farside.plan.steps").ref

local M = {}

local function proc(plan, recipe)
  if recipe.share.pid then
    plan:tell("child", "root", "the processes are the caller's", "bind",
         "/proc", "/proc")
  else
    plan:tell("child", "root", "its own processes", "mount", "proc", "/proc",
         "nosuid,nodev,noexec")
  end
end

local function sys(plan, recipe)
  if recipe.share.net then
    plan:tell("child", "root", "the kernel's objects, to be read", "bind",
         "/sys", "/sys", "ro")
    return
  end
  plan:tell("child", "root", "the kernel's objects, to be read", "mount",
       "sysfs", "/sys", "ro,nosuid,nodev,noexec")
  if not recipe.share.cgroup then
    plan:tell("child", "root", "its own control groups", "mount", "cgroup2",
         "/sys/fs/cgroup", "ro,nosuid,nodev,noexec")
  end
end

local function dev(plan, recipe)
  local function here(...) plan:tell("child", "root", ...) end
  here("devices: a directory of its own", "mount", "tmpfs", "/dev",
       "nosuid,noexec,mode=0755,size=64k")
  here("the harmless ones of the host's", "devices", "/dev", "null", "zero",
       "full", "random", "urandom", "tty")
  here("its own terminals", "mount", "devpts", "/dev/pts",
       "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620")
  here("its own shared memory", "mount", "tmpfs", "/dev/shm",
       "nosuid,nodev,mode=1777")
  if not recipe.share.ipc then
    here("its own message queues", "mount", "mqueue", "/dev/mqueue",
         "nosuid,nodev,noexec")
  end
  here("as everywhere", "symlinks", "/dev", {
    ptmx = "pts/ptmx", fd = "/proc/self/fd", stdin = "/proc/self/fd/0",
    stdout = "/proc/self/fd/1", stderr = "/proc/self/fd/2",
  })
end

local hidden <const> = {
  "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys",
  "/proc/key-users", "/proc/kmsg", "/proc/latency_stats", "/proc/sched_debug",
  "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
  "/proc/interrupts", "/sys/devices/virtual/powercap", "/sys/firmware",
  "/sys/fs/selinux", "/sys/kernel/security", "/sys/kernel/debug",
}

local readable <const> = {
  "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
}

local function of(prefix, list, wanted)
  for _, path in ipairs(list) do
    if path:sub(1, #prefix) == prefix then wanted[#wanted + 1] = path end
  end
end

local function mask(plan, recipe)
  if not recipe.mask then return end
  local hide, protect = {}, {}
  if recipe.proc then
    of("/proc", hidden, hide)
    of("/proc", readable, protect)
  end
  if recipe.sys then of("/sys", hidden, hide) end
  if #hide > 0 then
    plan:tell("child", "root", "what tells of the host", "mask",
         table.unpack(hide))
  end
  if #protect > 0 then
    plan:tell("child", "root", "what changes the host", "protect",
         table.unpack(protect))
  end
end

local function mounts(plan, recipe)
  for i, mount in ipairs(recipe.mounts or {}) do
    if mount.bind then
      plan:tell("child", "root", "as asked for", "attach", ref("mount" .. i),
           mount.at)
    else
      local options = { "nosuid", "nodev", table.unpack(mount) }
      for _, key in ipairs { "size", "mode" } do
        if mount[key] then
          options[#options + 1] = key .. "=" .. mount[key]
        end
      end
      plan:tell("child", "root", "as asked for", "mount", "tmpfs",
           mount.tmpfs, table.concat(options, ","))
    end
  end
end

function M.furniture(plan, recipe)
  if recipe.proc then proc(plan, recipe) end
  if recipe.sys then sys(plan, recipe) end
  if recipe.dev then dev(plan, recipe) end
  if recipe.tmp then
    plan:tell("child", "root", "scratch space of its own", "mount", "tmpfs",
         "/tmp", "nosuid,nodev,mode=1777")
  end
  if not recipe.root then
    plan:tell("child", "root", "run-time files of its own", "mount", "tmpfs",
         "/run", "nosuid,nodev,mode=0755")
  end
  mask(plan, recipe)
  mounts(plan, recipe)
end

return M

--- Steps: /proc, /sys, /dev and /tmp.

local masks <const> = require "farside.plan.masks"

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
  if recipe.share.net or recipe.network and recipe.network.join then
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
  local covered = {}
  if recipe.proc then covered[1] = { "proc", "/proc" } end
  if recipe.sys then covered[#covered + 1] = { "sysfs", "/sys" } end
  masks.cover(plan, recipe, covered)
end

return M

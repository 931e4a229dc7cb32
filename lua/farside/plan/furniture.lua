--- Steps: /proc, /sys, /dev and /tmp.
--
-- What consists of parts is put together in a place of the child's own and then
-- put into the root: others may have that root as well, and rename what is in
-- it meanwhile.

local masks <const> = require "farside.plan.masks"

local M = {}

local function proc(here, recipe)
  if recipe.share.pid then
    here("the processes are the caller's", "bind", "/proc", "/proc")
  else
    here("its own processes", "mount", "proc", "/proc", "nosuid,nodev,noexec")
  end
end

local function sys(here, recipe)
  if recipe.share.net or recipe.network and recipe.network.join then
    here("the kernel's objects, to be read", "bind", "/sys", "/sys", "ro")
    return
  end
  here("the kernel's objects, to be read", "mount", "sysfs", "/sys",
       "ro,nosuid,nodev,noexec")
  if not recipe.share.cgroup then
    here("its own control groups", "mount", "cgroup2", "/sys/fs/cgroup",
         "ro,nosuid,nodev,noexec")
  end
end

local function dev(here, recipe)
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

-- { the recipe's key, what makes it, the file system with parts to be hidden }
local assembled <const> = {
  { "proc", proc, "proc" }, { "sys", sys, "sysfs" }, { "dev", dev },
}

local function assemble(plan, recipe)
  local covered = {}
  local function here(...) plan:tell("child", "place", ...) end
  for _, one in ipairs(assembled) do
    local name <const>, make <const>, kind <const> = table.unpack(one)
    if recipe[name] then
      make(here, recipe)
      if kind then covered[#covered + 1] = { kind, "/" .. name } end
    end
  end
  masks.cover(plan, recipe, covered)
  for _, one in ipairs(assembled) do
    local name <const>, at <const> = one[1], "/" .. one[1]
    if recipe[name] then plan:move(name, at, "whole, into the root") end
  end
end

function M.furniture(plan, recipe)
  plan:add("child", "where nobody but this process is", "root",
           ".").as = "place"
  assemble(plan, recipe)
  if recipe.tmp then
    plan:tell("child", "root", "scratch space of its own", "mount", "tmpfs",
         "/tmp", "nosuid,nodev,mode=1777")
  end
  if not recipe.root then
    plan:tell("child", "root", "run-time files of its own", "mount", "tmpfs",
         "/run", "nosuid,nodev,mode=0755")
  end
end

return M

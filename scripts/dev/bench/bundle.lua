--- What crun and runc start a container from: a directory with a description in
-- JSON, which says what ns.run { "/bin/true", readonly = true } has by itself,
-- and a place for the host's files. Its containers are made within a mount
-- namespace of the benchmark's (within.lua), where these files are in their
-- place. Whoever asks removes the directory.

local json <const> = require "farside.json"
local ns <const> = require "farside"

-- What our plan hides and write-protects, and what it leaves to root.
local function said(call)
  local list <const> = json.list()
  for _, step in ipairs(ns.plan { "/bin/true" }) do
    if step.call == call then
      local args <const> = type(step.args[1]) == "table" and step.args[1]
        or step.args
      table.move(args, 1, #args, #list + 1, list)
    end
  end
  return list
end

local function capabilities()
  local list <const> = json.list()
  for i, word in ipairs(said "capability.keep") do
    list[i] = "CAP_" .. word:upper()
  end
  return { bounding = list, effective = list, permitted = list }
end

local function mount(type, place, ...)
  return { type = type, source = type, destination = place,
           options = json.list { "nosuid", ... } }
end

local function namespaces()
  local list <const> = json.list()
  for i, kind in ipairs { "user", "mount", "pid", "network", "uts", "ipc",
                          "cgroup" } do
    list[i] = { type = kind }
  end
  return list
end

-- The calls that ours allows without looking at arguments.
local function filter()
  local names <const> = json.list()
  for name in require("farside.seccomp").usual:gmatch "%S+" do
    names[#names + 1] = name
  end
  return {
    defaultAction = "SCMP_ACT_ERRNO", defaultErrnoRet = 38, -- ENOSYS
    syscalls = json.list { { names = names, action = "SCMP_ACT_ALLOW" } },
  }
end

local function description(root)
  local ids <const> = json.list {
    { containerID = 0, hostID = 100000, size = 65536 } }
  return {
    ociVersion = "1.0.2",
    process = {
      user = { uid = 0, gid = 0 }, cwd = "/", noNewPrivileges = true,
      args = json.list { "/bin/true" }, env = json.list { "PATH=/bin" },
      capabilities = capabilities(),
      rlimits = json.list { { type = "RLIMIT_CORE", hard = 0, soft = 0 } },
    },
    root = { path = root, readonly = true },
    mounts = json.list {
      mount("proc", "/proc", "nodev", "noexec"),
      mount("sysfs", "/sys", "nodev", "noexec", "ro"),
      mount("tmpfs", "/dev", "noexec", "mode=755", "size=64k"),
      mount("devpts", "/dev/pts", "noexec", "newinstance", "ptmxmode=0666",
            "mode=0620"),
      mount("tmpfs", "/dev/shm", "nodev", "mode=1777"),
      mount("mqueue", "/dev/mqueue", "nodev", "noexec"),
      mount("tmpfs", "/tmp", "nodev", "mode=1777"),
      mount("tmpfs", "/run", "nodev", "mode=755"),
    },
    linux = {
      namespaces = namespaces(), uidMappings = ids, gidMappings = ids,
      maskedPaths = said "mask", readonlyPaths = said "protect",
      seccomp = filter(),
    },
  }
end

--- Makes one.
-- @treturn string the directory; in it are `config.json` and `root`
return function()
  local name <const> = os.tmpname()
  assert(os.remove(name))
  ns.mkdirat(nil, name, "0755")
  ns.mkdirat(nil, name .. "/root", "0755")
  local file <close> = assert(io.open(name .. "/config.json", "w"))
  assert(file:write(json.encode(description(name .. "/root"))))
  return name
end

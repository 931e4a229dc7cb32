--- What scripts/dev/faults.lua has fail, a call at a time:
--   build/farside scripts/dev/fault/setups.lua NAME
-- makes what NAME stands for, and takes it away again. It tells on its standard
-- output "ok", or "error", the error's call, code and step, and its text.

local setups <const> = {}

local MARK_ON <const>, MARK_OFF <const> = 0x0fa17001, 0x0fa17000
local MARK_END <const> = 0x0fa17002

-- ESRCH: it is a mark for who watches the calls.
local function mark(which) pcall(ns.getsid, which) end

-- Runs a container that is to end well.
local function run(recipe)
  local container <close> = ns.spawn(recipe)
  mark(MARK_END)
  local ok, how, code = container:wait()
  if not ok then error(("ended: %s %d"):format(how, code), 0) end
end

-- The same, as `farside run` does it.
local function attend(recipe)
  local ok, how, code = ns.run(recipe)
  if not ok then error(("ended: %s %d"):format(how, code), 0) end
end

function setups.default()
  attend { "/bin/true" }
end

-- The recipe's own code: the child is a copy of this program.
function setups.code()
  run { "/bin/true", setup = function(c)
    c:write("/etc/motd", "you are alone here\n")
  end }
end

function setups.readonly()
  run {
    "/bin/true", readonly = true, hostname = "moon", nice = 5, timeout = "1m",
    rlimits = { nofile = 256 }, landlock = { rw = { "/" }, optional = true },
    mounts = { { bind = "/srv", at = "/srv", "ro" }, { tmpfs = "/var/tmp" },
               { file = "/var/tmp/motd", text = "x" }, { directory = "/data" },
               { symlink = "/there", to = "data" } },
  }
end

local programs <const> = {
  { bind = "/usr", at = "/usr", "ro" }, { symlink = "/bin", to = "usr/bin" },
  { symlink = "/lib", to = "usr/lib" },
  { symlink = "/lib64", to = "usr/lib64" },
}

function setups.layers()
  run {
    "/bin/true",
    root = { layers = { "base", "top" }, upper = "upper" },
    mounts = programs,
  }
end

function setups.archive()
  run {
    "/bin/true",
    root = { layers = { "base", "layer.tar" } },
    mounts = programs,
  }
end

function setups.network()
  run { "/bin/true", network = {
    bridge = "br0", address = "10.7.0.2/24", gateway = "10.7.0.1",
    publish = { "8080:80" },
  } }
end

function setups.user()
  run { "/bin/true", user = "daemon", uid_map = "auto" }
end

function setups.tty()
  local container <close> = ns.spawn { "/bin/true", tty = true }
  mark(MARK_END)
  pcall(ns.read, container.tty, 1) -- EIO: its end
  assert(container:wait())
end

function setups.limits()
  run { "/bin/true", limits = { memory = "64M", pids = 20, cpu = 0.5 } }
end

function setups.group()
  local container <close> = ns.spawn { "/bin/sleep", "1000", limits = {} }
  container:pause()
  container:resume()
  mark(MARK_END)
  container:stop()
end

function setups.named()
  run { "/bin/true", name = "named" }
end

-- A detached container outlives an error, as it should; here it must not.
local function detached(fn)
  local container <close> = ns.spawn { "/bin/sleep", "1000", name = "db",
                                       detach = true }
  local ok, failure = pcall(fn, container)
  mark(MARK_END)
  if ok then
    local _, how, code = container:stop(0)
    container:remove()
    if how == "signal" then return end
    error(("ended: %s %d"):format(how, code), 0)
  end
  container:remove(true)
  error(failure, 0)
end

function setups.detached()
  detached(function() end)
end

function setups.exec()
  local container <close> = ns.spawn { "/bin/sleep", "1000" }
  assert(container:exec { "/bin/true" })
  mark(MARK_END)
end

-- One more program where the first has a name: by way of the keeper.
function setups.enter()
  detached(function(container)
    assert(container:exec { "/bin/true" })
  end)
end

function setups.inside()
  local child <close> = ns.clone({
    "user", "uts", "pid", "mnt", "net", "time", boottime = "30d",
    uid_map = { { 0, ns.getuid(), 1 } }, gid_map = { { 0, ns.getgid(), 1 } },
  }, function() ns.pause() end)
  assert(ns.inside(child, ns.getpid) > 1)
end

function setups.lab()
  local lab <close> = ns.lab()
  local h1 <const>, h2 <const> = lab:host "h1", lab:host "h2"
  local sw <const> = lab:switch "sw"
  lab:link(h1, sw, { address = "10.0.0.1/24" })
  lab:link(h2, sw)
  assert(h1:run { "/bin/true" })
  assert(lab:ping_all().lost == 0)
end

-- What a killed run has left, as `farside rm` takes it away.
for _, one in ipairs(ns.containers()) do
  ns.container(one.name):remove(true)
end

mark(MARK_ON)
local ok <const>, err <const> = pcall(setups[arg[1]])
collectgarbage()
mark(MARK_OFF)

if ok then
  print "ok"
elseif type(err) == "string" then
  print(("error\t-\t-\t-\t%s"):format(err:gsub("\n", " | ")))
else
  print(("error\t%s\t%s\t%s\t%s"):format(err.call, err.code,
    err.step or "-", tostring(err):gsub("\n", " | ")))
end
os.exit(ok and 0 or 1, true)

-- Containers: what the payload sees, what is left outside, and that a failing
-- step, whichever it is, is named and leaves nothing.

local t = require "spec.helper"
local ns = require "farside"

local function test(name, body)
  it(name, function()
    t.needs "userns"
    body()
  end)
end

local containers <const> = require "spec.containers"
local read <const>, sh <const> = containers.read, containers.sh
local host <const>, tree <const> = containers.host, containers.tree
local root <const> = ns.geteuid() == 0

describe("a container", function()
  test("answers its payload's end as os.execute does", function()
    assert.same({ true, "exit", 0 }, { ns.run { "/bin/true" } })
    assert.same({ nil, "exit", 7 }, { ns.run { "/bin/sh", "-c", "exit 7" } })
    assert.same({ nil, "signal", 9 },
                { ns.run { "/bin/sh", "-c", "kill -9 $$" } })
  end)

  test("answers the same without the small init", function()
    assert.same({ nil, "exit", 7 },
                { ns.run { "/bin/sh", "-c", "exit 7", init = false } })
  end)

  test("has a host name of its own", function()
    local before = ns.uname().nodename
    assert.equal("moon", sh("hostname", { hostname = "moon" }))
    assert.equal(before, ns.uname().nodename)
  end)

  test("has a process tree of its own", function()
    assert.equal("2", sh "echo $$")
    assert.equal("1", sh("echo $$", { init = false }))
    assert.equal("1 2", sh "cd /proc && echo [0-9]*")
  end)

  test("is root inside", function()
    assert.equal("0 0", sh "echo $(id -u) $(id -g)")
  end)

  test("is root's unprivileged range or the ordinary user outside", function()
    local reader, writer = ns.pipe()
    local container <close> = ns.spawn { "/bin/cat", stdin = reader }
    local status = read(("/proc/%d/status"):format(container.pid))
    local outside = root and 100000 or ns.geteuid()
    assert.equal(outside, math.tointeger(status:match "Uid:\t(%d+)"))
    writer:close()
    assert.is_true(container:wait())
  end)

  test("throws away what is written to the host's files", function()
    assert.equal("gone",
      sh "echo gone > /etc/farside-spec; cat /etc/farside-spec")
    assert.is_nil(io.open "/etc/farside-spec")
  end)

  test("leaves the host's files alone when they are changed", function()
    local before = read "/etc/passwd"
    sh "echo x > /etc/passwd 2> /dev/null"
    assert.equal(before, read "/etc/passwd")
  end)

  test("cannot write the host's files with readonly", function()
    local said = sh("touch /etc/x 2>&1; touch /usr/x 2>&1; touch /tmp/ok && "
                    .. "echo tmp", { readonly = true })
    assert.equal(2, select(2, said:gsub("Read%-only file system", "")))
    assert.is_truthy(said:find "tmp$")
  end)

  test("has little in its environment", function()
    assert.equal("HOME LANG PATH PWD TERM container",
      sh("LANG=x TERM=x; export LANG TERM; env | cut -d= -f1 | sort | "
         .. "grep -v '^_\\|SHLVL\\|OLDPWD' | tr '\\n' ' ' | sed 's/ $//'"))
  end)

  test("gets the environment that is asked for", function()
    assert.equal("1", sh("echo $A", { env = { A = "1" } }))
    assert.equal(os.getenv "HOME", sh("echo $HOME", { env = { HOME = true } }))
    assert.equal("", sh("echo $HOME", { env = { HOME = false } }))
  end)

  test("starts where it is told", function()
    assert.equal("/usr", sh("pwd", { cwd = "/usr" }))
    assert.equal("/", sh "pwd")
  end)

  test("inherits no descriptor that was not asked for", function()
    local stray <close> = ns.dup(0)
    local _ = stray
    assert.equal("0 1 2 3", sh "echo $(ls /proc/self/fd)")
  end)

  test("inherits what is asked for", function()
    local reader, writer = ns.pipe()
    sh(("echo hello >&%d"):format(writer:fileno()), { keep = { writer } })
    writer:close()
    assert.equal("hello\n", ns.read(reader, 100))
  end)

  test("gets no new privileges and few capabilities", function()
    local status = sh "cat /proc/self/status"
    assert.is_truthy(status:find "NoNewPrivs:\t1")
    assert.is_truthy(status:find "CapBnd:\t00000000a00425fb")
    assert.is_truthy(status:find "CapEff:\t00000000a00425fb")
  end)

  test("keeps all capabilities when asked", function()
    local status = sh("cat /proc/self/status",
                      { capabilities = "all", no_new_privs = false })
    assert.is_truthy(status:find "NoNewPrivs:\t0")
    assert.is_truthy(status:find "CapEff:\t000001ff%x+")
  end)

  test("cannot change the kernel through /proc", function()
    assert.is_truthy(sh "echo x 2>&1 > /proc/sys/kernel/hostname; echo $?"
                     :find "[1-9]$")
    assert.is_truthy(sh "echo b 2>&1 > /proc/sysrq-trigger; echo $?"
                     :find "[1-9]$")
    assert.equal("0", sh "cat /proc/keys /proc/interrupts | wc -c")
  end)

  test("has a small /dev that works", function()
    assert.equal("4", sh "echo x > /dev/null; head -c 4 /dev/urandom | wc -c")
    assert.equal("ok", sh "test -c /dev/ptmx && test -d /dev/shm && echo ok")
  end)

  test("dumps no core", function()
    assert.equal("0", sh "ulimit -c")
    assert.equal("64", sh("ulimit -n", { rlimits = { nofile = 64 } }))
  end)

  test("has clocks of its own", function()
    local days = sh("cut -d. -f1 /proc/uptime", { boottime = "30d" })
    assert.is_true(tonumber(days) > 30 * 86400)
  end)

  test("has loopback up", function()
    assert.is_truthy(sh "cat /sys/class/net/lo/flags":find "0x9")
  end)

  for _, kind in ipairs { "uts", "ipc", "net", "pid", "user", "cgroup",
                          "time", "mnt" } do
    test("has its own " .. kind .. " namespace unless it is shared", function()
      local link = "readlink /proc/self/ns/" .. kind
      local mine = ns.readlinkat(nil, "/proc/self/ns/" .. kind)
      assert.not_equal(mine, sh(link))
      if kind == "mnt" then return end
      if kind == "user" and not root then return end
      assert.equal(mine, sh(link, { share = kind }))
    end)
  end

  test("runs the recipe's own code before the new root takes over", function()
    local said = sh("cat /etc/motd; readlink /etc/mtab; cat /new/file", {
      setup = function(c)
        c:write("/etc/motd", "you are alone here\n")
        c:symlink("/proc/self/mounts", "/etc/mtab")
        c:write("/new/file", "x")
      end,
    })
    assert.equal("you are alone here\n/proc/self/mounts\nx", said)
  end)

  test("lets the recipe's own code read whole files", function()
    local long <const> = ("x"):rep(200000)
    assert.equal("200000 0", sh("cat /n", { setup = function(c)
      c:write("/long", long)
      c:write("/none", "")
      c:write("/n", #c:read "/long" .. " " .. #c:read "/none")
    end }))
  end)

  test("shows what is bound, and write-protects it when asked", function()
    local directory = t.tmpdir()
    os.execute("chmod 755 " .. directory .. "; echo 1 > " .. directory .. "/f")
    local said = sh("cat /data/x/f; touch /data/x/g 2>&1",
      { mounts = { { bind = directory, at = "/data/x", "ro" } } })
    assert.is_truthy(said:find "^1\n.*Read%-only file system")
  end)

  test("brings in no devices and no set-user-id programs by a bind", function()
    local line = sh("grep ' /data ' /proc/self/mountinfo",
                    { mounts = { { bind = "/usr", at = "/data" } } })
    assert.is_truthy(line:find "nosuid,nodev")
    assert.is_truthy(sh("grep ' / ' /proc/self/mountinfo"):find "nodev")
  end)

  test("reads as root only what others may, with idmap = false", function()
    if not root then return pending "an ordinary user reads no more anyway" end
    local shadow = "cat /etc/shadow > /dev/null 2>&1; echo $?"
    assert.equal("0", sh(shadow))
    assert.equal("1", sh(shadow, { idmap = false }))
  end)

  test("mounts a tmpfs of the size that is asked for", function()
    assert.equal("16384", sh(
      "df -k --output=size /scratch | tail -1 | tr -d ' '",
      { mounts = { { tmpfs = "/scratch", size = "16M" } } }))
  end)
end)

describe("a container's terminal", function()
  local function shell(recipe)
    recipe = recipe or {}
    recipe[1], recipe.tty = "/bin/sh", true
    return ns.spawn(recipe)
  end

  -- What is said there, until it says what is waited for, or to the end.
  local function hear(container, sign)
    local said = ""
    repeat
      local ok, part = pcall(ns.read, container.terminal)
      said = ok and said .. part or said
    until not ok or sign and said:find(sign) -- EIO: nobody is there any more
    return said
  end

  test("is one, and the container's own", function()
    local container <close> = shell()
    ns.write(container.terminal, "tty; exit 4\n")
    assert.is_truthy(hear(container):find "/dev/pts/0\r\n")
    assert.same({ nil, "exit", 4 }, { container:wait() })
  end)

  test("is the one that controls its session", function()
    local container <close> = shell()
    ns.write(container.terminal, "sh -c 'echo rea''dy; exec sleep 1000'\n")
    hear(container, "ready")
    ns.write(container.terminal, "\3")
    ns.write(container.terminal, "echo got $?; exit\n")
    assert.is_truthy(hear(container):find "got 130\r\n")
  end)

  test("is there without the small init as well", function()
    local container <close> = shell { init = false }
    ns.write(container.terminal, "echo $$ $(tty); exit\n")
    assert.is_truthy(hear(container):find "1 /dev/pts/0\r\n")
  end)

  test("passes on what is piped into farside run, to the end", function()
    local pipe <close> = io.popen(
      "echo 'stty -echo; tty; exit 7' | " .. t.build
      .. "/farside run --tty /bin/sh; echo $?")
    local said <const> = pipe:read "a"
    assert.is_truthy(said:find "/dev/pts/0\r\n")
    assert.is_truthy(said:find "7\n$")
  end)
end)

describe("a container's root", function()
  test("can be a directory", function()
    local directory = tree()
    sh("echo hi > /hello", host { root = directory })
    assert.equal("hi\n", read(directory .. "/hello"))
  end)

  test("can be layers, the later ones winning, writes thrown away", function()
    local low, high = tree(), tree()
    os.execute(("echo low > %s/a; echo low > %s/b; echo high > %s/b")
               :format(low, low, high))
    local said = sh("cat /a /b; echo x > /a; cat /a",
                    host { root = { layers = { low, high } } })
    assert.equal("low\nhigh\nx", said)
    assert.equal("low\n", read(low .. "/a"))
  end)

  test("can keep what is written above the layers", function()
    local low, upper = tree(), tree()
    sh("echo kept > /a", host { root = { layers = { low }, upper = upper } })
    assert.equal("kept", sh("cat /a",
      host { root = { layers = { low }, upper = upper } }))
    assert.equal("kept\n", read(upper .. "/upper/a"))
  end)

  test("cannot be left by links that lie in it", function()
    local directory = tree "etc"
    os.execute("ln -s ../../../../etc " .. directory .. "/evil")
    sh("true", host { root = directory, setup = function(c)
      c:write("/evil/farside-spec", "caught")
    end })
    assert.is_nil(io.open "/etc/farside-spec")
    assert.equal("caught", read(directory .. "/etc/farside-spec"))
  end)
end)

describe("a container that fails", function()
  local function failure(recipe)
    local ok, err = pcall(ns.spawn, recipe)
    assert.is_false(ok)
    return err
  end

  test("names the step, the call and the path", function()
    local err = failure { "/no/such/program" }
    assert.equal("exec", err.call)
    assert.equal("ENOENT", err.code)
    assert.equal("the program; PID 1 stays to reap and to pass signals on",
                 err.step)
  end)

  test("brings an error of the recipe's own code back", function()
    local err = failure { "sh", setup = function() error "no motd today" end }
    assert.equal("the recipe's own code", err.step)
    assert.is_truthy(tostring(err):find("no motd today", 1, true))
  end)

  test("does not start in a directory outside its root", function()
    local outside <close> = ns.openat2(nil, "/", "path,directory")
    local err = failure { "true", keep = { outside },
                          cwd = "/proc/self/fd/" .. outside:fileno() }
    assert.is_truthy(tostring(err):find("(outside the root)", 1, true))
  end)

  test("says which directory is not there", function()
    local err = failure { "sh", root = "/no/such/root" }
    assert.equal("/no/such/root", err.path)
    assert.equal("ENOENT", err.code)
  end)

  local examples <const> = {
    ["the default"] = { "/bin/true", hostname = "moon" },
    ["without an init"] = { "/bin/true", init = false },
    ["with all of it"] = { "/bin/true", hostname = "moon", readonly = true,
      cwd = "/usr", boottime = 1, env = { A = "1" },
      rlimits = { nofile = 64 }, setup = function() end,
      mounts = { { bind = "/usr", at = "/data/usr", "ro" },
                 { tmpfs = "/scratch", size = "1M" } } },
  }
  for name, recipe in pairs(examples) do
    test("at any step of " .. name .. " names it", function()
      for i, step in ipairs(ns.plan(recipe)) do
        local plan = ns.plan(recipe)
        plan[i].fail = "EIO"
        local err = failure(plan)
        assert.equal(step.label, err.step, tostring(err))
        assert.equal("EIO", err.code)
      end
    end)
  end
end)

describe("a running container", function()
  test("can be looked into, as its root", function()
    local container <close> = ns.spawn { "/bin/sleep", "1000",
                                         hostname = "moon" }
    local name, uid, pid = ns.inside(container, function()
      return ns.uname().nodename, ns.getuid(), ns.getpid()
    end)
    assert.same({ "moon", 0 }, { name, uid })
    assert.is_true(pid > 2)
  end)

  test("ends with the object that stands for it", function()
    local pidfd
    do
      local container <close> = ns.spawn { "/bin/sleep", "1000" }
      pidfd = ns.pidfd_open(container.pid)
    end
    local _ <close> = pidfd
    assert.equal(1, #ns.poll({ pidfd }, 10))
  end)

  test("can be closed twice, and is not waited for after that", function()
    local container <const> = ns.spawn { "/bin/sleep", "1000" }
    container:close()
    container:close()
    assert.is_false(container:running())
    local ok, err = pcall(container.wait, container)
    assert.same({ false, "wait", "ESRCH" }, { ok, err.call, err.code })
  end)

  test("can be waited for a while", function()
    local container <close> = ns.spawn { "/bin/sleep", "1000" }
    assert.same({ nil, "timeout" }, { container:wait("1ms") })
  end)

  test("leaves the collector as it was, whatever comes of it", function()
    ns.run { "/bin/true" }
    assert.is_true(collectgarbage "isrunning")
    assert.is_false(pcall(ns.run, { "/no/such/program" }))
    assert.is_true(collectgarbage "isrunning")
    collectgarbage "stop"
    ns.run { "/bin/true" }
    local running <const> = collectgarbage "isrunning"
    collectgarbage "restart"
    assert.is_false(running)
  end)

  test("has undone after its end what was kept for it", function()
    local said, container = "", ns.spawn { "/bin/true" }
    local function thing(name)
      return { close = function()
        said = said .. name
        assert.is_false(pcall(ns.kill, container.pid, 0))
      end }
    end
    container:keep(thing "first ")
    container:keep({ close = function() error("not gone", 0) end })
    container:keep(thing "last ")
    local ok, message = pcall(container.wait, container)
    assert.same({ false, "not gone" }, { ok, message })
    assert.equal("last first ", said)
    container:close()
    assert.equal("last first ", said)
  end)

  test("keeps the results of the plan's steps that say so", function()
    local plan = ns.plan { "/bin/true" }
    table.insert(plan, 1, { where = "parent", call = "openat2", label = "kept",
      as = "mine", kept = true, args = table.pack(nil, "/", "path") })
    local container <close> = ns.spawn(plan)
    local kept = container.kept[1]
    assert.is_true(kept:fileno() > 2)
    container:wait()
    assert.is_false(pcall(kept.fileno, kept))
  end)

  test("gets signals through its init", function()
    local container <close> = ns.spawn { "/bin/sleep", "1000" }
    container:signal "TERM"
    assert.same({ nil, "signal", 15 }, { container:wait() })
  end)

  test("has its orphans reaped", function()
    local script = "for i in $(seq 100); do (true &) ; done; wait; "
      .. "until test $(ls -d /proc/[0-9]* | wc -l) -le 5; do :; done; echo ok"
    assert.equal("ok", sh(script))
  end)

  test("does not outlive its starter", function()
    local reader, writer = ns.pipe()
    local starter = ns.clone({}, function()
      local container = ns.spawn { "/bin/sleep", "1000" }
      ns.write(writer, tostring(container.pid))
      container:wait()
    end)
    local pid = math.tointeger(ns.read(reader, 20))
    local pidfd <close> = ns.pidfd_open(pid)
    starter:close()
    assert.equal(1, #ns.poll({ pidfd }, 10))
    ns.waitpid(pid) -- the specs' runner is a subreaper, and inherits it
  end)
end)

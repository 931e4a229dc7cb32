-- Containers that outlive their starter: found by name, ended, forgotten; and
-- put right after anything was killed.

local t = require "spec.helper"
local ns = require "farside"
local registry = require "farside.registry"
local state = require "farside.state"

-- Runs a test where the records are its own: root in a mount namespace with
-- another /run, others with another XDG_RUNTIME_DIR.
local function test(name, body)
  it(name, function()
    t.needs "userns"
    local directory <const> = t.tmpdir()
    local root <const> = ns.geteuid() == 0
    t.child(function()
      if root then
        ns.mount(nil, "/", nil, "rprivate")
        ns.mount("tmpfs", "/run", "tmpfs", "mode=0755")
      end
      local getenv <const> = os.getenv
      rawset(os, "getenv", function(variable)
        return variable == "XDG_RUNTIME_DIR" and directory or getenv(variable)
      end)
      body(directory)
      for _, one in ipairs(ns.containers()) do
        ns.container(one.name):remove(true)
      end
    end, root and { "mnt" } or {})
    t.reap() -- supervisors are nobody's children, and so the runner's
  end)
end

local function start(recipe)
  recipe = recipe or {}
  if not recipe[1] then recipe[1], recipe[2] = "/bin/sleep", "1000" end
  recipe.detach, recipe.name = true, recipe.name or "web"
  return ns.spawn(recipe)
end

local function sh(script, recipe)
  recipe = recipe or {}
  recipe[1], recipe[2], recipe[3] = "/bin/sh", "-c", script
  return start(recipe)
end

local function only()
  local list <const> = ns.containers()
  assert.equal(1, #list)
  return list[1]
end

-- Kills a process of a container's record, and waits for its end.
local function kill(identity)
  local pidfd <close>, dir = registry.find(identity)
  dir:close()
  ns.kill(pidfd, "KILL")
  assert.equal(1, #ns.poll({ pidfd }, 10))
end

local function gone(identity)
  local pidfd, dir = registry.find(identity)
  if not pidfd then return true end
  dir:close()
  local process <close> = pidfd
  return #ns.poll({ process }, 10) == 1
end

describe("a detached container", function()
  test("outlives its starter, and is found by name", function()
    local starter <close> = ns.clone({}, function()
      sh("echo hello; exec sleep 1000", { hostname = "moon" })
    end)
    assert.is_true(starter:wait())
    local container <close> = ns.container "web"
    assert.same({ "web", "running", container.pid },
                { only().name, only().status, only().pid })
    assert.is_true(container:exec { "sh", "-c", "test $(hostname) = moon" })
    assert.same({ nil, "signal", 15 }, { container:stop() })
    assert.equal("hello\n", container:logs())
  end)

  test("with a cgroup is stopped, looked at, and joined in it", function()
    t.needs "cgroup"
    start({ limits = {} }):close()
    local container <close> = ns.container "web"
    local path <const> = container.record.cgroup
    assert.equal(2, container:stats().processes)
    container:pause()
    assert.matches("frozen 1", io.open(path .. "/cgroup.events"):read "a", 1,
                   true)
    container:resume()
    assert.is_true(container:exec { "grep", "-q", "^0::/$",
                                    "/proc/self/cgroup" })
    container:stop()
    assert.is_nil(io.open(path .. "/cgroup.procs"))
  end)

  test("that was paused by somebody ends when its time is over", function()
    t.needs "cgroup"
    local container <close> = start { limits = {}, timeout = "300ms" }
    local other <close> = ns.clone({}, function()
      for _ = 1, 2 do ns.container "web":pause() end
      ns.container "web":resume()
      ns.container "web":pause()
    end)
    assert.is_true(other:wait())
    assert.same({ nil, "signal", 9, "timeout" }, { container:wait(20) })
    assert.equal("timeout", only().why)
  end)

  test("with a cgroup leaves none when all that looked after it is killed",
    function()
      t.needs "cgroup"
      local path
      do
        local container <close> = start { limits = {} }
        path = container.record.cgroup
        kill(container.record.supervisor)
      end
      assert.is_truthy(io.open(path .. "/cgroup.procs"))
      assert.equal("killed", only().status)
      assert.is_nil(io.open(path .. "/cgroup.procs"))
    end)

  test("is remembered with its end until it is removed", function()
    local container <close> = sh "exit 7"
    assert.same({ nil, "exit", 7 }, { container:wait(20) })
    local row <const> = only()
    assert.same({ "exited", "exit", 7 }, { row.status, row.how, row.code })
    assert.is_true(row.ended >= row.created)
    assert.same({ "/bin/sh", "-c", "exit 7" }, row.command)
    container:remove()
    assert.equal(0, #ns.containers())
  end)

  test("is forgotten with its end when asked, and its log", function()
    local container <close> = sh("echo x", { rm = true })
    assert.same({ nil, "removed" }, { container:wait(20) })
    assert.equal(0, #ns.containers())
    local path <const> = state.directory "logs"
    assert.equal(0, #ns.readdir(path))
  end)

  test("gives what joins it what its program has", function()
    local container <close> = start { capabilities = { "net_bind_service" },
                                      env = { A = "1" }, cwd = "/usr" }
    assert.is_true(container:exec { "sh", "-c", [[
      test $A$PWD = 1/usr &&
      test "$(grep -E 'Cap|NoNew|Uid' /proc/2/status)" = \
           "$(grep -E 'Cap|NoNew|Uid' /proc/self/status)" ]] })
    assert.equal(2, container:inside(function()
      return #ns.readdir "/proc/2/task" + 1
    end))
  end)

  test("has a terminal when asked, which is logged", function()
    local container <close> = sh("tty; exit 3", { tty = true })
    assert.same({ nil, "exit", 3 }, { container:wait(20) })
    assert.equal("/dev/pts/0\r\n", container:logs())
  end)

  test("holds none of its starter's descriptors", function()
    local reader, writer = ns.pipe()
    local container <close> = start()
    writer:close()
    assert.is_nil(ns.read(reader, 1))
    assert.is_true(container:running())
  end)

  test("passes a signal to its supervisor on", function()
    local container <close> = start()
    ns.kill(container.supervisor, "TERM")
    assert.same({ nil, "signal", 15 }, { container:wait(20) })
  end)

  test("keeps no more of what it writes than asked", function()
    local container <close> = sh("seq 100000; echo end", { log_size = "64K" })
    assert.is_true(container:wait(20))
    local text <const> = container:logs()
    assert.is_true(#text <= 65536 and #text > 16384)
    assert.is_truthy(text:find "99999\n100000\nend\n$")
  end)

  test("that cannot start is told of, and not remembered", function()
    local ok, err = pcall(start, { "/no/such/program" })
    assert.same({ false, "exec", "ENOENT" }, { ok, err.call, err.code })
    assert.equal("the program; PID 1 stays to reap and to pass signals on",
                 err.step)
    assert.equal(0, #ns.containers())
  end)

  test("has its name alone", function()
    local container <close> = start()
    local ok, err = pcall(start)
    assert.is_false(ok)
    assert.equal("spawn container 'web': there is one of this name, running "
      .. "(EEXIST)\nhint: farside rm -f web", tostring(err))
    container:stop(0)
    ok, err = pcall(start)
    assert.is_false(ok)
    assert.is_truthy(tostring(err):find("there is one of this name, exited "
      .. "(EEXIST)\nhint: farside rm web", 1, true))
  end)

  test("has its name alone, whoever else starts at once", function()
    local starters = {}
    for i = 1, 8 do
      starters[i] = ns.clone({}, function()
        local ok = pcall(start)
        os.exit(ok and 0 or 3)
      end)
    end
    local sum = 0
    for _, starter in ipairs(starters) do
      local _, _, code = starter:wait()
      sum = sum + code
    end
    assert.equal(7 * 3, sum)
    assert.equal("running", only().status)
  end)

  test("is removed by whoever insists, whatever it is about to do", function()
    local function insist()
      for _ = 1, 8 do
        local ok, container = pcall(ns.container, "web")
        if ok then container:remove(true) end
      end
    end
    local function start_often()
      for _ = 1, 8 do pcall(start) end
    end
    local processes = {}
    for i = 1, 4 do
      processes[i] = ns.clone({}, i % 2 == 0 and insist or start_often)
    end
    for _, process in ipairs(processes) do assert.is_true(process:wait()) end
    insist() -- what is alive still has a record; the runner sees what has none
    assert.equal(0, #ns.containers())
  end)

  test("is removed when its supervisor is stopped", function()
    local container <close> = start()
    ns.kill(container.supervisor, "STOP")
    container:remove(true)
    assert.is_true(gone(container.record.init))
  end)

  test("gets a name when it has none", function()
    local container <close> = ns.spawn { "/bin/true", detach = true }
    assert.is_truthy(container.name:find "^%l+%-%x+$")
  end)

  test("is not removed while it runs, unless one insists", function()
    local container <close> = start()
    local ok, message = pcall(container.remove, container)
    assert.is_false(ok)
    assert.is_truthy(message:find("remove: container 'web' is running", 1,
                                  true))
    container:remove(true)
    assert.equal(0, #ns.containers())
    assert.is_true(gone(container.record.init))
  end)
end)

describe("after kill -9", function()
  test("of the supervisor nothing runs, and the record says so", function()
    local container <close> = start()
    kill(container.record.supervisor)
    assert.is_true(gone(container.record.init))
    assert.equal("killed", only().status)
    assert.same({ nil, "signal", 9 }, { container:wait(20) })
    container:remove()
    assert.equal(0, #ns.containers())
  end)

  test("of the supervisor a program that clings to life is ended", function()
    local script = [[
      package.path, package.cpath = "/x/lua/?.lua;/x/lua/?/init.lua",
                                    "/x/lib/?.so"
      require "farside".prctl("pdeathsig", false)
      require "farside".pause()]]
    local here = ns.getcwd() .. "/"
    local build <const> = t.build:find "^/" and t.build or here .. t.build
    if t.lua:find "/" then return pending "the specs run in the driver" end
    local container <close> = start { t.lua, "-e", script, init = false,
      mounts = { { bind = here .. "lua", at = "/x/lua", "ro" },
                 { bind = build .. "/lib", at = "/x/lib", "ro" } } }
    local init <const> = container.record.init
    local stat <const> = "/proc/" .. init.pid .. "/wchan"
    repeat until (io.open(stat):read "a"):find "pause"
    kill(container.record.supervisor)
    assert.is_false(#ns.poll({ container.process }, 0) == 1)
    assert.equal("killed", only().status)
    assert.is_true(gone(init))
  end)

  for _, who in ipairs { "init", "payload" } do
    test("of the " .. who .. " the record says how it ended", function()
      local container <close> = start()
      if who == "init" then
        kill(container.record.init)
      else
        container:exec { "sh", "-c", "kill -9 2" } -- the one of the shell
      end
      assert.same({ nil, "signal", 9 }, { container:wait(20) })
      assert.equal("exited", only().status)
    end)
  end

  test("of a starter in the middle the name is free again", function()
    local dead = ns.clone({}, function() end)
    local identity <const> = registry.identity(dead)
    dead:wait()
    registry.locked(function(dir)
      registry.write(dir, { name = "web", status = "starting",
                            supervisor = identity })
    end)
    assert.equal(0, #ns.containers())
    start():close()
    assert.equal("running", only().status)
  end)

  test("what was made for the container is undone, but not after a boot",
    function()
      local undone = {}
      function ns.cgroup.remove(what) undone[#undone + 1] = what end
      local function dead(name, other)
        local process = ns.clone({}, function() end)
        local identity <const> = registry.identity(process)
        process:wait()
        for key, value in pairs(other or {}) do identity[key] = value end
        registry.locked(function(dir)
          registry.write(dir, { name = name, status = "running",
            supervisor = identity, init = identity, namespaces = {},
            undo = { { "cgroup.remove", name .. "'s first" }, { "nosuch.call" },
                     { "cgroup.remove", name .. "'s last" } } })
        end)
      end
      dead "web"
      dead("old", { boot = "another" })
      local list <const> = ns.containers()
      assert.same({ "web's last", "web's first" }, undone)
      assert.is_nil(list[1].failure)
      assert.is_string(list[2].failure)
    end)

  test("of a writer nothing half-written is left", function()
    registry.locked(function(dir)
      local half <close> = ns.openat2(dir, ".web.1", "wronly,create,excl",
                                      { mode = "0600" })
      ns.write(half, "far1")
    end)
    assert.equal(0, #ns.containers())
    assert.equal(0, #ns.readdir((state.directory "containers")))
  end)

  test("a record that cannot be read is shown, and removed", function()
    registry.locked(function(dir)
      local file <close> = ns.openat2(dir, "web", "wronly,create,excl",
                                      { mode = "0600" })
      ns.write(file, "far1garbage")
    end)
    assert.equal("broken", only().status)
    ns.container "web":remove()
    assert.equal(0, #ns.containers())
  end)
end)

describe("a process", function()
  it("is known by its start and boot, not by its number alone", function()
    local mine <const> = registry.identity(ns.getpid())
    local pidfd <close>, dir <const> = registry.find(mine)
    dir:close()
    assert.is_true(pidfd:fileno() > 2)
    for _, field in ipairs { "start", "boot" } do
      local other = { pid = mine.pid, start = mine.start, boot = mine.boot }
      other[field] = "1"
      assert.is_nil(registry.find(other))
    end
  end)
end)

describe("a name", function()
  it("is checked, and only detached containers keep logs", function()
    local function message(recipe)
      recipe[1] = "true"
      return select(2, pcall(ns.plan, recipe))
    end
    for _, name in ipairs { "", "a/b", "..", ".a", "7", "-a", "a b",
                            ("x"):rep(65) } do
      assert.is_truthy(message { name = name }:find("plan: name: name of a "
        .. "container expected (letters, digits, _ . - and at most 64 of "
        .. "them, no number), got '" .. name .. "'", 1, true))
    end
    assert.is_truthy(message { log_size = "4M" }:find("plan: log_size: only a "
      .. "detached container has this: detach = true", 1, true))
    assert.is_truthy(message { detach = true, log_size = "1K" }:find(
      "plan: log_size: size of at least 4K, such as \"16M\", expected, got "
      .. "'1K'", 1, true))
    assert.is_truthy(select(2, pcall(ns.run, { "true", detach = true })):find(
      "run: detach: nobody waits for such a container; use spawn", 1, true))
  end)

  test("that nobody has is told with those that there are", function()
    local ok, message = pcall(ns.container, "web")
    assert.is_false(ok)
    assert.is_truthy(message:find "container: no container 'web'$")
    start():close()
    ok, message = pcall(ns.container, "wbe")
    assert.is_false(ok)
    assert.is_truthy(message:find("container: no container 'wbe' (there is "
                                  .. "web)", 1, true))
  end)

  test("can be had by a container that is not detached", function()
    do
      local container <close> = ns.spawn { "/bin/sleep", "1000", name = "near" }
      assert.equal("running", only().status)
      local same <close> = ns.container "near"
      assert.is_true(same:exec "true")
      assert.equal(container.pid, same.pid)
    end
    assert.equal(0, #ns.containers())
  end)
end)

describe("on the command line", function()
  test("containers are started, listed, joined, ended, forgotten",
    function(directory)
      local function farside(arguments)
        local pipe <close> = io.popen(("XDG_RUNTIME_DIR=%s timeout 60 "
          .. "%s/farside %s 2>&1 </dev/null; echo $?"):format(directory,
                                                              t.build,
                                                              arguments))
        return (pipe:read "a")
      end
      assert.equal("web\n0\n", farside [[run -d --name web --hostname moon -- \
        sh -c 'echo hello; trap "exit 7" TERM; while :; do sleep 0.1; done']])
      assert.is_truthy(farside "ps":find "NAME .*\nweb +running +%d+ .*sh %-c")
      assert.equal("web\n0\n", farside "ps -q")
      assert.equal("moon\n9\n", farside "exec web -- sh -c 'hostname; exit 9'")
      local pid <const> = only().pid
      assert.equal("moon\n0\n", farside("exec " .. pid .. " hostname"))
      assert.equal("farside: exec: process 1 is no container's first process\n"
                   .. "125\n", farside "exec 1 hostname")
      assert.is_truthy(farside "exec web nosuch":find "ENOENT.*\n127\n$")
      assert.equal("0\n", farside "stop -t 20 web")
      assert.equal("hello\n0\n", farside "logs -f web")
      assert.is_truthy(farside "logs -n x web":find(
        "farside logs: --tail: number expected, got 'x'", 1, true))
      assert.equal("0\n", farside "ps -q")
      assert.is_truthy(farside "ps -a":find "web +exited 7 ")
      assert.is_truthy(farside "ps -a --json":find '"how": "exit"')
      assert.equal("0\n", farside "rm web")
      assert.equal("farside: rm: no container 'web'\n125\n", farside "rm web")
      assert.equal("farside exec: NAME or PID expected\nfarside: `farside exec "
        .. "--help` lists what it takes\n125\n", farside "exec")
      assert.is_truthy(farside "exec web":find("a command is expected", 1,
                                               true))
      assert.is_truthy(farside "rm":find("farside rm: NAME or --all expected",
                                         1, true))
      assert.is_truthy(farside "stop":find("farside stop: NAME expected", 1,
                                           true))
      assert.is_truthy(farside "logs":find("farside logs: one NAME expected", 1,
                                           true))
      assert.is_truthy(farside "ps x":find("farside ps: unexpected 'x'", 1,
                                           true))
    end)

  test("containers stand still, go on, and tell what they use",
    function(directory)
      t.needs "cgroup"
      local function farside(arguments)
        local pipe <close> = io.popen(("XDG_RUNTIME_DIR=%s timeout 60 "
          .. "%s/farside %s 2>&1 </dev/null; echo $?"):format(directory,
                                                              t.build,
                                                              arguments))
        return (pipe:read "a")
      end
      local container <close> = start { limits = {} }
      local events <const> = container.record.cgroup .. "/cgroup.events"
      assert.equal("0\n", farside "pause web")
      assert.matches("frozen 1", io.open(events):read "a")
      assert.equal("farside: exec: container 'web' is paused: resume it first"
                   .. "\n125\n", farside "exec web true")
      assert.equal("0\n", farside "resume web")
      assert.matches("frozen 0", io.open(events):read "a")
      assert.matches("NAME +CPU.*\nweb +%d+%.%d%ds .* 2\n0\n$",
                     farside "stats web")
      assert.matches('"processes": 2', farside "stats --json")
      assert.equal("0\n", farside "pause web")
      assert.equal("0\n", farside "stop -t 20 web")
      assert.same({ nil, "signal", 15 }, { container:wait(20) })
    end)

  test("a program is another user of the container", function(directory)
    start():close()
    local function exec(words)
      local pipe <close> = io.popen(("XDG_RUNTIME_DIR=%s %s/farside exec %s "
        .. "2>&1"):format(directory, t.build, words))
      return pipe:read "a"
    end
    assert.equal("0 0\n", exec "-u 0:0 web sh -c 'echo $(id -u) $(id -g)'")
    assert.equal("farside: exec: groups: they go with a user\n",
                 exec "--groups 1,2 web true")
    assert.equal("farside: exec: group: the user has one already, after the "
                 .. "colon\n", exec "-u 0:0 --group 0 web true")
  end)

  test("what needs a cgroup says so", function(directory)
    start():close()
    for _, word in ipairs { "pause", "resume", "stats" } do
      local pipe <close> = io.popen(("XDG_RUNTIME_DIR=%s %s/farside %s web "
        .. "2>&1"):format(directory, t.build, word))
      assert.equal(("farside: %s: the container has no cgroup of its own; a "
        .. "recipe with `limits` has one\n"):format(word), pipe:read "a")
    end
  end)

  test("a log is followed, whichever file it goes to", function(directory)
    local place <const> = t.tmpdir()
    assert(os.execute(("cd %s && mkfifo 400 800 1200 && chmod -R a+rwx ."
                      ):format(place)))
    local container <close> = sh([[
      for last in 400 800 1200; do
        seq $((last - 399)) $last
        read word </mnt/$last
      done; true]], { log_size = "4K",
                      mounts = { { bind = place, at = "/mnt" } } })
    local pipe <close> = io.popen(("XDG_RUNTIME_DIR=%s timeout 60 %s/farside "
      .. "logs -f web"):format(directory, t.build))
    for number = 1, 1200 do
      assert.equal(tostring(number), pipe:read "l")
      if number % 400 == 0 then
        io.open(place .. "/" .. number, "w"):close()
      end
    end
    assert.is_nil(pipe:read "l")
    assert.same({ true, "exit", 0 }, { container:wait(20) })
  end)

  test("the last lines of a log are shown", function(directory)
    local container <close> = sh "seq 5"
    container:wait(20)
    local pipe <close> = io.popen(("XDG_RUNTIME_DIR=%s %s/farside logs -n 2 "
      .. "web"):format(directory, t.build))
    assert.equal("4\n5\n", pipe:read "a")
  end)
end)

-- One more program in a container: it is what the payload is, and whoever is
-- in there gets nothing of the caller's by it.

local t = require "spec.helper"
local ns = require "farside"

-- Specs may be run by an interpreter of the user's own: then only the driver
-- joins.
local function test(name, body)
  it(name, function()
    t.needs "userns"
    body()
  end)
end

local function sleeper(recipe)
  recipe = recipe or {}
  recipe[1], recipe[2] = "/bin/sleep", "1000"
  return ns.spawn(recipe)
end

local function all(reader)
  local parts = {}
  for part in function() return ns.read(reader) end do
    parts[#parts + 1] = part
  end
  return (table.concat(parts):gsub("\n$", ""))
end

-- What a script says in there.
local function said(container, script, command)
  local reader <close>, writer = ns.pipe()
  command = command or {}
  command[1], command[2], command[3] = "/bin/sh", "-c", script
  command.stdout = writer
  local _ <close> = container:spawn(command)
  writer:close()
  return all(reader)
end

describe("a program started in a container", function()
  test("is waited for as the payload is", function()
    local container <close> = sleeper()
    assert.same({ true, "exit", 0 }, { container:exec "true" })
    assert.same({ nil, "exit", 7 }, { container:exec("sh", "-c", "exit 7") })
    assert.same({ nil, "signal", 9 },
                { container:exec { "/bin/sh", "-c", "kill -9 $$" } })
  end)

  test("is in all namespaces of the container", function()
    local container <close> = sleeper { boottime = "30d" }
    local script = "for k in mnt uts ipc net pid user cgroup time; do "
      .. "readlink /proc/%s/ns/$k; done"
    assert.equal(said(container, script:format "2"),
                 said(container, script:format "self"))
  end)

  test("may what the payload may, and no more", function()
    local script = "grep -E 'Uid|Gid|Groups|Cap|NoNew|Seccomp' /proc/%s/status;"
      .. "grep . /proc/%s/limits"
    local container <close> = sleeper {
      capabilities = { "net_bind_service" }, rlimits = { nofile = 64 },
    }
    assert.equal(said(container, script:format("2", "2")),
                 said(container, script:format("self", "self")))
    assert.is_truthy(said(container, script:format("self", "self"))
                     :find "CapBnd:\t0000000000000400")
  end)

  test("is the user that the payload is", function()
    t.needs "root"
    local container <close> = sleeper { user = "games" }
    local script = "grep -E 'Uid|Gid|Groups|Cap' /proc/%s/status"
    assert.equal(said(container, script:format "2"),
                 said(container, script:format "self"))
    local user <const> = ns.root "/":account "games"
    assert.equal(("%d %s"):format(user.uid, user.home),
                 said(container, "echo $(id -u) $HOME"))
    assert.equal("/x", said(container, "echo $HOME",
                            { env = { HOME = "/x" } }))
  end)

  test("is served, and killed, as the payload is", function()
    local container <close> = sleeper { nice = 5, oom_score_adj = 700,
                                        affinity = { 0 } }
    local script = "cut -d' ' -f19 /proc/%s/stat; cat /proc/%s/oom_score_adj;"
      .. "grep Cpus_allowed_list /proc/%s/status"
    local its <const> = said(container, (script:gsub("%%s", "2")))
    assert.equal(its, said(container, (script:gsub("%%s", "self"))))
    assert.equal("5\n700\nCpus_allowed_list:\t0", its)
  end)

  test("has the payload's environment and place, and its own on top", function()
    local container <close> = sleeper { env = { A = "1", B = "1" },
                                        cwd = "/usr" }
    assert.equal("1 2 /usr", said(container, "echo $A $B $PWD",
                                  { env = { B = "2" } }))
    assert.equal("/etc", said(container, "pwd", { cwd = "/etc" }))
    assert.equal("/root", said(container, "echo $HOME"))
  end)

  test("inherits no descriptor", function()
    local stray <close> = assert(io.open "/")
    local _ = stray
    local container <close> = sleeper()
    assert.equal("0 1 2 3", said(container, "echo $(ls /proc/self/fd)"))
  end)

  test("that is not there is told of by name", function()
    local container <close> = sleeper()
    local ok, err = pcall(container.exec, container, "no-such-program")
    assert.same({ false, "exec", "ENOENT" }, { ok, err.call, err.code })
    assert.is_truthy(tostring(err):find("exec no-such-program in /usr/", 1,
                                        true))
  end)

  test("needs a container that runs", function()
    local container <close> = ns.spawn { "/bin/true" }
    container:wait()
    local ok, err = pcall(container.exec, container, "true")
    assert.same({ false, "exec", "ESRCH" }, { ok, err.call, err.code })
  end)

  test("has a terminal of the container's when asked", function()
    local container <close> = sleeper()
    local program <close> = container:spawn { "sh", tty = true }
    ns.write(program.terminal, "tty; exit 5\n")
    local text = ""
    repeat
      local ok, part = pcall(ns.read, program.terminal)
      text = ok and text .. part or text
    until not ok -- EIO: nobody is there any more
    assert.is_truthy(text:find "/dev/pts/0\r\n")
    assert.same({ nil, "exit", 5 }, { program:wait() })
  end)

  test("has no terminal where something else stands for one", function()
    local container <close> = sleeper()
    local ok, err = pcall(container.spawn, container,
                          { "sh", tty = "/dev/null" })
    assert.same({ false, "tty.open", "ENOTTY" }, { ok, err.call, err.code })
  end)

  test("ends with its starter", function()
    local container <close> = sleeper()
    local reader <const>, writer <close> = ns.pipe()
    local starter <close> = ns.clone({}, function()
      local program = container:spawn { "/bin/sleep", "1000" }
      ns.write(writer, program.pid .. "\n")
      ns.pause()
    end)
    local pid <const> = tonumber(ns.read(reader))
    local program <close> = ns.pidfd_open(pid)
    starter:close()
    assert.equal(1, #ns.poll({ program }, 10))
    ns.waitpid(pid) -- the specs' runner is a subreaper, and inherits it
  end)

  test("gets a signal that the caller gets", function()
    t.child(function()
      local container <close> = sleeper()
      local caller <const> = ns.getpid()
      local reader <const>, writer <close> = ns.pipe()
      local _ <close> = ns.clone({}, function()
        ns.read(reader, 1)
        ns.kill(caller, "TERM")
      end)
      local script = "trap 'exit 3' TERM; echo; while :; do sleep 1; done"
      assert.same({ nil, "exit", 3 }, { container:exec {
        "sh", "-c", script, stdout = writer } })
    end)
  end)

  for _, init in ipairs { true, false } do
    test("keeps no container from ending, init = " .. tostring(init), function()
      local container <const> = sleeper { init = init }
      local program <close> = container:spawn { "/bin/sleep", "1000" }
      assert.same({ nil, "timeout" }, { program:wait(0) })
      container:signal "KILL"
      assert.same({ nil, "signal", 9 }, { container:wait(10) })
      assert.same({ nil, "signal", 9 }, { program:wait(10) })
      local other <const> = sleeper { init = init }
      other:spawn { "/bin/sleep", "1000" }
      other:close()
    end)
  end

  test("that fails in a step names it, and nothing runs", function()
    local container <close> = sleeper()
    for _, step in ipairs(container.plan) do
      if step.privilege then
        step.fail = "EIO"
        local ok, err = pcall(container.exec, container, "true")
        assert.same({ false, "EIO", step.label }, { ok, err.code, err.step })
        step.fail = nil
      end
    end
    assert.is_true(container:exec "true")
  end)
end)

describe("a container's life", function()
  test("is ended by stop, which asks first", function()
    local container <close> = sleeper()
    assert.same({ nil, "signal", 15 }, { container:stop() })
    assert.same({ nil, "signal", 15 }, { container:stop() })
  end)

  test("is ended by stop, whoever does not listen", function()
    local reader <const>, writer <close> = ns.pipe()
    local container <close> = ns.spawn { "/bin/sh", "-c",
      "trap '' TERM; echo; while :; do sleep 1; done", stdout = writer }
    ns.read(reader, 1)
    assert.same({ nil, "signal", 9 }, { container:stop "10ms" })
  end)

  test("is not stopped, nor measured, without a cgroup", function()
    local container <close> = sleeper()
    for _, call in ipairs { "pause", "resume", "stats" } do
      local ok, message = pcall(container[call], container)
      assert.is_false(ok)
      assert.is_truthy(message:find(call .. ": the container has no cgroup of "
        .. "its own; a recipe with `limits` has one", 1, true))
    end
  end)

  test("can be looked into by a function", function()
    local container <close> = sleeper { hostname = "moon" }
    assert.equal("moon", container:inside(function()
      return ns.uname().nodename
    end))
  end)
end)

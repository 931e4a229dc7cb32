-- When and where processes run, and what each may use: the calls, and the keys
-- of a recipe.

local t = require "spec.helper"
local ns = require "farside"

describe("a process", function()
  it("has the nice value that it was given", function()
    t.child(function()
      ns.setpriority(19)
      assert.equal(19, ns.getpriority())
    end)
  end)

  it("is made nicer by its parent", function()
    local other <close> = ns.clone({}, function() ns.pause() end)
    ns.setpriority(19, other)
    assert.equal(19, ns.getpriority(other))
    assert.equal(19, ns.getpriority(other.pid))
  end)

  it("is served before others by privilege alone", function()
    t.userns(function()
      ns.setpriority(5)
      local ok, err = pcall(ns.setpriority, 0)
      local soft = ns.getrlimit "nice"
      if soft ~= 0 then return pending "has a limit that lets it" end
      assert.is_false(ok)
      assert.equal("EACCES", err.code)
      assert.equal("a nice value is lowered by who has CAP_SYS_NICE in the "
        .. "first user namespace, or within the limit `nice`", err.hint)
    end)
  end)

  it("runs on the processors that it was given", function()
    local cpus <const> = ns.sched_getaffinity()
    assert.is_true(#cpus > 0)
    t.child(function()
      ns.sched_setaffinity { cpus[#cpus] }
      assert.same({ cpus[#cpus] }, ns.sched_getaffinity())
    end)
    assert.same(cpus, ns.sched_getaffinity())
  end)

  it("cannot run on what is not there", function()
    t.child(function()
      local ok, err = pcall(ns.sched_setaffinity, { 8191 })
      assert.is_false(ok)
      assert.equal("EINVAL", err.code)
      assert.matches("^the processors of this machine are [%d,-]+, and the "
        .. "cgroup may have fewer$", err.hint)
    end)
    for _, cpus in ipairs { { -1 }, { "a" }, { 8192 } } do
      local ok, message = pcall(ns.sched_setaffinity, cpus)
      assert.is_false(ok)
      assert.matches("list of processors' numbers expected", message, 1, true)
    end
  end)

  it("is sent a signal when a time is over, and again", function()
    t.child(function()
      ns.sigprocmask("block", "ALRM")
      ns.setitimer("1ms", "1ms")
      for _ = 1, 3 do
        local name, sender = ns.sigtimedwait("ALRM", 10)
        assert.equal("ALRM", name)
        assert.is_nil(sender)
      end
    end)
  end)

  it("is killed later or sooner than others when memory runs out", function()
    local function score(process)
      local file <close> = io.open("/proc/" .. process.pid .. "/oom_score_adj")
      return file:read "n"
    end
    local other <close> = ns.clone({}, function() ns.pause() end)
    local before <const> = score(other)
    ns.write_oom_score_adj(other, 1000)
    assert.equal(1000, score(other))
    if ns.geteuid() == 0 and ns.capability.has "sys_resource" then
      ns.write_oom_score_adj(other, before - 1)
      return assert.equal(before - 1, score(other))
    end
    local ok, err = pcall(ns.write_oom_score_adj, other, -1000)
    assert.is_false(ok)
    assert.equal("write_oom_score_adj of -1000: Permission denied (EACCES)\n"
      .. "hint: it is lowered by who has CAP_SYS_RESOURCE in the first user "
      .. "namespace alone",
      (tostring(err):gsub("^.-: write", "write")))
  end)

  it("has its hard limit raised by who may, and only then", function()
    local other <close> = ns.clone({}, function() ns.pause() end)
    ns.prlimit(other, "msgqueue", 100, 1000)
    ns.raise_limit(other, "msgqueue", 500)
    assert.same({ 100, 1000 }, { ns.prlimit(other, "msgqueue") })
    local may <const> = t.has "cap_sys_resource"
    local raised <const> = pcall(ns.raise_limit, other, "msgqueue", "1K")
    assert.equal(may, raised)
    assert.same({ 100, may and 1024 or 1000 },
                { ns.prlimit(other, "msgqueue") })
  end)
end)

-- What the shell in a container answers.
local function said(script, recipe)
  local reader, writer = ns.pipe()
  recipe[1], recipe[2], recipe[3] = "/bin/sh", "-c", script
  recipe.stdout = writer
  local ok, err = pcall(ns.run, recipe)
  writer:close()
  local text = ns.read(reader)
  reader:close()
  if not ok then error(err, 0) end
  return text
end

describe("a container", function()
  it("has the nice value, processors and score that were asked for", function()
    t.needs "userns"
    local cpu <const> = ns.sched_getaffinity()[1]
    assert.equal("7\n1\n900\n", said(
      "nice; nproc; cat /proc/self/oom_score_adj",
      { nice = 7, affinity = { cpu }, oom_score_adj = 900 }))
  end)

  it("of root is served before others", function()
    t.needs "root"
    assert.equal("-7\n", said("nice", { nice = -7 }))
  end)

  it("has limits above those of its starter if that is root", function()
    t.needs("root", "cap_sys_resource")
    t.child(function()
      ns.setrlimit("nofile", 64, 64)
      assert.equal("100\n", said("ulimit -n", { rlimits = { nofile = 100 } }))
    end)
  end)

  it("is told why a limit cannot be raised", function()
    t.needs "userns"
    t.child(function()
      if ns.geteuid() == 0 then ns.capability.drop("sys_resource", "effective")
      end
      ns.setrlimit("msgqueue", 10, 10)
      local ok, err = pcall(ns.run, { "true", rlimits = { msgqueue = 11 } })
      assert.is_false(ok)
      assert.equal("EPERM", err.code)
      assert.matches("^the hard limit is raised by who has CAP_SYS_RESOURCE "
        .. "in the first user namespace alone", err.hint)
    end)
  end)

  it("is ended with all its processes when its time is over", function()
    t.needs "userns"
    local container <close> = ns.spawn { "/bin/sh", "-c", "sleep 100 & wait",
                                         timeout = "100ms" }
    assert.same({ nil, "signal", 9, "timeout" }, { container:wait() })
    assert.same({ nil, "signal", 9, "timeout" }, { container:wait() })
  end)

  it("is so when its plan is walked in Lua, too", function()
    t.needs "userns"
    local plan = ns.plan { "sleep", "100", timeout = "50ms" }
    plan.walker = false
    assert.same({ nil, "signal", 9, "timeout" }, { ns.run(plan) })
  end)

  it("that ends in time is told from one that does not", function()
    t.needs "userns"
    assert.same({ nil, "exit", 3 },
                { ns.run { "/bin/sh", "-c", "exit 3", timeout = 100 } })
    assert.same({ nil, "signal", 9 },
                { ns.run { "/bin/sh", "-c", "kill -9 $$", timeout = 100 } })
    assert.same({ nil, "signal", 9, "timeout" },
                { ns.run { "sleep", "100", timeout = "50ms" } })
  end)

  it("cannot have a time limit without the init", function()
    for _, recipe in ipairs { { init = false }, { share = "pid" } } do
      recipe[1], recipe.timeout = "true", 1
      local ok, message = pcall(ns.run, recipe)
      assert.is_false(ok)
      assert.matches("run: timeout: a time limit needs the init and the pid "
        .. "namespace of its own", message, 1, true)
    end
  end)

  it("says on the command line why it was ended", function()
    t.needs "userns"
    local pipe <close> = assert(io.popen(t.build
      .. "/farside run --timeout 50ms -- sleep 100 2>&1; echo $?"))
    assert.equal("farside: killed, for its time was over (timeout)\n137\n",
                 pipe:read "a")
  end)

  it("has its processors in the plan", function()
    local text <const> = tostring(ns.plan { "x", affinity = "0-2,5",
                                            timeout = "3s" })
    assert.matches("ns.sched_setaffinity({ 0, 1, 2, 5 })", text, 1, true)
    assert.matches('ns.setitimer("3s", "100ms")', text, 1, true)
  end)
end)

-- Attacks by using up what all share, and by staying: what ends them. Each must
-- fail, and work without what stops it, as far as that does no harm.

local t <const> = require "spec.helper"
local ns <const> = require "farside"
local attacks <const> = require "spec.attacks"
local containers <const> = require "spec.containers"
local attack <const>, attacker <const> = attacks.attack, attacks.attacker
local sh <const> = attacks.sh

local function test(name, body)
  it(name, function()
    t.needs "userns"
    body()
  end)
end

-- Whether a program that wants to does outlive the container's starter.
local function outlives(init)
  local reader, writer <close> = ns.pipe()
  local _ <close> = reader
  local starter <close> = ns.clone({}, function()
    local container = ns.spawn(attacker([[ns.prctl("pdeathsig", false)
      io.stdout:write "!":flush()
      ns.pause()]], { init = init, stdout = writer }))
    ns.write(writer, container.pid .. "\n")
    container:wait()
  end)
  local told = ""
  repeat told = told .. ns.read(reader) until told:find "!" and told:find "\n"
  local pid <const> = math.tointeger(told:match "%d+")
  local process <close> = ns.pidfd_open(pid)
  starter:close()
  local ended = #ns.poll({ process }, init and 10 or "50ms") == 1
  ns.kill(process, "KILL")
  ns.waitpid(pid) -- the specs' runner is a subreaper, and inherits it
  return not ended
end

-- Goes on until it is refused, or has as many as do no harm here.
local forker <const> = [[
  for (1..60) {
    my $child = fork;
    print("refused"), exit unless defined $child;
    sleep 1000, exit if $child == 0;
  }
  print "done";]]

describe("an attacker in a container", function()
  test("has no more processes than it may", function()
    assert.equal("refused", attacks.perl(forker, { rlimits = { nproc = 40 } }))
    assert.equal("done", attacks.perl(forker))
  end)

  test("has no more processes than all in there together may", function()
    t.needs "controllers"
    t.cgroup(function()
      assert.equal("refused", attacks.perl(forker, { limits = { pids = 40 } }))
      assert.equal("done", attacks.perl(forker, { limits = {} }))
    end)
  end)

  test("has no more memory than it may, in files either", function()
    t.needs "controllers"
    local script <const> =
      "head -c 96M /dev/zero >/%s && echo filled || echo refused"
    t.cgroup(function()
      for _, file in ipairs { "x", "tmp/x", "dev/shm/x", "run/x" } do
        assert.not_equal("filled", sh(script:format(file),
                                      { limits = { memory = "48M" } }))
      end
      assert.equal("filled", sh(script:format "x", { limits = {} }))
    end)
  end)

  test("fills no more of a tmpfs than it has", function()
    local script <const> = "head -c 2M /dev/zero >%s 2>/dev/null; "
      .. "stat -c %%s %s"
    local function fill(at, size)
      return math.tointeger(sh(script:format(at, at), {
        mounts = { { tmpfs = "/data", size = size } } }))
    end
    assert.equal(1 << 20, fill("/data/x", "1M"))
    assert.equal(2 << 20, fill("/data/x", "4M"))
    assert.is_true(fill("/dev/x", "1M") <= 64 << 10)
  end)

  -- What is written to a layer that is thrown away is in memory, of which half
  -- is for files; what is bound is the disk.
  test("writes to no disk unless one is bound", function()
    local out <const> = t.tmpdir()
    local size <const> = "stat -f -c '%b %S' "
    local function of(path, mounts)
      return sh(size .. path, { mounts = mounts })
    end
    local memory <const> = of "/dev/shm"
    for _, path in ipairs { "/", "/etc", "/tmp", "/run" } do
      assert.equal(memory, of(path))
    end
    local disk <close> = io.popen(size .. out)
    assert.equal(disk:read "l", of("/out", { { bind = out, at = "/out" } }))
  end)

  test("dumps no core, and cannot change that", function()
    local program <const> = [[ print(ns.getrlimit "core")
                               try(ns.setrlimit, "core", 2, 2) ]]
    local soft, hard = ns.getrlimit "core"
    local none <const> = hard == 0 and 0 or 1
    -- a program with sanitizers lowers its own
    assert.equal(("%d\t%d EPERM"):format(t.sanitized and 0 or none, none),
                 attack(program))
    if soft == hard and soft ~= 0 then
      assert.equal(("%s\t%s done"):format(soft, hard),
        attack(program, { rlimits = { core = soft } }))
    end
  end)

  -- The program that dumps are piped to is root's, out here.
  test("has no crash of its own looked at by the host", function()
    t.needs "a machine of its own"
    local pattern <const> = "/proc/sys/kernel/core_pattern"
    local before <const> = containers.read(pattern)
    local dir <const> = t.tmpdir()
    containers.write(dir .. "/handler", ("#!/bin/sh\n>%s/ran\ncat >/dev/null\n")
      :format(dir))
    ns.fchmodat(nil, dir .. "/handler", "0755")
    local function crash(rlimits)
      ns.run { "/bin/sh", "-c", "kill -SEGV $$", rlimits = rlimits }
      return (pcall(ns.unlinkat, nil, dir .. "/ran"))
    end
    containers.write(pattern, "|" .. dir .. "/handler")
    local by_default <const> = crash()
    local with_zero <const> = crash { core = 0 }
    containers.write(pattern, before)
    assert.is_false(by_default)
    assert.is_true(with_zero)
  end)

  test("cannot keep the container alive after its payload", function()
    local container <close> = ns.spawn { "/bin/sh", "-c",
      "for i in 1 2 3 4 5 6 7 8; do setsid sleep 1000 & done; exit 5" }
    assert.same({ nil, "exit", 5 }, { container:wait(20) })
  end)

  test("cannot outlive the starter of the container, with an init", function()
    assert.is_false(outlives(true))
    assert.is_true(outlives(false))
  end)

  test("cannot go on when its time is over", function()
    local script <const> = "trap '' TERM ALRM; while :; do sleep 1; done"
    local function run(timeout)
      local container <close> = ns.spawn { "/bin/sh", "-c", script,
                                           timeout = timeout }
      return { container:wait(timeout and 20 or "200ms") }
    end
    assert.same({ nil, "signal", 9, "timeout" }, run "100ms")
    assert.same({ nil, "timeout" }, run())
  end)
end)

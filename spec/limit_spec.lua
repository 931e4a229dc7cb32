-- Attributes, resource limits, priorities and ranges of descriptors.

local t = require "spec.helper"
local ns = require "farside"

local function message_of(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

local function is_open(fd)
  return (pcall(ns.fstatat, fd, ""))
end

describe("an attribute of the process", function()
  for _, name in ipairs { "dumpable", "keepcaps", "thp_disable",
                          "child_subreaper" } do
    it("can be set and unset: " .. name, function()
      t.child(function()
        local before = ns.prctl(name)
        assert.is_boolean(before)
        ns.prctl(name, not before)
        assert.equal(not before, ns.prctl(name))
      end)
    end)
  end

  it("no_new_privs stays set", function()
    t.child(function()
      ns.prctl("no_new_privs", true)
      assert.is_true(ns.prctl "no_new_privs")
      assert.has_error(function() ns.prctl("no_new_privs", false) end)
    end)
  end)

  it("pdeathsig is a signal's word, or nothing", function()
    t.child(function()
      assert.is_nil(ns.prctl "pdeathsig")
      ns.prctl("pdeathsig", "SIGTERM")
      assert.equal("TERM", ns.prctl "pdeathsig")
      ns.prctl("pdeathsig", false)
      assert.is_nil(ns.prctl "pdeathsig")
    end)
  end)

  it("name is what others see", function()
    t.child(function()
      ns.prctl("name", "moon")
      local comm <close> = io.open "/proc/self/comm"
      assert.equal("moon", comm:read "l")
    end)
  end)

  it("name is never cut short", function()
    local expected <const> = "name of at most 15 bytes expected"
    assert.matches(expected, message_of(ns.prctl, "name", ("x"):rep(16)))
    assert.matches(expected, message_of(ns.prctl, "name", "a\0b"))
  end)

  it("is refused when it is unknown or of the wrong type", function()
    assert.matches("unknown attribute 'seccomp' %(expected no_new_privs, "
      .. "dumpable, keepcaps, thp_disable, child_subreaper, pdeathsig, name%)",
      message_of(ns.prctl, "seccomp", true))
    assert.matches("boolean expected, got number",
      message_of(ns.prctl, "dumpable", 1))
    assert.matches("signal or false expected",
      message_of(ns.prctl, "pdeathsig", true))
  end)
end)

describe("a resource limit", function()
  it("is set alone, or with the hard one", function()
    t.child(function()
      local _, hard = ns.getrlimit "nofile"
      ns.setrlimit("nofile", 64)
      assert.same({ 64, hard }, { ns.getrlimit "nofile" })
      assert.same({ 64, hard }, { ns.setrlimit("nofile", 32, 48) })
      assert.same({ 32, 48 }, { ns.setrlimit("nofile", nil, 40) })
      assert.same({ 32, 40 }, { ns.getrlimit "nofile" })
    end)
  end)

  it("may be a size, or unlimited", function()
    t.child(function()
      ns.setrlimit("fsize", "64M", "unlimited")
      assert.same({ 64 << 20, "unlimited" }, { ns.getrlimit "fsize" })
    end)
  end)

  it("of another process is reached by its PID", function()
    local child <close> = ns.clone({}, function() ns.sigtimedwait {} end)
    ns.prlimit(child.pid, "core", 0, 0)
    assert.same({ 0, 0 }, { ns.prlimit(child.pid, "core") })
  end)

  it("cannot be above the hard one", function()
    t.child(function()
      assert.matches("setrlimit nofile: Invalid argument %(EINVAL%)",
        message_of(ns.setrlimit, "nofile", 10, 5))
    end)
  end)

  it("is refused when it is unknown", function()
    assert.matches("unknown resource 'files' %(expected as, core, cpu, ",
      message_of(ns.getrlimit, "files"))
    assert.matches("bad size 'much'",
      message_of(ns.setrlimit, "nofile", "much"))
  end)
end)

describe("the nice value", function()
  it("grows by what is added", function()
    t.child(function()
      local before = ns.getpriority()
      assert.equal(math.min(before + 1, 19), ns.nice(1))
      assert.equal(ns.getpriority(), ns.getpriority(ns.getpid()))
    end)
  end)
end)

describe("a range of descriptors", function()
  it("is closed", function()
    t.child(function()
      local one, other = ns.pipe()
      ns.close_range(one:fileno(), one:fileno())
      assert.is_false(is_open(one:detach()))
      assert.is_true(is_open(other))
    end)
  end)

  it("is closed by an exec only", function()
    t.child(function()
      local fd = ns.pipe()
      ns.cloexec(fd, false)
      ns.close_range(3, nil, "cloexec")
      local info <close> = io.open("/proc/self/fdinfo/" .. fd:fileno())
      assert.matches("flags:\t02%d*\n", info:read "a")
    end)
  end)

  it("is refused when it is none", function()
    assert.matches("descriptor out of range",
      message_of(ns.close_range, 5, 4))
    assert.matches("unknown flag 'keep' %(expected cloexec, unshare%)",
      message_of(ns.close_range, 3, nil, "keep"))
  end)
end)

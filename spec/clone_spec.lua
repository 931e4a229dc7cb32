-- Children in new namespaces that run a Lua function, and moving oneself.
local t <const> = require "spec.helper"
local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local ns <const> = require "farside"

local words <const> = { "mnt", "uts", "ipc", "net", "pid", "user", "cgroup",
                        "time" }

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

local function link(name)
  return core.readlinkat(nil, "/proc/self/ns/" .. name)
end

local function refused(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

local function descriptors()
  collectgarbage()
  return #core.readdir "/proc/self/fd"
end

-- What a child in a clone of its own writes to its standard error stream.
local function complaint(fn, clone)
  local path = t.tmpdir() .. "/stderr"
  t.child(function()
    core.dup(core.openat2(nil, path, "wronly,create"), 2)
    local child <close> = clone({}, fn)
    pcall(child.wait, child)
  end)
  return read(path)
end

describe("a clone", function()
  it("is in new namespaces of the kinds that were named", function()
    t.needs "userns"
    for _, word in ipairs(words) do
      local before = link(word)
      t.child(function() assert.not_equal(before, link(word)) end,
        { "user", word })
    end
  end)

  it("knows mount and network by their long names, too", function()
    t.needs "userns"
    local mnt, net = link "mnt", link "net"
    t.child(function()
      assert.not_equal(mnt, link "mnt")
      assert.not_equal(net, link "net")
    end, { "user", "mount", "network" })
  end)

  it("refuses a namespace that it does not know", function()
    assert.matches("unknown namespace 'nett' (expected mnt, uts, ipc, net, "
      .. "pid, user, cgroup, time, mount, network)",
      refused(core.clone, { "nett" }, print), 1, true)
  end)

  it("refuses a field that it does not know", function()
    assert.matches("unknown field 'cgroups'",
      refused(core.clone, { cgroups = 1 }, print), 1, true)
  end)

  it("names the namespaces that could not be made", function()
    t.userns(function()
      write("/proc/sys/user/max_uts_namespaces", "0")
      local err = refused(core.clone, { "ipc", "uts" }, print)
      assert.equal("ENOSPC", err.code)
      assert.same({ "uts", "ipc" }, err.namespaces)
      assert.matches("clone uts,ipc: No space left on device (ENOSPC)",
        tostring(err), 1, true)
    end)
  end)

  it("writes once what the caller had not flushed yet", function()
    local path = t.tmpdir() .. "/out"
    local file <close> = assert(io.open(path, "w"))
    file:setvbuf "full"
    file:write "once"
    local child <close> = core.clone({}, function() file:write " child" end)
    child:wait()
    file:write " parent"
    file:close()
    assert.equal("once child parent", read(path))
  end)

  it("never runs the caller's code after an error", function()
    local path = t.tmpdir() .. "/out"
    complaint(function()
      pcall(function()
        local child <close> = core.clone({}, function() error "out" end)
        child:wait()
      end)
      local file <close> = io.open(path, "a")
      file:write "after "
    end, core.clone)
    assert.equal("after ", read(path))
  end)

  it("ends with 1 and a traceback when its function raises", function()
    local child
    local text = complaint(function() error "lost" end, function(...)
      child = core.clone(...)
      assert.same({ nil, "exit", 1, n = 3 }, table.pack(child:wait()))
      return child
    end)
    assert.matches("clone_spec.lua:%d+: lost\nstack traceback:\n", text)
  end)

  it("ends with what os.exit says", function()
    for code, expected in pairs { [5] = 5, [true] = 0, [false] = 1 } do
      local child <close> = core.clone({}, function() os.exit(code, true) end)
      assert.equal(expected, select(3, child:wait()))
    end
  end)

  it("ends with its code through an os.exit from before, too", function()
    local exit = os.exit
    local child <close> = core.clone({}, function() exit(6) end)
    assert.equal(6, select(3, child:wait()))
  end)

  for how, leave in pairs {
    returns = function() end,
    ["calls os.exit"] = function() os.exit(0, true) end,
    ["calls an os.exit from before"] = os.exit,
    ["closes the state"] = (function(exit)
      return function() exit(0, true) end
    end)(os.exit),
    raises = function() error "out" end,
  } do
    it("runs no finaliser of the parent when it " .. how, function()
      local path = t.tmpdir() .. "/finalised"
      local pid
      local function tell()
        if core.getpid() ~= pid then write(path, "!") end
      end
      complaint(function()
        pid = core.getpid()
        local kept = setmetatable({}, { __gc = tell })
        local closed <close> = setmetatable({}, { __close = tell })
        local child <close> = core.clone({}, leave)
        child:wait()
        return kept, closed
      end, core.clone)
      assert.is_nil(io.open(path))
    end)
  end

  it("says that it cannot close the state of its parent", function()
    local exit = os.exit
    assert.equal("farside: a cloned child cannot close the Lua state of its "
      .. "parent: call os.exit by its name\n",
      complaint(function() exit(0, true) end, core.clone))
  end)

  it("works in a coroutine, which it cannot leave by a yield", function()
    local ok, err = coroutine.wrap(function()
      local fine <close> = core.clone({}, function() os.exit(3) end)
      assert.equal(3, select(3, fine:wait()))
      local child <close> = ns.clone({}, function() coroutine.yield() end)
      return pcall(child.wait, child)
    end)()
    assert.is_false(ok)
    assert.matches("attempt to yield", err)
  end)

  it("can make clones of its own", function()
    local child <close> = core.clone({}, function()
      local inner <close> = core.clone({}, function() os.exit(4) end)
      os.exit(select(3, inner:wait()))
    end)
    assert.equal(4, select(3, child:wait()))
  end)

  it("starts in the cgroup that was given", function()
    t.needs "root"
    local at = read "/proc/self/mountinfo":match
      "\n%d+ %d+ %S+ %S+ (%S+)[^\n]* %- cgroup2 "
    local path = read "/proc/self/cgroup":match "0::([^\n]*)"
    local directory = at and at .. path
    if not at or not pcall(core.fstatat, nil, directory .. "/cgroup.procs") then
      pending "needs a cgroup v2 tree that shows this process"
    end
    local child <close> = ns.clone({ cgroup = directory }, function()
      assert(read "/proc/self/cgroup":find("0::" .. path .. "\n", 1, true))
    end)
    assert.is_true(child:wait())
  end)

  it("raises EBADF for a cgroup that is none", function()
    assert.equal("EBADF", refused(ns.clone, { cgroup = "/" }, print).code)
  end)
end)

describe("an error in a child", function()
  it("is raised by wait, with the child's traceback", function()
    local child <close> = ns.clone({}, function() error "out of air" end)
    local message = refused(child.wait, child)
    assert.matches("^spec/clone_spec.lua:%d+: out of air\n"
      .. "stack traceback of the child:\n%s+%[C%]: in function 'error'\n"
      .. "%s+spec/clone_spec.lua:%d+: in function [^\n]*$", message)
    assert.equal(message, refused(child.wait, child))
  end)

  it("comes back as an error object with its fields", function()
    local child <close> = ns.clone({}, function() ns.chdir "/nowhere" end)
    local err = refused(child.wait, child)
    assert.is_true(errors.is(err))
    assert.equal("chdir", err.call)
    assert.equal("/nowhere", err.path)
    assert.equal(core.errno.ENOENT, err.errno)
    assert.matches("spec/clone_spec.lua:%d+$", err.where)
    assert.matches("^stack traceback of the child:", err.traceback)
  end)

  it("comes back as the table or the value that it is", function()
    for _, value in ipairs { { code = { 7 } }, 12, false } do
      local child <close> = ns.clone({}, function() error(value) end)
      assert.same(value, refused(child.wait, child))
    end
  end)

  it("comes back as text when it can be sent in no other way", function()
    local child <close> = ns.clone({}, function() error(print) end)
    assert.matches("^function: ", refused(child.wait, child))
  end)

  it("comes back whole when it is larger than a pipe", function()
    local long = ("x"):rep(1 << 20)
    local child <close> = ns.clone({}, function() error(long, 0) end)
    assert.equal(long, refused(child.wait, child):sub(1, #long))
  end)

  it("is not printed, since wait tells it", function()
    assert.equal("", complaint(function() error "quiet" end, ns.clone))
  end)

  it("is none when the child leaves by os.exit or exec", function()
    local child <close> = ns.clone({}, function() os.exit(3) end)
    assert.same({ nil, "exit", 3, n = 3 }, table.pack(child:wait()))
    local other <close> = ns.clone({}, function() ns.exec "false" end)
    assert.same({ nil, "exit", 1, n = 3 }, table.pack(other:wait()))
  end)
end)

describe("a clone with id maps", function()
  local function own(id) return ("0:%d:1"):format(id) end

  it("is root of its user namespace when its function starts", function()
    t.needs "userns"
    local child <close> = ns.clone({ "user", uid_map = own(core.geteuid()),
      gid_map = own(core.getegid()) }, function()
      assert(core.getuid() == 0 and core.getgid() == 0)
    end)
    assert.is_true(child:wait())
  end)

  it("can have any id inside", function()
    t.needs "userns"
    local map = { inside = 1234, outside = core.geteuid(), count = 1 }
    local child <close> = ns.clone({ "user", uid_map = { map } }, function()
      os.exit(core.getuid() == 1234)
    end)
    assert.is_true(child:wait())
  end)

  it("has setgroups denied when that is asked for", function()
    t.needs "userns"
    local child <close> = ns.clone({ "user", setgroups = false }, function()
      os.exit(read "/proc/self/setgroups" == "deny\n")
    end)
    assert.is_true(child:wait())
  end)

  it("leaves no child when a map cannot be written", function()
    t.userns(function()
      local before = descriptors()
      local err = refused(ns.clone, { "user", uid_map = "0:5:1" }, print)
      assert.equal("EPERM", err.code)
      assert.equal("write_uid_map", err.call)
      assert.equal(before, descriptors())
      assert.equal("ECHILD", refused(core.waitpid).code)
    end)
  end)

  it("refuses a map that is none before it does anything", function()
    assert.matches("clone: uid_map: bad range '0:0' (expected "
      .. "INSIDE:OUTSIDE:COUNT)",
      refused(ns.clone, { "user", uid_map = "0:0" }, print), 1, true)
  end)
end)

describe("a clone with clocks of its own", function()
  local function uptime() return tonumber(read "/proc/uptime":match "%S+") end

  it("sees the offset from the start", function()
    t.needs("userns", "namespace time")
    local before = uptime()
    local child <close> = ns.clone({ "user", "time", boottime = "1d",
      monotonic = 3600 }, function()
      assert(uptime() - before >= 86400 and uptime() - before < 86460)
    end)
    assert.is_true(child:wait())
  end)

  it("can be behind", function()
    t.needs("userns", "namespace time")
    local before = uptime()
    local child <close> = ns.clone({ "user", "time", boottime = -before / 2 },
      function() os.exit(uptime() < before) end)
    assert.is_true(child:wait())
  end)

  it("gives its clocks to its children", function()
    t.needs("userns", "namespace time")
    local child <close> = ns.clone({ "user", "time", boottime = "1d" },
      function()
        assert(link "time" == link "time_for_children")
      end)
    assert.is_true(child:wait())
  end)

  it("raises in the parent when they cannot be set", function()
    t.needs("userns", "namespace time")
    local before = descriptors()
    local err = refused(ns.clone, { "user", "time", boottime = -1e9 }, print)
    assert.equal("ERANGE", err.code)
    assert.matches("write /proc/self/timens_offsets: ", tostring(err), 1, true)
    assert.equal(before, descriptors())
  end)
end)

describe("the options of a clone", function()
  local function complains(message, options, fn)
    local before = descriptors()
    assert.matches("clone_spec.lua:%d+: ", refused(ns.clone, options, fn))
    assert.matches(message, refused(ns.clone, options, fn), 1, true)
    assert.equal(before, descriptors())
  end

  it("are refused with the word that is wrong", function()
    complains("clone: unknown namespace 'nett' (expected mnt, uts, ipc, net, "
      .. "pid, user, cgroup, time)", { "nett" }, print)
    complains("clone: unknown key 'uid_maps'", { uid_maps = "" }, print)
    complains("clone: setgroups: boolean expected, got string",
      { "user", setgroups = "deny" }, print)
    complains("clone: boottime: seconds or a time such as \"5m\" expected, "
      .. "got 'soon'", { "time", boottime = "soon" }, print)
    complains("clone: function expected, got nil", {}, nil)
  end)

  it("need the namespace that they are about", function()
    complains("clone: uid_map needs the namespace \"user\"",
      { "net", uid_map = "0:0:1" }, print)
    complains("clone: monotonic needs the namespace \"time\"",
      { "user", monotonic = 1 }, print)
  end)

  it("leave no descriptor behind when the clone fails", function()
    t.userns(function()
      write("/proc/sys/user/max_uts_namespaces", "0")
      local before = descriptors()
      for _, options in ipairs { { "uts" }, { "uts", "time", boottime = 1 },
        { "uts", "user", uid_map = "0:0:1" }, { cgroup = "/" },
        { cgroup = "/nonexistent" } } do
        assert.is_not_nil(refused(ns.clone, options, print).code)
      end
      assert.equal(before, descriptors())
    end)
  end)
end)

describe("unshare", function()
  it("moves the caller, and for pid and time its children", function()
    t.userns(function()
      local uts, pid = link "uts", link "pid"
      core.unshare("uts", "pid")
      assert.not_equal(uts, link "uts")
      assert.equal(pid, link "pid")
      local child <close> = core.clone({}, function()
        os.exit(core.getpid() == 1)
      end)
      assert.is_true(child:wait())
    end)
  end)

  it("names the namespaces that could not be made", function()
    t.userns(function()
      write("/proc/sys/user/max_net_namespaces", "0")
      local err = refused(core.unshare, "net", "uts")
      assert.same({ "uts", "net" }, err.namespaces)
      assert.matches("unshare uts,net: No space left on device (ENOSPC)",
        tostring(err), 1, true)
    end)
  end)

  it("refuses to be called for nothing", function()
    assert.matches("bad argument #1", refused(core.unshare))
  end)
end)

describe("setns", function()
  -- A child in namespaces of its own, below the user namespace of a test.
  local function other(fn)
    t.userns(function()
      local child <close> = core.clone({ "uts", "ipc" }, function()
        core.poll {}
      end)
      fn(child)
    end)
  end

  local function theirs(child, kind)
    return core.readlinkat(nil, ("/proc/%d/ns/%s"):format(child.pid, kind))
  end

  for how, target in pairs {
    pid = function(child) return child.pid end,
    ["process object"] = function(child) return child end,
    pidfd = function(child) return core.pidfd_open(child.pid) end,
  } do
    it("joins several namespaces of a process by its " .. how, function()
      other(function(child)
        core.setns(target(child), "uts", "ipc")
        assert.equal(theirs(child, "uts"), link "uts")
        assert.equal(theirs(child, "ipc"), link "ipc")
      end)
    end)
  end

  for how, target in pairs {
    path = function(path) return path end,
    handle = function(path) return core.open(path) end,
    descriptor = function(path) return core.openat2(nil, path, {}) end,
    file = function(path) return io.open(path) end,
  } do
    it("joins a namespace by its " .. how, function()
      other(function(child)
        core.setns(target(("/proc/%d/ns/uts"):format(child.pid)))
        assert.equal(theirs(child, "uts"), link "uts")
      end)
    end)
  end

  it("raises EINVAL for another kind than expected", function()
    other(function(child)
      local path = ("/proc/%d/ns/uts"):format(child.pid)
      local err = refused(core.setns, path, "net")
      assert.equal("EINVAL", err.code)
      assert.same({ "net" }, err.namespaces)
      assert.matches("setns " .. path .. " (net): Invalid argument (EINVAL)",
        tostring(err), 1, true)
    end)
  end)

  it("asks which namespaces of a process are meant", function()
    assert.matches("(namespaces of the process expected, such as \"net\")",
      refused(core.setns, core.getpid()), 1, true)
  end)

  it("raises ESRCH when there is no such process", function()
    local err = refused(core.setns, 0x3ffffff, "net")
    assert.matches("setns process 67108863: No such process (ESRCH)",
      tostring(err), 1, true)
  end)
end)

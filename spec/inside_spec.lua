-- Functions run inside namespaces that exist.
local t <const> = require "spec.helper"
local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local ns <const> = require "farside"

local function refused(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

local function link(name, pid)
  return core.readlinkat(nil, ("/proc/%s/ns/%s"):format(pid or "self", name))
end

-- A process that stays in namespaces of its own, where the host is moon.
local function over_there(kinds)
  t.needs "userns"
  local mine, theirs = core.socketpair "seqpacket"
  local child = core.clone(kinds, function()
    core.sethostname "moon"
    core.sendmsg(theirs, "ready")
    core.poll {}
  end)
  core.recvmsg(mine, 9)
  mine:close()
  theirs:close()
  return child
end

local all <const> = { "user", "mnt", "uts", "ipc", "net", "pid", "cgroup",
                      "time" }

describe("inside", function()
  it("runs a function in all namespaces of a process", function()
    local there <close> = over_there(all)
    local seen = ns.inside(there, function()
      local links = {}
      for _, kind in ipairs(all) do links[kind] = link(kind) end
      return links
    end)
    for _, kind in ipairs(all) do
      assert.equal(link(kind, there.pid), seen[kind])
      assert.not_equal(link(kind), seen[kind])
    end
  end)

  it("takes a process by its object, its pid or its pidfd", function()
    local there <close> = over_there { "user", "uts" }
    local pidfd <close> = core.pidfd_open(there.pid)
    for _, target in ipairs { there, there.pid, pidfd } do
      assert.equal("moon", ns.inside(target, function()
        return ns.uname().nodename
      end))
    end
  end)

  it("takes namespaces, in whatever order", function()
    local there <close> = over_there { "user", "uts", "net" }
    local list = {}
    for i, kind in ipairs { "uts", "user", "net" } do
      list[i] = core.open(there, kind)
    end
    local name, net = ns.inside(list, function()
      return ns.uname().nodename, link "net"
    end)
    assert.same({ "moon", link("net", there.pid) }, { name, net })
    for i = 1, 3 do list[i]:close() end
  end)

  it("takes a namespace by its path or its handle", function()
    t.userns(function()
      local there <close> = over_there { "uts" }
      local handle = core.open(there, "uts")
      for _, target in ipairs { handle, ("/proc/%d/ns/uts"):format(
        there.pid) } do
        assert.equal("moon", ns.inside(target, function()
          return ns.uname().nodename
        end))
      end
    end)
  end)

  it("counts processes as the other pid namespace does", function()
    local there <close> = over_there { "user", "pid", "uts" }
    local pid, parent = ns.inside(there, function()
      return ns.getpid(), ns.getppid()
    end)
    assert.is_true(pid > 1 and pid < 10)
    assert.equal(0, parent)
  end)

  it("runs a function in the caller's own namespaces, too", function()
    assert.equal(core.getpid(), ns.inside(core.getpid(), ns.getppid))
  end)

  it("starts at the root of another mount namespace", function()
    local there <close> = over_there { "user", "mnt", "uts" }
    assert.equal("/", ns.inside(there, ns.getcwd))
  end)

  it("leaves the caller where it was", function()
    local there <close> = over_there(all)
    local before, cwd = link "uts", core.getcwd()
    ns.inside(there, function() end)
    assert.same({ before, cwd }, { link "uts", core.getcwd() })
  end)

  it("hands arguments in and results out", function()
    local pid <const> = core.getpid()
    local results = table.pack(ns.inside(pid, function(...) return ... end,
      nil, 1, 1.5, "a\0b", { x = { true } }, nil))
    assert.same({ nil, 1, 1.5, "a\0b", { x = { true } }, nil, n = 6 }, results)
    assert.equal(0, select("#", ns.inside(pid, function() end)))
  end)

  it("brings back more than a pipe holds", function()
    local there <close> = over_there { "user", "pid", "uts" }
    assert.equal(1 << 21, #ns.inside(there, function()
      return ("x"):rep(1 << 21)
    end))
  end)

  it("waits for no grandchild that lives on", function()
    t.child(function()
      local pid = ns.inside(core.getpid(), function()
        return core.clone({}, function() core.poll {} end).pid
      end)
      core.kill(pid, "KILL")
    end)
    t.reap()
  end)

  it("raises a message with the child's traceback", function()
    local there <close> = over_there(all)
    local message = refused(ns.inside, there, function() error "no air" end)
    assert.matches("^spec/inside_spec.lua:%d+: no air\n"
      .. "stack traceback of the child:\n", message)
  end)

  it("raises error objects as error objects", function()
    local there <close> = over_there(all)
    local err = refused(ns.inside, there, function() ns.chdir "/nowhere" end)
    assert.is_true(errors.is(err))
    assert.same({ "chdir", "/nowhere", "ENOENT" },
      { err.call, err.path, err.code })
  end)

  it("names what cannot be sent", function()
    assert.equal("inside: cannot send a function (value 2.x)",
      refused(ns.inside, core.getpid(), function() return 1, { x = print } end))
  end)

  it("says so when the function has no result", function()
    for _, kinds in ipairs { { "user", "uts" }, { "user", "uts", "pid" } } do
      local there <close> = over_there(kinds)
      assert.equal("inside: the function ended without a result (exit 4)",
        refused(ns.inside, there, function() os.exit(4) end))
      assert.equal("inside: the function was ended by signal 9",
        refused(ns.inside, there, function() ns.kill(ns.getpid(), "KILL") end))
    end
  end)

  it("loads nothing over there", function()
    assert.matches("nothing is loaded inside the namespaces of others: "
      .. "require 'nosuch' before",
      refused(ns.inside, core.getpid(), function() require "nosuch" end), 1,
      true)
  end)

  it("has the library at hand, though nothing of it was used yet", function()
    t.child(function()
      local there <close> = over_there(all)
      assert.is_table(ns.inside(there, function()
        return ns.mountinfo()[1] and ns.read_uid_map()
      end))
    end)
  end)

  it("raises when the target is gone, is none, or may not be joined",
    function()
      assert.equal("ESRCH", refused(ns.inside, 0x3ffffff, print).code)
      assert.equal("ENOENT", refused(ns.inside, "/nowhere", print).code)
      assert.matches("bad argument", refused(ns.inside, {}, print))
      assert.matches("inside_spec.lua:%d+: inside: function expected, got nil",
        refused(ns.inside, 1))
      assert.matches("inside_spec.lua:%d+: inside: target expected, got nil",
        refused(ns.inside, nil, print))
    end)

  it("raises EPERM for a namespace that is not the caller's to join",
    function()
      t.needs "ordinary user"
      local there <close> = over_there { "user", "uts" }
      local err = refused(ns.inside, ("/proc/%d/ns/uts"):format(there.pid),
        print)
      assert.equal("EPERM", err.code)
      assert.same("setns", err.call)
    end)

  it("ends with the caller that gave up", function()
    local there <close> = over_there { "user", "pid", "uts" }
    local reader <close>, writer = core.pipe()
    local caller = core.clone({}, function()
      ns.inside(there, function()
        core.write(writer, "in")
        core.poll {}
      end)
    end)
    writer:close()
    assert.equal("in", reader:read())
    caller:close()
    assert.is_nil(reader:read())
    there:signal "KILL"
    t.reap() -- a pid namespace ends when all that died in it were reaped
  end)
end)

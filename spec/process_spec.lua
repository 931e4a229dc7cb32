-- Processes as objects, and processes by number.
local t <const> = require "spec.helper"
local core <const> = require "farside.core"
require "farside.error"

-- A child that stays until it is killed.
local function lasting(fn)
  return core.clone({}, function()
    if fn then fn() end
    core.poll {}
  end)
end

local function refused(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

describe("a process", function()
  it("tells its end as os.execute does", function()
    for _, script in ipairs { "exit 0", "exit 3", "kill -TERM $$" } do
      local child <close> = core.clone({}, function()
        core.execve("/bin/sh", { "sh", "-c", script })
      end)
      local expected = table.pack(os.execute(script))
      assert.same(expected, table.pack(child:wait()))
    end
  end)

  it("tells its end again when it is asked again", function()
    local child <close> = core.clone({}, function() os.exit(7) end)
    assert.same({ nil, "exit", 7, n = 3 }, table.pack(child:wait()))
    assert.same({ nil, "exit", 7, n = 3 }, table.pack(child:wait()))
    child:close()
    assert.same({ nil, "exit", 7, n = 3 }, table.pack(child:wait(0)))
  end)

  it("can be waited for with a limit of time", function()
    local child <close> = lasting()
    assert.same({ nil, "timeout", n = 2 }, table.pack(child:wait(0)))
    assert.same({ nil, "timeout", n = 2 }, table.pack(child:wait "5ms"))
    child:signal "KILL"
    assert.same({ nil, "signal", 9, n = 3 }, table.pack(child:wait(60)))
  end)

  it("takes signals as words and as numbers", function()
    for _, signal in ipairs { "TERM", "SIGTERM", 15 } do
      local child <close> = lasting()
      child:signal(signal)
      assert.equal(15, select(3, child:wait()))
    end
  end)

  it("refuses words that are no signals", function()
    local child <close> = lasting()
    assert.matches("unknown signal 'TERMINATE'",
      refused(child.signal, child, "TERMINATE"), 1, true)
  end)

  it("raises ESRCH for a signal after its end", function()
    local child <close> = core.clone({}, function() end)
    child:wait()
    local _, err = pcall(child.signal, child, "TERM")
    assert.equal("ESRCH", err.code)
    assert.matches(("signal process %d: No such process (ESRCH)"):format(
      child.pid), tostring(err), 1, true)
  end)

  it("is killed and reaped when it goes out of scope", function()
    local pid
    do
      local child <close> = lasting()
      pid = child.pid
    end
    assert.equal("ESRCH", select(2, pcall(core.kill, pid, 0)).code)
  end)

  it("can be closed again, and is of no use then", function()
    local child = lasting()
    child:close()
    child:close()
    assert.matches("process is closed", refused(child.fileno, child))
    assert.same({ nil, "signal", 9, n = 3 }, table.pack(child:wait()))
  end)

  it("is not killed by the collector", function()
    t.child(function()
      local mine, theirs = core.socketpair "seqpacket"
      local pid = core.clone({}, function()
        core.sendmsg(theirs, core.recvmsg(theirs, 9))
      end).pid
      collectgarbage()
      core.sendmsg(mine, "alive")
      assert.equal("alive", core.recvmsg(mine, 9))
      assert.equal(pid, (core.waitpid(pid)))
    end)
  end)

  it("has a pid, a name, and a descriptor that tells its end", function()
    local child <close> = lasting()
    assert.equal("process " .. child.pid, tostring(child))
    assert.same({}, core.poll({ child }, 0))
    child:signal "KILL"
    assert.same({ child }, core.poll({ child }, 60))
    assert.is_nil(child.nosuch)
  end)

  it("is one of several that end in any order", function()
    local children = {}
    for i = 1, 5 do
      children[i] = core.clone({}, function() os.exit(i) end)
    end
    for i = 5, 1, -1 do
      assert.equal(i, select(3, children[i]:wait()))
      children[i]:close()
    end
  end)

  it("tells its end to a program that ignores SIGCHLD", function()
    t.child(function()
      core.sigaction("CHLD", "ignore")
      local child <close> = core.clone({}, function() os.exit(5) end)
      local ok, err, code = pcall(child.wait, child)
      if not ok and err.code == "ECHILD" then pending "needs Linux 6.15" end
      assert.equal("exit", code and err or select(2, child:wait()))
      assert.equal(5, select(3, child:wait()))
    end)
  end)

  it("lets ^C end a wait at the prompt", function()
    local reader, writer = core.pipe()
    local script = ("package.path, package.cpath = %q, %q"):format(
      package.path, package.cpath) .. [[
      local core = require "farside.core"
      local child <close> = core.clone({}, function() core.poll {} end)
      core.write(1, "ready")
      child:wait()
    ]]
    local lua <close> = core.clone({}, function()
      core.dup(writer, 1)
      core.dup(writer, 2)
      core.execve("/usr/bin/env", { "env", t.lua, "-e", script })
    end)
    writer:close()
    assert.equal("ready", reader:read())
    lua:signal "INT"
    assert.equal(1, select(3, lua:wait(60)))
    assert.matches("interrupted!", reader:read())
    reader:close()
  end)
end)

describe("processes by number", function()
  it("are known by getpid, getppid and gettid", function()
    local parent = core.getpid()
    t.child(function()
      assert.equal(parent, core.getppid())
      assert.not_equal(parent, core.getpid())
      assert.equal(core.getpid(), core.gettid())
    end)
  end)

  it("get sessions and groups of their own", function()
    t.child(function()
      local other <close> = lasting()
      core.setpgid(other.pid)
      assert.equal(other.pid, core.getpgid(other.pid))
      assert.equal(core.getpid(), core.setsid())
      assert.equal(core.getpid(), core.getsid())
      assert.equal("EPERM", select(2, pcall(core.setsid)).code)
    end)
  end)

  it("are reaped by waitpid, any of them or none yet", function()
    t.child(function()
      local child = lasting()
      assert.is_nil(core.waitpid(-1, "nohang"))
      core.kill(child.pid, "KILL")
      assert.same({ child.pid, "signal", 9 }, { core.waitpid() })
      local _, err = pcall(core.waitpid)
      assert.equal("ECHILD", err.code)
    end)
  end)

  it("are closed without an error when somebody else reaped them", function()
    t.child(function()
      local child = core.clone({}, function() end)
      core.waitpid(child.pid)
      child:close()
    end)
  end)

  it("become pidfds, which give their descriptors", function()
    t.child(function()
      local reader, writer = core.pipe()
      local pidfd = core.pidfd_open(core.getpid())
      local copy = core.pidfd_getfd(pidfd, writer:fileno())
      core.write(copy, "same pipe")
      assert.equal("same pipe", core.read(reader))
    end)
  end)

  it("raise ESRCH when there is none", function()
    local _, err = pcall(core.pidfd_open, 0x3ffffff)
    assert.equal("ESRCH", err.code)
    assert.matches("pidfd_open process 67108863: No such process (ESRCH)",
      tostring(err), 1, true)
  end)

  it("leave by _exit without flushing", function()
    local path = t.tmpdir() .. "/out"
    local file <close> = assert(io.open(path, "w"))
    local child <close> = core.clone({}, function()
      file:write "never seen"
      core._exit(9)
    end)
    assert.equal(9, select(3, child:wait()))
    assert.equal("", io.open(path):read "a")
  end)
end)

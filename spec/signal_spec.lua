-- Signals: words, masks, waiting, descriptors, sending.

local t = require "spec.helper"
local ns = require "farside"

-- Runs `fn` with the signals blocked, which the runner's are not.
local function blocked(signals, fn)
  t.child(function()
    ns.sigprocmask("block", signals)
    fn(ns.getpid())
  end)
end


local function message_of(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

describe("the words of signals", function()
  it("may have the prefix SIG, and real-time ones are counted", function()
    blocked({ "SIGUSR1", "RTMIN", "RTMIN+3", "RTMAX-1", 10 }, function()
      assert.same({ "USR1", "RTMIN", "RTMIN+3", "RTMIN+29" },
        ns.sigprocmask())
    end)
  end)

  it("are refused when no signal has them", function()
    for _, word in ipairs { "FOO", "term", "RTMIN+31", "RTMIN3", "RTMAX+1",
                            "RTMIN+99999999999999999999", "" } do
      assert.matches("unknown signal '" .. word:gsub("%+", "%%+")
        .. "' %(expected a word such as TERM, RTMIN%+3, or a number%)",
        message_of(ns.kill, ns.getpid(), word))
    end
  end)

  it("are refused as numbers when no signal has them", function()
    assert.matches("signal out of range", message_of(ns.kill, 1, 65))
    assert.matches("signal out of range", message_of(ns.kill, 1, -1))
    assert.matches("signal out of range",
      message_of(ns.sigprocmask, "block", { 0 }))
  end)

  it("are all that a list may have", function()
    assert.matches("signal expected, got table",
      message_of(ns.sigprocmask, "block", { "TERM", {} }))
  end)
end)

describe("the mask of signals", function()
  it("comes back as it was before each change", function()
    t.child(function()
      assert.same({}, ns.sigprocmask("block", "TERM"))
      assert.same({ "TERM" }, ns.sigprocmask("setmask", { "HUP", "INT" }))
      assert.same({ "HUP", "INT" }, ns.sigprocmask("unblock", "HUP"))
      assert.same({ "INT" }, ns.sigprocmask())
    end)
  end)

  it("can hold all, but for what nobody can block", function()
    blocked("all", function()
      local all = table.concat(ns.sigprocmask(), " ") .. " "
      assert.falsy(all:find "KILL " or all:find "STOP ")
      assert.truthy(all:find "TERM " and all:find "RTMIN%+30 ")
    end)
  end)

  it("is changed in known ways only", function()
    assert.matches("unknown way 'add' %(expected block, unblock, setmask%)",
      message_of(ns.sigprocmask, "add", "TERM"))
  end)
end)

describe("a signal's disposition", function()
  it("is told when it is changed, and asked for", function()
    t.child(function()
      assert.equal("default", ns.sigaction("USR1", "ignore"))
      assert.equal("ignore", ns.sigaction "USR1")
      ns.kill(ns.getpid(), "USR1")
      assert.equal("ignore", ns.sigaction("USR1", "default"))
    end)
  end)

  it("cannot be changed for KILL", function()
    assert.matches("sigaction KILL: Invalid argument %(EINVAL%)",
      message_of(ns.sigaction, "KILL", "ignore"))
  end)
end)

describe("a blocked signal", function()
  it("is waited for, with its sender", function()
    blocked("USR1", function(pid)
      ns.kill(pid, "USR1")
      assert.same({ "USR1", pid }, { ns.sigtimedwait "USR1" })
    end)
  end)

  it("is not waited for longer than asked", function()
    blocked("USR1", function()
      assert.is_nil(ns.sigtimedwait("USR1", "1ms"))
      assert.is_nil(ns.sigtimedwait("USR1", 0))
    end)
  end)

  it("brings the status of a child that has ended", function()
    blocked("CHLD", function()
      local child <close> = ns.clone({}, function() os.exit(7) end)
      assert.same({ "CHLD", child.pid, 7 }, { ns.sigtimedwait "CHLD" })
    end)
  end)

  it("makes a descriptor readable", function()
    blocked({ "USR1", "USR2" }, function(pid)
      local fd <close> = ns.signalfd({ "USR1", "USR2" }, "nonblock")
      assert.is_nil(ns.read_signal(fd))
      ns.kill(pid, "USR2")
      assert.equal(fd, ns.poll({ fd }, 10)[1])
      assert.same({ "USR2", pid }, { ns.read_signal(fd) })
    end)
  end)
end)

describe("sending a signal", function()
  it("ends a child, by number or by object", function()
    for _, by in ipairs { "pid", "object" } do
      local child <close> = ns.clone({}, function() ns.sigtimedwait {} end)
      ns.kill(by == "pid" and child.pid or child, "TERM")
      assert.same({ nil, "signal", 15 }, { child:wait(10) })
    end
  end)

  it("names what was sent to whom when nobody is there", function()
    local gone <close> = ns.clone({}, function() end)
    gone:wait()
    assert.matches(("kill %d with TERM: No such process %%(ESRCH%%)"):format(
      gone.pid), message_of(ns.kill, gone.pid, "TERM"))
  end)

  it("takes a PID that fits", function()
    assert.matches("PID out of range", message_of(ns.kill, 1 << 40, "TERM"))
  end)
end)

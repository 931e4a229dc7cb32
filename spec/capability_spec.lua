local t <const> = require "spec.helper"
local ns <const> = require "farside"
local capability <const> = ns.capability

-- The first line of the error that a call raises, without where.
local message <const> = t.message

-- What the kernel says of a set, as /proc tells it.
local function status(field)
  local file <close> = assert(io.open "/proc/self/status")
  return tonumber(file:read "a":match(field .. ":%s*(%x+)"), 16)
end

-- Runs as root of a new user namespace, with all capabilities in it.
local function with_all(fn) t.userns(fn) end

describe("the sets", function()
  it("of a new user namespace are full, or empty", function()
    with_all(function()
      local sets, all = capability.get(), capability.names()
      assert.same(all, sets.effective)
      assert.same(all, sets.permitted)
      assert.same(all, sets.bounding)
      assert.same({}, sets.inheritable)
      assert.same({}, sets.ambient)
    end)
  end)

  it("of another process are the same by its number and its object", function()
    with_all(function()
      capability.keep "chown,kill"
      local child <close> = ns.clone({}, function() ns.poll {} end)
      assert.same(capability.get(), capability.get(child))
      assert.same(capability.get(), capability.get(child.pid))
    end)
  end)

  it("are set whole, those left out staying as they are", function()
    with_all(function()
      capability.set { permitted = "chown,kill", effective = { "CAP_KILL" } }
      local sets = capability.get()
      assert.same({ "kill" }, sets.effective)
      assert.same({ "chown", "kill" }, sets.permitted)
      assert.same({}, sets.inheritable)
    end)
  end)

  it("gain and lose single words", function()
    with_all(function()
      capability.drop("sys_time", "effective")
      assert.is_false(capability.has "sys_time")
      capability.raise("sys_time", "effective")
      assert.is_true(capability.has "sys_time")
      capability.raise("net_raw", "inheritable", "ambient")
      assert.same({ "net_raw" }, capability.get().ambient)
      capability.drop("all", "ambient")
      assert.equal(0, status "CapAmb")
    end)
  end)

  it("are brought down to a list at once, the bounding set too", function()
    with_all(function()
      capability.raise("kill,net_raw", "inheritable", "ambient")
      capability.keep { "chown", "cap_kill" }
      local both <const> = 1 << 0 | 1 << 5
      assert.equal(both, status "CapEff" & status "CapPrm" & status "CapBnd")
      assert.equal(both, status "CapEff" | status "CapPrm" | status "CapBnd")
      assert.equal(1 << 5, status "CapInh" & status "CapAmb")
    end)
  end)

  it("can be emptied, and emptied again", function()
    with_all(function()
      capability.keep ""
      capability.keep ""
      assert.equal(0, status "CapPrm" | status "CapBnd" | status "CapInh")
    end)
  end)
end)

describe("a capability that is not permitted", function()
  it("cannot be raised", function()
    with_all(function()
      capability.drop("sys_time", "effective", "permitted")
      assert.equal("capability.raise: Operation not permitted (EPERM)",
        message(capability.raise, "sys_time", "effective"))
    end)
  end)

  it("cannot become ambient, and the error names it", function()
    with_all(function()
      assert.equal("capability.raise sys_time, ambient set: Operation not "
        .. "permitted (EPERM)", message(capability.raise, "sys_time",
        "ambient"))
    end)
  end)

  it("stays in the bounding set of who lacks setpcap", function()
    with_all(function()
      capability.drop("setpcap", "effective")
      assert.equal("capability.drop chown, bounding set: Operation not "
        .. "permitted (EPERM)", message(capability.drop, "chown", "bounding"))
      assert.is_true(capability.has("chown", "bounding"))
    end)
  end)
end)

describe("a word", function()
  it("that is no capability is refused by its name", function()
    assert.matches("unknown capability 'net_admn' (see capabilities(7))",
      message(capability.has, "chown,net_admn"), 1, true)
  end)

  it("that is no set is refused, as is none", function()
    assert.matches("unknown capability set 'effectiv'",
      message(capability.raise, "chown", "effectiv"))
    assert.matches("capability set expected",
      message(capability.raise, "chown"))
    assert.matches("unknown field 'bounding'",
      message(capability.set, { bounding = "chown" }))
    assert.matches("the bounding set can only shrink",
      message(capability.raise, "chown", "bounding"))
  end)

  it("there is for each capability that the kernel knows", function()
    local file <close> = assert(io.open "/proc/sys/kernel/cap_last_cap")
    local names <const> = capability.names()
    assert.equal(file:read "n" + 1, #names)
    for _, name in ipairs(names) do capability.has(name) end
  end)
end)

describe("libcap's text form", function()
  it("is that of a process", function()
    with_all(function()
      capability.keep "net_admin"
      assert.equal("cap_net_admin=ep", capability.text())
      assert.equal("cap_net_admin=ep", capability.text(ns.getpid()))
    end)
  end)

  it("is read as sets that can be set", function()
    with_all(function()
      local sets <const> = capability.parse "cap_kill=ep cap_chown+p"
      assert.same({ "kill" }, sets.effective)
      capability.set(sets)
      assert.same(sets, capability.parse(capability.text()))
    end)
  end)

  it("that makes no sense is refused", function()
    assert.equal("capability.parse cap_moon=ep: Invalid argument (EINVAL)",
      message(capability.parse, "cap_moon=ep"))
  end)
end)

describe("the secure bits", function()
  it("are set whole and read as words", function()
    with_all(function()
      assert.same({}, capability.securebits())
      capability.securebits "noroot,no_setuid_fixup,noroot_locked"
      assert.same({ "noroot", "noroot_locked", "no_setuid_fixup" },
        capability.securebits())
      assert.matches("^capability.securebits keep_caps: .*%(EPERM%)$",
        message(capability.securebits, "keep_caps"))
    end)
  end)
end)

-- User and group ids.

local t = require "spec.helper"
local ns = require "farside"

local function message_of(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

describe("the ids of a process", function()
  it("are real, effective and saved", function()
    local real, effective, saved = ns.getresuid()
    assert.same({ real, effective }, { ns.getuid(), ns.geteuid() })
    assert.equal("integer", math.type(saved))
  end)

  it("change as told, and stay where they are not", function()
    t.needs "root"
    t.child(function()
      ns.setresgid(5, 6, 7)
      ns.setresgid(-1, 8)
      assert.same({ 5, 8, 7 }, { ns.getresgid() })
      ns.setresuid(1, nil, 2)
      ns.setresuid(nil, 2)
      assert.same({ 1, 2, 2 }, { ns.getresuid() })
      assert.same({ 5, 8 }, { ns.getgid(), ns.getegid() })
    end)
  end)

  it("cannot become another user's without the right to", function()
    t.child(function()
      if ns.geteuid() == 0 then ns.setresuid(1, 1, 1) end
      assert.matches("setresuid to 0, 0, 0: Operation not permitted %(EPERM%)",
        message_of(ns.setresuid, 0, 0, 0))
    end)
  end)

  it("are within what an id can be", function()
    for _, id in ipairs { -2, 4294967295, 1 << 32 } do
      assert.matches("id out of range", message_of(ns.setresuid, id))
      assert.matches("list of ids expected",
        message_of(ns.setgroups, { id }))
    end
  end)
end)

describe("the supplementary groups", function()
  it("are the list that was set", function()
    t.needs "root"
    t.child(function()
      ns.setgroups { 3, 1, 2 }
      local groups = ns.getgroups()
      table.sort(groups)
      assert.same({ 1, 2, 3 }, groups)
      ns.setgroups {}
      assert.same({}, ns.getgroups())
    end)
  end)

  it("cannot be set where the user namespace denies it", function()
    t.userns(function()
      assert.matches("setgroups: Operation not permitted %(EPERM%)",
        message_of(ns.setgroups, {}))
    end)
  end)
end)

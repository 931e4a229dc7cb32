-- Locks on files: who waits for whom, and that no end leaves one behind.

local t <const> = require "spec.helper"
local ns <const> = require "farside"

-- A file, opened twice: two holders.
local function two()
  local path <const> = t.tmpdir() .. "/lock"
  local one = ns.openat2(nil, path, "rdwr,create", { mode = "0600" })
  return one, ns.openat2(nil, path, "rdwr")
end

describe("a lock", function()
  it("has one exclusive holder, or several that share it", function()
    local one <close>, other <const> = two()
    local second <close> = other
    assert.is_true(ns.flock(one, "exclusive"))
    assert.is_false(ns.flock(second, "shared,nonblock"))
    assert.is_true(ns.flock(one, "shared"))
    assert.is_true(ns.flock(second, "shared,nonblock"))
    assert.is_false(ns.flock(second, "exclusive,nonblock"))
    ns.flock(one, "unlock")
    assert.is_true(ns.flock(second, "exclusive,nonblock"))
  end)

  it("ends with the descriptor", function()
    local one, other <const> = two()
    local second <close> = other
    ns.flock(one, "exclusive")
    one:close()
    assert.is_true(ns.flock(second, "exclusive,nonblock"))
  end)

  it("is waited for until its holder is killed", function()
    local one <close>, other <const> = two()
    local second <close> = other
    local reader <close>, writer = ns.pipe()
    local child <const> = ns.clone({}, function()
      ns.flock(one, "exclusive")
      ns.write(writer, "held")
      ns.pause()
    end)
    writer:close()
    one:close()
    ns.read(reader)
    assert.is_false(ns.flock(second, "exclusive,nonblock"))
    child:signal "KILL"
    assert.is_true(ns.flock(second, "exclusive"))
    child:wait()
  end)

  it("is refused with a reason", function()
    local one <close>, other <const> = two()
    other:close()
    local ok, err = pcall(ns.flock, one, "exclusiv")
    assert.is_false(ok)
    assert.matches("unknown lock 'exclusiv'", err, 1, true)
    ok, err = pcall(ns.flock, other, "shared")
    assert.is_false(ok)
    assert.matches("closed", tostring(err), 1, true)
  end)
end)

-- The watch itself: each test here runs another busted on a file that
-- misbehaves, and reads what that one says.

local t = require "spec.helper"

describe("the spec helper", function()
  -- The verdict of a nested run on a file with one test.
  local function verdict(body)
    local path = t.tmpdir() .. "/nested_spec.lua"
    local file <close> = assert(io.open(path, "w"))
    file:write('local t = require "spec.helper"\n', body)
    file:close()
    local run <close> = assert(io.popen(
      "TMPDIR=$(dirname " .. path .. ") busted -o TAP " .. path .. " 2>&1"))
    return run:read "a"
  end

  local function test(body)
    return verdict("it('nested', function() " .. body .. " end)")
  end

  it("lets a test pass that cleans up", function()
    local said = test "local f <close> = io.open '/dev/null' t.tmpdir()"
    assert.matches("ok 1", said, 1, true)
    assert.not_matches("not ok", said, 1, true)
  end)

  it("lets a test pass that leaves its garbage to the collector", function()
    assert.not_matches("not ok", test "io.open '/dev/null'", 1, true)
  end)

  it("fails a test that leaks a descriptor", function()
    local said = test "KEPT = io.open '/dev/null'"
    assert.matches("not ok", said, 1, true)
    assert.matches("nested_spec.lua:2: the test left behind:\n", said, 1, true)
    assert.matches("descriptor %d+ %-> /dev/null", said)
  end)
end)

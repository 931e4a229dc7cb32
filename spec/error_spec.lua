local t <const> = require "spec.helper"
local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local ns <const> = require "farside"

local function caught(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

describe("an error object", function()
  it("has the call, what it was about, and the kernel's answer", function()
    local err <const> = caught(ns.mkdirat, nil, "/proc/moon")
    assert.is_true(errors.is(err))
    assert.equal("mkdirat", err.call)
    assert.equal("/proc/moon", err.path)
    assert.same({ "ENOENT", 2 }, { err.code, err.errno })
    assert.equal("No such file or directory", err.reason)
  end)

  it("says the line of the script, not of the library", function()
    local line <const> = debug.getinfo(1, "l").currentline + 1
    local err <const> = caught(function() ns.read_uid_map(0x7fffffff) end)
    assert.equal("spec/error_spec.lua:" .. line, err.where)
    assert.equal(err.where .. ": open_proc of 2147483647: No such process "
      .. "(ESRCH)", tostring(err))
  end)

  it("says all that is known, in one order", function()
    assert.equal("web.lua:3: bind a on b: Invalid argument (EINVAL): so says "
      .. "the kernel\nstep: root\nhint: try c", tostring(errors.remake {
        where = "web.lua:3", step = "root", call = "mount",
        verb = "bind", detail = "a on b", path = "b", hint = "try c",
        reason = "Invalid argument", code = "EINVAL",
        log = "so says the kernel",
      }))
  end)

  it("has a text whatever is missing", function()
    assert.equal("spawn", tostring(errors.remake { call = "spawn" }))
    assert.equal("spawn: it ended early", tostring(errors.remake {
      call = "spawn", reason = "it ended early" }))
    assert.is_string(tostring(errors.remake {}))
  end)

  it("carries what a caller adds", function()
    local err <const> = caught(core.raise, core.errno.EBUSY, "dock", "/moon",
      nil, { port = 3 })
    assert.equal(3, err.port)
    assert.matches("dock /moon: Device or resource busy %(EBUSY%)$",
      tostring(err))
  end)
end)

describe("a hint", function()
  -- Replaces the hints for one call.
  local function with_find(find, fn)
    local hint <const> = require "farside.hint"
    local before <const> = hint.find
    hint.find = find
    local ok, err = pcall(fn)
    hint.find = before
    if not ok then error(err, 0) end
  end

  local function fail() return caught(core.raise, core.errno.EPERM, "dock") end

  it("is found when the error is raised", function()
    with_find(function(err) return "ask " .. err.call end, function()
      assert.equal("ask dock", fail().hint)
    end)
  end)

  it("that fails itself hides nothing", function()
    with_find(function() error "broken" end, function()
      local err <const> = fail()
      assert.is_nil(err.hint)
      assert.equal("EPERM", err.code)
    end)
  end)

  it("is not looked for while one is looked for", function()
    local depth, deepest = 0, 0
    with_find(function()
      depth = depth + 1
      deepest = math.max(depth, deepest)
      pcall(core.readlinkat, nil, "/proc/moon")
      depth = depth - 1
    end, fail)
    assert.equal(1, deepest)
  end)

  it("can be looked for again when more is known", function()
    local err <const> = fail()
    err.path = "/moon"
    with_find(function(e) return e.path end, function()
      assert.equal("/moon", errors.explain(err).hint)
    end)
  end)

  it("comes from a child that can load nothing", function()
    errors.prepare()
    t.userns(function()
      package.path, package.searchers = "", {}
      assert.equal("nothing is mounted there", caught(ns.umount, "/etc").hint)
    end)
  end)
end)

describe("a message about bad input", function()
  it("has the line of the script", function()
    local line <const> = debug.getinfo(1, "l").currentline + 1
    local text <const> = caught(function() errors.usage("no %s", "moon") end)
    assert.equal(("spec/error_spec.lua:%d: no moon"):format(line), text)
  end)
end)

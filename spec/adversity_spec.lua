-- Containers where little is as it should be: a caller with odd signals,
-- descriptors and limits, set-up code that goes wrong in unusual ways, ends
-- at bad moments.

local t = require "spec.helper"
local ns = require "farside"

local function test(name, body)
  it(name, function()
    t.needs "userns"
    body()
  end)
end

local function failure(setup)
  local ok, err = pcall(ns.spawn, { "/bin/true", setup = setup })
  assert.is_false(ok)
  return err
end

describe("code of a recipe that fails", function()
  test("with a very long message is told, cut", function()
    local err = failure(function() error(("x"):rep(1000000)) end)
    assert.equal("the recipe's own code", err.step)
    assert.is_truthy(err.reason:find "xxxx$")
  end)

  test("with an error that cannot be sent is told without that", function()
    local err = failure(function()
      local _, failed = pcall(ns.chdir, "/no/such/place")
      failed.extra = print
      error(failed)
    end)
    assert.same({ "chdir", "ENOENT" }, { err.call, err.code })
    assert.equal("the recipe's own code", err.step)
  end)

  test("with an error that has no text is told as what it is", function()
    local mute = setmetatable({}, { __tostring = function() error "no" end })
    assert.equal("table", failure(function() error(mute) end).reason)
  end)

  test("by leaving is no program that ended", function()
    local err = failure(function() os.exit(3) end)
    assert.equal("spawn: the child ended early (exit 3)", tostring(err))
  end)
end)

describe("a container", function()
  test("whose set-up left a process behind starts all the same", function()
    local reader, writer <close> = ns.pipe()
    local _ <close> = reader
    local container <close> = ns.spawn { "/bin/sleep", "1000",
      setup = function()
        ns.clone({}, function() writer:close() ns.read(reader, 1) end)
      end }
    assert.same({ nil, "timeout" }, { container:wait "1ms" })
  end)

  test("ends where SIGCHLD is ignored", function()
    t.child(function()
      ns.sigaction("CHLD", "ignore")
      local container <close> = ns.spawn { "/bin/sh", "-c", "exit 3" }
      assert.same({ nil, "exit", 3 }, { container:wait(20) })
    end)
  end)
end)

describe("inside", function()
  test("tells that the pid namespace has ended", function()
    local there = ns.clone({ "user", "pid" }, ns.pause)
    local user <close> = ns.open(there, "user")
    local pid <close> = ns.open(there, "pid")
    there:close()
    local _, err = pcall(ns.inside, { user, pid }, ns.getpid)
    assert.same({ "clone", "ENOMEM" }, { err.call, err.code })
  end)
end)

describe("a program that is searched for", function()
  test("is process 2 wherever it is found", function()
    local reader, writer <close> = ns.pipe()
    local _ <close> = reader
    local container <close> = ns.spawn { "sh", "-c", "echo $$",
                                         stdout = writer }
    assert.equal("2\n", ns.read(reader))
    container:wait()
  end)
end)

describe("a file system context", function()
  it("is asked for no words when it is something else", function()
    local one <const>, other <const> = ns.socketpair "stream"
    local ok, err = pcall(ns.fsconfig, one, "create")
    one:close()
    other:close()
    assert.same({ false, "EINVAL" }, { ok, err.code })
  end)
end)

describe("what makes no sense", function()
  local nonsense <const> = {
    { "persist: namespace expected, got nil", "persist" },
    { "unpersist: path expected, got an empty string", "unpersist", "" },
    { "subids: uid or gid expected, got 'pid'", "subids", "pid" },
    { "bind_tree: path or descriptor expected, got nil", "bind_tree" },
    { "bind_tree: unknown key 'userns' (expected alone, optional, set, type)",
      "bind_tree", "/", { userns = 1 } },
    { "setgroups' (unknown field 'x')", "setgroups",
      { x = 1 } },
    { "sigtimedwait' (unknown field 'x')", "sigtimedwait",
      { x = 1 } },
  }
  for _, case in ipairs(nonsense) do
    it("is told: " .. case[1], function()
      local _, message = pcall(ns[case[2]], table.unpack(case, 3))
      assert.equal(case[1], message:sub(-#case[1]))
    end)
  end
end)

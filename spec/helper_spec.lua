-- The watch itself: a test here runs another busted on a file that
-- misbehaves, and reads what that one says.

local t = require "spec.helper"

-- What a nested run says of a file with this in it.
local function said(body)
  local directory = t.tmpdir()
  local path = directory .. "/nested_spec.lua"
  local file <close> = assert(io.open(path, "w"))
  file:write('local t = require "spec.helper"\n', body, "\n")
  file:close()
  local run <close> = assert(io.popen(("TMPDIR=%s %s -o plainTerminal %s 2>&1")
    :format(directory, t.busted, path)))
  return run:read "a"
end

local function test(body)
  return said("it('nested', function() " .. body .. " end)")
end

local passed <const> = "1 success / 0 failures / 0 errors / 0 pending"
local failed <const> = "0 successes / 1 failure / 0 errors / 0 pending"
local leaked <const> = "0 successes / 0 failures / 1 error / 0 pending"

local function has(text, part)
  if not text:find(part, 1, true) then
    error(("'%s' expected in:\n%s"):format(part, text), 2)
  end
end

describe("the watch for leaks", function()
  it("lets a test pass that cleans up", function()
    has(test "local f <close> = io.open '/dev/null' t.tmpdir()", passed)
  end)

  it("lets a test pass that leaves its garbage to the collector", function()
    has(test "io.open '/dev/null'", passed)
  end)

  it("fails a test that leaks a descriptor", function()
    local text = test "KEPT = io.open '/dev/null'"
    has(text, leaked)
    has(text, "nested_spec.lua:2: the test left behind:\n  descriptor 3 -> ")
  end)

  it("fails a test that leaves a process running", function()
    local text = test "os.execute 'exec sleep 9 >/dev/null 2>&1 &'"
    has(text, leaked)
    assert.matches("left behind:\n  process %d+ %(sleep%)", text)
    os.execute("kill " .. text:match "process (%d+)")
    t.reap()
  end)

  it("fails a test that waits for no child", function()
    local text = test [[
      local core = require "farside.core"
      t.child(function() core.clone({}, function() end):fileno() KEPT = 1
        KEPT = core.clone({}, function() end) end)]]
    has(text, leaked)
    has(text, ", dead, and nobody waited for it)")
    t.reap()
  end)

  it("fails a test that leaves a file", function()
    local text = test "io.open(os.getenv 'TMPDIR' .. '/left', 'w'):close()"
    has(text, leaked)
    assert.matches("left behind:\n  file %S+/left\n", text)
  end)

  it("fails a test that goes elsewhere", function()
    has(test "require 'lfs'.chdir '/'", "the working directory /\n")
  end)

  it("fails a test that changes the runner's namespace", function()
    t.needs "root"
    local text = test "require 'farside.core'.unshare 'uts'"
    has(text, leaked)
    has(text, "the runner in another namespace, uts uts:[")
  end)

  it("fails a test that mounts", function()
    t.needs "root"
    local text = test [[
      local core = require "farside.core"
      core.unshare "mnt"
      core.mount("none", "/", nil, "rprivate")
      core.mount("here", "/mnt", "tmpfs")]]
    has(text, "mount /mnt of type tmpfs")
  end)

  it("fails a file that leaks outside of its tests", function()
    local text = said [[
      setup(function() KEPT = io.open '/dev/null' end)
      it('nested', function() end)]]
    has(text, "the file, outside of its tests, left behind:\n  descriptor")
  end)
end)

describe("a child of a test", function()
  it("passes its failure on", function()
    local text = test "t.child(function() assert.equal(1, 2) end)"
    has(text, failed)
    has(text, "nested_spec.lua:2: Expected objects to be equal.")
  end)

  it("passes its error on", function()
    local text = test "t.child(function() error 'boo' end)"
    has(text, leaked)
    has(text, "nested_spec.lua:2: boo")
  end)

  it("can be pending", function()
    has(test "t.child(function() t.needs 'no-such-program' end)",
      "needs the program no-such-program")
  end)

  it("must come back", function()
    has(test "t.child(function() os.exit(0) end)",
      "the child ended without a result: exit 0")
  end)

  it("is root in a user namespace, whoever runs the specs", function()
    t.userns(function()
      local id <close> = io.popen "id -u"
      assert.equal("0", id:read "l")
    end)
  end)
end)

-- A script that is hostile, and only looked at: what it would do with the
-- rights of whoever looks. Each attempt must fail, and work with --trust.

local t <const> = require "spec.helper"
local containers <const> = require "spec.containers"

-- What the driver says to a script; and how it ended.
local function farside(command, text)
  local path <const> = t.tmpdir() .. "/recipe.lua"
  containers.write(path, text)
  local pipe <close> = io.popen(("timeout 60 %s/farside %s %s 2>&1"):format(
    t.build, command, path))
  local said <const> = pipe:read "a"
  return said, select(3, pipe:close()), path
end

-- Attempts, each of which leaves a file if it works, but for the last three,
-- which say so. There are files to be removed and renamed.
local attempts <const> = [[
  local dir, done = "%s/", ""
  local function try(fn, ...)
    local ok, value = pcall(fn, ...)
    done = done .. (ok and value and "y" or "n")
  end
  try(io.open, dir .. "written", "w")
  try(os.execute, "touch " .. dir .. "executed")
  try(function() return io.popen("touch " .. dir .. "piped"):close() end)
  try(os.remove, dir .. "victim")
  try(os.rename, dir .. "another", dir .. "renamed")
  try(ns.mkdirat, nil, dir .. "made")
  try(ns.symlinkat, "/", nil, dir .. "linked")
  try(function() ns.kill(ns.getppid(), 0) return true end)
  try(function() ns.unshare "uts" return true end)
  try(function() return ns.socketpair "stream" end)
]]

-- What is left after attempts by way of a command.
local function leavings(command, ending)
  local dir <const> = t.tmpdir()
  containers.write(dir .. "/victim", "")
  containers.write(dir .. "/another", "")
  local said <const>, code <const> = farside(command,
                                             attempts:format(dir) .. ending)
  local pipe <close> = io.popen("cd " .. dir .. " && echo *")
  return pipe:read "l", said, code
end

local ways <const> = {
  plan = "ns.run { 'sh', hostname = done }",
  ["lab --draw text"] = "ns.lab():host(done)",
}

describe("a hostile script", function()
  it("does nothing but answer who looks at it", function()
    for command, ending in pairs(ways) do
      local left, said <const>, code <const> = leavings(command, ending)
      assert.equal("another victim", left)
      assert.is_truthy(said:find(("n"):rep(10), 1, true), said)
      assert.equal(0, code)
      left = leavings(command .. " --trust", ending)
      assert.equal("executed linked made piped renamed written", left)
    end
  end)

  it("says what was refused, and how to let it", function()
    local said <const>, code <const> = farside("plan", "ns.unshare 'net'")
    assert.equal("unshare net: Operation not permitted (EPERM)\nhint: what is "
      .. "only looked at may read what everybody may, and nothing else; "
      .. "--trust lets it do all that you may\n",
      (said:gsub("^farside: [^\n]*recipe.lua:1: ", "")))
    assert.equal(125, code)
  end)

  it("is not looked at by a root who can be nobody else", function()
    t.needs("root", "setpriv")
    local path <const> = t.tmpdir() .. "/recipe.lua"
    containers.write(path, "ns.run { 'true' }")
    local pipe <close> = assert(io.popen("setpriv --bounding-set=-setuid "
      .. t.build .. "/farside plan " .. path .. " 2>&1"))
    assert.matches("^farside: setresuid to 65534, 65534, 65534: Operation not "
      .. "permitted %(EPERM%)\n", pipe:read "a")
  end)

  it("of root's reads what everybody may", function()
    t.needs "root"
    local secret <const> = t.tmpdir() .. "/secret"
    containers.write(secret, "secret")
    assert(os.execute("chmod 600 " .. secret))
    local script <const> = ("ns.run { io.open(%q):read 'a' }"):format(secret)
    assert.is_nil(farside("plan", script):find("posix_spawn({ \"secret\"", 1,
                                                true))
    assert.is_truthy(farside("plan --trust", script)
                     :find("posix_spawn({ \"secret\"", 1, true))
  end)

  it("does not go on for ever, nor takes all memory", function()
    local said <const>, code <const> = farside("plan", "while true do end")
    assert.equal("farside: the script takes more than 2 seconds of a "
                 .. "processor\n", said)
    assert.equal(125, code)
    if t.sanitized then return end -- which end the process themselves
    assert.matches("not enough memory",
                   (farside("plan", "local _ = ('x'):rep(1 << 30)")))
  end)

  it("moves no cursor", function()
    for _, script in ipairs {
      "ns.run { 'a', hostname = '\27[2J\194\155x' }", "print '\27[2J'",
      "error '\27[2J\194\155x'", "error { '\27[2J' }", "\27[2J",
      "ns.run { 'a', root = '/\27[2J' }", "ns.lab():host '\27[2J'",
    } do
      for _, command in ipairs { "plan", "lab --draw svg" } do
        local said <const> = farside(command, script)
        assert.is_nil(said:find "[\27]", said)
        assert.is_nil(said:find "\194\155", said)
      end
    end
  end)

  it("is text, and no code that was made elsewhere", function()
    local bytes <const> = string.dump(function() end)
    for _, command in ipairs { "plan", "lab --draw dot" } do
      assert.matches("attempt to load a binary chunk",
                     (farside(command, bytes)))
    end
  end)
end)

describe("a script that is looked at", function()
  it("shows its functions and descriptors as they are", function()
    local said <const> = farside("plan", [[
      local out = io.stdout

      ns.run { "sh", stderr = out, setup = function() end }]])
    assert.matches("setup%(function %([^ ]*recipe.lua:3%), root%)", said)
    assert.matches("stderr = %d+", said)
  end)

  it("may read files", function()
    assert.is_truthy(farside("plan", [[
      for line in io.lines "/etc/passwd" do
        if line:find "^root" then ns.run { line:match "^[^:]*" } end
      end]]):find("posix_spawn({ \"root\"", 1, true))
  end)

  it("gives nothing that cannot be told", function()
    assert.matches("cannot send a table with a metatable",
                   (farside("plan", "ns.run(setmetatable({ 'sh' }, {}))")))
  end)
end)

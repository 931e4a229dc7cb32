-- A container's terminal joined to the caller's: it looks like it from the
-- first moment, and the caller's is as it was whatever happens.

local t = require "spec.helper"
local ns = require "farside"

-- Runs a test in a session on a terminal of its own: `drive` starts the driver
-- in it, and the test has the other end, as who types would.
local function test(name, body)
  it(name, function()
    t.needs "userns"
    t.child(function()
      ns.setsid()
      ns.sigaction("HUP", "ignore")
      ns.sigprocmask("block", "TTOU") -- stty is not in the foreground
      local master, slave, path = ns.tty.open()
      ns.tty.control(slave)
      body(master, slave, path)
    end)
    t.reap() -- what a driver that was killed has left
  end)
end

local function drive(slave, ...)
  return ns.posix_spawn { t.build .. "/farside", "run", "--tty", "--",
    stdin = slave, stdout = slave, stderr = slave, ... }
end

local function hear(master, sign)
  local said = ""
  repeat
    assert.is_true(#ns.poll({ master }, 20) == 1, said)
    said = said .. ns.read(master)
  until said:find(sign)
  return said
end

local function modes(path)
  local pipe <close> = io.popen("stty -a -F " .. path)
  return pipe:read "a"
end

local function is_raw(path) return modes(path):find "%-icanon" ~= nil end

local function stat(process)
  local file <close> = io.open(("/proc/%d/stat"):format(process.pid))
  return file:read "a":match ".*%) (%u)"
end

-- The child of the driver's that puts the terminal right, by a pidfd.
local function guard_of(driver)
  local children <const> = "/proc/%d/task/%d/children"
  while true do
    local file <close> = io.open(children:format(driver.pid, driver.pid))
    for pid in file:read "a":gmatch "%d+" do
      local comm <close> = io.open("/proc/" .. pid .. "/comm")
      if comm:read "l" == "farside-guard" then
        return ns.pidfd_open(math.tointeger(pid))
      end
    end
  end
end

local ready <const> = "echo rea''dy; exec sleep 1000"

describe("a terminal that is joined", function()
  test("has the size and the keys of the caller's at once",
    function(master, slave, path)
      ns.tty.resize(master, 33, 99)
      os.execute("stty erase ^X -F " .. path)
      local driver <close> = drive(slave, "sh", "-c",
        "stty size; stty -a | tr ';' '\\n' | grep ' erase'")
      assert.is_truthy(hear(master, "erase"):find "33 99\r\n")
      driver:wait()
      assert.is_false(is_raw(path))
    end)

  test("follows the size of the caller's", function(master, slave)
    local driver <close> = drive(slave, "sh", "-c",
      "trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.01; "
      .. "done")
    hear(master, "ready")
    ns.tty.resize(master, 44, 55)
    driver:signal "WINCH" -- as the kernel tells the foreground
    hear(master, "44 55\r\n")
    assert.same({ nil, "exit", 3 }, { driver:wait(20) })
  end)

  test("passes keys on as they are", function(master, slave, path)
    local driver <close> = drive(slave, "sh", "-c", ready)
    hear(master, "ready")
    assert.is_true(is_raw(path))
    ns.write(master, "\3")
    assert.same({ nil, "exit", 130 }, { driver:wait(20) })
    assert.is_false(is_raw(path))
  end)

  for _, signal in ipairs { "TERM", "HUP", "INT", "QUIT" } do
    test("is given back after " .. signal, function(master, slave, path)
      local driver <close> = drive(slave, "sh", "-c", ready)
      hear(master, "ready")
      driver:signal(signal)
      local _, how, code = driver:wait(20)
      local number <const> = { HUP = 1, INT = 2, QUIT = 3, TERM = 15 }
      assert.same({ "exit", 128 + number[signal] }, { how, code })
      assert.is_false(is_raw(path))
    end)
  end

  test("is given back when another signal ends the driver",
    function(master, slave, path)
      local driver <close> = drive(slave, "sh", "-c", ready)
      hear(master, "ready")
      driver:signal "ALRM"
      hear(master, "farside: ended by signal ALRM")
      assert.same({ nil, "exit", 125 }, { driver:wait(20) })
      assert.is_false(is_raw(path))
    end)

  test("is given back after kill -9, at once and by a child of its own",
    function(master, slave, path)
      local driver <close> = drive(slave, "sh", "-c", ready)
      hear(master, "ready")
      local child <close> = guard_of(driver)
      driver:signal "KILL"
      assert.equal(1, #ns.poll({ child }, 20))
      assert.is_false(is_raw(path))
      assert.same({ nil, "signal", 9 }, { driver:wait(20) })
    end)

  test("is left as a shell has set it after kill -9",
    function(master, slave, path)
      local driver <close> = drive(slave, "sh", "-c", ready)
      hear(master, "ready")
      local child <close> = guard_of(driver)
      os.execute("stty sane -icanon -F " .. path)
      driver:signal "KILL"
      assert.equal(1, #ns.poll({ child }, 20))
      assert.is_true(is_raw(path))
      driver:wait(20)
    end)

  test("is not watched once it is given back", function(master, slave)
    local driver <close> = drive(slave, "sh", "-c", ready)
    hear(master, "ready")
    local child <close> = guard_of(driver)
    ns.write(master, "\3")
    driver:wait(20)
    assert.equal(1, #ns.poll({ child }, 0))
  end)

  test("is given back when nobody reads any more",
    function(_, slave, path)
      local reader <close>, writer = ns.pipe()
      local driver <close> = ns.posix_spawn { t.build .. "/farside", "run",
        "--tty", "--", "yes", stdin = slave, stdout = writer, stderr = slave }
      writer:close()
      ns.read(reader, 1)
      reader:close()
      assert.same({ nil, "signal", 13 }, { driver:wait(20) })
      assert.is_false(is_raw(path))
    end)

  test("is the shell's while the driver is stopped",
    function(master, slave, path)
      local driver <close> = drive(slave, "sh", "-c", ready)
      hear(master, "ready")
      driver:signal "TSTP"
      repeat until stat(driver) == "T"
      assert.is_false(is_raw(path))
      driver:signal "CONT"
      repeat until is_raw(path)
      driver:signal "STOP"
      repeat until stat(driver) == "T"
      os.execute("stty sane -F " .. path)
      driver:signal "CONT"
      repeat until is_raw(path)
      driver:signal "TERM"
      driver:wait(20)
      assert.is_false(is_raw(path))
    end)
end)

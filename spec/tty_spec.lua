local t <const> = require "spec.helper"
local ns <const> = require "farside"
local tty <const> = ns.tty

-- The first line of the error that a call raises, without where.
local message <const> = t.message

-- Raw: a byte goes to the program as it is, and does not come back.
local function is_raw(master, slave)
  ns.write(master, "x")
  return #ns.poll({ slave }, 10) == 1 and ns.read(slave, 9) == "x"
         and #ns.poll({ master }, 0) == 0
end

-- Cooked: it comes back, and the program waits for the end of the line.
local function is_cooked(master, slave)
  ns.write(master, "x")
  return #ns.poll({ master }, 10) == 1 and ns.read(master, 9) == "x"
         and #ns.poll({ slave }, 0) == 0
end

-- Runs in a child that leads a session and has a terminal.
local function with_session(fn)
  t.child(function()
    ns.setsid()
    ns.sigaction("HUP", "ignore") -- it comes when the terminal goes
    local master <const>, slave <const> = tty.open()
    tty.control(slave)
    fn(master, slave)
  end)
end

describe("a pseudo-terminal", function()
  it("has two ends that are terminals, and a name", function()
    local master, slave, name = tty.open()
    assert.is_true(tty.isatty(master) and tty.isatty(slave))
    assert.matches("^/dev/pts/%d+$", name)
    assert.equal(ns.fstatat(nil, name).rdev, ns.fstatat(slave, "").rdev)
  end)

  it("turns what a program writes into a terminal's lines", function()
    local master, slave = tty.open()
    ns.write(slave, "moon\n")
    local line = ""
    repeat line = line .. ns.read(master, 64) until line:find "\n"
    assert.equal("moon\r\n", line)
  end)

  it("can be opened in another devpts", function()
    t.userns(function()
      ns.mount("devpts", "/mnt", "devpts", "newinstance,ptmxmode=0666")
      local _, slave, name = tty.open "/mnt/ptmx"
      assert.equal("/dev/pts/0", name)
      assert.equal(ns.fstatat(nil, "/mnt/0").ino, ns.fstatat(slave, "").ino)
    end)
  end)

  it("is not found in what is no multiplexer", function()
    assert.equal("tty.open /dev/null: Inappropriate ioctl for device (ENOTTY)",
      message(tty.open, "/dev/null"))
  end)

  it("tells one end the size that the other is given", function()
    local master, slave = tty.open()
    tty.resize(master, 40, 120)
    assert.same({ 40, 120 }, { tty.size(slave) })
    assert.matches("size out of range", message(tty.resize, master, 1, 65536))
  end)
end)

describe("what is no terminal", function()
  it("is told from one, and has no size", function()
    local reader = ns.pipe()
    assert.is_false(tty.isatty(reader))
    assert.equal("tty.size: Inappropriate ioctl for device (ENOTTY)",
      message(tty.size, reader))
    assert.matches("%(EBADF%)$", message(tty.isatty, 1000))
  end)
end)

describe("raw mode", function()
  it("lasts until the end of its block", function()
    local master, slave = tty.open()
    do
      local _ <close> = tty.raw(slave)
      assert.is_true(is_raw(master, slave))
    end
    assert.is_true(is_cooked(master, slave))
  end)

  it("can be ended more than once, and after the descriptor", function()
    local master, slave = tty.open()
    local again <const> = ns.dup(slave)
    local raw = tty.raw(slave)
    slave:close()
    raw:restore()
    raw:close()
    assert.is_true(is_cooked(master, again))
  end)

  it("is left to its process: a forked child does not end it", function()
    local master, slave = tty.open()
    local raw <close> = tty.raw(slave)
    t.child(function() raw:close() end)
    assert.is_true(is_raw(master, slave))
  end)

  it("is only for terminals", function()
    assert.equal("tty.raw: Inappropriate ioctl for device (ENOTTY)",
      message(tty.raw, (ns.pipe())))
  end)
end)

describe("a controlling terminal", function()
  it("has the leader's group in its foreground, or another", function()
    with_session(function(_, slave)
      assert.equal(ns.getpid(), tty.foreground(slave))
      local child <close> = ns.clone({}, function() ns.poll {} end)
      ns.setpgid(child.pid, child.pid)
      tty.foreground(slave, child.pid)
      assert.equal(child.pid, tty.foreground(slave))
    end)
  end)

  it("can be opened as /dev/tty", function()
    with_session(function()
      local mine <close> = ns.openat2(nil, "/dev/tty", "rdwr")
      assert.is_true(tty.isatty(mine))
    end)
  end)

  it("is only for who leads a session", function()
    t.child(function()
      local _, slave = tty.open()
      assert.equal("tty.control: Operation not permitted (EPERM)",
        message(tty.control, slave))
    end)
  end)
end)

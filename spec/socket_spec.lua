local lfs <const> = require "lfs"
local t <const> = require "spec.helper"
local ns <const> = require "farside"

-- The first line of the error that a call raises, without where.
local message <const> = t.message

local function is_cloexec(fd)
  local path <const> = "/proc/self/fdinfo/" .. fd:fileno()
  local file <close> = assert(io.open(path))
  local flags <const> = file:read "a":match "flags:%s*(%d+)"
  return tonumber(flags, 8) & 0x80000 ~= 0
end

local function open_count()
  local count = 0
  for _ in lfs.dir "/proc/self/fd" do count = count + 1 end
  return count
end

describe("a socket pair", function()
  it("carries messages both ways and is closed on exec", function()
    for _, type in ipairs { "stream", "seqpacket", "dgram" } do
      local a, b = ns.socketpair(type)
      assert.is_true(is_cloexec(a) and is_cloexec(b))
      assert.equal(4, ns.sendmsg(a, "ping"))
      assert.equal("ping", (ns.recvmsg(b, 16)))
      ns.sendmsg(b, "pong")
      assert.equal("pong", (ns.recvmsg(a, 16)))
    end
  end)

  it("answers nil at the end, and an empty list", function()
    local a, b = ns.socketpair "seqpacket"
    a:close()
    local data, fds = ns.recvmsg(b, 16)
    assert.is_nil(data)
    assert.same({}, fds)
  end)

  it("raises where the other end is closed, and sends no signal", function()
    local a, b = ns.socketpair "stream"
    a:close()
    assert.equal(("sendmsg to descriptor %d: Broken pipe (EPIPE)"):format(
      b:fileno()), message(ns.sendmsg, b, "x"))
  end)

  it("can be shut in one direction", function()
    local a, b = ns.socketpair "stream"
    ns.shutdown(a, "write")
    assert.is_nil((ns.recvmsg(b, 1)))
    ns.sendmsg(b, "still")
    assert.equal("still", (ns.recvmsg(a, 16)))
  end)

  it("takes only types that there are", function()
    assert.matches("(unknown socket type 'raw' (expected stream, seqpacket, "
      .. "dgram))", message(ns.socketpair, "raw"), 1, true)
  end)
end)

describe("a message", function()
  it("hands over descriptors, closed on exec, in their order", function()
    local a, b = ns.socketpair "stream"
    local one, other = ns.socketpair "stream"
    ns.sendmsg(a, "x", { one, other })
    local _, fds = ns.recvmsg(b, 1)
    local mine, second = table.unpack(fds)
    assert.is_true(is_cloexec(mine) and is_cloexec(second))
    ns.sendmsg(mine, "through")
    assert.equal("through", (ns.recvmsg(other, 16)))
  end)

  it("takes 253 descriptors and refuses one more", function()
    local a, b = ns.socketpair "seqpacket"
    local many = {}
    for i = 1, 253 do many[i] = b end
    ns.sendmsg(a, "x", many)
    local _, fds = ns.recvmsg(b, 1)
    for _, fd in ipairs(fds) do fd:close() end
    assert.equal(253, #fds)
    many[254] = b
    assert.matches("too many descriptors %(at most 253%)",
      message(ns.sendmsg, a, "x", many))
  end)

  it("must have data to go with descriptors", function()
    local a, b = ns.socketpair "stream"
    assert.matches("descriptors need at least one byte of data",
      message(ns.sendmsg, a, "", { b }))
  end)

  it("is refused, not cut, when it is longer than what is asked", function()
    local a, b = ns.socketpair "seqpacket"
    local before <const> = open_count()
    ns.sendmsg(a, "longer", { a })
    assert.equal(("recvmsg from descriptor %d: Message too long (EMSGSIZE)")
      :format(b:fileno()), message(ns.recvmsg, b, 3))
    assert.equal(before, open_count())
  end)

  it("leaves nothing open when not all descriptors find room", function()
    t.child(function()
      local a, b = ns.socketpair "stream"
      local before <const> = open_count()
      ns.sendmsg(a, "x", { a, b, a, b })
      local soft, hard = ns.getrlimit "nofile"
      ns.setrlimit("nofile", b:fileno() + 3, hard)
      assert.matches("%(ENOBUFS%)$", message(ns.recvmsg, b, 1))
      ns.setrlimit("nofile", soft, hard)
      assert.equal(before, open_count())
    end)
  end)
end)

describe("poll", function()
  it("answers the objects that are ready and what happened", function()
    local a, b = ns.socketpair "stream"
    local c, d = ns.socketpair "stream"
    ns.sendmsg(a, "x")
    c:close()
    local ready, what = ns.poll { a, b, d }
    assert.equal(2, #ready)
    assert.is_true(ready[1] == b and ready[2] == d)
    assert.same({ ["in"] = true }, what[1])
    assert.is_true(what[2].hup)
  end)

  it("waits for what is asked", function()
    local a, b = ns.socketpair "stream"
    local ready, what = ns.poll { { a, "out" }, b }
    assert.is_true(#ready == 1 and ready[1] == a)
    assert.same({ out = true }, what[1])
  end)

  it("answers nothing when the time is over", function()
    local a, b = ns.socketpair "stream"
    assert.same({}, (ns.poll({ a, b }, "1ms")))
    assert.same({}, (ns.poll({}, 0)))
    assert.matches("negative time", message(ns.poll, {}, -1))
  end)

  it("raises for a number that is not open", function()
    assert.equal("poll descriptor 1000: Bad file descriptor (EBADF)",
      message(ns.poll, { 1000 }))
  end)
end)

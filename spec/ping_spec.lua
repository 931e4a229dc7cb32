-- Echo requests from raw sockets: what is answered, what is not, and why.

local t <const> = require "spec.helper"
local ns <const> = require "farside"
local core <const> = require "farside.core"

local function message(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  local text <const> = tostring(err):gsub("^%S+:%d+: ", "")
  return (text:match "^[^\n]*":gsub("farside%.core%.", ""))
end

-- Runs in a network of its own whose loopback is up, with a socket in it.
local function alone(fn, v6)
  t.userns(function()
    ns.link.set("lo", { up = true })
    local nl <close> = ns.netlink()
    local sockets = core.ping_sockets({ nl, nl }, v6)
    fn(sockets)
    for _, socket in ipairs(sockets) do socket:close() end
  end, { "net" })
end

local function filled(count, value)
  local list = {}
  for i = 1, count do list[i] = value end
  return list
end

describe("a ping", function()
  it("tells the nanoseconds until each answer", function()
    alone(function(sockets)
      local answers <const> = core.ping(sockets, { 1, 2 },
        { "127.0.0.1", "127.0.0.7" }, "1s")
      assert.equal(2, #answers)
      for _, answer in ipairs(answers) do
        assert.equal("integer", math.type(answer))
        assert.is_true(answer > 0 and answer < 1000000000)
      end
    end)
  end)

  it("goes over IPv6 as well", function()
    alone(function(sockets)
      local answers <const> = core.ping(sockets, { 1 }, { "::1" }, "1s")
      assert.equal("integer", math.type(answers[1]))
    end, true)
  end)

  it("is one of many, with a window of any size", function()
    alone(function(sockets)
      for _, window in ipairs { 1, 7, 5000 } do
        local answers <const> = core.ping(sockets, filled(2000, 1),
          filled(2000, "127.0.0.1"), "1s", window)
        local count = 0
        for _, answer in ipairs(answers) do
          if math.type(answer) == "integer" then count = count + 1 end
        end
        assert.is_true(count == 2000 or window == 5000)
      end
    end)
  end)

  it("that nobody answers is false", function()
    alone(function(sockets)
      local file <close> = assert(io.open(
        "/proc/sys/net/ipv4/icmp_echo_ignore_all", "w"))
      file:write "1"
      file:flush()
      assert.same({ false, false }, core.ping(sockets, { 1, 1 },
        { "127.0.0.1", "127.0.0.1" }, "20ms", 1, "1ms"))
    end)
  end)

  it("that cannot be sent says why", function()
    alone(function(sockets)
      ns.route.add { to = "192.0.2.0/24", type = "prohibit" }
      assert.same({ "Network is unreachable", "Permission denied" },
        core.ping(sockets, { 1, 2 }, { "198.51.100.1", "192.0.2.1" }, "1s"))
    end)
  end)

  it("hears what routers say of it", function()
    t.needs "userns"
    local lab <close> = ns.lab { unprivileged = true }
    local h = lab:host("h", { gateway = "10.0.0.1",
                              routes = { ["fd01::/64"] = "fd00::1" } })
    -- what is for 192.0.2.0/24 goes to and fro between the routers
    local r1 = lab:router("r1", { routes = { ["192.0.2.0/24"] = "10.1.0.2" } })
    local r2 = lab:router("r2", { gateway = "10.1.0.1" })
    lab:link(h, r1, { address = { "10.0.0.2/24", "fd00::2/64" },
                      peer = { address = { "10.0.0.1/24", "fd00::1/64" } } })
    lab:link(r1, r2, { address = "10.1.0.1/24" })
    lab:start()
    r1.netlink.route.add { to = "198.51.100.0/24", type = "prohibit" }
    r1.netlink.route.add { to = "fd01::/64", type = "unreachable" }
    local function why(...) return (select(2, h:ping(...))) end
    assert.equal("prohibited", why "198.51.100.1")
    assert.equal("network unreachable", why "203.0.113.1")
    assert.equal("network unreachable", why "fd01::1")
    assert.equal("time to live exceeded", why "192.0.2.1")
  end)

  -- how many pings get an answer, and in how many rounds, when the first round
  -- gets none while the machine drops so many packets more
  local function after_a_deaf_round(drops, shape)
    local lab <close> = ns.lab { unprivileged = true }
    local link <const> = lab:link(lab:host "h1", lab:host "h2")
    lab:wait()
    link.a.shape = shape
    local ping <const>, rounds, dropped = core.ping, 0, 0
    rawset(core, "ping", function(...)
      rounds = rounds + 1
      return rounds > 1 and ping(...) or { false, false }
    end)
    rawset(io, "lines", function(path)
      assert(path == "/proc/net/softnet_stat")
      dropped = dropped + drops
      return ("00000001 %08x 00\n00000001 00000000 00"):format(dropped)
        :gmatch "[^\n]+"
    end)
    return lab:ping_all({ timeout = "50ms" }).received, rounds
  end

  it("is sent again while the machine drops packets, not where links do",
  function()
    t.needs "userns"
    t.child(function()
      assert.same({ 2, 2 }, { after_a_deaf_round(1) })
    end)
    t.child(function()
      assert.same({ 0, 1 }, { after_a_deaf_round(0) })
    end)
    t.child(function()
      assert.same({ 0, 1 }, { after_a_deaf_round(1, { loss = 1 }) })
    end)
  end)

  it("takes sockets, their numbers and addresses", function()
    alone(function(sockets)
      local function refused(text, ...)
        assert.equal(text, message(core.ping, ...))
      end
      refused("bad argument #2 to 'ping' (no such socket)", sockets, { 3 },
        { "127.0.0.1" }, "1s")
      refused("bad argument #3 to 'ping' (IPv4 address expected, got '::1')",
        sockets, { 1 }, { "::1" }, "1s")
      refused("bad argument #3 to 'ping' (as many addresses as senders "
        .. "expected)", sockets, { 1, 2 }, { "127.0.0.1" }, "1s")
      refused("bad argument #2 to 'ping' (a list of 1 to 16777215 elements "
        .. "expected)", sockets, {}, {}, "1s")
      local file <close> = io.open "/dev/null"
      refused("ping: Socket operation on non-socket (ENOTSOCK)", { file },
        { 1 }, { "127.0.0.1" }, "1s")
    end)
  end)

  it("needs the right to open raw sockets", function()
    t.userns(function()
      local nl <close> = ns.netlink()
      ns.capability.keep ""
      assert.matches("^ping_sockets: Operation not permitted %(EPERM%)",
        message(core.ping_sockets, { nl }))
    end, { "net" })
  end)
end)

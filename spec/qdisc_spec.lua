local t <const> = require "spec.helper"
local ns <const> = require "farside"
local ip <const> = require "spec.iproute"
local qdisc <const>, class <const>, link <const> = ns.qdisc, ns.class, ns.link

local message <const> = t.message

-- Runs where there is a pair of links.
local function with_pair(fn)
  t.userns(function()
    link.add { name = "moon", kind = "veth", peer = { name = "sun" } }
    fn()
  end, { "net" })
end

-- What tc tells of the options of a discipline that is made so, or pending.
local function made(options, except)
  t.needs "tc"
  local ok, err = pcall(qdisc.add, options)
  if not ok and err.log == "Specified qdisc kind is unknown" then
    pending("needs a kernel with the discipline " .. options.kind)
  elseif not ok then
    error(err, 0)
  end
  local theirs <const> = ip.json "tc qdisc show dev moon"
  local ours <const> = qdisc.list { dev = "moon" }
  for _, one in ipairs(theirs) do one.dev = "moon" end
  assert.is_nil(ip.difference(ours, theirs, except))
  return theirs[1].options, theirs[1]
end

describe("a queueing discipline", function()
  it("netem has delay, loss and the others, as tc tells them", function()
    with_pair(function()
      local data <const> = made { dev = "moon", kind = "netem", limit = 50,
        delay = "5ms", jitter = "1ms", delay_correlation = "25%",
        loss = "1%", loss_correlation = "10%", duplicate = "2%",
        reorder = "5%", reorder_correlation = "50%", corrupt = "0.5%",
        gap = 3, rate = "10mbit" }
      local function near(expected, got)
        assert.is_true(math.abs(expected - got) < 1e-6)
      end
      assert.same({ 50, 3 }, { data.limit, data.gap })
      near(0.005, data.delay.delay)
      near(0.001, data.delay.jitter)
      near(0.25, data.delay.correlation)
      near(0.01, data["loss-random"].loss)
      near(0.1, data["loss-random"].correlation)
      near(0.02, data.duplicate.duplicate)
      near(0.05, data.reorder.reorder)
      near(0.5, data.reorder.correlation)
      near(0.005, data.corrupt.corrupt)
      assert.equal(1250000, data.rate.rate)
    end)
  end)

  it("netem is changed while it runs, and may be faster than 32 bits tell",
    function()
      with_pair(function()
        made { dev = "moon", kind = "netem", delay = "50ms" }
        qdisc.change { dev = "moon", kind = "netem", delay = 0.5,
                       rate = "40gbit" }
        local data <const> = ip.json "tc qdisc show dev moon"[1].options
        assert.equal(0.5, data.delay.delay)
        assert.equal(5000000000, data.rate.rate)
      end)
    end)

  it("tbf has a rate, a burst and a limit", function()
    with_pair(function()
      local data <const>, all <const> = made { dev = "moon", kind = "tbf",
        rate = "10mbit", burst = "5K", limit = 10240, handle = "1:" }
      assert.same({ 1250000, 5120, 4096, "1:", true },
        { data.rate, data.burst, data.lat, all.handle, all.root })
      qdisc.replace { dev = "moon", kind = "tbf", rate = 80000000,
                      burst = 10000, latency = "50ms" }
      local other <const> = ip.json "tc qdisc show dev moon"[1].options
      assert.same({ 10000000, 10000, 50000 },
        { other.rate, other.burst, other.lat })
      qdisc.replace { dev = "moon", kind = "tbf", rate = "40gbit",
                      burst = "1M", peakrate = "80gbit", mtu = 9000 }
      local fast <const> = qdisc.list { dev = "moon" }[1].options
      assert.same({ 5000000000, 10000000000 }, { fast.rate, fast.peakrate })
    end)
  end)

  it("htb has classes, which have rates", function()
    with_pair(function()
      local data <const> = made { dev = "moon", kind = "htb", handle = "1:",
        default = 0x10, r2q = 5, direct_qlen = 99 }
      assert.same({ 5, "0x10", 99 },
        { data.r2q, data.default, data.direct_qlen })
      class.add { dev = "moon", kind = "htb", parent = "1:",
                  classid = "1:1", rate = "100mbit" }
      class.add { dev = "moon", kind = "htb", parent = "1:1",
                  classid = "1:10", rate = "8mbit", ceil = "80mbit",
                  burst = 5000, cburst = "50K", prio = 3, quantum = 1514 }
      -- tc's JSON of classes cannot be read
      local pipe <close> = assert(io.popen(
        "PATH=$PATH:/usr/sbin:/sbin timeout 20 tc class show dev moon"))
      local text <const> = pipe:read "a"
      assert.matches("class htb 1:1 root rate 100Mbit ceil 100Mbit", text, 1,
        true)
      assert.matches("class htb 1:10 parent 1:1 prio 3 rate 8Mbit ceil 80Mbit "
        .. "burst 5000b cburst 50Kb", text, 1, true)
      local list <const> = class.list { dev = "moon" }
      table.sort(list, function(x, y) return x.handle < y.handle end)
      assert.same({ "1:1", true, 12500000 },
        { list[1].handle, list[1].root, list[1].rate })
      assert.same({ "htb", "1:10", "1:1", 1000000, 10000000, 5000, 51200, 3,
                    1514 },
        { list[2].class, list[2].handle, list[2].parent, list[2].rate,
          list[2].ceil, list[2].burst, list[2].cburst, list[2].prio,
          list[2].quantum })
      class.replace { dev = "moon", kind = "htb", parent = "1:1",
                      classid = "1:10", rate = "16mbit" }
      class.delete { dev = "moon", classid = "1:10" }
    end)
  end)

  it("pfifo and bfifo have a limit", function()
    with_pair(function()
      assert.equal(77, made { dev = "moon", kind = "pfifo", limit = 77 }.limit)
      qdisc.replace { dev = "moon", kind = "bfifo", limit = 7777 }
      assert.equal(7777, qdisc.list { dev = "moon" }[1].options.limit)
    end)
  end)

  it("fq_codel has its options", function()
    with_pair(function()
      local data <const> = made({ dev = "moon", kind = "fq_codel",
        limit = 77, flows = 16, target = 3000, interval = 50000, ecn = false },
        "options.target options.interval")
      assert.same({ 77, 16 }, { data.limit, data.flows })
    end)
  end)

  it("stands under a class when told to, and goes", function()
    with_pair(function()
      made { dev = "moon", kind = "htb", handle = "1:" }
      class.add { dev = "moon", kind = "htb", parent = "1:",
                  classid = "1:1", rate = "100mbit" }
      qdisc.add { dev = "moon", kind = "pfifo", parent = "1:1",
                  handle = "a:", limit = 5 }
      assert.equal("1:1", qdisc.list { dev = "moon" }[2].parent)
      qdisc.delete { dev = "moon", parent = "1:1", handle = "a:" }
      qdisc.delete { dev = "moon" }
      for _, one in ipairs(qdisc.list { dev = "moon" }) do
        assert.equal("noqueue", one.kind)
      end
    end)
  end)

  it("that is refused is told with its link, in the kernel's words", function()
    with_pair(function()
      assert.equal("qdisc.add lunar on moon: No such file or directory "
        .. "(ENOENT): Specified qdisc kind is unknown",
        message(qdisc.add, { dev = "moon", kind = "lunar" }))
      assert.matches("^qdisc.delete root on moon: No such file or directory "
        .. "%(ENOENT%)", message(qdisc.delete, { dev = "moon" }))
      assert.equal("qdisc.add moo: No such device (ENODEV)",
        message(qdisc.add, { dev = "moo", kind = "tbf", rate = "1mbit" }))
    end)
  end)

  it("without sense is refused before anything is asked", function()
    local function refused(text, options)
      options.dev = 1
      assert.matches(text, message(qdisc.add, options), 1, true)
    end
    refused("loss: percentage such as \"1.5%\" expected, got '1'",
      { kind = "netem", loss = 1 })
    refused("loss: percentage such as \"1.5%\" expected, got '101%'",
      { kind = "netem", loss = "101%" })
    refused("delay: seconds, or a time such as \"5ms\", expected, got 'late'",
      { kind = "netem", delay = "late" })
    refused("rate: bits a second, or a rate such as \"10mbit\", expected, got "
      .. "'fast'", { kind = "netem", rate = "fast" })
    refused("rate: rate such as \"10mbit\" expected, got nil",
      { kind = "tbf" })
    refused("burst: bytes, or a size such as \"32K\", expected, got '-1'",
      { kind = "tbf", rate = 8000, burst = -1 })
    refused("mtu: bytes, with a peakrate, expected, got nil",
      { kind = "tbf", rate = 8000, peakrate = 9000 })
    refused("handle: handle such as \"1:\" or \"1:10\" expected, got '1'",
      { kind = "htb", handle = "1" })
    refused("handle: handle such as \"1:\" or \"1:10\" expected, got '1:x'",
      { kind = "htb", handle = "1:x" })
    refused("unknown field 'delay'", { kind = "tbf", delay = "5ms" })
    refused("kind: string expected, got '7'", { kind = 7 })
    assert.matches("dev: string expected, got nil",
      message(qdisc.add, { kind = "netem" }), 1, true)
  end)
end)

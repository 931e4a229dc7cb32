-- What the links of a lab do to what goes over them.

local t <const> = require "spec.helper"
local ns <const> = require "farside"

local message <const> = t.refusal

-- A lab of two hosts on a line that does this.
local function line(asked)
  local lab = ns.lab { unprivileged = true }
  local a, b = lab:host "a", lab:host "b"
  return lab, a, b, lab:link(a, b, asked)
end

-- The queueing discipline of a host's only link.
local function qdisc(node)
  return node.netlink.qdisc.list { dev = "eth0" }[1]
end

describe("a link with a rate", function()
  it("keeps to it, both ways, and can be given another", function()
    t.needs("userns", "qdisc tbf")
    local lab <close>, a, b, link = line { rate = "10mbit" }
    lab:start()
    for _, node in ipairs { a, b } do assert.equal("tbf", qdisc(node).kind) end
    link:set { rate = "20mbit", peer = { rate = false } }
    assert.equal("tbf", qdisc(a).kind)
    assert.equal("noqueue", qdisc(b).kind)
    assert.matches("a  10.0.0.1/16\n└─ b  10.0.0.2/16  %(20mbit from a%)\n",
      lab:draw())
    link:set { rate = false }
    assert.equal("noqueue", qdisc(a).kind)
  end)

  it("is as slow as that", function()
    t.needs("userns", "qdisc tbf", "iperf3")
    local lab <close> = line { rate = "5mbit" }
    local bits <const> = lab:throughput("a", "b")
    assert.is_true(bits > 3e6 and bits < 6e6, bits)
  end)

  it("takes many pings without a loss", function()
    t.needs("userns", "qdisc tbf")
    local lab <close>, a, b = line { rate = "1mbit" }
    lab:start()
    local _, report = a:ping(b, { count = 300 })
    assert.equal(0, report.lost)
  end)
end)

describe("a link with a delay", function()
  it("is one as design has it", function()
    t.needs("userns", "qdisc netem", "ping")
    local lab <close> = ns.lab()
    local h1, h2, sw = lab:host "h1", lab:host "h2", lab:switch "sw"
    lab:link(h1, sw, { address = "10.0.0.1/24", delay = "5ms" })
    lab:link(h2, sw, { address = "10.0.0.2/24" })
    local text <const>, ok <const> = h1:read { "ping", "-c1", "10.0.0.2" }
    assert(ok, text)
    assert.is_true(tonumber(text:match "time=([%d.]+) ms") >= 10)
  end)

  it("has it both ways or one, and can lose it", function()
    t.needs("userns", "qdisc netem")
    local lab <close>, a, b, link = line { delay = "20ms" }
    assert.is_true(a:ping(b) >= 40)
    link:set { peer = { delay = false } }
    local ms <const> = a:ping(b)
    assert.is_true(ms >= 20 and ms < 40, ms)
    link:set { delay = false }
    assert.is_true(a:ping(b) < 20)
    assert.equal("noqueue", qdisc(a).kind)
    assert.matches("b  10.0.0.2/16\n$", lab:draw())
  end)

  it("loses as much as was asked for, in one direction", function()
    t.needs("userns", "qdisc netem")
    local lab <close>, a, b = line { peer = { loss = "50%" } }
    local _, report = a:ping(b, { count = 400, timeout = "200ms" })
    assert.is_true(report.lost > 120 and report.lost < 280, report.lost)
    assert.equal("no answer", report.losses[1].reason)
    assert.matches("%(loss 50%% from b%)", lab:draw())
  end)

  it("goes from a rate to a delay and back", function()
    t.needs("userns", "qdisc netem", "qdisc tbf")
    local lab <close>, a, _, link = line { rate = "10mbit" }
    lab:start()
    link:set { delay = "1ms", jitter = "1ms", duplicate = "1%" }
    assert.equal("netem", qdisc(a).kind)
    link:set { delay = false, jitter = false, duplicate = false }
    assert.equal("tbf", qdisc(a).kind)
  end)

  it("tells what the kernel lacks for it", function()
    t.needs "userns"
    if t.has "qdisc netem" then pending "the kernel has netem" end
    local lab <close> = line { delay = "5ms" }
    assert.equal("qdisc.add netem on eth0: No such file or directory (ENOENT): "
      .. "Specified qdisc kind is unknown\nstep: link a to b\n"
      .. "hint: this kernel has no netem, which delay, jitter, loss, "
      .. "duplicate, reorder and corrupt need: load the module sch_netem, or "
      .. "use a kernel that has it (CONFIG_NET_SCH_NETEM)",
      message(lab.start, lab))
  end)
end)

describe("a change of a link", function()
  it("is checked as the link was", function()
    local _, _, _, link = line()
    assert.equal("set: unknown key 'adress' (expected corrupt, delay, "
      .. "duplicate, jitter, loss, peer, rate, reorder, up)",
      message(link.set, link, { adress = "10.0.0.1/24" }))
    assert.equal("set: loss: percentage such as \"1%\" expected, got '2'",
      message(link.set, link, { loss = 2 }))
  end)
end)

local t <const> = require "spec.helper"
local ns <const> = require "farside"
local ip <const> = require "spec.iproute"
local rule <const> = ns.rule

local message <const> = t.message

local function alone(fn) t.userns(fn, { "net" }) end

local function all() return rule.list { family = "inet" } end

describe("a rule", function()
  it("is made as ip tells it", function()
    alone(function()
      t.needs "ip"
      rule.add { from = "10.0.0.0/8", to = "10.1.1.1", iif = "lo",
                 fwmark = 7, fwmask = 15, priority = 5, table = 99,
                 protocol = "static" }
      rule.add { ["not"] = true, ipproto = "tcp", dport = "80-90", sport = 5,
                 uidrange = 0, action = "unreachable", priority = 6 }
      rule.add { ["goto"] = 5, priority = 4 }
      local list <const> = ip.json "ip -d rule"
      local four <const>, five <const>, six <const> = list[2], list[3],
        list[4]
      assert.same({ 4, 5 }, { four.priority, four["goto"] })
      assert.same({ "10.0.0.0", 8, "10.1.1.1", "lo", "0x7", "0xf", "99",
                    "static" }, { five.src, five.srclen, five.dst, five.iif,
        five.fwmark, five.fwmask, five.table, five.protocol })
      -- not every machine has names for protocols
      assert.is_true(six.ipproto == "tcp" or six.ipproto == "ipproto-6")
      assert.same({ 80, 90, 5, 0, 0, "unreachable" }, { six.dport_start,
        six.dport_end, six.sport, six.uid_start, six.uid_end, six.action })
    end)
  end)

  it("of IPv6 is one when an address or the family says so", function()
    alone(function()
      rule.add { from = "fd00::/8", priority = 9 }
      rule.add { family = "inet6", fwmark = 1, priority = 10 }
      local found <const> = rule.list { family = "inet6" }
      assert.same({ "fd00::", 8, "main" },
        { found[2].src, found[2].srclen, found[2].table })
      assert.equal(1, found[3].fwmark)
    end)
  end)

  it("goes by what the list tells of it, and comes back so", function()
    alone(function()
      t.needs "ip"
      ip.run [[ip rule add from 10.0.0.0/8 to 10.1.1.1 iif lo fwmark 7/15 pri 5
        ip rule add not ipproto 17 dport 80-90 sport 5 unreachable priority 6
        ip rule add suppress_prefixlength 0 table main priority 9]]
      local before <const> = all()
      assert.is_nil(ip.difference(before, ip.json "ip -d rule", "ipproto"))
      for _, one in ipairs(before) do rule.delete(one) end
      assert.same({}, all())
      for _, one in ipairs(before) do rule.add(one) end
      assert.same(before, all())
    end)
  end)

  it("that is refused is told by its priority", function()
    alone(function()
      rule.add { from = "10.0.0.0/8", priority = 5 }
      assert.equal("rule.add 5: File exists (EEXIST)",
        message(rule.add, { from = "10.0.0.0/8", priority = 5 }))
      assert.equal("rule.delete 7: No such file or directory (ENOENT)",
        message(rule.delete, { priority = 7 }))
    end)
  end)

  it("without sense is refused before anything is asked", function()
    local function refused(text, options)
      assert.matches(text, message(rule.add, options), 1, true)
    end
    refused("dport: integer, or a range such as \"80-90\", expected, got "
      .. "'90-80'", { dport = "90-80" })
    refused("uidrange: integer from 0 to 4294967295 expected, got '-1'",
      { uidrange = -1 })
    refused("action: to_tbl, goto, nop, blackhole, unreachable or prohibit "
      .. "expected, got 'drop'", { action = "drop" })
    refused("not: boolean expected, got '1'", { ["not"] = 1 })
    refused("unknown field 'form'", { form = "10.0.0.1" })
  end)
end)

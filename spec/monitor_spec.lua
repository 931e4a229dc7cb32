local t <const> = require "spec.helper"
local ns <const> = require "farside"
local core <const> = require "farside.core"
local link <const> = ns.link

local message <const> = t.refusal

local function alone(fn) t.userns(fn, { "net" }) end

describe("a monitor", function()
  it("tells what is new and what has gone, as the lists do", function()
    alone(function()
      local nl <close> = ns.netlink()
      local monitor <close> = nl:monitor("link", "address")
      link.add { name = "moon", kind = "veth", peer = { name = "sun" } }
      ns.address.add("moon", "10.0.0.1/24")
      link.delete "moon"
      local told <const> = {}
      for event in monitor do
        told[#told + 1] = ("%s %s %s"):format(event.event, event.what,
          event.ifname or event["local"])
        if told[#told] == "delete link moon" then break end
      end
      local text <const> = table.concat(told, "; ")
      assert.matches("new link moon", text, 1, true)
      assert.matches("new address 10.0.0.1", text, 1, true)
      assert.matches("delete address 10.0.0.1", text, 1, true)
    end)
  end)

  it("is closed when the loop is left", function()
    alone(function()
      local nl <close> = ns.netlink()
      local kept
      link.add { name = "moon", kind = "bridge" }
      local function fds()
        local n = 0
        for _ in require("lfs").dir "/proc/self/fd" do n = n + 1 end
        return n
      end
      local before <const> = fds()
      local next_event, state, control, closing = nl:monitor "link"
      kept = closing
      link.set("moon", { mtu = 1400 })
      for event in next_event, state, control, closing do
        if event.mtu == 1400 then goto heard end
      end
      ::heard::
      assert.equal("monitor (closed)", tostring(kept))
      assert.equal(before, fds())
      assert.matches("monitor is closed", message(kept.next, kept))
    end)
  end)

  it("waits no longer than it may", function()
    alone(function()
      local nl <close> = ns.netlink()
      local monitor <close> = nl:monitor "link"
      assert.same({ nil, "timeout" }, { monitor:next "1ms" })
      assert.same({ nil, "timeout" }, { monitor:next(0) })
      link.set("lo", { up = true })
      assert.equal("lo", monitor:next "10s".ifname)
    end)
  end)

  it("can be waited for beside other things", function()
    alone(function()
      local nl <close> = ns.netlink()
      local monitor <close> = nl:monitor "link"
      assert.same({}, core.poll({ monitor }, 0))
      link.set("lo", { up = true })
      assert.same({ monitor }, core.poll({ monitor }, 10))
    end)
  end)

  it("hears of the namespace of its handle only", function()
    alone(function()
      local net <close> = ns.new "net"
      local nl <close> = ns.netlink(net)
      local monitor <close> = nl:monitor "link"
      link.set("lo", { up = true })
      assert.is_nil((monitor:next(0)))
      nl.link.set("lo", { up = true })
      assert.is_true(monitor:next "10s".up)
    end)
  end)

  it("hears of one that belongs to a user namespace of the caller's own",
    function()
      t.needs "userns"
      t.child(function()
        local user <close> = ns.new("user", {
          uid_map = { { 0, ns.getuid(), 1 } },
          gid_map = { { 0, ns.getgid(), 1 } } })
        local net <close> = ns.new("net", { user = user })
        local nl <close> = ns.netlink(net)
        local monitor <close> = nl:monitor "link"
        nl.link.set("lo", { up = true })
        assert.equal("lo", monitor:next "10s".ifname)
      end)
    end)

  it("tells of routes, rules, neighbours and forwarding entries", function()
    alone(function()
      local nl <close> = ns.netlink()
      link.add { name = "moon", kind = "bridge" }
      link.add { name = "left", kind = "veth", master = "moon", up = true,
                 peer = { name = "right" } }
      link.set("right", { up = true, inet6_addr_gen_mode = "none" })
      ns.address.add("right", "10.0.0.1/24")
      local function heard(what, change)
        local monitor <close> = nl:monitor(what)
        change()
        local event = monitor:next "10s"
        return event.what .. " " .. event.event, event
      end
      local mac <const> = "02:00:00:00:00:01"
      assert.equal("route new", heard("route", function()
        ns.route.add { to = "10.5.0.0/16", via = "10.0.0.2" }
      end))
      assert.equal("rule new", heard("rule", function()
        ns.rule.add { from = "10.5.0.0/16" }
      end))
      assert.equal("neighbour new", heard("neighbour", function()
        ns.neighbour.add { to = "10.0.0.2", dev = "right", lladdr = mac }
      end))
      local text <const>, event = heard("fdb", function()
        ns.fdb.add { mac = mac, dev = "left", master = true }
      end)
      assert.equal("fdb new", text)
      assert.equal(mac, event.mac)
    end)
  end)

  it("that is not read in time says so, and goes on", function()
    alone(function()
      local nl <close> = ns.netlink()
      local monitor <close> = nl:monitor "route"
      link.set("lo", { up = true })
      for _, verb in ipairs { "add", "delete" } do
        nl:batch(function(b)
          local change <const> = b.route[verb]
          for i = 0, 9999 do
            change { to = ("10.%d.%d.0/24"):format(i // 250, i % 250),
                     dev = "lo" }
          end
        end)
      end
      local overrun, seen = false, 0
      local event = monitor:next(0)
      while event do
        if event.event == "overrun" then overrun = true
        else seen = seen + 1 end
        event = monitor:next(0)
      end
      assert.is_true(overrun)
      assert.is_true(seen > 0 and seen < 20000)
      ns.route.add { to = "10.99.0.0/16", dev = "lo" }
      assert.equal("10.99.0.0/16", monitor:next "10s".dst)
    end)
  end)

  it("knows what there is to hear of", function()
    alone(function()
      local nl <close> = ns.netlink()
      assert.matches("unknown kind of event 'links' (expected link, address, "
        .. "route, rule, neighbour, fdb)", message(nl.monitor, nl, "links"),
        1, true)
      assert.matches("monitor: kind of event expected, got nothing",
        message(nl.monitor, nl), 1, true)
    end)
  end)
end)

local t <const> = require "spec.helper"
local ns <const> = require "farside"
local ip <const> = require "spec.iproute"
local neighbour <const>, fdb <const>, link <const> = ns.neighbour, ns.fdb,
  ns.link

local message <const> = t.message

-- Runs where a bridge moon has a port left; the other end right is up.
local function with_bridge(fn)
  t.userns(function()
    link.add { name = "moon", kind = "bridge" }
    link.add { name = "left", kind = "veth", master = "moon", up = true,
               peer = { name = "right" } }
    link.set("right", { up = true })
    fn()
  end, { "net" })
end

local far <const>, side <const> = "02:00:00:00:00:01", "02:00:00:00:00:02"

describe("a neighbour", function()
  it("is made known as ip tells it", function()
    with_bridge(function()
      t.needs "ip"
      neighbour.add { to = "10.0.0.2", dev = "right", lladdr = far }
      neighbour.add { to = "fd00::2", dev = "right", lladdr = side,
                      nud = "stale", router = true }
      neighbour.replace { to = "10.0.0.2", dev = "right", lladdr = side }
      local list <const> = ip.json "ip neigh"
      table.sort(list, function(a, b) return a.dst < b.dst end)
      assert.same({ "10.0.0.2", "right", side, { "PERMANENT" } },
        { list[1].dst, list[1].dev, list[1].lladdr, list[1].state })
      assert.same({ "fd00::2", side, { "STALE" } },
        { list[2].dst, list[2].lladdr, list[2].state })
      assert.is_true(neighbour.list { family = "inet6" }[1].router)
    end)
  end)

  it("is forgotten by what the list tells", function()
    with_bridge(function()
      neighbour.add { to = "10.0.0.2", dev = "right", lladdr = far }
      neighbour.add { to = "10.0.0.3", dev = "right", proxy = true }
      for _, proxy in ipairs { false, true } do
        local list <const> = neighbour.list { proxy = proxy }
        assert.equal(1, #list)
        neighbour.delete(list[1])
      end
      assert.same({}, neighbour.list())
      assert.same({}, neighbour.list { proxy = true })
    end)
  end)

  it("that is refused is told with its link", function()
    with_bridge(function()
      local one <const> = { to = "10.0.0.2", dev = "right", lladdr = far }
      neighbour.add(one)
      assert.equal("neighbour.add 10.0.0.2 on right: File exists (EEXIST)",
        message(neighbour.add, one))
      assert.matches("neighbour.add moo: No such device (ENODEV)",
        message(neighbour.add, { to = "10.0.0.2", dev = "moo" }), 1, true)
      assert.matches("dev: string expected, got nil",
        message(neighbour.add, { to = "10.0.0.2" }), 1, true)
      assert.matches("to: address expected, got nil",
        message(neighbour.add, { dev = "right" }), 1, true)
      assert.matches("state: INCOMPLETE, REACHABLE, STALE, DELAY, PROBE, "
        .. "FAILED, NOARP or PERMANENT expected, got 'well'",
        message(neighbour.add, { state = { "well" } }), 1, true)
    end)
  end)

  it("is in the list under the names of ip", function()
    with_bridge(function()
      t.needs "ip"
      ip.run [[ip neigh add 10.0.0.9 dev right lladdr 02:00:00:00:00:01
        ip neigh add 10.0.0.8 dev right lladdr 02:00:00:00:00:02 nud noarp
        ip neigh add 10.0.0.7 dev left lladdr 02:00:00:00:00:03 nud reachable
        ip neigh add proxy 10.0.0.6 dev right]]
      assert.is_nil(ip.difference(neighbour.list(), ip.json "ip neigh"))
      assert.is_nil(ip.difference(neighbour.list { proxy = true },
        ip.json "ip neigh show proxy"))
      assert.equal(1, #neighbour.list { dev = "left" })
      assert.equal("left", neighbour.list { master = "moon" }[1].dev)
      local all = 0
      for _, one in ipairs(neighbour.list { all = true, dev = "right" }) do
        if one.dst == "10.0.0.8" then all = all + 1 end
      end
      assert.equal(1, all)
    end)
  end)
end)

describe("a forwarding entry", function()
  local function find(list, mac)
    for _, one in ipairs(list) do
      if one.mac == mac then return one end
    end
  end

  it("is added, to a port and to its bridge, as bridge tells it", function()
    with_bridge(function()
      t.needs "bridge"
      link.add { name = "star", kind = "vxlan", id = 7, port = 4789 }
      fdb.add { mac = far, dev = "left", master = true, state = "static" }
      fdb.add { mac = side, dev = "star", dst = "10.0.0.5", port = 99,
                vni = 8 }
      fdb.append { mac = side, dev = "star", dst = "10.0.0.6" }
      local list <const> = ip.json "bridge fdb"
      local one <const> = find(list, far)
      assert.same({ "left", "moon", "static" },
        { one.ifname, one.master, one.state })
      local two <const> = find(list, side)
      assert.same({ "star", "10.0.0.5", 99, 8, { "self" } },
        { two.ifname, two.dst, two.port, two.vni, two.flags })
      assert.is_nil(ip.difference(fdb.list(), list))
    end)
  end)

  it("is removed by what the list tells", function()
    with_bridge(function()
      fdb.add { mac = far, dev = "left", master = true, state = "static" }
      -- with vlans there is one for each
      local one = find(fdb.list { master = "moon" }, far)
      assert.is_table(one)
      for _ = 1, 2 do
        if one then fdb.delete(one) end
        one = find(fdb.list { master = "moon" }, far)
      end
      assert.is_nil(one)
      assert.equal("fdb.delete " .. far .. " on left: No such file or "
        .. "directory (ENOENT)", message(fdb.delete, { mac = far,
        dev = "left", master = true }))
    end)
  end)

  it("wants a mac, and words that are known", function()
    local function refused(text, options)
      assert.matches(text, message(fdb.add, options), 1, true)
    end
    refused("mac: string expected, got nil", { dev = 1 })
    refused("state: permanent, static, stale or dynamic expected, got 'x'",
      { state = "x" })
    refused("flags: self, router, extern_learn, offload or sticky expected, "
      .. "got 'x'", { flags = { "x" } })
    refused("unknown field 'lladdr'", { lladdr = far })
  end)
end)

local t <const> = require "spec.helper"
local ns <const> = require "farside"
local ip <const> = require "spec.iproute"
local route <const>, link <const>, address <const> = ns.route, ns.link,
  ns.address

local message <const> = t.message

-- Runs where there is a link with 10.0.0.1/24 and fd00::1/64.
local function with_link(fn)
  t.userns(function()
    link.add { name = "moon", kind = "veth", peer = { name = "sun" } }
    for _, name in ipairs { "moon", "sun" } do
      link.set(name, { inet6_addr_gen_mode = "none" })
      link.set(name, { up = true })
    end
    address.add("moon", "10.0.0.1/24")
    address.add("moon", { "fd00::1/64", nodad = true })
    fn()
  end, { "net" })
end

local function find(list, dst)
  for _, one in ipairs(list) do
    if one.dst == dst then return one end
  end
end

describe("a route", function()
  it("is made as ip tells it", function()
    with_link(function()
      t.needs "ip"
      route.add { to = "default", via = "10.0.0.2", metric = 5 }
      route.add { to = "10.5.0.0/16", dev = "moon", source = "10.0.0.1",
                  protocol = "static", metrics = { mtu = 1300, advmss = 900 } }
      route.add { to = "10.6.0.0/16", nexthops = {
        { via = "10.0.0.3", weight = 3 }, { via = "10.0.0.4", dev = "moon" } } }
      route.add { to = "10.7.0.0/16", type = "blackhole" }
      route.add { to = "10.8.0.0/16", via = "192.168.7.1", dev = "moon",
                  onlink = true }
      route.add { to = "10.9.0.0/16", via = "fd00::2" }
      local list <const> = ip.json "ip -d route"
      local default <const> = find(list, "default")
      assert.same({ "10.0.0.2", "moon", 5, "boot", "global" },
        { default.gateway, default.dev, default.metric, default.protocol,
          default.scope })
      local five <const> = find(list, "10.5.0.0/16")
      assert.same({ "moon", "10.0.0.1", "static", "link", 1300, 900 },
        { five.dev, five.prefsrc, five.protocol, five.scope,
          five.metrics[1].mtu, five.metrics[1].advmss })
      local six <const> = find(list, "10.6.0.0/16").nexthops
      assert.same({ "10.0.0.3", 3, "10.0.0.4", 1 }, { six[1].gateway,
        six[1].weight, six[2].gateway, six[2].weight })
      assert.equal("blackhole", find(list, "10.7.0.0/16").type)
      assert.same({ "onlink" }, find(list, "10.8.0.0/16").flags)
      assert.same({ family = "inet6", host = "fd00::2" },
        find(list, "10.9.0.0/16").via)
    end)
  end)

  it("of IPv6 is made as ip tells it", function()
    with_link(function()
      t.needs "ip"
      route.add { via = "fd00::2" }
      route.add { to = "2001:db8::/32", type = "unreachable", metric = 9 }
      route.add { to = "2001:db9::/32", pref = "high", nexthops = {
        { via = "fd00::3" }, { via = "fd00::4", weight = 2 } } }
      route.add { to = "2001:db7::/32", dev = "moon", expires = "1h" }
      local list <const> = ip.json "ip -6 -d route"
      assert.equal("fd00::2", find(list, "default").gateway)
      local unreachable <const> = find(list, "2001:db8::/32")
      assert.same({ "unreachable", 9 },
        { unreachable.type, unreachable.metric })
      assert.equal(2, #find(list, "2001:db9::/32").nexthops)
      assert.equal("high", find(list, "2001:db9::/32").pref)
      assert.is_true(find(list, "2001:db7::/32").expires > 3590)
    end)
  end)

  it("is in the table that it is for", function()
    with_link(function()
      route.add { to = "10.5.0.0/16", dev = "moon", table = 1000 }
      assert.is_nil(find(route.list(), "10.5.0.0/16"))
      assert.equal(1000, route.list { table = 1000 }[1].table)
      assert.equal(1, #route.list { table = 1000 })
      assert.is_table(find(route.list { table = "all" }, "10.5.0.0/16"))
      assert.is_table(find(route.list { table = "local" }, "10.0.0.1"))
      assert.same({}, route.list { table = 77 })
    end)
  end)

  it("is replaced, and goes when it is deleted", function()
    with_link(function()
      route.add { to = "10.5.0.0/16", via = "10.0.0.2" }
      route.replace { to = "10.5.0.0/16", via = "10.0.0.3" }
      assert.equal("10.0.0.3", find(route.list(), "10.5.0.0/16").gateway)
      route.delete { to = "10.5.0.0/16" }
      assert.is_nil(find(route.list(), "10.5.0.0/16"))
      assert.equal("route.delete 10.5.0.0/16: No such process (ESRCH)",
        message(route.delete, { to = "10.5.0.0/16" }))
    end)
  end)

  it("goes by what the list tells of it, and comes back so", function()
    with_link(function()
      local function fill()
        route.add { to = "default", via = "10.0.0.2", metric = 5 }
        route.add { to = "10.6.0.0/16", nexthops = {
          { via = "10.0.0.3", weight = 3 }, { via = "10.0.0.4" } } }
        route.add { to = "10.9.0.0/16", via = "fd00::2",
                    metrics = { mtu = 1300 } }
        route.add { to = "10.7.0.0/16", type = "prohibit" }
        route.add { to = "2001:db8::/32", via = "fd00::2" }
      end
      local before <const> = #route.list()
      fill()
      local all <const> = route.list()
      for _, one in ipairs(all) do
        if one.protocol == "boot" then route.delete(one) end
      end
      assert.equal(before, #route.list())
      for _, one in ipairs(all) do
        if one.protocol == "boot" then route.add(one) end
      end
      assert.same(all, route.list())
    end)
  end)

  it("that is refused is told by where it goes, in the kernel's words",
    function()
      with_link(function()
        local text <const>, err = message(route.add, { to = "10.0.0.1/8",
          via = "10.0.0.2" })
        assert.equal("route.add 10.0.0.1/8: Invalid argument (EINVAL): "
          .. "Invalid prefix for given prefix length", text)
        assert.equal("Invalid prefix for given prefix length", err.log)
        assert.equal("route.add default: Network is unreachable "
          .. "(ENETUNREACH): Nexthop has invalid gateway",
          message(route.add, { via = "192.168.0.1" }))
        assert.equal("route.add moo: No such device (ENODEV)",
          message(route.add, { to = "10.5.0.0/16", dev = "moo" }))
      end)
    end)

  it("without sense is refused before anything is asked", function()
    local function refused(text, options)
      assert.matches(text, message(route.add, options), 1, true)
    end
    refused("to: address such as \"10.0.0.1/24\" or \"fd00::1/64\" expected, "
      .. "got 'moon'", { to = "moon" })
    refused("via: address such as \"10.0.0.1\" or \"fd00::1\" expected, got "
      .. "'10.0.0.1/24'", { via = "10.0.0.1/24" })
    refused("via: address such as \"10.0.0.1\" or \"fd00::1\" expected, got "
      .. "nil", { via = { family = "inet6" } })
    refused("unknown field 'gatway'", { gatway = "10.0.0.1" })
    refused("nexthops: list of tables expected, got 'x'", { nexthops = "x" })
    refused("nexthops.weight: integer from 1 to 256 expected, got '0'",
      { nexthops = { { via = "10.0.0.1", weight = 0 } } })
    refused("unknown field 'nexthops.vai'", { nexthops = { { vai = 1 } } })
    refused("metrics: table expected, got '7'", { metrics = 7 })
    refused("unknown field 'metrics.mut'", { metrics = { mut = 1 } })
    refused("type: unicast, local, broadcast, anycast, multicast, blackhole, "
      .. "unreachable, prohibit, throw or nat expected, got 'hole'",
      { type = "hole" })
  end)
end)

describe("the list of routes", function()
  it("is that of ip, under the same names", function()
    with_link(function()
      t.needs "ip"
      ip.run [[
        ip route add 10.5.0.0/16 via 10.0.0.7 metric 5
        ip route add 10.6.0.0/16 nexthop via 10.0.0.8 nexthop via 10.0.0.9
        ip route add 10.7.0.0/16 via inet6 fe80::1 dev moon mtu 1300 table 77
        ip route add blackhole 10.8.0.0/16
        ip route add default via 10.0.0.3 onlink dev moon src 10.0.0.1
        ip -6 route add default via fd00::9
        ip -6 route add 2001:db8::/32 nexthop via fd00::7 nexthop via fd00::8]]
      assert.is_nil(ip.difference(route.list { table = "all" },
        ip.json "ip -d route show table all"))
      assert.is_nil(ip.difference(route.list { family = "inet6" },
        ip.json "ip -6 -d route"))
    end)
  end)

  it("is of what was asked for", function()
    with_link(function()
      route.add { to = "10.7.0.0/16", type = "blackhole" }
      route.add { to = "10.5.0.0/16", via = "10.0.0.2", protocol = "static" }
      assert.equal("10.7.0.0/16", route.list { type = "blackhole" }[1].dst)
      assert.equal("10.5.0.0/16", route.list { protocol = "static" }[1].dst)
      assert.equal(2, #route.list { dev = "moon", family = "inet" })
    end)
  end)

  it("tells which one a packet would take", function()
    with_link(function()
      route.add { to = "10.5.0.0/16", via = "10.0.0.2" }
      local found <const> = route.get "10.5.6.7"
      assert.same({ "10.0.0.2", "moon", "10.0.0.1" },
        { found.gateway, found.dev, found.prefsrc })
      assert.equal("route.get 192.168.0.1: Network is unreachable "
        .. "(ENETUNREACH)", message(route.get, "192.168.0.1"))
    end)
  end)
end)

local t <const> = require "spec.helper"
local ns <const> = require "farside"
local ip <const> = require "spec.iproute"
local nexthop <const>, route <const>, link <const> = ns.nexthop, ns.route,
  ns.link

local message <const> = t.message

-- Runs where there is a link with 10.0.0.1/24 and fd00::1/64.
local function with_link(fn)
  t.userns(function()
    link.add { name = "moon", kind = "veth", peer = { name = "sun" } }
    for _, name in ipairs { "lo", "moon", "sun" } do
      link.set(name, { up = true })
    end
    ns.address.add("moon", "10.0.0.1/24")
    ns.address.add("moon", { "fd00::1/64", nodad = true })
    fn()
  end, { "net" })
end

local function ids()
  local list <const> = {}
  for i, one in ipairs(nexthop.list()) do list[i] = one.id end
  return list
end

describe("a next hop", function()
  it("is made as ip tells it", function()
    with_link(function()
      t.needs "ip"
      nexthop.add { id = 1, via = "10.0.0.2", dev = "moon" }
      nexthop.add { id = 2, via = "192.168.7.1", dev = "moon", onlink = true,
                    protocol = "static" }
      nexthop.add { id = 3, group = { 1, { id = 2, weight = 3 } } }
      nexthop.add { id = 4, blackhole = true, family = "inet6" }
      nexthop.add { id = 5, via = "fd00::2", dev = "moon" }
      nexthop.add { id = 6, dev = "moon" }
      nexthop.add { id = 7, group = { 1 }, type = "resilient",
                    resilient_args = { buckets = 32, idle_timer = "1m" } }
      local list <const> = ip.json "ip -d nexthop"
      assert.same({ "10.0.0.2", "moon" }, { list[1].gateway, list[1].dev })
      assert.same({ "static", { "onlink" } },
        { list[2].protocol, list[2].flags })
      assert.same({ { id = 1 }, { id = 2, weight = 3 } }, list[3].group)
      assert.equal(require "cjson".null, list[4].blackhole)
      assert.equal("fd00::2", list[5].gateway)
      assert.same({ "moon" }, { list[6].dev, list[6].gateway })
      assert.same({ "resilient", 32, 60 }, { list[7].type,
        list[7].resilient_args.buckets, list[7].resilient_args.idle_timer })
    end)
  end)

  it("is what routes go by, and goes with them", function()
    with_link(function()
      nexthop.add { id = 1, via = "10.0.0.2", dev = "moon" }
      route.add { to = "10.5.0.0/16", nhid = 1 }
      assert.equal("10.0.0.2", route.get "10.5.6.7".gateway)
      nexthop.replace { id = 1, via = "10.0.0.3", dev = "moon" }
      assert.equal("10.0.0.3", route.get "10.5.6.7".gateway)
      nexthop.delete { id = 1 }
      assert.matches("^route.get 10.5.6.7: Network is unreachable",
        message(route.get, "10.5.6.7"))
    end)
  end)

  it("goes by what the list tells of it, and comes back so", function()
    with_link(function()
      nexthop.add { id = 1, via = "10.0.0.2", dev = "moon", onlink = true }
      nexthop.add { id = 2, dev = "moon", family = "inet6" }
      nexthop.add { id = 3, group = { { id = 1, weight = 7 } } }
      local before <const> = nexthop.list()
      for i = 3, 1, -1 do nexthop.delete(before[i]) end
      assert.same({}, nexthop.list())
      for _, one in ipairs(before) do nexthop.add(one) end
      assert.same(before, nexthop.list())
    end)
  end)

  it("is one of a batch, and is taken back with it", function()
    with_link(function()
      local nl <close> = ns.netlink()
      nl:batch(function(b)
        b.nexthop.add { id = 1, via = "10.0.0.2", dev = "moon" }
        b.nexthop.add { id = 2, group = { 1 } }
      end)
      assert.same({ 1, 2 }, ids())
      local text <const> = select(2, pcall(nl.batch, nl, function(b)
        b.nexthop.add { id = 3, via = "10.0.0.3", dev = "moon",
                        protocol = "static" }
        b.nexthop.add { id = 4, group = { 3 } }
        b.nexthop.add { id = 1, dev = "moon" }
      end, { undo = true }))
      assert.matches("nexthop.add 1: File exists (EEXIST)\n"
        .. "batch: 1 of 3 requests failed; the other 2 are undone",
        tostring(text), 1, true)
      assert.same({ 1, 2 }, ids())
    end)
  end)

  it("that is refused is told by its number, in the kernel's words",
  function()
    with_link(function()
      assert.equal("nexthop.add 9: Invalid argument (EINVAL): Invalid nexthop "
        .. "id", (message(nexthop.add, { id = 9, group = { 77 } })
                    :gsub(" %(in group%)", "")))
      assert.equal("nexthop.delete 9: No such file or directory (ENOENT)",
        message(nexthop.delete, { id = 9 }))
    end)
  end)

  it("without sense is refused before anything is asked", function()
    local function refused(text, options)
      assert.matches(text, message(nexthop.add, options), 1, true)
    end
    refused("id: integer expected, got nil", { via = "10.0.0.1" })
    refused("unknown field 'gatway'", { id = 1, gatway = "10.0.0.1" })
    refused("group: list expected, got 'x'", { id = 1, group = "x" })
    refused("group: list of ids, or of tables with id, weight, expected, got "
      .. "'x'", { id = 1, group = { "x" } })
    refused("group.weight: integer from 1 to 256 expected, got '0'",
      { id = 1, group = { { id = 2, weight = 0 } } })
    local many <const> = {}
    for i = 1, 257 do many[i] = i end
    refused("group: more than 256 next hops", { id = 1, group = many })
    refused("resilient_args: table expected, got '1'",
      { id = 1, resilient_args = 1 })
    refused("type: mpath or resilient expected, got 'x'",
      { id = 1, type = "x" })
  end)
end)

describe("the list of next hops", function()
  it("is that of ip, under the same names", function()
    with_link(function()
      t.needs "ip"
      ip.run [[
        ip nexthop add id 1 via 10.0.0.2 dev moon
        ip nexthop add id 2 via 10.0.0.3 dev moon onlink protocol static
        ip nexthop add id 3 group 1/2,3
        ip nexthop add id 4 blackhole
        ip nexthop add id 5 via fd00::2 dev moon
        ip nexthop add id 6 group 1 type resilient buckets 8 idle_timer 60
        ip nexthop add id 7 via 10.0.0.9 fdb
        ip nexthop add id 8 group 7 fdb]]
      assert.is_nil(ip.difference(nexthop.list(), ip.json "ip -d nexthop",
        "resilient_args.unbalanced_time"))
    end)
  end)

  it("is of what was asked for", function()
    with_link(function()
      nexthop.add { id = 1, via = "10.0.0.2", dev = "moon" }
      nexthop.add { id = 2, group = { 1 } }
      nexthop.add { id = 3, blackhole = true }
      assert.equal(2, nexthop.list { groups = true }[1].id)
      assert.same({ 1 }, { nexthop.list { dev = "moon" }[1].id,
                           (nexthop.list { dev = "moon" }[2] or {}).id })
    end)
  end)
end)

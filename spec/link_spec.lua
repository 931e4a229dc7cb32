local t <const> = require "spec.helper"
local ns <const> = require "farside"
local ip <const> = require "spec.iproute"
local link <const> = ns.link

-- The first line of the error that a call raises, without where; the error.
local message <const> = t.message

-- Runs where there is nothing but lo, and it is down.
local function alone(fn) t.userns(fn, { "net" }) end

describe("a new net namespace", function()
  it("has lo, which is down", function()
    alone(function()
      local links <const> = link.list()
      assert.equal(1, #links)
      assert.equal("lo", links[1].ifname)
      assert.is_false(links[1].up)
      assert.same({ "LOOPBACK" }, links[1].flags)
    end)
  end)
end)

describe("a link", function()
  it("is told under the names of ip -json", function()
    alone(function()
      local lo <const> = link.get "lo"
      assert.equal(1, lo.ifindex)
      assert.equal("loopback", lo.link_type)
      assert.equal("00:00:00:00:00:00", lo.address)
      assert.equal(65536, lo.mtu)
      assert.equal("DOWN", lo.operstate)
    end)
  end)

  it("is found by its index as by its name", function()
    alone(function() assert.same(link.get "lo", link.get(1)) end)
  end)

  it("goes up and down", function()
    alone(function()
      link.set("lo", { up = true })
      assert.same({ "LOOPBACK", "UP", "LOWER_UP" }, link.get "lo".flags)
      link.set("lo", { up = false })
      assert.is_false(link.get "lo".up)
    end)
  end)

  it("changes only what is named", function()
    alone(function()
      link.set(1, { name = "moon" }) -- before Linux 6.2 only while it is down
      link.set("moon", { up = true })
      link.set("moon", { mtu = 1400 })
      assert.equal(1400, link.get(1).mtu)
      assert.is_true(link.get(1).up)
      assert.equal("moon", link.get(1).ifname)
    end)
  end)

  it("gets a new name with the rest, by its old one", function()
    alone(function()
      link.set("lo", { name = "moon", mtu = 1500, up = true })
      local moon <const> = link.get "moon"
      assert.is_true(moon.up and moon.mtu == 1500)
    end)
  end)

  it("that is not there is refused by its name", function()
    alone(function()
      local text <const>, err = message(link.set, "moon", { up = true })
      assert.equal("link.set moon: No such device (ENODEV)", text)
      assert.equal("moon", err.path)
      assert.equal("link.get moon: No such device (ENODEV)",
        message(link.get, "moon"))
      assert.equal("link.get 7: No such device (ENODEV)", message(link.get, 7))
    end)
  end)

  it("is not changed without the privilege", function()
    alone(function()
      ns.capability.keep ""
      assert.equal("link.set lo: Operation not permitted (EPERM)",
        message(link.set, "lo", { up = true }))
    end)
  end)

  it("that refuses says why in the kernel's words", function()
    alone(function()
      t.needs "ip"
      assert(os.execute "ip link add moon type bridge")
      local text <const>, err = message(link.set, "moon", { mtu = 70000 })
      assert.equal("mtu greater than device maximum", err.log)
      assert.equal("link.set moon: Invalid argument (EINVAL): mtu greater "
        .. "than device maximum", text)
    end)
  end)

  it("has a kind, alternative names and other links", function()
    alone(function()
      t.needs "ip"
      local long <const> = ("x"):rep(40)
      assert(os.execute("ip link add moon type bridge && ip link add left "
        .. "type veth peer name right && ip link set left master moon && "
        .. "ip link property add dev left altname " .. long))
      local left <const> = link.get(long)
      assert.same({ "veth", "left" }, { left.kind, left.ifname })
      assert.same({ long }, left.altnames)
      assert.equal(link.get "moon".ifindex, left.master_index)
      assert.equal(link.get "right".ifindex, left.link_index)
      link.set(long, { up = true })
      assert.is_true(link.get "left".up)
    end)
  end)
end)

describe("an alternative name", function()
  local long <const> = ("x"):rep(60)

  it("finds the link wherever a name does", function()
    alone(function()
      t.needs "ip"
      link.add { name = "left", kind = "veth", peer = { name = "right" } }
      link.add_altname("left", long, "short")
      assert.same({ long, "short" }, ip.json "ip link show left"[1].altnames)
      assert.equal("left", link.get(long).ifname)
      link.set(long, { name = "moon", mtu = 1300 })
      ns.address.add(long, "10.0.0.1/24")
      local nl <close> = ns.netlink()
      nl:batch(function(b)
        b.link.add_altname("right", "other" .. long)
        b.address.add("other" .. long, "10.0.1.1/24")
      end)
      assert.equal(1300, link.get "short".mtu)
      assert.equal("10.0.1.1", ns.address.list {
        dev = "right", family = "inet" }[1]["local"])
      link.delete_altname("moon", long)
      assert.same({ "short" }, link.get "moon".altnames)
    end)
  end)

  it("is refused when it is none, or somebody's", function()
    alone(function()
      link.add { name = "moon", kind = "bridge" }
      assert.equal("link.add_altname moon: File exists (EEXIST)",
        message(link.add_altname, "moon", "lo"))
      assert.equal("link.delete_altname moon: No such file or directory "
        .. "(ENOENT)", message(link.delete_altname, "moon", "sun"))
      assert.matches("bad link name 'a b' (expected 1 to 127 bytes, no '/', "
        .. "no ':', no space)", message(link.add_altname, "moon", "a b"), 1,
        true)
      assert.matches("#2 to '?' (value expected)",
        message(link.add_altname, "moon"), 1, true)
    end)
  end)
end)

describe("a change", function()
  local function refused(text, ...)
    assert.matches(text, message(link.set, ...), 1, true)
  end

  it("has no unknown fields and no odd values", function()
    refused("unknown field 'upp'", "lo", { upp = true })
    refused("up: boolean expected, got '1'", "lo", { up = 1 })
    refused("mtu: integer from 0 to 4294967295 expected, got 'large'", "lo",
      { mtu = "large" })
    refused("unexpected argument", "lo", {}, 1)
  end)

  it("has a name that the kernel takes whole", function()
    local long <const> = ("x"):rep(16)
    for _, name in ipairs { "", ".", "..", "a/b", "a b", "a:b", long } do
      refused(("bad link name '%s' (expected 1 to 15 bytes, no '/', "
        .. "no ':', no space)"):format(name), "lo", { name = name })
    end
  end)
end)

describe("a new link", function()
  it("is made in one request, as ip tells it", function()
    alone(function()
      t.needs "ip"
      link.add { name = "moon", kind = "bridge", up = true, mtu = 1400,
                 address = "02:00:00:00:00:01", alias = "the far side",
                 txqlen = 7, group = 3, ifindex = 77 }
      local moon <const> = ip.json "ip -d link show moon"[1]
      assert.equal(77, moon.ifindex)
      assert.equal(1400, moon.mtu)
      assert.equal("02:00:00:00:00:01", moon.address)
      assert.equal("the far side", moon.ifalias)
      assert.equal(7, moon.txqlen)
      assert.equal("3", moon.group)
      assert.equal("bridge", moon.linkinfo.info_kind)
      assert.is_true(link.get "moon".up)
    end)
  end)

  it("of kind veth has a peer as asked, and one queue at each end", function()
    alone(function()
      link.add { name = "left", kind = "veth", mtu = 1400, up = true,
                 ifindex = 98, peer = {
        name = "right", mtu = 1300, address = "02:00:00:00:00:02",
        ifindex = 99, txqlen = 5 } }
      local left <const>, right <const> = link.get "left", link.get "right"
      assert.same({ 99, 1300, "02:00:00:00:00:02", 5 },
        { right.ifindex, right.mtu, right.address, right.txqlen })
      assert.same({ "right", "left" }, { left.link, right.link })
      assert.same({ 1, 1, 1, 1 }, { left.num_tx_queues, left.num_rx_queues,
        right.num_tx_queues, right.num_rx_queues })
    end)
  end)

  it("of kind veth has as many queues as asked", function()
    alone(function()
      link.add { name = "left", kind = "veth", num_tx_queues = 3,
                 peer = { name = "right", num_rx_queues = 2 } }
      assert.equal(3, link.get "left".num_tx_queues)
      assert.equal(2, link.get "right".num_rx_queues)
    end)
  end)

  it("has a master, by name and by number, until it has none", function()
    alone(function()
      link.add { name = "moon", kind = "bridge", ifindex = 50 }
      link.add { name = "left", kind = "veth", master = "moon",
                 peer = { name = "right" } }
      assert.equal("moon", link.get "left".master)
      link.set("right", { master = 50 })
      assert.equal(50, link.get "right".master_index)
      link.set("left", { master = false })
      assert.is_nil(link.get "left".master)
    end)
  end)

  it("goes when it is deleted, with its peer", function()
    alone(function()
      link.add { name = "left", kind = "veth", peer = { name = "right" } }
      link.delete "left"
      assert.equal(1, #link.list())
      assert.equal("link.delete left: No such device (ENODEV)",
        message(link.delete, "left"))
    end)
  end)

  it("that is refused is not there, and the kernel says why", function()
    alone(function()
      local function refused(text, options)
        local got <const>, err = message(link.add, options)
        assert.equal(text, got)
        assert.equal(1, #link.list())
        return err
      end
      refused("link.add moon: Operation not supported (EOPNOTSUPP): "
        .. "Unknown device type", { name = "moon", kind = "lunar" })
      refused("link.add lo: File exists (EEXIST)",
        { name = "lo", kind = "bridge" })
      refused("link.add moon: Operation not supported (EOPNOTSUPP)",
        { name = "moon", kind = "bridge", master = "lo" })
      refused("link.add moon: No such device (ENODEV)",
        { name = "left", kind = "bridge", master = "moon" })
      refused("open net namespace of /run/netns/nowhere: No such file or "
        .. "directory (ENOENT)",
        { name = "moon", kind = "bridge", netns = "nowhere" })
      local err <const> = refused("link.add moon: Numerical result out of "
        .. "range (ERANGE): integer out of range (in gso_max_size)",
        { name = "moon", kind = "bridge", gso_max_size = 1 })
      assert.equal("gso_max_size", err.attribute)
      assert.equal("group_addr", refused("link.add moon: Numerical result out "
        .. "of range (ERANGE): Attribute failed policy validation (in "
        .. "group_addr)", { name = "moon", kind = "bridge",
                            group_addr = "01:80:c2:00:00:05:06" }).attribute)
    end)
  end)

  it("wants a name and a kind, and knows the fields of that", function()
    local function refused(text, options)
      assert.matches(text, message(link.add, options), 1, true)
    end
    refused("name: string expected, got nil", { kind = "veth" })
    refused("kind: string expected, got nil", { name = "moon" })
    refused("kind: string expected, got '7'", { name = "moon", kind = 7 })
    refused("unknown field 'peer'", { name = "moon", kind = "bridge",
                                      peer = { name = "sun" } })
    refused("unknown field 'peer.up'", { name = "moon", kind = "veth",
                                         peer = { up = true } })
    refused("peer.ifindex: an ifindex at both ends expected, got '7'",
      { name = "moon", kind = "veth", peer = { ifindex = 7 } })
    refused("peer: table expected, got 'sun'", { name = "moon", kind = "veth",
                                                 peer = "sun" })
    refused("address: address such as \"02:00:00:00:00:01\" expected, got "
      .. "'2:0:0'", { name = "moon", kind = "bridge", address = "2:0:0" })
    refused("master: name or index of a link expected, got boolean",
      { name = "moon", kind = "bridge", master = true })
    refused("table expected, got string", "moon")
  end)
end)

describe("a kind of link", function()
  -- What ip tells of the options of a link that is made so, or pending.
  local function made(options)
    t.needs "ip"
    local ok, err = pcall(link.add, options)
    if not ok and err.log == "Unknown device type" then
      pending("needs a kernel with links of kind " .. options.kind)
    elseif not ok then
      error(err, 0)
    end
    local theirs <const> = ip.json("ip -d link show " .. options.name)[1]
    assert.is_nil(ip.difference(link.get(options.name), theirs,
      "linkinfo.info_data.gc_timer"))
    return theirs.linkinfo.info_data
  end

  local function alone_with_pair(fn)
    alone(function()
      link.add { name = "left", kind = "veth", peer = { name = "right" } }
      fn()
    end)
  end

  it("bridge has its options", function()
    alone(function()
      local data <const> = made { name = "moon", kind = "bridge",
        stp_state = true, priority = 4096, ageing_time = 100,
        forward_delay = 400, hello_time = 300, max_age = 800,
        mcast_snooping = false, mcast_querier = 1, mcast_query_intvl = 5000,
        no_linklocal_learn = true, group_fwd_mask = 8,
        group_addr = "01:80:c2:00:00:05" }
      assert.same({ 1, 4096, 100, 400, 300, 800, 0, 1, 5000, 1, "0x8",
                    "01:80:c2:00:00:05" },
        { data.stp_state, data.priority, data.ageing_time, data.forward_delay,
          data.hello_time, data.max_age, data.mcast_snooping,
          data.mcast_querier, data.mcast_query_intvl, data.no_linklocal_learn,
          data.group_fwd_mask, data.group_addr })
      link.set("moon", { kind = "bridge", stp_state = false })
      assert.equal(0, link.get "moon".linkinfo.info_data.stp_state)
    end)
  end)

  it("bridge_slave has the options of a port", function()
    alone_with_pair(function()
      t.needs "ip"
      link.add { name = "moon", kind = "bridge" }
      link.set("left", { master = "moon" })
      link.set("left", { kind = "bridge_slave", hairpin = true, cost = 77,
                         isolated = true, learning = false, priority = 5 })
      local theirs <const> = ip.json "ip -d link show left"[1].linkinfo
      local data <const> = theirs.info_slave_data
      assert.same({ true, 77, true, false, 5 }, { data.hairpin, data.cost,
        data.isolated, data.learning, data.priority })
      assert.is_nil(ip.difference(link.get "left".linkinfo, theirs,
        "info_slave_data.group_fwd_mask_str info_slave_data.hold_timer"))
    end)
  end)

  it("macvlan and macvtap have a mode", function()
    alone_with_pair(function()
      local data <const> = made { name = "moon", kind = "macvlan",
        link = "left", mode = "bridge", nopromisc = true }
      assert.same({ "bridge", true }, { data.mode, data.nopromisc })
      data.mode = made { name = "tap", kind = "macvtap", link = "left",
                         mode = "vepa" }.mode
      assert.equal("vepa", data.mode)
    end)
  end)

  it("vxlan has ends, of either family", function()
    alone_with_pair(function()
      local data <const> = made { name = "moon", kind = "vxlan", id = 99,
        remote = "10.9.9.9", ["local"] = "10.0.0.1", dev = "left",
        port = 4789, learning = false, ttl = 7, ageing = 50, limit = 9,
        port_range = { low = 1000, high = 2000 }, df = "set" }
      assert.same({ 99, "10.9.9.9", "10.0.0.1", "left", 4789, false, 7, 50, 9,
                    1000, 2000, "set" },
        { data.id, data.remote, data["local"], data.link, data.port,
          data.learning, data.ttl, data.ageing, data.limit,
          data.port_range.low, data.port_range.high, data.df })
      assert.equal("fd00::9", made { name = "sun", kind = "vxlan", id = 98,
        remote = "fd00::9", port = 4789 }.remote6)
    end)
  end)

  it("ifb, dummy and those without options are made", function()
    alone(function()
      made { name = "moon", kind = "ifb" }
      made { name = "sun", kind = "dummy" }
    end)
  end)

  it("vlan has an id, a protocol, flags and priorities", function()
    alone_with_pair(function()
      local data <const> = made { name = "moon", kind = "vlan", link = "left",
        id = 7, protocol = "802.1ad", flags = { "REORDER_HDR", "GVRP" },
        egress_qos = { { from = 1, to = 2 } } }
      assert.same({ 7, "802.1ad", { "REORDER_HDR", "GVRP" }, 1, 2 },
        { data.id, data.protocol, data.flags, data.egress_qos[1].from,
          data.egress_qos[1].to })
    end)
  end)

  it("ipvlan has a mode", function()
    alone_with_pair(function()
      local data <const> = made { name = "moon", kind = "ipvlan",
        link = "left", mode = "l3s", private = true }
      assert.same({ "l3s", true }, { data.mode, data.private })
    end)
  end)

  it("vrf has a table, which its ports tell, too", function()
    alone_with_pair(function()
      assert.equal(77, made { name = "moon", kind = "vrf", table = 77 }.table)
      link.set("left", { master = "moon" })
      local info <const> = link.get "left".linkinfo
      assert.equal(77, info.info_slave_data.table)
    end)
  end)

  it("gre has ends and keys", function()
    alone(function()
      local data <const> = made { name = "moon", kind = "gre", ttl = 9,
        remote = "10.9.9.9", ["local"] = "10.0.0.1", ikey = 5, okey = 6 }
      assert.same({ "10.9.9.9", "10.0.0.1", 9 },
        { data.remote, data["local"], data.ttl })
      local ours <const> = link.get "moon".linkinfo.info_data
      assert.same({ "0.0.0.5", "0.0.0.6" }, { ours.ikey, ours.okey })
    end)
  end)

  it("ipip has ends", function()
    alone(function()
      local data <const> = made { name = "moon", kind = "ipip",
        remote = "10.9.9.9", ["local"] = "10.0.0.1", ttl = 9 }
      assert.same({ "10.9.9.9", "10.0.0.1", 9 },
        { data.remote, data["local"], data.ttl })
    end)
  end)

  it("tun is one or a tap, and stays", function()
    alone_with_pair(function()
      t.needs "ip"
      local ok, err = pcall(link.add, { name = "moon", kind = "tun",
        type = "tap", vnet_hdr = true, user = 0, mtu = 1400, up = true,
        alias = "far", address = "02:00:00:00:00:09" })
      if not ok and err.path == "/dev/net/tun" then
        pending "needs a /dev/net/tun that one may open"
      end
      assert(ok, err)
      local moon <const> = ip.json "ip -d link show moon"[1]
      assert.same({ 1400, "far", "02:00:00:00:00:09", "tap", true, true },
        { moon.mtu, moon.ifalias, moon.address, moon.linkinfo.info_data.type,
          moon.linkinfo.info_data.vnet_hdr,
          moon.linkinfo.info_data.persist })
      local net <close> = ns.new "net"
      local nl <close> = ns.netlink(net)
      nl.link.add { name = "sun", kind = "tun" }
      assert.equal("tun", nl.link.get "sun".linkinfo.info_data.type)
      assert.equal("link.add sun: File exists (EEXIST)",
        message(nl.link.add, { name = "sun", kind = "tun" }))
      assert.matches("link.add star: ", message(link.add, { name = "star",
        kind = "tun", mtu = 1 }):gsub("link.set", "link.add"), 1, true)
      assert.equal("link.get star: No such device (ENODEV)",
        message(link.get, "star"))
      assert.matches("link.add: a tun cannot be made in a batch",
        message(nl.batch, nl, function(b)
          b.link.add { name = "star", kind = "tun" }
        end), 1, true)
    end)
  end)

  it("has no options of another", function()
    local function refused(text, options)
      options.name = "moon"
      assert.matches(text, message(link.add, options), 1, true)
    end
    refused("unknown field 'mode'", { kind = "bridge", mode = "l2" })
    refused("mode: private, vepa, bridge, passthru or source expected, got "
      .. "'l2'", { kind = "macvlan", mode = "l2" })
    refused("low: integer from 0 to 65535 expected, got nil",
      { kind = "vxlan", port_range = {} })
    refused("port_range: { low =, high = } expected, got '7'",
      { kind = "vxlan", port_range = 7 })
    refused("egress_qos: list of { from =, to = } expected, got 'x'",
      { kind = "vlan", egress_qos = "x" })
    refused("id: integer from 0 to 65535 expected, got '65536'",
      { kind = "vlan", id = 65536 })
  end)
end)

describe("the list of links", function()
  it("is that of ip, under the same names", function()
    alone(function()
      t.needs "ip"
      ip.run [[ip link add moon type bridge
        ip link add left type veth peer right
        ip link set left master moon
        ip link set right alias sun group 5]]
      assert.is_nil(ip.difference(link.list { statistics = true },
        ip.json "ip -d -s link", "linkinfo.info_data.gc_timer "
        .. "linkinfo.info_slave_data.group_fwd_mask_str"))
    end)
  end)

  it("is of one kind or of one master when asked so", function()
    alone(function()
      link.add { name = "moon", kind = "bridge" }
      link.add { name = "left", kind = "veth", master = "moon",
                 peer = { name = "right" } }
      local function names(filter)
        local found = {}
        for _, one in ipairs(link.list(filter)) do
          found[#found + 1] = one.ifname
        end
        table.sort(found)
        return table.concat(found, " ")
      end
      assert.equal("left right", names { kind = "veth" })
      assert.equal("left", names { master = "moon" })
      assert.equal("", names { kind = "lunar" })
      assert.matches("unknown field 'name'", message(link.list,
        { name = "moon" }), 1, true)
    end)
  end)

  it("has no statistics unless they are asked for", function()
    alone(function()
      assert.is_nil(link.get "lo".stats64)
      assert.equal(0, link.get("lo", { statistics = true }).stats64.rx.bytes)
    end)
  end)
end)

describe("many links", function()
  it("are listed whole", function()
    alone(function()
      t.needs "ip"
      local batch <close> = assert(io.popen("ip -batch -", "w"))
      for i = 1, 60 do
        batch:write(("link add v%d type bridge\n"):format(i))
      end
      batch:close()
      assert.equal(60, #link.list { kind = "bridge" })
    end)
  end)
end)

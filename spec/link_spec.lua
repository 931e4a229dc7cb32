local t <const> = require "spec.helper"
local ns <const> = require "farside"
local ip <const> = require "spec.iproute"
local link <const> = ns.link

-- The first line of the error that a call raises, without where; the error.
local function message(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return (tostring(err):match "^[^\n]*":gsub("^%S+:%d+: ", "")), err
end

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
        .. "range (ERANGE): integer out of range",
        { name = "moon", kind = "bridge", gso_max_size = 1 })
      assert.equal("gso_max_size", err.attribute)
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

describe("the list of links", function()
  it("is that of ip, under the same names", function()
    alone(function()
      t.needs "ip"
      ip.run [[ip link add moon type bridge
        ip link add left type veth peer right
        ip link set left master moon
        ip link set right alias sun group 5]]
      assert.is_nil(ip.difference(link.list { statistics = true },
        ip.json "ip -d -s link",
        "linkinfo.info_data linkinfo.info_slave_data"))
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
      assert.equal(61, #link.list())
    end)
  end)
end)

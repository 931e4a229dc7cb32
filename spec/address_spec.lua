local t <const> = require "spec.helper"
local ns <const> = require "farside"
local ip <const> = require "spec.iproute"
local address <const>, link <const> = ns.address, ns.link

local message <const> = t.message

-- Runs where there is a pair of links, up.
local function with_pair(fn)
  t.userns(function()
    link.add { name = "left", kind = "veth", up = true,
               peer = { name = "right" } }
    link.set("right", { inet6_addr_gen_mode = "none" })
    link.set("right", { up = true })
    fn()
  end, { "net" })
end

local function of_right()
  return ip.json "ip addr show right"[1].addr_info
end

describe("an address", function()
  it("is added as ip tells it", function()
    with_pair(function()
      t.needs "ip"
      address.add("right", "10.0.0.1/24")
      address.add("right", { "fd00::1/64", nodad = true })
      address.add("right", { "10.1.0.1", peer = "10.1.0.2/30", scope = "link",
                             label = "right:1" })
      address.add("right", { "10.2.0.1/16", broadcast = "10.2.255.255",
                             valid = "1h", preferred = 60, metric = 7,
                             noprefixroute = true })
      local list <const> = of_right()
      table.sort(list, function(a, b) return a["local"] < b["local"] end)
      local one <const>, two <const>, three <const>, four <const> =
        table.unpack(list)
      assert.same({ "10.0.0.1", 24, "global" },
        { one["local"], one.prefixlen, one.scope })
      assert.same({ "10.1.0.1", "10.1.0.2", 30, "link", "right:1" },
        { two["local"], two.address, two.prefixlen, two.scope, two.label })
      assert.same({ "10.2.0.1", 16, "10.2.255.255", true, 7 },
        { three["local"], three.prefixlen, three.broadcast,
          three.noprefixroute, three.metric })
      -- they age while they are told
      assert.near(3595, three.valid_life_time, 5)
      assert.near(55, three.preferred_life_time, 5)
      assert.same({ "fd00::1", 64, true },
        { four["local"], four.prefixlen, four.nodad })
    end)
  end)

  it("is of the host when it is one of the loopback", function()
    with_pair(function()
      address.add("lo", "127.0.0.1/8")
      assert.equal("host", address.list { dev = "lo" }[1].scope)
    end)
  end)

  it("without a length is a whole one", function()
    with_pair(function()
      address.add("right", "10.0.0.1")
      assert.equal(32, address.list { dev = "right" }[1].prefixlen)
    end)
  end)

  it("goes when it is deleted, by text or by what the list tells", function()
    with_pair(function()
      address.add("right", "10.0.0.1/24")
      address.add("right", { "fd00::1/64", nodad = true })
      address.add("right", { "10.1.0.1", peer = "10.1.0.2" })
      address.delete("right", "10.0.0.1/24")
      for _, one in ipairs(address.list { dev = "right" }) do
        address.delete(one.dev, one)
      end
      assert.same({}, address.list { dev = "right" })
    end)
  end)

  it("is replaced where it is", function()
    with_pair(function()
      address.add("right", "10.0.0.1/24")
      address.replace("right", { "10.0.0.1/24", valid = 100, preferred = 50 })
      assert.equal(100, address.list { dev = "right" }[1].valid_life_time)
    end)
  end)

  it("that is refused is told with its link, in the kernel's words", function()
    with_pair(function()
      address.add("right", "10.0.0.1/24")
      local text <const>, err = message(address.add, "right", "10.0.0.1/24")
      assert.matches("address.add 10.0.0.1/24 on right: File exists (EEXIST)",
        text, 1, true)
      -- since Linux 6.3
      assert.is_true(err.log == nil
        or err.log == "ipv4: Address already assigned")
      assert.matches("address.delete 10.0.0.2/24 on right: Cannot assign "
        .. "requested address (EADDRNOTAVAIL)", message(address.delete,
        "right", "10.0.0.2/24"), 1, true)
      assert.equal("address.add moon: No such device (ENODEV)",
        message(address.add, "moon", "10.0.0.1/24"))
    end)
  end)

  it("without sense is refused before anything is asked", function()
    local function refused(text, ...)
      assert.matches(text, message(address.add, 1, ...), 1, true)
    end
    for _, text in ipairs { "10.0.0.300/24", "10.0.0.1/33", "fd00::1/129",
                            "10.0.0.1/", "10.0.0.1/2x", "moon", "", "1.2.3" } do
      refused(("address: address such as \"10.0.0.1/24\" or \"fd00::1/64\" "
        .. "expected, got '%s'"):format(text), text)
    end
    refused("address expected", {})
    refused("unknown field 'lable'", { "10.0.0.1/24", lable = "x" })
    refused("unknown field '2'", { "10.0.0.1/24", "10.0.0.2/24" })
    refused(": an address of the family of the others expected, got",
      { "10.0.0.1", peer = "fd00::1" })
    refused("scope: global, site, link, host or nowhere expected, got 'moon'",
      { "10.0.0.1/24", scope = "moon" })
    refused("valid: seconds, or a time such as \"1h\", expected, got 'soon'",
      { "10.0.0.1/24", valid = "soon" })
    refused("nodad: boolean expected, got '1'", { "10.0.0.1/24", nodad = 1 })
  end)
end)

describe("the list of addresses", function()
  it("is that of ip, under the same names", function()
    with_pair(function()
      t.needs "ip"
      ip.run [[ip addr add 10.0.0.1/24 dev right label right:x
        ip addr add 10.0.0.2/24 dev right broadcast 10.0.0.255
        ip addr add 10.1.0.1 peer 10.1.0.2/32 dev right
        ip addr add fd00::1/64 dev right valid_lft 1000 preferred_lft 500
        ip addr add fd00::2/64 dev right nodad noprefixroute]]
      local ours <const>, theirs <const> = address.list { dev = "right" },
        of_right()
      for i, one in ipairs(theirs) do -- a second may have passed
        for _, key in ipairs { "valid_life_time", "preferred_life_time" } do
          local age <const> = ours[i][key] - one[key]
          assert(age >= 0 and age <= 10, key)
          one[key] = ours[i][key]
        end
      end
      assert.is_nil(ip.difference(ours, theirs))
    end)
  end)

  it("is of one family when asked so", function()
    with_pair(function()
      address.add("right", "10.0.0.1/24")
      address.add("right", { "fd00::1/64", nodad = true })
      local found <const> = address.list { dev = "right", family = "inet6" }
      assert.equal(1, #found)
      assert.equal("fd00::1", found[1]["local"])
      assert.matches("family: inet or inet6 expected, got 'ipv4'",
        message(address.list, { family = "ipv4" }), 1, true)
    end)
  end)
end)

local t <const> = require "spec.helper"
local ns <const> = require "farside"
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
    refused("up: boolean expected", "lo", { up = 1 })
    refused("mtu: positive integer expected", "lo", { mtu = "large" })
    refused("unexpected argument", "lo", {}, 1)
  end)

  it("has a name that the kernel takes whole", function()
    for _, name in ipairs { "", ".", "..", "a/b", "a b", ("x"):rep(16) } do
      refused(("bad link name '%s' (expected 1 to 15 bytes, no '/', no space)"
        ):format(name), "lo", { name = name })
    end
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

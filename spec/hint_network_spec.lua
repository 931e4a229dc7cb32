-- Why a container's network could not be made: provoked, or made up.

local t <const> = require "spec.helper"
local hints <const> = require "spec.hints"
local networks <const> = require "spec.networks"
local ns <const> = require "farside"

local says <const>, told <const> = hints.says, networks.told

describe("for a container's network", function()
  it("a missing nft is told with its package", function()
    networks.apart(function()
      for _, path in ipairs { "/usr/sbin/nft", "/usr/bin/nft" } do
        if ns.faccessat(nil, path, "read") then
          ns.mount("/dev/null", path, nil, "bind")
        end
      end
      assert.equal("nft: No such file or directory (ENOENT)\n"
        .. "step: out through this host, which forwards from now on, and "
        .. "published ports\n"
        .. "hint: for published ports and address translation: Debian has it "
        .. "in the package nftables; with nat = false, and without ports, it "
        .. "is not needed", told(ns.run, { "/bin/true", network = {
          bridge = "br0", subnet = "10.7.0.0/24" } }))
      assert.same({}, networks.links())
      ns.run { "/bin/true", network = networks.plain }
    end)
  end)

  it("who may make no bridge is told of user mode", function()
    t.child(function()
      if ns.geteuid() == 0 then
        ns.mount(nil, "/", nil, "rprivate")
        ns.mount("tmpfs", "/run", "tmpfs") -- for leases
        ns.capability.keep ""
      end
      local text <const> = told(ns.network.plug, 1, { bridge = "far0",
        name = "eth0", subnet = { "10.7.0.0/24" } })
      assert.equal("network.plug far0: Operation not permitted (EPERM)\n"
        .. "hint: a bridge is a link of the caller's network namespace, where "
        .. "that needs CAP_NET_ADMIN: network = \"user\" needs no privilege",
        text)
    end, t.has "root" and { "net", "mnt" } or {})
  end)

  it("a bridge that cannot be made, or is none, is told", function()
    networks.apart(function()
      local function try(network)
        return told(ns.run, { "/bin/true", network = network })
      end
      assert.equal("network.plug br0: No such device (ENODEV)",
        try { bridge = "br0" }:gsub("br0 %(.-%)", "br0"):match "^[^\n]*")
      assert.matches("br0 (it is made when an address or a subnet is given)",
        try { bridge = "br0" }, 1, true)
      assert.matches("network.plug lo (it is no bridge: loopback): Invalid "
        .. "argument (EINVAL)", try { bridge = "lo" }, 1, true)
      ns.link.add { name = "br0", kind = "bridge" }
      assert.equal("network.plug br0 (it has no address, so there is no subnet "
        .. "to draw one from): Cannot assign requested address "
        .. "(EADDRNOTAVAIL)\n"
        .. "step: a wire to the bridge, which is made when there is none\n"
        .. "hint: give the container an address, or a subnet to draw one from",
        try { bridge = "br0" })
    end)
  end)

  it("a taken address and a full subnet are told", function()
    networks.apart(function()
      local network <const> = { bridge = "br0", address = "10.7.0.2/30",
                                nat = false }
      local first <close> = networks.start("echo ready; exec sleep 1000",
                                           { network = network })
      local _ = first
      assert.equal("network.plug 10.7.0.2 on br0: Address already in use "
        .. "(EADDRINUSE)\n"
        .. "step: a wire to the bridge, which is made when there is none\n"
        .. "hint: another container has this address: `farside net ls` lists "
        .. "them; without `address` a free one is drawn",
        told(ns.run, { "/bin/true", network = network }))
      assert.equal("network.plug br0 (all of 10.7.0.0/30 is taken): Cannot "
        .. "assign requested address (EADDRNOTAVAIL)\n"
        .. "step: a wire to the bridge, which is made when there is none\n"
        .. "hint: `farside net ls` lists who has them; give the bridge an "
        .. "address with a shorter prefix, or use another bridge",
        told(ns.run, { "/bin/true", network = { bridge = "br0" } }))
    end)
  end)

  it("a port that somebody else has is told", function()
    t.needs("nft", "perl")
    networks.apart(function()
      local network <const> = networks.with { nat = true,
                                              publish = { "8080:80" } }
      local first <close> = networks.start("echo ready; exec sleep 1000",
                                           { network = network })
      local _ = first
      assert.equal("network.publish tcp 8080 (it leads to 10.7.0.2 80): "
        .. "Address already in use (EADDRINUSE)\n"
        .. "step: out through this host, which forwards from now on, and "
        .. "published ports\n"
        .. "hint: another container has published it: `farside net ls` lists "
        .. "them; the same port at one address, 127.0.0.1:8080:80, is another "
        .. "one", told(ns.run, { "/bin/true", network = network }))
      network.publish = { "80:80" }
      local listener <close> = networks.listener()
      local _ = listener
      assert.matches("network.publish tcp/80 (a program of this host listens "
        .. "there): Address already in use (EADDRINUSE)",
        told(ns.run, { "/bin/true", network = network }), 1, true)
    end)
  end)

  it("published ports without a gateway that is this host are refused",
    function()
      networks.apart(function()
        ns.link.add { name = "br0", kind = "bridge", up = true }
        assert.matches("network.publish: this host is not the gateway of br0, "
          .. "so answers would not come back this way",
          told(ns.run, { "/bin/true", network = {
            bridge = "br0", address = "10.7.0.2/24", gateway = "10.7.0.1",
            publish = { "8080:80" } } }), 1, true)
      end)
    end)

  it("a setting that cannot be written is told by name", function()
    says("net/ipv4/ip_forward must be set outside first, since /proc/sys "
      .. "cannot be written here, as in an engine's container",
      { call = "openat2", code = "EROFS",
        path = "/proc/sys/net/ipv4/ip_forward" })
  end)

  it("a tun device that may not be opened is told", function()
    says("it is open to everybody where distributions make it: chmod 666 "
      .. "/dev/net/tun", { call = "pasta", code = "EACCES",
                           path = "/dev/net/tun" })
  end)

  it("who cannot join another's network is told what else there is",
    function()
      says("an ordinary user's container cannot be born in the network of "
        .. "another: run in there instead, with `exec` of that container",
        { call = "network.enter", code = "EPERM" })
    end)
end)

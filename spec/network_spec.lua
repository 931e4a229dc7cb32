-- The network of containers on bridges: what they reach, who reaches them, and
-- that nothing of it is left. All happens in throw-away network namespaces.

local t <const> = require "spec.helper"
local networks <const> = require "spec.networks"
local ns <const> = require "farside"

local ask <const>, links <const> = networks.ask, networks.links
local ask_from <const> = networks.ask_from
local nothing_left <const> = networks.nothing_left
local plain <const> = networks.plain
local serve <const>, start <const> = networks.serve, networks.start
local stop <const>, with <const> = networks.stop, networks.with

-- Most is the same for root of the machine and of a user namespace.
for place, within in pairs { root = networks.as_root,
                             ["a user namespace"] = networks.apart } do
  describe("on a bridge, for " .. place .. ", containers", function()
    it("talk to each other, each with a port 80", function()
      t.needs "perl"
      within(function()
        local one <close> = serve("one", plain)
        local other <close> = serve("other", plain)
        assert.equal("one 10.7.0.1", ask("10.7.0.2", 80))
        assert.equal("other 10.7.0.1", ask("10.7.0.3", 80))
        assert.equal("one 10.7.0.3", ask_from(other, "10.7.0.2", 80))
        assert.equal("other 10.7.0.2", ask_from(one, "10.7.0.3", 80))
      end)
    end)

    it("are reached at ports that they publish, also from the host", function()
      t.needs("perl", "nft")
      within(function()
        local web <close> = serve("web", with {
          nat = true, publish = { "8080:80", "127.0.0.1:8081:80" },
        })
        local near <close> = start("echo ready; exec sleep 1000",
                                   { network = plain })
        assert.equal("web 10.7.0.1", ask("127.0.0.1", 8080))
        assert.equal("web 10.7.0.1", ask("10.7.0.1", 8080))
        assert.equal("web 10.7.0.1", ask("127.0.0.1", 8081))
        assert.equal("no", ask("10.7.0.1", 8081))
        assert.equal("no", ask("127.0.0.1", 8082))
        assert.equal("web 10.7.0.1", ask_from(web, "10.7.0.1", 8080))
        assert.equal("web 10.7.0.1", ask_from(near, "10.7.0.1", 8080))
        stop(web)
        assert.equal("no", ask("127.0.0.1", 8080))
        stop(near)
        nothing_left()
      end)
    end)

    it("go out through this host, and only published ports lead in", function()
      t.needs("perl", "nft")
      within(function()
        local internet <close> = networks.internet_beside()
        local web <close> = serve("web", with { nat = true,
                                                publish = { "8080:80" } })
        ns.inside(internet, ns.route.add, { to = "10.7.0.0/24",
                                            via = "203.0.113.1" })
        assert.equal("internet 203.0.113.1",
                     ask_from(web, "203.0.113.2", 80))
        assert.equal("web 203.0.113.2",
                     ns.inside(internet, ask, "203.0.113.1", 8080))
        assert.equal("no", ns.inside(internet, ask, "10.7.0.2", 80, 0.3))
      end)
    end)

    it("draw different addresses, twenty at once", function()
      within(function()
        local reader <close>, writer = ns.pipe()
        local stay, leave = ns.pipe()
        local starters = {}
        for i = 1, 20 do
          starters[i] = ns.clone({}, function()
            leave:close()
            ns.run { "/bin/sh", "-c", "hostname -I; read line", stdin = stay,
                     stdout = writer, network = plain }
          end)
        end
        writer:close()
        stay:close()
        local seen, count, said = {}, 0, ""
        while select(2, said:gsub("\n", "")) < 20 do
          said = said .. assert(ns.read(reader), "some failed")
        end
        leave:close()
        for _, starter in ipairs(starters) do starter:wait() end
        for ip in said:gmatch "10%.7%.0%.%d+" do
          assert.is_nil(seen[ip], ip)
          seen[ip], count = true, count + 1
        end
        assert.equal(20, count)
        nothing_left()
      end)
    end)

    it("leave nothing when they end, by themselves or not", function()
      within(function()
        ns.run { "/bin/true", network = plain }
        nothing_left()
        local container = start("echo ready; exec sleep 1000",
                                { network = plain })
        assert.equal(2, #links())
        container:close()
        nothing_left()
      end)
    end)
  end)
end

describe("on a bridge, containers", function()
  it("have addresses of IPv6 as well", function()
    t.needs("perl", "nft")
    networks.apart(function()
      local web <close> = serve("web", {
        bridge = "br0", subnet = { "10.7.0.0/24", "fd00:7::/64" },
        publish = { "8080:80" },
      }, "::")
      assert.equal("web fd00:7::1", ask("fd00:7::2", 80))
      assert.equal("web fd00:7::1", ask("fd00:7::1", 8080))
      assert.equal("web ::ffff:10.7.0.1", ask("10.7.0.2", 80))
      local other <close> = serve("other", { bridge = "br0" }, "::")
      assert.equal("web fd00:7::3", ask_from(other, "fd00:7::2", 80))
      stop(web)
      stop(other)
      nothing_left()
    end)
  end)

  it("leave the firewall of others alone", function()
    t.needs "nft"
    networks.apart(function()
      networks.nft [[table inet mine {
        chain in { type filter hook input priority 0; tcp dport 22 accept; }
      }
      table ip nat {
        chain post { type nat hook postrouting priority 100; }
      }
      ]]
      local before <const> = networks.ruleset()
      local web <close> = start("echo ready; exec sleep 1000", {
        network = with { nat = true, publish = { "8080:80" } } })
      assert.equal(before, (networks.ruleset():gsub("table inet farside "
        .. "%b{}\n", "")))
      stop(web)
      assert.equal(before, networks.ruleset())
    end)
  end)

  it("end as they should when the rules were flushed meanwhile", function()
    t.needs "nft"
    networks.apart(function()
      local web <close> = start("echo ready; exec sleep 1000", {
        network = with { nat = true, publish = { "8080:80" } } })
      networks.nft "flush ruleset"
      stop(web)
      nothing_left()
    end)
  end)

  it("leave rules that are there alone, and put those right that are not",
    function()
      t.needs "nft"
      networks.apart(function()
        local function rules()
          return (networks.ruleset():gsub("elements = %b{}\n%s*", ""))
        end
        local one <close> = start("echo ready; exec sleep 1000", {
          network = with { nat = true, publish = { "8080:80" } } })
        local before <const> = rules()
        networks.nft "flush chain inet farside forward"
        assert.not_equal(before, rules())
        for i = 3, 4 do
          local other <close> = start("echo ready; exec sleep 1000", {
            network = { bridge = "br0", address = "10.7.0." .. i .. "/24",
                        nat = true } })
          assert.equal(before, rules())
          stop(other)
        end
        stop(one)
        nothing_left()
      end)
    end)

  it("know at which ports programs wait", function()
    t.needs "perl"
    networks.apart(function()
      assert.same({}, ns.listening "tcp")
      local listener <close> = networks.listener()
      assert.same({ [80] = true }, ns.listening "tcp")
      assert.same({}, ns.listening "udp")
      listener:close()
      assert.same({}, ns.listening "tcp")
      assert.has_error(function() ns.listening "sctp" end, "bad argument #1 "
        .. "to 'listening' (unknown protocol 'sctp' (expected tcp, udp))")
    end)
  end)

  it("publish nothing twice, and what ended can be published again",
    function()
      t.needs "nft"
      networks.apart(function()
        local network <const> = with { nat = true, publish = { "80-99:1-20",
                                                               "80:53/udp" } }
        ns.run { "/bin/true", network = network }
        local one <close> = start("echo ready; exec sleep 1000",
                                  { network = network })
        local _, err = networks.told(ns.run, { "/bin/true",
                                               network = network })
        assert.equal("EADDRINUSE", err.code)
        stop(one)
        ns.run { "/bin/true", network = network }
        nothing_left()
      end)
    end)

  it("are not undone in another network than theirs", function()
    networks.apart(function()
      local web <close> = start("echo ready; exec sleep 1000",
                                { network = plain })
      local wire <const> = web.kept[1]:undo()
      t.child(function()
        ns.unshare "net"
        while #ns.link.list() < wire[2] do
          ns.link.add { name = "x" .. #ns.link.list(), kind = "bridge" }
        end
        ns.network.unplug(table.unpack(wire, 2))
        assert.equal(wire[2], #ns.link.list())
      end)
      assert.equal(2, #links())
      ns.network.unplug(table.unpack(wire, 2))
      nothing_left()
    end)
  end)

  it("keep a bridge that is not theirs", function()
    networks.apart(function()
      ns.link.add { name = "br0", kind = "bridge", up = true }
      ns.address.add("br0", "10.9.0.1/24")
      assert.equal("10.9.0.2", networks.output("echo $(hostname -I)",
        { network = { bridge = "br0", nat = false } }))
      assert.same({ "br0" }, links())
      assert.equal("10.9.0.1", ns.address.list { dev = "br0",
        family = "inet" }[1]["local"])
    end)
  end)

  it("have the address, MAC address, size and name that they ask for",
    function()
      networks.apart(function()
        assert.equal("lan 1400 02:00:00:00:00:09 10.7.0.9/24", networks.output(
          "cd /sys/class/net/lan && echo lan $(cat mtu address) "
          .. "$(ip -br -4 addr show lan | grep -o '10[^ ]*')", {
            network = with { address = "10.7.0.9/24", name = "lan",
                             mtu = 1400, mac = "02:00:00:00:00:09" } }))
        nothing_left()
      end)
    end)

  it("go nowhere when they are told no gateway", function()
    networks.apart(function()
      assert.equal("", networks.output("ip route show default",
        { network = { bridge = "br0", address = "10.7.0.2/24",
                      gateway = false } }))
      nothing_left()
    end)
  end)

  it("leave nothing when their start fails at any step", function()
    t.needs "nft"
    networks.apart(function()
      local recipe <const> = { "/bin/true", network = with {
        nat = true, publish = { "8080:80" } } }
      for i, step in ipairs(ns.plan(recipe)) do
        if step.call:find "^network" or step.call == "posix_spawn" then
          local plan <const> = ns.plan(recipe)
          plan[i].fail = "EIO"
          local _, err = networks.told(ns.run, plan)
          assert.same({ "EIO", step.label }, { err.code, err.step })
        end
      end
      nothing_left()
    end)
  end)
end)

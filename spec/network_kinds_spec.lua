-- Networks of containers that are no bridge: a second face of a link, a link
-- that moves in, the network of another, a program that speaks for it; and the
-- files that tell names.

local t <const> = require "spec.helper"
local networks <const> = require "spec.networks"
local ns <const> = require "farside"

local output <const>, start <const> = networks.output, networks.start
local ask <const>, told <const> = networks.ask, networks.told

-- A link of this place with one that is wired to it; "port" is its name.
local function port()
  ns.link.add { name = "port", kind = "veth", up = true,
                peer = { name = "far" } }
  ns.link.set("far", { up = true })
  ns.address.add("far", "192.0.2.1/24")
end

for place, within in pairs { root = networks.as_root,
                             ["a user namespace"] = networks.apart } do
  describe("for " .. place .. ", a container", function()
    it("is a second face of a link", function()
      t.needs "perl"
      within(function()
        port()
        local web <close> = networks.serve("web", {
          macvlan = "port", address = "192.0.2.7/24", gateway = "192.0.2.1",
          mac = "02:00:00:00:00:07",
        })
        local link <const> = ns.netlink(web).link.get "eth0"
        assert.same({ "macvlan", "02:00:00:00:00:07" },
                    { link.kind, link.address })
        assert.equal("web 192.0.2.1", ask("192.0.2.7", 80))
      end)
    end)

    it("has a link of the caller's, which comes back", function()
      within(function()
        port()
        ns.link.set("port", { up = true })
        ns.address.add("port", "198.51.100.1/24")
        ns.address.add("port", { "fd00::1/64", nodad = true })
        ns.route.add { to = "203.0.113.0/24", via = "198.51.100.9" }
        ns.route.add { to = "192.168.9.0/24", dev = "port", table = 77 }
        ns.route.add { to = "fd01::/64", via = "fd00::9", metric = 5 }
        local function there()
          local text <const> = {}
          for _, one in ipairs(ns.address.list { dev = "port" }) do
            if one.scope == "global" then text[#text + 1] = one["local"] end
          end
          for _, family in ipairs { "inet", "inet6" } do
            for _, one in ipairs(ns.route.list { dev = "port", table = "all",
                                                 family = family }) do
              if one.protocol ~= "kernel" then
                text[#text + 1] = ("%s %s %s"):format(one.dst, one.gateway,
                                                      one.table)
              end
            end
          end
          table.sort(text)
          return table.concat(text, "\n")
        end
        local before <const> = there()
        assert.matches("203.0.113.0/24 198.51.100.9 main", before, 1, true)
        assert.equal("192.0.2.9/24\ndefault via 192.0.2.1", output(
          "ip -br addr show inner | grep -o '192[^ ]*'; "
          .. "ip route | grep -o 'default via [^ ]*'", { network = {
            move = "port", name = "inner", address = "192.0.2.9/24",
            gateway = "192.0.2.1", mtu = 1400 } }))
        local back <const> = ns.link.get "port"
        assert.same({ true, 1500 }, { back.up, back.mtu })
        assert.equal(before, there())
      end)
    end)

    it("gets the link back to its caller also when it cannot start", function()
      within(function()
        port()
        local _, err = told(ns.run, { "/no/such/program", network = {
          move = "port", address = "192.0.2.9/24" } })
        assert.equal("ENOENT", err.code)
        assert.is_true(ns.link.get "port".up)
      end)
    end)

    it("has several links", function()
      within(function()
        port()
        assert.equal("lo eth0 wan", output(
          "ip -br link | sed 's/[@ ].*//' | tr '\\n' ' ' | sed 's/ $//'",
          { network = { networks.plain, {
            macvlan = "port", name = "wan", address = "192.0.2.7/24",
            gateway = false } } }))
      end)
    end)

    it("shares the network of another", function()
      within(function()
        local first <close> = start("echo ready; exec sleep 1000",
                                    { network = networks.plain })
        local own <const> = ns.readlinkat(nil, "/proc/self/ns/net")
        local theirs <const> = output("readlink /proc/self/ns/net; ip -br "
          .. "addr show eth0 | grep -o '10[^ ]*'", { network = first })
        assert.matches("\n10.7.0.2/24$", theirs)
        assert.equal(theirs:match "^[^\n]*", ns.inside(first, ns.readlinkat,
          nil, "/proc/self/ns/net"))
        assert.equal(own, ns.readlinkat(nil, "/proc/self/ns/net"))
      end)
    end)

    it("shares the network of a detached container, by its name", function()
      within(function()
        local getenv <const> = os.getenv
        rawset(os, "getenv", function(name)
          return name ~= "XDG_RUNTIME_DIR" and getenv(name) or nil
        end)
        ns.spawn({ "/bin/sleep", "1000", name = "first", detach = true,
                   network = networks.plain }):close()
        local first <close> = ns.container "first"
        local ok, said = pcall(output, "echo $(hostname -I)",
                               { network = "container:first" })
        first:stop "0s"
        assert.same({ true, "10.7.0.2" }, { ok, said })
        assert.matches("network.enter: container 'first' does not run",
          told(ns.run, { "/bin/true", network = "container:first" }), 1, true)
        first:remove()
        assert.same({}, networks.links())
      end)
      t.reap()
    end)

    it("shares a named network", function()
      within(function()
        ns.mkdirat(nil, "/run/netns")
        local blue <close> = ns.new "net"
        blue:persist "/run/netns/blue"
        assert.equal(("net:[%d]"):format(blue.id), output(
          "readlink /proc/self/ns/net", { network = "netns:blue" }))
        assert.equal(("net:[%d]"):format(blue.id), output(
          "readlink /proc/self/ns/net", { network = blue }))
        ns.unpersist "/run/netns/blue"
        local text <const> = told(ns.run, { "/bin/true",
                                            network = "netns:blue" })
        assert.equal("open net namespace of /run/netns/blue: No such file or "
          .. "directory (ENOENT)\n"
          .. "step: the network that it shall be born into", text)
      end)
    end)
  end)
end

describe("the files of a container that tell names", function()
  local function alone(network, more)
    local recipe <const> = { network = network, hostname = "web" }
    for key, value in pairs(more or {}) do recipe[key] = value end
    return output("cat /etc/hosts /etc/resolv.conf", recipe)
  end

  it("say who it is and whom to ask", function()
    networks.apart(function()
      assert.equal("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost "
        .. "ip6-loopback\n10.7.0.2\tweb\nnameserver 192.0.2.53\nsearch "
        .. "example.org", alone(networks.with { dns = "192.0.2.53",
                                                search = "example.org" }))
    end)
  end)

  it("are the host's, but for name servers at its loopback", function()
    for _, name in ipairs { "hosts", "resolv.conf" } do
      if not ns.faccessat(nil, "/etc/" .. name, "read") then
        return pending("needs an /etc/" .. name)
      end
    end
    networks.apart(function()
      local file <const> = "/tmp/resolv.conf"
      local function write(text)
        local out <close> = assert(io.open(file, "w"))
        out:write(text)
      end
      write "nameserver 127.0.0.53\nnameserver 192.0.2.54\n"
      ns.mount(file, "/etc/resolv.conf", nil, "bind")
      assert.matches("\nnameserver 192.0.2.54$", alone(networks.plain))
      write "nameserver 127.0.0.53\n"
      assert.matches("\n# no name server of the host can be reached from here; "
        .. "the key dns of the network names others$", alone(networks.plain))
    end)
  end)

  it("cover those of a root that is kept, and leave them alone", function()
    networks.apart(function()
      local root <const> = "/tmp/root"
      ns.mkdirat(nil, root)
      assert(os.execute(([[cd %s && mkdir -p etc usr run && cp /usr/bin/cat \
        usr && mkdir -p lib lib64 && cp -L $(ldd /usr/bin/cat | \
        grep -o '/[^ ]*') lib && cp -L /lib64/ld-* lib64 && \
        echo mine >etc/hosts && ln -s ../run/none/resolv.conf etc/resolv.conf
        ]]):format(root)))
      local reader <close>, writer = ns.pipe()
      ns.run { "/usr/cat", "/etc/hosts", "/etc/resolv.conf", root = root,
               network = networks.with { dns = "192.0.2.53" },
               env = { LD_LIBRARY_PATH = "/lib" }, stdout = writer }
      writer:close()
      assert.matches("^127.*nameserver 192.0.2.53\n$", ns.read(reader))
      local file <close> = assert(io.open(root .. "/etc/hosts"))
      assert.equal("mine\n", file:read "a")
    end)
  end)
end)

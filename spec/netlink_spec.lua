local t <const> = require "spec.helper"
local ns <const> = require "farside"
local core <const> = require "farside.core"
local link <const> = ns.link

local message <const> = t.refusal

-- Runs in a network namespace of its own.
local function alone(fn) t.userns(fn, { "net" }) end

-- What every new network namespace has, once their modules are there.
local tunnels <const> = { gre = true, gretap = true, erspan = true,
                          ipip = true, sit = true, ip6tnl = true,
                          ip6gre = true, vti = true, vti6 = true }

local function names(nl)
  local found = {}
  for _, one in ipairs(nl.link.list()) do
    if not tunnels[one.kind] then found[#found + 1] = one.ifname end
  end
  table.sort(found)
  return table.concat(found, " ")
end

describe("a netlink handle", function()
  it("speaks to the caller's own network namespace", function()
    alone(function()
      local nl <close> = ns.netlink()
      nl.link.add { name = "moon", kind = "bridge" }
      assert.equal("moon", link.get "moon".ifname)
    end)
  end)

  it("speaks to that of a process, a pid, a handle, a path", function()
    alone(function()
      local child <close> = ns.clone({ "net" }, function() ns.pause() end)
      local net <close> = ns.open(child, "net")
      for _, target in ipairs { child, child.pid, net,
                                ("/proc/%d/ns/net"):format(child.pid) } do
        local nl <close> = ns.netlink(target)
        assert.equal("lo", names(nl))
        nl.link.add { name = "moon", kind = "bridge" }
        nl.link.delete "moon"
      end
      assert.equal("lo", names(ns))
    end)
  end)

  it("speaks to one that belongs to a user namespace of the caller's own",
    function()
      t.needs "userns"
      t.child(function()
        local user <close> = ns.new("user", {
          uid_map = { { 0, ns.getuid(), 1 } },
          gid_map = { { 0, ns.getgid(), 1 } } })
        local net <close> = ns.new("net", { user = user })
        local nl <close> = ns.netlink(net)
        nl.link.set("lo", { up = true })
        nl.link.add { name = "moon", kind = "veth", peer = { name = "sun" } }
        nl.address.add("moon", "10.0.0.1/24")
        assert.equal("lo moon sun", names(nl))
      end)
    end)

  it("does not move the caller, and leaves no child", function()
    alone(function()
      local before <close> = ns.open("self", "net")
      local net <close> = ns.new "net"
      local nl <close> = ns.netlink(net)
      local after <close> = ns.open("self", "net")
      assert.equal(before, after)
      assert.equal("ECHILD", select(2, pcall(core.waitpid)).code)
      nl:close()
    end)
  end)

  it("may be closed twice, and is of no use then", function()
    alone(function()
      local nl <const> = ns.netlink()
      local list <const> = nl.link.list
      assert.matches("^netlink %(%d+%)$", tostring(nl))
      nl:close()
      nl:close()
      assert.equal("netlink (closed)", tostring(nl))
      assert.matches("netlink handle is closed", message(list))
      assert.matches("netlink handle is closed", message(nl.fileno, nl))
    end)
  end)

  it("hears the kernel and nobody else", function()
    t.needs "perl"
    alone(function()
      local nl <close> = ns.netlink()
      assert.equal("lo", nl.link.get(1).ifname) -- it has its port id now
      -- what the next request is to get: a refusal, from a process
      local send <const> = ([[perl -e '
        socket(my $s, 16, 3, 0) or die "socket: $!";
        my $port = pack("SSLL", 16, 0, %d, 0);
        defined send($s, pack("LSSLLlLSSLL", 36, 2, 0, 2, 0, -1, 0, 0, 0, 2, 0),
                     0, $port) or die "send: $!"']]):format(ns.getpid())
      assert.is_true((os.execute(send)))
      nl.link.set(1, { up = true })
    end)
  end)

  it("is not for a child", function()
    alone(function()
      local nl <close> = ns.netlink()
      t.child(function()
        assert.matches("netlink handle of another process (open one in this "
          .. "one)", message(nl.link.list), 1, true)
      end)
      assert.equal("lo", names(nl))
    end)
  end)

  it("is refused where there is no right, or nothing", function()
    local outer <close> = ns.open("self", "net")
    alone(function()
      assert.matches("^netlink net:%[%d+%]: Operation not permitted %(EPERM%)",
        message(ns.netlink, outer))
    end)
    assert.matches("open net namespace of /run/netns/no-such-name: No such "
      .. "file or directory (ENOENT)", message(ns.netlink, "no-such-name"), 1,
      true)
  end)

  it("has a namespace", function()
    alone(function()
      local net <close> = ns.new "net"
      local nl <close> = ns.netlink(net)
      local fd <close> = nl:namespace()
      local same <close> = ns.open(fd)
      assert.equal(net, same)
    end)
  end)

  it("names a place for links", function()
    alone(function()
      local here <close> = ns.new "net"
      local there <close> = ns.new "net"
      local one <close> = ns.netlink(here)
      local other <close> = ns.netlink(there)
      link.add { name = "moon", kind = "veth", netns = here,
                 peer = { name = "sun", netns = other } }
      assert.equal("lo", names(ns))
      assert.equal("lo moon", names(one))
      assert.equal("lo sun", names(other))
      one.link.set("moon", { netns = there, name = "star" })
      assert.equal("lo star sun", names(other))
    end)
  end)
end)

describe("network namespaces", function()
  it("are made many at once, each with a handle", function()
    alone(function()
      local made <const> = core.netlink_namespaces(3)
      assert.equal(3, #made)
      made[1].link.add { name = "moon", kind = "veth",
                         peer = { name = "sun", netns = made[3] } }
      assert.same({ "lo moon", "lo", "lo sun" },
        { names(made[1]), names(made[2]), names(made[3]) })
      for _, nl in ipairs(made) do nl:close() end
    end)
  end)

  it("are made in a user namespace of the caller's own", function()
    t.needs "userns"
    t.child(function()
      local user <close> = ns.new("user", {
        uid_map = { { 0, ns.getuid(), 1 } },
        gid_map = { { 0, ns.getgid(), 1 } } })
      local one <close> = core.netlink_namespaces(1, user)[1]
      one.link.set("lo", { up = true })
      assert.is_true(one.link.get "lo".up)
    end)
  end)

  it("are made all or none", function()
    alone(function()
      ns.setrlimit("nofile", 20)
      assert.matches("netlink_namespaces: Too many open files (EMFILE)",
        message(core.netlink_namespaces, 100), 1, true)
      local nl <close> = ns.netlink()
      assert.is_true(nl:fileno() < 20)
    end)
  end)
end)

describe("the number of a network namespace", function()
  it("is given once, and is that of ip", function()
    alone(function()
      local net <close> = ns.new "net"
      local nl <close> = ns.netlink(net)
      assert.is_nil(ns.nsid.get(net))
      ns.nsid.set(net, 7)
      assert.equal(7, ns.nsid.get(nl))
      assert.equal("nsid.set: File exists (EEXIST): The specified nsid "
        .. "is already used", message(ns.nsid.set, "/proc/self/ns/net", 7))
      local own <close> = ns.open("self", "net")
      nl.nsid.set(own)
      assert.equal(0, nl.nsid.get(own))
      link.add { name = "moon", kind = "veth", peer = { name = "sun",
                 netns = net } }
      assert.equal(7, link.get "moon".link_netnsid)
    end)
  end)
end)

describe("a batch", function()
  it("is sent when it is whole", function()
    alone(function()
      local nl <close> = ns.netlink()
      nl:batch(function(b)
        b.link.add { name = "moon", kind = "veth", peer = { name = "sun" } }
        assert.equal("lo", names(nl))
        b.link.set("moon", { up = true })
        b.address.add("moon", "10.0.0.1/24")
        b.route.add { to = "10.5.0.0/16", via = "10.0.0.2", dev = "moon" }
      end)
      assert.equal("10.0.0.1", nl.address.list { dev = "moon" }[1]["local"])
      assert.equal(2, #nl.route.list { dev = "moon", family = "inet" })
    end)
  end)

  it("with a bad argument is not sent at all", function()
    alone(function()
      local nl <close> = ns.netlink()
      assert.matches("unknown field 'mut'", message(nl.batch, nl, function(b)
        b.link.add { name = "moon", kind = "bridge" }
        b.link.add { name = "sun", kind = "bridge", mut = 1400 }
      end), 1, true)
      assert.equal("lo", names(nl))
    end)
  end)

  it("reports every failure with its request, and what is done", function()
    alone(function()
      local nl <close> = ns.netlink()
      local text <const>, err = message(nl.batch, nl, function(b)
        b.link.add { name = "moon", kind = "bridge" }
        b.link.add { name = "lo", kind = "bridge" }
        b.address.add("star", "10.0.0.1/24")
        b.address.add("moon", "10.0.0.1/24")
        b.route.add { to = "10.0.0.1/8", dev = "moon" }
      end)
      assert.equal("link.add lo: File exists (EEXIST)\n"
        .. "batch: 3 of 5 requests failed; the other 2 are done", text)
      assert.equal(2, err.done)
      local told = {}
      for i, failure in ipairs(err.failures) do
        told[i] = ("%d %s %s %s"):format(failure.request, failure.call,
          failure.path, failure.code)
      end
      assert.same({ "2 link.add lo EEXIST", "3 address.add star ENODEV",
                    "5 route.add 10.0.0.1/8 EINVAL" }, told)
      assert.equal("Invalid prefix for given prefix length",
        err.failures[3].log)
      local line <const> = debug.getinfo(1, "l").currentline
      local first = tonumber(err.where:match "netlink_spec.lua:(%d+)$")
      assert.is_true(first < line and first > line - 25)
      assert.is_true(err.failures[3].where:match "%d+$" - first == 3)
      assert.equal("lo moon", names(nl))
    end)
  end)

  it("that fails takes back what it has made, when asked to", function()
    alone(function()
      local there <close> = ns.new "net"
      local over <close> = ns.netlink(there)
      local nl <close> = ns.netlink()
      nl.link.add { name = "star", kind = "bridge", up = true }
      local text <const>, err = message(nl.batch, nl, function(b)
        b.link.add { name = "moon", kind = "bridge" }
        b.link.add { name = "sun", kind = "veth", peer = { name = "sol" } }
        b.link.add { name = "far", kind = "veth", netns = there,
                     peer = { name = "side", netns = there } }
        b.address.add("star", "10.0.0.1/24")
        b.route.add { to = "10.5.0.0/16", via = "10.0.0.2" }
        b.route.add { to = "10.5.0.0/16", via = "10.0.0.2" }
      end, { undo = true })
      assert.equal("route.add 10.5.0.0/16: File exists (EEXIST)\n"
        .. "batch: 1 of 6 requests failed; the other 5 are undone", text)
      assert.equal(0, err.done)
      assert.equal("lo star", names(nl))
      assert.equal("lo", names(over))
      assert.equal(0, #nl.address.list { dev = "star", family = "inet" })
    end)
  end)

  it("says what it could not take back", function()
    alone(function()
      local nl <close> = ns.netlink()
      local text <const> = message(nl.batch, nl, function(b)
        b.link.set("lo", { up = true })
        b.link.add { name = "moon", kind = "bridge" }
        b.link.delete "star"
      end, { undo = true })
      assert.equal("link.delete star: No such device (ENODEV)\n"
        .. "batch: 1 of 3 requests failed; of the other 2 1 is undone", text)
      assert.is_true(nl.link.get "lo".up)
    end)
  end)

  it("of thousands is all done, and all failures arrive", function()
    alone(function()
      local nl <close> = ns.netlink()
      nl.link.add { name = "moon", kind = "veth", up = true,
                    peer = { name = "sun" } }
      nl.address.add("moon", "10.0.0.1/24")
      local function routes(b)
        for i = 0, 2999 do
          b.route.add { to = ("11.%d.%d.0/24"):format(i // 250, i % 250),
                        via = "10.0.0.2" }
        end
      end
      nl:batch(routes)
      assert.equal(3001, #nl.route.list { family = "inet" })
      local _ <const>, err = message(nl.batch, nl, routes)
      assert.equal(3000, #err.failures)
      assert.equal(3000, err.failures[3000].request)
      assert.matches("batch: 3000 of 3000 requests failed$", tostring(err))
    end)
  end)

  it("changes things and asks nothing", function()
    alone(function()
      local nl <close> = ns.netlink()
      assert.matches("link.list: a batch changes, it does not ask",
        message(nl.batch, nl, function(b) b.link.list() end), 1, true)
    end)
  end)

  it("has ended when its function has", function()
    alone(function()
      local nl <close> = ns.netlink()
      local kept
      nl:batch(function(b) kept = b.link.delete end)
      assert.matches("link.delete: the batch has ended",
        message(kept, "moon"), 1, true)
      assert.matches("batch: function expected, got nil",
        message(nl.batch, nl), 1, true)
      assert.matches("batch: unknown key 'undone' (did you mean 'undo'?)",
        message(nl.batch, nl, function() end, { undone = true }), 1, true)
    end)
  end)
end)

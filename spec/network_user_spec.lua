-- User-mode networking: a program speaks for the container, and ends with it.

local t <const> = require "spec.helper"
local networks <const> = require "spec.networks"
local ns <const> = require "farside"

local ask <const>, told <const> = networks.ask, networks.told
local ask_from <const> = networks.ask_from

-- Runs beside a world that answers, where a tun device may be opened.
local function beside_internet(within, fn)
  if not ns.faccessat(nil, "/dev/net/tun", "read,write") then
    return pending "needs a /dev/net/tun that one may open"
  end
  within(function()
    local world <close> = networks.internet_beside()
    local _ = world
    ns.route.add { to = "default", via = "203.0.113.2" }
    fn()
  end)
end

-- Hides programs, as if they were not installed.
local function hide(...)
  for _, name in ipairs { ... } do
    for _, directory in ipairs { "/usr/bin/", "/usr/sbin/" } do
      if ns.faccessat(nil, directory .. name, "read") then
        ns.mount("/dev/null", directory .. name, nil, "bind")
      end
    end
  end
end

for place, within in pairs { root = networks.as_root,
                             ["a user namespace"] = networks.apart } do
  describe("for " .. place .. ", a container in user mode", function()
    it("reaches the world, and is reached at ports it publishes", function()
      t.needs("perl", "pasta")
      beside_internet(within, function()
        local web <close> = networks.serve("web", {
          user = true, publish = { "8080:80", "127.0.0.1:8081:80" },
        })
        assert.equal("internet 203.0.113.1",
                     ask_from(web, "203.0.113.2", 80))
        assert.matches("^web ", ask("127.0.0.1", 8080))
        assert.matches("^web ", ask("127.0.0.1", 8081))
        assert.equal("no", ask("203.0.113.1", 8081))
      end)
    end)

    it("leaves no program when its starter is killed", function()
      t.needs "pasta"
      beside_internet(within, function()
        local reader <close>, writer = ns.pipe()
        local starter <const> = ns.clone({}, function()
          ns.spawn { "/bin/sleep", "1000", network = "user" }
          ns.write(writer, "started")
          ns.pause()
        end)
        writer:close()
        ns.read(reader)
        starter:close()
      end)
      t.reap()
    end)

    it("does with slirp4netns, but for published ports", function()
      t.needs("perl", "slirp4netns")
      beside_internet(within, function()
        hide "pasta"
        local client <close> = networks.start("echo ready; exec sleep 1000",
                                              { network = "user" })
        assert.equal("internet 203.0.113.1",
                     ask_from(client, "203.0.113.2", 80))
        assert.matches("network.user: to publish ports pasta is needed, and "
          .. "only slirp4netns is installed: Debian has pasta in the package "
          .. "passt", told(ns.run, { "/bin/true", network = {
            user = true, publish = { "8080:80" } } }), 1, true)
      end)
    end)
  end)
end

describe("user mode", function()
  it("serves who has no privilege at all", function()
    t.needs("root", "perl", "pasta")
    beside_internet(networks.as_root, function()
      ns.mknodat(nil, "/run/tun", "char", "0600", 10, 200)
      ns.fchmodat(nil, "/run/tun", "0666")
      ns.mount("/run/tun", "/dev/net/tun", nil, "bind")
      t.child(function()
        ns.setgroups {}
        ns.setresgid(12345, 12345, 12345)
        ns.setresuid(12345, 12345, 12345)
        ns.prctl("dumpable", true) -- as who has logged in is
        local web <close> = networks.serve("web", { user = true,
                                                    publish = { "8080:80" } })
        assert.matches("^web ", ask("127.0.0.1", 8080))
        assert.equal("internet 203.0.113.1",
                     ask_from(web, "203.0.113.2", 80))
      end)
    end)
  end)

  it("names the packages that are missing", function()
    networks.apart(function()
      hide("pasta", "slirp4netns")
      local text <const> = told(ns.run, { "/bin/true", network = "user" })
      assert.equal("pasta: No such file or directory (ENOENT)\n"
        .. "step: a program that speaks for it out here\n"
        .. "hint: neither pasta nor slirp4netns is installed: Debian has them "
        .. "in the packages passt and slirp4netns", text)
    end)
  end)

  it("says when there is no tun device to be opened", function()
    t.needs "pasta"
    networks.apart(function()
      ns.mount("tmpfs", "/dev", "tmpfs")
      ns.mkdirat(nil, "/dev/net")
      local text <const> = told(ns.network.user, { pid = 1 }, { name = "x" })
      assert.equal("pasta /dev/net/tun: No such file or directory (ENOENT)\n"
        .. "hint: the kernel has no tun device, or /dev does not show it: "
        .. "modprobe tun", text)
    end)
  end)

  it("tells what the program says", function()
    t.needs "pasta"
    beside_internet(networks.apart, function()
      ns.route.delete { to = "default" }
      local text <const> = told(ns.run, { "/bin/true", network = "user" })
      assert.matches("^pasta: .*No external routable interface", text)
    end)
  end)
end)

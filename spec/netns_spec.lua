local t <const> = require "spec.helper"
local ns <const> = require "farside"
local core <const> = require "farside.core"
local ip <const> = require "spec.iproute"
local netns <const> = ns.netns

local message <const> = t.message

-- Runs with a /run and an /etc/netns of its own, in a network namespace of its
-- own.
local function apart(fn)
  t.userns(function()
    ns.mount(nil, "/", nil, "rprivate")
    ns.mount("tmpfs", "/run", "tmpfs")
    ns.mount("tmpfs", "/etc", "tmpfs")
    fn()
  end, { "net" })
end

local function names()
  local found = {}
  for i, one in ipairs(netns.list()) do found[i] = one.name end
  return table.concat(found, " ")
end

-- The standard output of a command, which must succeed.
local function output(command)
  local pipe <close> = assert(io.popen(
    "PATH=$PATH:/usr/sbin:/sbin timeout 20 " .. command))
  local text <const> = pipe:read "a"
  assert(pipe:close(), command)
  return text
end

local function farside(arguments)
  return output(t.build .. "/farside netns " .. arguments .. " 2>&1")
end

describe("a named network namespace", function()
  it("that is made here is one of ip netns", function()
    apart(function()
      t.needs "ip"
      netns.add "moon"
      netns.add "sun"
      assert.equal("moon sun", names())
      assert.equal("moon\nsun\n", output "ip netns | sort")
      assert.matches("1: lo:", output "ip netns exec moon ip link", 1, true)
      netns.delete "sun"
      assert.equal("moon\n", output "ip netns")
      local info <const> = core.fstatat(nil, "/run/netns")
      assert.equal("0755", info.mode)
    end)
  end)

  it("that ip netns makes is one here", function()
    apart(function()
      t.needs "ip"
      ip.run "ip netns add moon"
      assert.equal("moon", names())
      local nl <close> = ns.netlink "moon"
      nl.link.set("lo", { up = true })
      netns.delete "moon"
      assert.equal("", output "ip netns")
    end)
  end)

  it("is known by its number, as ip has it", function()
    apart(function()
      t.needs "ip"
      netns.add "moon"
      assert.is_nil(netns.list()[1].id)
      ns.nsid.set(netns.path "moon", 7)
      assert.equal(7, netns.list()[1].id)
      assert.same({ { name = "moon", id = 7 } }, ip.json "ip netns")
      ip.run "ip netns add sun\nip netns set sun 9"
      assert.equal(9, netns.list()[2].id)
    end)
  end)

  it("is the place of links, by its name", function()
    apart(function()
      netns.add "moon"
      ns.link.add { name = "left", kind = "veth",
                    peer = { name = "right", netns = "moon" } }
      local nl <close> = ns.netlink "moon"
      assert.equal("right", nl.link.get "right".ifname)
    end)
  end)

  it("may be given to a namespace that there is", function()
    apart(function()
      local child <close> = ns.clone({ "net" }, function() ns.pause() end)
      netns.add("moon", child)
      local handle <close> = netns.open "moon"
      local its <close> = ns.open(child, "net")
      assert.equal(its, handle)
      assert.same({ "moon" }, netns.identify(child.pid))
      assert.same({}, netns.identify())
      assert.equal(1, #netns.pids "moon")
    end)
  end)

  it("goes from the mount namespaces of others, too", function()
    apart(function()
      netns.add "moon"
      local out <close>, theirs = ns.pipe()
      local child <close> = ns.clone({ "mnt" }, function()
        core.write(theirs, ".")
        repeat
          local ok, fs = pcall(core.statfs, "/run/netns/moon")
        until not ok or fs.type ~= "nsfs"
      end)
      theirs:close()
      assert.equal(".", core.read(out, 1))
      netns.delete "moon"
      assert.same({ true, "exit", 0 }, { child:wait(20) })
    end)
  end)

  it("is entered with a /sys and files of its own", function()
    apart(function()
      netns.add "moon"
      for _, path in ipairs { "/etc/netns", "/etc/netns/moon" } do
        core.mkdirat(nil, path, "0755")
      end
      local function write(path, text)
        local file <close> = assert(io.open(path, "w"))
        file:write(text)
      end
      write("/etc/motd", "outside\n")
      write("/etc/netns/moon/motd", "inside\n")
      ns.link.add { name = "sun", kind = "bridge" }
      t.child(function()
        netns.enter "moon"
        assert.equal("inside\n", io.open "/etc/motd":read "a")
        assert.is_nil(io.open "/sys/class/net/sun/mtu")
        assert.is_not_nil(io.open "/sys/class/net/lo/mtu")
      end)
      assert.equal("outside\n", io.open "/etc/motd":read "a")
    end)
  end)

  it("that is left over is told, and removed", function()
    apart(function()
      netns.add "moon"
      ns.umount("/run/netns/moon", "detach")
      assert.same({ { name = "moon", stale = true } }, netns.list())
      netns.delete "moon"
      assert.same({}, netns.list())
    end)
  end)

  it("that is refused leaves nothing", function()
    apart(function()
      assert.equal("", names())
      netns.add "moon"
      assert.equal("persist /run/netns/moon: File exists (EEXIST)",
        message(netns.add, "moon"))
      assert.equal("netns.delete sun: No such file or directory (ENOENT)",
        message(netns.delete, "sun"))
      assert.matches("open net namespace of /run/netns/sun: No such file",
        message(netns.open, "sun"), 1, true)
      assert.equal("moon", names())
      for _, name in ipairs { "", ".", "..", "a/b", ("x"):rep(256) } do
        assert.equal(("netns.add: bad name '%s' (expected 1 to 255 bytes, no "
          .. "'/')"):format(name), message(netns.add, name))
      end
      assert.equal("netns.add: name expected, got number",
        message(netns.add, 7))
    end)
  end)
end)

describe("farside netns", function()
  it("does what ip netns does", function()
    apart(function()
      assert.equal("", farside "-n")
      farside "add moon sun"
      assert.matches("^NAME ID *\nmoon *\nsun *\n$", farside "list")
      farside "set moon 7"
      assert.equal("7\n", farside "id moon")
      assert.matches("^moon +7\nsun *\n$", farside "-n")
      assert.same({ { name = "moon", id = 7 }, { name = "sun" } },
        require("cjson").decode(farside "--json list"))
      assert.matches("1: lo:", farside "exec moon ip -d link", 1, true)
      assert.equal("moon\n", farside("exec moon " .. t.build
        .. "/farside netns identify"))
      local child <close> = ns.clone({ "net" }, function() ns.pause() end)
      farside("attach star " .. child.pid)
      assert.equal(child.pid .. "\n", farside "pids star")
      assert.equal("star\n", farside("identify " .. child.pid))
      farside "delete moon sun star"
      assert.equal("", farside "-n")
    end)
  end)

  local function refused(text, arguments)
    local pipe <close> = io.popen(t.build .. "/farside netns " .. arguments
      .. " 2>&1")
    local said <const> = pipe:read "a"
    assert.matches(text, said, 1, true)
    local _, how <const>, code = pipe:close()
    assert.same({ "exit", 125 }, { how, code })
  end

  it("says what it wants", function()
    apart(function()
      refused("farside netns: unknown verb 'ad' (did you mean 'add'?)", "ad x")
      refused("farside netns: add: NAME expected", "add")
      refused("farside netns: id: unexpected 'b'", "id a b")
      refused("farside netns: NUMBER or auto expected, got 'x'", "set a x")
      refused("farside netns: PID expected, got 'x'", "attach a x")
      farside "add moon"
      refused("farside netns: moon has no id here (`farside netns set moon "
        .. "auto` gives it one)", "id moon")
      refused("farside: netns.delete sun: No such file or directory (ENOENT)",
        "delete sun")
    end)
  end)

  it("ends as the command does", function()
    apart(function()
      farside "add moon"
      local function code(arguments)
        local _, _, status = os.execute(t.build .. "/farside netns exec moon "
          .. arguments .. " 2>/dev/null")
        return status
      end
      assert.equal(7, code "-- sh -c 'exit 7'")
      assert.equal(127, code "no-such-program")
    end)
  end)
end)

-- Recipes and plans: what is asked for, and the list of calls made of it.
-- Nothing here needs a privilege: making a plan is a pure function.

require "spec.helper"
local ns = require "farside"
local plans = require "farside.plan"
local recipes = require "farside.recipe"

local function complaint(recipe)
  local ok, message = pcall(ns.plan, recipe)
  assert.is_false(ok)
  return (message:gsub("^[^:]+:%d+: ", ""))
end

local root <const> = { root = true, uid = 0, gid = 0, mappable = true,
                       below = {}, top = {}, archives = {} }
local user <const> = { root = false, uid = 1000, gid = 100, below = {},
  archives = {},
  top = { { name = "usr", type = "directory" },
          { name = "bin", type = "symlink", target = "usr/bin" },
          { name = "home", type = "directory", busy = true } } }

local function plan(recipe, facts)
  return plans.make(recipes.check("plan", recipe), facts)
end

-- The steps' calls as text, one a line.
local function text(recipe, facts)
  return tostring(plan(recipe, facts))
end

local function has(recipe, facts, line)
  local whole = text(recipe, facts)
  assert.is_truthy(whole:find(line, 1, true), line .. "\nin\n" .. whole)
end

local function lacks(recipe, facts, line)
  assert.is_nil(text(recipe, facts):find(line, 1, true))
end

describe("a recipe", function()
  it("takes empty arguments, and numbers", function()
    has({ "printf", "%s", "", 7 }, user, '"printf", "%s", "", "7"')
  end)

  local wrong <const> = {
    { {}, "plan: [1]: command expected, got none" },
    { { "" }, "plan: [1]: command expected, got an empty one" },
    { { "sh", true }, "plan: [2]: string expected, got boolean" },
    { { "sh", "a\0b" }, "plan: [2]: string without zero bytes expected" },
    { { "sh", [3] = "x" }, "plan: unknown key '3'" },
    { { "sh", hostnam = "x" },
      "plan: unknown key 'hostnam' (did you mean 'hostname'?)" },
    { { "sh", mounts = { { tmpfs = "/" } } },
      "plan: mounts[1].tmpfs: path below / expected, got '/'" },
    { { "sh", mounts = { { tmpfs = "/x", size = "1M,uid=1" } } },
      "plan: mounts[1].size: size such as \"16M\" or \"10%\" expected, "
      .. "got '1M,uid=1'" },
    { { "sh", mounts = { { tmpfs = "/x", mode = "rw" } } },
      "plan: mounts[1].mode: octal digits such as \"1777\" expected, "
      .. "got 'rw'" },
    { { "sh", hostname = "" },
      "plan: hostname: string expected, got an empty one" },
    { { "sh", hostname = "a\0b" },
      "plan: hostname: string without zero bytes expected" },
    { { "sh", cwd = "tmp" }, "plan: cwd: absolute path expected, got 'tmp'" },
    { { "sh", root = {} }, "plan: root.layers: list of directories expected" },
    { { "sh", root = { layers = {} } },
      "plan: root.layers: at least one directory expected" },
    { { "sh", root = { layers = { 1 } } },
      "plan: root.layers[1]: string expected, got number" },
    { { "sh", root = { layrs = {} } }, "plan: root: unknown key 'layrs' "
      .. "(did you mean 'layers'?)" },
    { { "sh", share = "nett" }, "plan: share[1]: mnt, mount, uts, ipc, net, "
      .. "network, pid, user, cgroup, time expected, got 'nett'" },
    { { "sh", share = "mnt" }, "plan: share: a container needs its own mnt "
      .. "namespace; use ns.clone to share it" },
    { { "sh", share = "net", network = "none" },
      "plan: network: it contradicts share = \"net\"" },
    { { "sh", network = { bridge = "br0", publish = { "80" } } },
      "plan: network.publish[1]: [ADDRESS:]PORT:PORT[/udp] such as "
      .. "\"8080:80\" expected, got '80'" },
    { { "sh", network = { bridge = "br0", publish = { "80-81:80" } } },
      "plan: network.publish[1]: '80-81:80' has ranges of different lengths" },
    { { "sh", network = { bridge = "br0", publish = { "[::1]:80:80" } } },
      "plan: network.publish[1]: the kernel leads nothing from ::1 to another "
      .. "host; 127.0.0.1 it does" },
    { { "sh", network = { bridge = "br0", gateway = false,
                          publish = { "80:80" } } },
      "plan: network.publish: published ports need a gateway: answers must "
      .. "find their way back" },
    { { "sh", network = { bridge = "br0", address = "10.0.0.2" } },
      "plan: network.address: address with its prefix length such as "
      .. "\"10.7.0.2/24\" expected, got '10.0.0.2'" },
    { { "sh", network = { bridge = "br0", address = "10.0.0.0/24" } },
      "plan: network.address: '10.0.0.0/24' is the subnet itself, not an "
      .. "address in it" },
    { { "sh", network = { bridge = "br0", address = "10.0.0.2/24",
                          gateway = "10.0.1.1" } },
      "plan: network.gateway[1]: 10.0.1.1 is not in the subnet of the "
      .. "address" },
    { { "sh", network = { bridge = "br0", dns = "one.one" } },
      "plan: network.dns: address such as \"10.7.0.1\" expected, got "
      .. "'one.one'" },
    { { "sh", network = { bridge = "br/0" } }, "plan: network.bridge: link "
      .. "name expected (1 to 15 bytes, no '/', ':' or space), got 'br/0'" },
    { { "sh", network = { bridge = "br0", mac = "1" } },
      "plan: network.mac: MAC address of one link such as "
      .. "\"02:00:00:00:00:01\" expected, got '1'" },
    { { "sh", network = { bridge = "br0", mtu = 7 } },
      "plan: network.mtu: from 68 to 65535 expected, got 7" },
    { { "sh", network = { bridge = "br0", user = true } }, "plan: network: one "
      .. "of bridge, macvlan, move, user expected, got bridge and user" },
    { { "sh", network = { mtu = 1500 } },
      "plan: network: one of bridge, macvlan, move, user expected" },
    { { "sh", network = { macvlan = "eth0", nat = true } },
      "plan: network: unknown key 'nat' for macvlan" },
    { { "sh", network = { { bridge = "a" }, { bridge = "b", name = "lo" } } },
      "plan: network[2].name: 'lo' is there already" },
    { { "sh", network = { { user = true }, { user = true } } },
      "plan: network: \"user\" can be there only once" },
    { { "sh", network = "bridge" }, "plan: network: none, host, user, "
      .. "netns:NAME, container:NAME, a table or a container expected, got "
      .. "'bridge'" },
    { { "sh", network = true },
      "plan: network: string or table expected, got boolean" },
    { { "sh", share = "user", uid_map = "0:0:1" },
      "plan: uid_map: ids cannot be mapped with share = \"user\"" },
    { { "sh", share = "uts", hostname = "x" },
      "plan: hostname: would rename the host with share = \"uts\"" },
    { { "sh", mounts = { { bind = "/x", at = 3 } } },
      "plan: mounts[1].at: string expected, got number" },
    { { "sh", mounts = { { bind = "/x" } } },
      "plan: mounts[1].at: path inside the container expected" },
    { { "sh", mounts = { {} } },
      "plan: mounts[1]: one of bind, device, devpts, directory, file, mqueue, "
      .. "overlay, proc, symlink, sysfs, tmpfs expected" },
    { { "sh", mounts = { { bind = "/x", tmpfs = "/y" } } },
      "plan: mounts[1]: either bind or tmpfs expected, not both" },
    { { "sh", mounts = { { symlink = "/x" } } },
      "plan: mounts[1].to: what the link says expected" },
    { { "sh", mounts = { { file = "/x" } } },
      "plan: mounts[1].text: what is in the file expected" },
    { { "sh", mounts = { { overlay = "/x" } } },
      "plan: mounts[1].layers: list of directories expected" },
    { { "sh", mounts = { { overlay = "/x", layers = {} } } },
      "plan: mounts[1].layers: at least one directory expected" },
    { { "sh", mounts = { { tmpfs = "/x", at = "/y" } } },
      "plan: mounts[1]: unknown key 'at' (expected mode, size, tmpfs)" },
    { { "sh", mounts = { { directory = "/x", "ro" } } },
      "plan: mounts[1]: unknown key '1' (expected directory, mode)" },
    { { "sh", mounts = { { tmpfs = "/x", "wo" } } },
      "plan: mounts[1][1]: ro, rw, nosuid, nodev, noexec expected, got 'wo'" },
    { { "sh", env = { A = 1 } }, "plan: env.A: string expected, got number" },
    { { "sh", env = { ["A=B"] = "1" } },
      "plan: env: name of a variable expected, got 'A=B'" },
    { { "sh", init = "yes" }, "plan: init: boolean expected, got string" },
    { { "sh", setup = {} }, "plan: setup: function expected, got table" },
    { { "sh", stdin = "x" }, "plan: stdin: descriptor expected, got string" },
    { { "sh", keep = { -1 } }, "plan: keep[1]: descriptor expected, got -1" },
    { { "sh", capabilities = "some" },
      "plan: capabilities: \"all\", \"none\" or a list expected, got 'some'" },
    { { "sh", tty = true, stdin = 0 }, "plan: tty: a terminal is standard "
      .. "input, output and error already" },
    { { "sh", tty = true, dev = false },
      "plan: tty: a terminal needs the /dev and the session of its own" },
    { { "sh", boottime = "soon" }, "plan: boottime: seconds or a time such as "
      .. "\"5m\" expected, got 'soon'" },
    { { "sh", share = "time", boottime = 1 },
      "plan: boottime: clocks cannot be set with share = \"time\"" },
    { { "sh", rlimits = { nofiles = 1 } }, "plan: rlimits.nofiles: unknown "
      .. "resource 'nofiles' (did you mean 'nofile'?)" },
    { { "sh", rlimits = { core = "big" } }, "plan: rlimits.core: number, size "
      .. "such as \"64M\" or \"unlimited\" expected, got 'big'" },
    { { "sh", capabilities = { "net_rwa" } }, "plan: capabilities[1]: unknown "
      .. "capability 'net_rwa' (did you mean 'net_raw'?)" },
  }
  for _, case in ipairs(wrong) do
    it("is refused: " .. case[2], function()
      assert.equal(case[2], complaint(case[1]))
    end)
  end

  it("is refused at the line of the script that has it", function()
    local _, message = pcall(function() ns.plan { "sh", nope = 1 } end)
    assert.is_truthy(message:find("recipe_spec.lua:%d+: plan: unknown key"))
  end)

  it("is not changed by being checked", function()
    local recipe = { "sh", share = "net" }
    plan(recipe, root)
    assert.same({ "sh", share = "net" }, recipe)
  end)
end)

describe("a plan", function()
  it("is the same each time", function()
    local recipe = { "sh", hostname = "moon", env = { A = "1", B = "2" } }
    assert.same(plan(recipe, root), plan(recipe, root))
    assert.equal(text(recipe, root), text(recipe, root))
  end)

  it("has a label and a known place for every step", function()
    for _, step in ipairs(plan({ "sh" }, root)) do
      assert.is_string(step.label)
      assert.is_truthy(({ parent = 1, child = 1 })[step.where])
    end
  end)

  it("ends with the program", function()
    local steps = plan({ "/bin/echo", "hi" }, root)
    assert.equal("posix_spawn", steps[#steps].call)
    assert.equal("hi", steps[#steps].args[1][2])
  end)

  it("makes root's container root an unprivileged range", function()
    has({ "sh" }, root, "ns.write_uid_map(child, { { 0, 100000, 65536 } })")
    has({ "sh" }, root, "ns.write_gid_map(child, { { 0, 100000, 65536 } })")
  end)

  it("makes an ordinary user's container root that user", function()
    has({ "sh" }, user, "ns.write_uid_map(child, { { 0, 1000, 1 } })")
    has({ "sh" }, user, "ns.write_gid_map(child, { { 0, 100, 1 } })")
    has({ "sh" }, user, 'ns.set_setgroups(child, "deny")')
  end)

  it("lays an overlay over what an ordinary user may", function()
    has({ "sh" }, user,
      '"nodev,lowerdir=/usr,upperdir=upper/usr,workdir=work/usr')
    has({ "sh" }, user, 'root:symlink("usr/bin", "/bin")')
    has({ "sh" }, user, 'root:bind("/home", "/home", "nodev,ro")')
  end)

  it("shows root's files through an idmapped mount", function()
    has({ "sh" }, root, "ns.map_tree(files, userns, {")
    lacks({ "sh", share = "user" }, root, "map_tree")
    lacks({ "sh" }, user, "map_tree")
    lacks({ "sh", idmap = false }, root, "map_tree")
  end)

  it("does so on a file system that cannot only when it must", function()
    local overlay = { root = true, uid = 0, gid = 0, below = {}, top = {},
                      archives = {} }
    lacks({ "sh" }, overlay, "map_tree")
    has({ "sh", idmap = true }, overlay, "map_tree")
  end)

  it("puts later layers above earlier ones", function()
    has({ "sh", root = { layers = { "a", "b" } } }, root,
        "lowerdir=layer_2:layer_1,")
  end)

  it("wires it to a bridge, and leads ports to it", function()
    local recipe <const> = { "sh", hostname = "web", network = {
      bridge = "br0", address = "10.7.0.2/24", gateway = "10.7.0.1",
      publish = { "8080:80" } } }
    has(recipe, root, 'eth0 = ns.network.plug(child, { address = '
      .. '{ "10.7.0.2/24" }, bridge = "br0", gateway = { "10.7.0.1" }, '
      .. 'name = "eth0" })')
    has(recipe, root, "ns.network.configure(child, eth0)")
    has(recipe, root, 'gate_eth0 = ns.network.publish(eth0, { publish = '
      .. '{ "8080:80" } })')
    has(recipe, root, 'ns.network.ready("eth0")')
    has(recipe, root, 'ns.network.hosts(root, "write", "web")')
    has(recipe, root, 'ns.network.resolver(root, "write", {})')
    recipe.root = "/srv"
    has(recipe, root, 'ns.network.hosts(root, "cover", "web")')
  end)

  it("gives a container that goes nowhere no name servers", function()
    local recipe <const> = { "sh", network = { bridge = "br0",
                                               gateway = false } }
    has(recipe, root, "ns.network.publish(eth0, { nat = false })")
    lacks(recipe, root, "ns.network.resolver")
  end)

  it("has a child born in the network that it shares", function()
    local whole <const> = text({ "sh", network = "netns:blue" }, root)
    assert.matches('visit = ns.network.enter%("/run/netns/blue"%)\n[^\n]*\n'
      .. '[^\n]*ns.clone%({ "user", "mnt", "pid", "uts", "ipc", "cgroup" }%)\n'
      .. '[^\n]*\n[^\n]*visit:close%(%)', whole)
    lacks({ "sh", network = "netns:blue" }, root, 'ns.link.set("lo"')
  end)

  it("speaks for an ordinary user's, moves links, and gives them faces",
    function()
      has({ "sh", network = "user" }, user,
          'speaker = ns.network.user(child, { name = "eth0" })')
      has({ "sh", network = { move = "eth7" } }, root,
          'moved_eth0 = ns.network.move("eth7", child, { name = "eth0" })')
      has({ "sh", network = { macvlan = "eth7", mtu = 1400 } }, root,
          'ns.link.add({ kind = "macvlan", link = "eth7", mode = "bridge", '
          .. 'mtu = 1400, name = "eth0", netns = child })')
    end)

  it("unshares all but what is shared", function()
    has({ "sh" }, root, 'ns.clone({ "user", "mnt", "pid", "net", "uts", '
        .. '"ipc", "cgroup" })')
    has({ "sh", share = { "net", "ipc" } }, root,
        'ns.clone({ "user", "mnt", "pid", "uts", "cgroup" })')
    lacks({ "sh", share = "time" }, root, 'ns.unshare("time")')
  end)

  local switches <const> = {
    init = 'payload = ns.posix_spawn({', session = "session = true",
    no_new_privs = 'ns.prctl("no_new_privs", true)',
    proc = 'place:mount("proc"', sys = 'place:mount("sysfs"',
    dev = 'place:devices(', tmp = '"/tmp", "nosuid,nodev,mode=1777"',
    mask = "place:mask(",
  }
  for key, line in pairs(switches) do
    it("has " .. line .. " unless " .. key .. " = false", function()
      has({ "sh" }, root, line)
      lacks({ "sh", [key] = false }, root, line)
    end)
  end

  it("keeps a short list of capabilities unless asked otherwise", function()
    has({ "sh" }, root, "ns.capability.keep({ \"audit_write\"")
    has({ "sh", capabilities = { "net_admin" } }, root,
        'ns.capability.keep({ "net_admin" })')
    lacks({ "sh", capabilities = "all" }, root, "capability.keep")
  end)

  it("shows each step as the Lua call it is", function()
    has({ "sh", hostname = "moon" }, root, 'child    ns.sethostname("moon")')
  end)
end)

-- Labs as they run: by root as they are for root, and in a user namespace, as
-- they are for everybody.

local t <const> = require "spec.helper"
local ns <const> = require "farside"
local core <const> = require "farside.core"

-- What a call raises, without where; and the error.
local message <const> = t.refusal

local function shell(node, text) return (node:read("sh", "-c", text)) end

-- Two hosts on a switch.
local function pair(unprivileged)
  local lab = ns.lab { unprivileged = unprivileged }
  local h1, h2, sw = lab:host "h1", lab:host "h2", lab:switch "sw"
  lab:link(h1, sw, { address = { "10.0.0.1/24", "fd00::1/64" } })
  lab:link(h2, sw, { address = { "10.0.0.2/24", "fd00::2/64" } })
  return lab, h1, h2, sw
end

-- The same for both kinds.
local function each(name, fn)
  it(name .. ", in a user namespace", function()
    t.needs "userns"
    fn(true)
  end)
  if t.has "root" then
    it(name .. ", as root", function() fn(false) end)
  end
end

describe("a lab", function()
  each("connects its hosts", function(unprivileged)
    local lab <close>, h1, h2 = pair(unprivileged)
    assert.is_true(h1:ping(h2) < 1000)
    assert.is_number((h1:ping(h2, { ipv6 = true })))
    assert.is_true(h2:ping "10.0.0.1" < 1000)
    local report <const> = lab:ping_all()
    assert.same({ 2, 2, 0 }, { report.sent, report.received, report.lost })
    assert.matches("^2 sent, 2 received, 0 lost, [%d.]+/[%d.]+/[%d.]+ ms$",
      tostring(report))
    assert.equal(2, lab:ping_all { ipv6 = true }.received)
  end)

  each("runs programs on them", function(unprivileged)
    local lab <close> = pair(unprivileged)
    local h1 <const> = lab.nodes.h1
    assert.same({ true, "exit", 0 }, { h1:run("true") })
    assert.same({ nil, "exit", 3 }, { h1:run { "sh", "-c", "exit 3" } })
    assert.equal("0\n", shell(h1, "id -u"))
    assert.equal("h1\n", shell(h1, "uname -n"))
    assert.equal("eth0 lo\n", shell(h1, "echo $(ls /sys/class/net)"))
    assert.equal(core.getcwd() .. "\n", shell(h1, "pwd"))
    assert.equal("exec /no/such: No such file or directory (ENOENT)",
      message(h1.run, h1, "/no/such"):match "^[^\n]*")
  end)

  each("has hosts that know each other by name", function(unprivileged)
    local lab <close>, h1, _, sw = pair(unprivileged)
    assert.equal("10.0.0.2\n",
      shell(h1, "sed -n 's/ h2$//p' /etc/hosts | head -1"))
    lab:link(lab:host "h3", sw)
    assert.matches("10.0.0.3 h3", shell(h1, "cat /etc/hosts"))
  end)

  it("has them know each other where /etc has no such file", function()
    t.userns(function()
      ns.mount("tmpfs", "/etc", "tmpfs")
      local lab <close> = pair()
      assert.matches("10.0.0.2 h2\n", shell(lab.nodes.h1, "cat /etc/hosts"))
      assert.is_false(pcall(ns.fstatat, nil, "/etc/hosts"))
    end)
  end)

  each("runs functions on them", function(unprivileged)
    local lab <close> = pair(unprivileged)
    local h1 <const> = lab.nodes.h1
    assert.same({ 101, "h1" }, { h1:inside(function()
      return ns.link.get "eth0".ifindex, ns.uname().nodename
    end) })
    assert.equal("h1", ns.inside(h1, function() return ns.uname().nodename end))
    assert.equal("inside: function expected, got nil", message(h1.inside, h1))
  end)

  each("ends what runs in it", function(unprivileged)
    local lab = pair(unprivileged)
    local program = lab.nodes.h1:spawn { "sh", "-c", "sleep 60 & sleep 60" }
    local pidfd <close> = core.dup(program:fileno())
    assert.same({ nil, "timeout" }, { program:wait(0) })
    lab:close()
    assert.equal(1, #core.poll({ pidfd }, 5))
    assert.equal("start: the lab is closed", message(lab.start, lab))
    assert.equal("host: the lab is closed", message(lab.host, lab, "h3"))
  end)

  each("grows while it runs", function(unprivileged)
    local lab <close>, h1, h2, sw = pair(unprivileged)
    assert.is_number(h1:ping(h2))
    local h3 = lab:host "h3"
    lab:link(h3, sw)
    assert.equal("10.0.0.3", h3.address)
    assert.is_number(h3:ping(h1))
    assert.is_number(h2:ping "h3")
    assert.equal("3\n", shell(h3, "cat /proc/sys/kernel/hostname | cut -c2"))
  end)

  each("has routers, gateways and settings", function(unprivileged)
    local lab <close> = ns.lab { unprivileged = unprivileged }
    local r = lab:router "r"
    local a = lab:host("a", { gateway = "10.1.0.1",
      sysctl = { ["net.ipv4.tcp_ecn"] = 1 } })
    local b = lab:host("b", { routes = { ["10.1.0.0/24"] = "10.2.0.1" } })
    lab:link(a, r, { address = "10.1.0.2/24",
                     peer = { address = "10.1.0.1/24" } })
    lab:link(b, r, { address = "10.2.0.2/24",
                     peer = { address = "10.2.0.1/24" } })
    assert.is_number(a:ping(b))
    assert.equal("1\n", shell(a, "cat /proc/sys/net/ipv4/tcp_ecn"))
    local _, reason = a:ping "192.0.2.1"
    assert.equal("network unreachable", reason)
    _, reason = b:ping "192.0.2.1"
    assert.equal("Network is unreachable", reason)
  end)

  each("has links that can be unplugged", function(unprivileged)
    local lab <close>, h1, h2 = pair(unprivileged)
    local link <const> = lab.links[2]
    assert.is_number(h1:ping(h2))
    link:set { up = false }
    local report <const> = lab:ping_all { timeout = "50ms" }
    assert.equal(2, report.lost)
    assert.same({ from = "h1", to = "h2", address = "10.0.0.2",
                  reason = "no answer" }, report.losses[1])
    assert.matches("\n  h1 to h2 %(10.0.0.2%): no answer\n", tostring(report))
    assert.matches("h2  .*%(down%)\n", lab:draw())
    link:set { up = true }
    assert.is_number(h1:ping(h2))
  end)

  it("has containers for hosts", function()
    t.needs("userns", "filesystem overlay")
    local lab <close> = ns.lab()
    local sw = lab:switch "sw"
    local c1, c2 = lab:host("c1", { readonly = true }), lab:host("c2", {
      "sleep", "60", hostname = "moon", capabilities = "all" })
    local h = lab:host "h"
    for _, node in ipairs { c1, c2, h } do lab:link(node, sw) end
    lab:link(c1, c2)
    assert.equal(6 + 2, lab:ping_all().received)
    assert.equal("c1\n", shell(c1, "uname -n"))
    assert.equal("moon\n", shell(c2, "uname -n"))
    assert.equal("eth0 eth1 lo\n", shell(c1, "echo $(ls /sys/class/net)"))
    assert.is_true(c1:inside(function() return ns.link.get "eth1".up end))
    assert.is_true(c2:run("ip", "link", "set", "eth1", "mtu", "1400"))
  end)
end)

describe("a lab that cannot be made", function()
  each("says what of it, and where that stands", function(unprivileged)
    local lab <close> = ns.lab { unprivileged = unprivileged }
    local h = lab:host("h", { gateway = "10.9.9.9" })
    lab:link(h, lab:switch "sw", { address = "10.0.0.1/24" })
    local text, err = message(lab.start, lab)
    assert.equal("route.add default: Network is unreachable (ENETUNREACH): "
      .. "Nexthop has invalid gateway\nstep: host h", text)
    assert.equal(debug.getinfo(1, "l").currentline - 5,
      tonumber(err.where:match ":(%d+)$"))
    assert.is_true(lab.closed)
  end)

  each("tells of a setting that there is not", function(unprivileged)
    local lab <close> = ns.lab { unprivileged = unprivileged }
    lab:host("h", { sysctl = { ["net.ipv4.moon"] = 1 } })
    assert.matches("^openat2 /proc/sys/net/ipv4/moon: No such file or "
      .. "directory %(ENOENT%)\nstep: host h", (message(lab.start, lab)))
  end)

  it("tells of a bad container at once", function()
    local lab <close> = ns.lab()
    assert.matches("^host: unknown key 'gatway' %(did you mean 'gateway'%?%)",
      (message(lab.host, lab, "h", { gatway = "10.0.0.1" })))
    assert.equal("host: network: that of the lab is the only one",
      message(lab.host, lab, "h", { network = "none" }))
  end)

  it("tells of a container that does not start", function()
    t.needs("userns", "filesystem overlay")
    local lab <close> = ns.lab()
    lab:host("h", { "/no/such" })
    local text <const> = message(lab.start, lab)
    assert.matches("^exec /no/such[^\n]*%(ENOENT%)\nstep: host h: ", text)
  end)
end)

describe("programs of others", function()
  it("measure the throughput", function()
    t.needs("userns", "iperf3")
    local lab <close> = pair(true)
    local bits <const>, text <const> = lab:throughput("h1", "h2")
    assert.is_true(bits > 1e6)
    assert.matches('"sum_received"', text)
    assert.is_true(lab:throughput("h1", "h2", { udp = "1mbit" }) > 1e5)
    assert.equal("throughput: host, router or switch of this lab expected, "
      .. "got 'h3'", message(lab.throughput, lab, "h1", "h3"))
  end)

  it("record what goes by", function()
    t.needs("userns", "tcpdump")
    local lab <close> = pair(true)
    local h1 <const>, h2 <const> = lab.nodes.h1, lab.nodes.h2
    local file <const> = t.tmpdir() .. "/h1.pcap"
    local capture = h1:capture(file, { interface = "eth0", filter = "icmp" })
    assert.is_number(h1:ping(h2))
    capture:close()
    local pipe <close> = io.popen("tcpdump -nr " .. file .. " 2>/dev/null")
    assert.matches("10.0.0.1 > 10.0.0.2: ICMP echo request", pipe:read "a")
  end)
end)

describe("the end of the process that made a lab", function()
  local script <const> = [[
    local lab = ns.lab { unprivileged = ... == "user" }
    local sw = lab:switch "sw"
    for i = 1, 12 do lab:link(lab:host("h" .. i), sw) end
    lab:link(lab:host("c", { readonly = true }), sw)
    lab:start()
    lab.nodes.h1:spawn("sh", "-c", "setsid sleep 60 & sleep 60")
    lab.nodes.c:spawn("sleep", "60")
    lab:ping_all()
    ns.pause()]]

  -- The caller is PID 1: all that is left behind comes to it, and it waits for
  -- the end of all of that.
  local function kill_at(file, time, how)
    local null <close> = io.open("/dev/null", "w")
    local program <const> = ns.posix_spawn { t.build .. "/farside", file, how,
                                             stderr = null }
    core.poll({ program }, time)
    pcall(program.signal, program, "KILL")
    program:wait()
    while pcall(core.waitpid) do end -- ECHILD: nobody is left
  end

  local function kills(how)
    local file <const> = t.tmpdir() .. "/lab.lua"
    local out <close> = assert(io.open(file, "w"))
    out:write(script)
    out:close()
    t.userns(function()
      ns.mount("proc", "/proc", "proc")
      math.randomseed(1)
      for _ = 1, tonumber(os.getenv "FARSIDE_KILLS") or 8 do
        kill_at(file, math.random() * 0.3, how)
      end
      assert.same({ "1" }, { (io.open "/proc/self/stat":read "a":match "%d+") })
      local count = 0
      for _, entry in ipairs(core.readdir "/proc") do
        if tonumber(entry.name) then count = count + 1 end
      end
      assert.equal(1, count)
      assert.equal(1, #ns.link.list())
    end, { "pid", "net" })
  end

  it("is that of all of it, at whatever moment", function() kills "root" end)

  it("is so in a user namespace, too", function() kills "user" end)
end)

describe("farside lab", function()
  it("has a prompt with the hosts as globals", function()
    t.needs "userns"
    local path <const> = t.tmpdir() .. "/lab.lua"
    local file <close> = assert(io.open(path, "w"))
    file:write [[
      local lab <close> = ns.lab { unprivileged = true }
      lab:link(lab:host "h-1", lab:host "h2")
      assert(arg[0]:find "lab.lua$" and arg[1] == "word")]]
    file:close()
    local pipe <close> = assert(io.popen((
      "%s/farside lab %s word 2>&1 <<'END'\nh2.address\n"
      .. "h_1:ping(h2) ~= nil\nlab\nEND"):format(t.build, path)))
    assert.equal("> h2.address\n10.0.0.2\n> h_1:ping(h2) ~= nil\ntrue\n> lab\n"
      .. "lab (2 nodes, 1 links)\n> \n",
      pipe:read "a")
  end)
end)

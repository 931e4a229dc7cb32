#!/usr/bin/env farside
-- net: two containers, each with a web server on port 80, on one bridge.
-- Each has an address, and is reached there by the other and from outside. All
-- is in a network namespace of its own: nobody needs to be root.

local ns = require "farside"

-- Answers each who asks with its name.
local server <const> = [[
  $s = IO::Socket::INET->new(LocalPort => 80, Listen => 5) or die "$@\n";
  $| = 1; print "ready\n";
  while ($c = $s->accept) { print $c "here is %s\n"; close $c }]]

-- A container with such a server. The bridge is made for the first.
local function web(name)
  local reader <close>, writer = ns.pipe()
  local container = ns.spawn {
    "/usr/bin/perl", "-MIO::Socket::INET", "-e", server:format(name),
    hostname = name, stdout = writer,
    network = { bridge = "br0", subnet = "10.7.0.0/24", nat = false },
  }
  writer:close()
  assert(ns.read(reader) == "ready\n")
  return container
end

-- What stands in a container's /etc/hosts behind its name.
local function address(name)
  local hosts <close> = io.open "/etc/hosts"
  return hosts:read "a":match("\n(%S+)\t" .. name .. "\n")
end

local function ask(ip)
  local answer <close> = io.popen("bash -c 'cat </dev/tcp/" .. ip .. "/80'")
  return answer:read()
end

local function row(...) print(("%-10s %-14s %-14s %s"):format(...)) end

local function show()
  ns.link.set("lo", { up = true })
  local red <close> = web "red"
  local blue <close> = web "blue"
  local one <const> = ns.inside(red, address, "red")
  local two <const> = ns.inside(blue, address, "blue")

  row("", "red", "blue", "outside\n")
  row("address", one, two, "")
  for name, ip in pairs { red = one, blue = two } do
    local says <const> = ask(ip)
    row("asks " .. name, ns.inside(red, ask, ip), ns.inside(blue, ask, ip),
        says)
    assert(one ~= two and says == "here is " .. name)
  end
end

local me = { uid_map = { { 0, ns.getuid(), 1 } },
             gid_map = { { 0, ns.getgid(), 1 } }, "user", "net" }
assert(ns.clone(me, show):wait())

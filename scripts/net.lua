#!/usr/bin/env farside
-- net: links, addresses and ports of one's own.
-- Two network namespaces, each with nothing but its own loopback, and in each
-- a server on port 80: they do not meet, with each other or with the host's.

local ns = require "farside"

-- Answers once, then ends. It goes on in the background when it listens.
local server <const> = [[perl -MIO::Socket::INET -e '
  $s = IO::Socket::INET->new(LocalPort => 80, Listen => 1) or die "$@\n";
  fork and exit;
  print { $s->accept } "here is %s\n"']]

-- A namespace with a process that waits for ever to hold it: ended with it
-- are, being PID 1, all that runs inside.
local function host(name)
  local process = ns.clone({
    "user", "net", "pid",
    uid_map = { { 0, ns.getuid(), 1 } }, gid_map = { { 0, ns.getgid(), 1 } },
  }, function() ns.pause() end)
  ns.inside(process, ns.link.set, "lo", { up = true })
  assert(ns.inside(process, os.execute, server:format(name)))
  return process
end

local function links()
  local names = {}
  for i, link in ipairs(ns.link.list()) do names[i] = link.ifname end
  return table.concat(names, " ")
end

local function ask()
  local answer <close> = io.popen "bash -c 'cat </dev/tcp/127.0.0.1/80'"
  return answer:read()
end


local red <close> = host "red"
local blue <close> = host "blue"

local function row(...) print(("%-10s %-14s %-14s %s"):format(...)) end

row("", "red", "blue", "outside\n")
row("links", ns.inside(red, links), ns.inside(blue, links), links())
local one <const>, two <const> = ns.inside(red, ask), ns.inside(blue, ask)
row("port 80", one, two, "(whatever you have there)")

assert(one == "here is red" and two == "here is blue")
assert(ns.inside(red, links) == "lo" and ns.inside(blue, links) == "lo")

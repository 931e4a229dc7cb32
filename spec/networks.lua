-- What the specs of containers' networks share: throw-away places, servers and
-- clients, and a look at what is left.

local assert <const> = require "luassert"
local t <const> = require "spec.helper"
local ns <const> = require "farside"

local M = {}

---- places ----

-- Files that are told of containers are kept where nobody else looks.
local function hide_state()
  ns.mount(nil, "/", nil, "rprivate")
  for _, path in ipairs { "/run", "/tmp" } do
    ns.mount("tmpfs", path, "tmpfs", "mode=0755")
  end
  ns.link.set("lo", { up = true })
end

-- Runs as root of a user namespace with a network of its own, whoever runs the
-- specs.
function M.apart(fn)
  t.userns(function()
    hide_state()
    fn()
  end, { "net" })
end

-- Runs as root of the machine in a network of its own.
function M.as_root(fn)
  t.needs "root"
  t.child(function()
    hide_state()
    fn()
  end, { "mnt", "net" })
end

---- servers and clients ----

-- Answers each who calls with a name and the caller's address; says so when
-- it is ready to.
local server <const> = [[exec perl -MIO::Socket::IP -e '
  $s = IO::Socket::IP->new(LocalHost => "%s", LocalPort => 80, Listen => 20,
                           ReuseAddr => 1) or die "$@\n";
  $| = 1; print "ready\n";
  while ($c = $s->accept) { print $c "%s ", $c->peerhost, "\n"; close $c }']]

local client <const> = [[perl -MIO::Socket::IP -e '
  $s = IO::Socket::IP->new(PeerHost => "%s", PeerPort => %d, Timeout => %g)
    or print "no\n" and exit; print <$s>' 2>&1]]

-- What is answered at an address, "no" when nobody does for a while.
function M.ask(host, port, patience)
  local pipe <close> = io.popen(client:format(host, port, patience or 5))
  return (pipe:read "a":gsub("\n$", ""))
end

-- The same from the network of a container. Where its root could write our
-- program no other may be started in there: then nothing else of it is entered.
function M.ask_from(container, ...)
  local place <const> = {}
  if not container.namespaces then
    return ns.inside(container, M.ask, ...)
  end
  for _, one in ipairs(container.namespaces) do
    if one.kind == "user" then table.insert(place, 1, one) end
    if one.kind == "net" then table.insert(place, one) end
  end
  return ns.inside(place, M.ask, ...)
end

-- A process of this place that listens at port 80.
function M.listener()
  local reader <close>, writer = ns.pipe()
  local process = ns.clone({}, function()
    ns.dup(writer, 1)
    ns.exec("/bin/sh", "-c", server:format("0.0.0.0", "listener"))
  end)
  writer:close()
  assert.equal("ready\n", ns.read(reader))
  return process
end

-- A container with these keys that runs a shell script; waits for "ready".
function M.start(script, recipe)
  local reader <close>, writer = ns.pipe()
  recipe = table.move({ "/bin/sh", "-c", script }, 1, 3, 1, recipe or {})
  recipe.stdout = writer
  local container = ns.spawn(recipe)
  writer:close()
  local said = ""
  while not said:find "ready\n" do
    local piece = ns.read(reader)
    if not piece then error("it ended early: " .. said) end
    said = said .. piece
  end
  return container
end

function M.serve(name, network, host)
  return M.start(server:format(host or "0.0.0.0", name), { network = network })
end

function M.stop(container)
  container:signal "KILL"
  container:wait()
end

-- What a script in a container says.
function M.output(script, recipe)
  local reader <close>, writer = ns.pipe()
  recipe = table.move({ "/bin/sh", "-c", script }, 1, 3, 1, recipe)
  recipe.stdout = writer
  local container <close> = ns.spawn(recipe)
  writer:close()
  local said = ""
  for piece in function() return ns.read(reader) end do said = said .. piece end
  container:wait()
  return (said:gsub("\n$", ""))
end

function M.told(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return (tostring(err):gsub("^%S+:%d+: ", "")), err
end

-- The names of all links but lo.
function M.links()
  local names = {}
  for _, link in ipairs(ns.link.list()) do
    if link.ifname ~= "lo" then names[#names + 1] = link.ifname end
  end
  table.sort(names)
  return names
end

function M.ruleset()
  local pipe <close> = io.popen "PATH=$PATH:/usr/sbin nft list ruleset"
  return pipe:read "a"
end

-- Has nft do something.
function M.nft(script)
  local pipe <close> = io.popen("PATH=$PATH:/usr/sbin nft -f -", "w")
  pipe:write(script)
end

function M.nothing_left()
  assert.same({}, M.links())
  if t.has "nft" then assert.equal("", M.ruleset()) end
end

M.plain = { bridge = "br0", subnet = "10.7.0.0/24", nat = false }

function M.with(more)
  local copy = {}
  for key, value in pairs(M.plain) do copy[key] = value end
  for key, value in pairs(more) do copy[key] = value end
  return copy
end

-- A process in a network of its own that is wired to this one and plays the
-- rest of the world: 203.0.113.2, with a server at port 80.
function M.internet_beside()
  local reader <close>, writer = ns.pipe()
  local world = ns.clone({ "net" }, function()
    ns.link.set("lo", { up = true })
    ns.dup(writer, 1)
    ns.exec("/bin/sh", "-c", server:format("0.0.0.0", "internet"))
  end)
  writer:close()
  ns.link.add { name = "uplink", kind = "veth", up = true,
                peer = { name = "eth0", netns = world } }
  ns.address.add("uplink", "203.0.113.1/24")
  local nl <close> = ns.netlink(world)
  nl.link.set("eth0", { up = true })
  nl.address.add("eth0", "203.0.113.2/24")
  assert.equal("ready\n", ns.read(reader))
  return world
end

M.server = server

return M

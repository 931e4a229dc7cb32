--- Hosts, routers and switches, as a script holds them.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local topology <const> = require "farside.lab.topology"

local M = {}

--- A host, router or switch. Fields: `name`; `kind`, "host", "router" or
-- "switch"; `address`, its first one, without the length of the prefix;
-- `addresses`, all of them with it; `netlink`, a handle (see `ns.netlink`) for
-- the links, addresses and routes in its network namespace; `namespace`, that
-- namespace itself. Wherever a process or container is taken, as by
-- `ns.inside`, a node can be given.
-- @type Node
local Node <const> = {}

---- fields that are found out when asked for ----

local fields <const> = {}

function fields.address(node)
  topology.complete(node.lab)
  local first = topology.addresses(node)[1]
  return first and first.plain
end

function fields.addresses(node)
  topology.complete(node.lab)
  local list = topology.addresses(node)
  for i, address in ipairs(list) do list[i] = address.text end
  return list
end

function fields.netlink(node)
  node.lab:start()
  return node.nl
end

function fields.namespace(node)
  node.lab:start()
  return node:namespace_handle()
end

function fields.namespaces(node)
  node.lab:wait()
  if not node.container then
    return require("farside.lab.world").namespaces(node)
  end
  node.view = node.view
    or require("farside.join").namespaces(node.container.process)
  return node.view
end

local methods <const> = {}

function Node:__index(key)
  local get = fields[key]
  if get then return get(self) end
  return methods[key]
end

function Node:__tostring()
  return ("%s %s"):format(self.kind, self.name)
end

-- The handle, of a node that is made.
function methods:namespace_handle()
  if not self.handle then
    local fd <close> = self.nl:namespace()
    self.handle = core.open(fd)
  end
  return self.handle
end

---- programs ----

-- Where tools for the administrator are is not in everybody's path, and in
-- here everybody is root.
local function path()
  return (os.getenv "PATH" or "/usr/local/bin:/usr/bin:/bin")
    .. ":/usr/local/sbin:/usr/sbin:/sbin"
end

local function command_of(who, given, ...)
  if type(given) ~= "table" then given = { given, ... } end
  local command = {}
  for key, value in pairs(given) do command[key] = value end
  if command[1] == nil then errors.usage("%s: command expected", who) end
  if not command.path and not command.env then command.path = path() end
  return command
end

-- A container that the node is runs them itself.
local function spawn(node, who, ...)
  local command = command_of(who, ...)
  node.lab:wait()
  if node.container then return node.container:spawn(command) end
  command.cwd = command.cwd or core.getcwd() -- joining loses it
  return require("farside.enter").spawn(node.namespaces, command,
                                        { trusted = true })
end

--- Starts a program on the node.
-- @tparam table|string command as of ns.exec: the program and its arguments,
-- with `env`, `cwd`, `stdin`, `stdout`, `stderr`…
-- @param ... its arguments, when the command is a string
-- @treturn Program with `pid`, `wait`, `signal`, `close`; it ends with the lab
-- @raise as exec
function methods:spawn(...)
  local program = spawn(self, "spawn", ...)
  table.insert(self.lab.children, program)
  return program
end

--- Runs a program on the node and waits for its end.
-- @tparam table|string command as for spawn
-- @param ... its arguments, when the command is a string
-- @treturn boolean true, or nil when its status is not 0
-- @treturn string "exit" or "signal"
-- @treturn int status or signal number
-- @raise as exec
-- @usage assert(h1:run { "ping", "-c1", h2.address })
function methods:run(...)
  local program <close> = spawn(self, "run", ...)
  return program:wait()
end

--- Runs a program on the node and brings back what it prints.
-- @tparam table|string command as for spawn
-- @param ... its arguments, when the command is a string
-- @treturn string all of its output
-- @treturn boolean|nil true, or nil when its status is not 0
-- @treturn string "exit" or "signal"
-- @treturn int status or signal number
function methods:read(...)
  local sheet <close> = core.memfd_create "output"
  local command = command_of("read", ...)
  command.stdout = sheet
  local program <close> = spawn(self, "read", command)
  local ok, how, code = program:wait()
  local size <const> = core.fstatat(sheet, "").size
  return size > 0 and core.read(sheet, size, 0) or "", ok, how, code
end

--- Runs a function on the node; see ns.inside.
-- @tparam function fn
-- @param ... its arguments
-- @return what it returns
function methods:inside(fn, ...)
  if type(fn) ~= "function" then
    errors.usage("inside: function expected, got %s", type(fn))
  end
  return require("farside").inside(self.namespaces, fn, ...)
end

---- looking ----

--- Pings another node, its first address, or any address; no program is needed.
-- @tparam Node|string target
-- @tparam[opt] table asked `count`, 1 if not given, `timeout`, "1s", for IPv6
-- "3s", and `ipv6`: true for the first IPv6 address of a node
-- @treturn[1] number milliseconds until an answer, on the average
-- @treturn[1] table as ping_all tells it
-- @treturn[2] nil when there was no answer at all
-- @treturn[2] string why, "no answer" or "network unreachable"
function methods:ping(target, asked)
  return require("farside.lab.ping").one(self, target, asked)
end

--- Records what goes over an interface of the node into a file, with tcpdump.
-- @tparam string file where to write; it is whole when the capture is closed
-- @tparam[opt] table asked `interface`, "any" when not given; `filter`, as
-- pcap-filter(7) has it
-- @treturn Program recording already; `close` ends it, as does the lab's end
-- @raise ENOENT without tcpdump
function methods:capture(file, asked)
  return require("farside.lab.capture").start(self, file, asked or {})
end

---- the node itself ----

--- Turns a node of a topology into what a script gets.
function M.adopt(node) return setmetatable(node, Node) end

--- Lets go of what a node is made of.
function M.drop(node)
  if node.container then
    for _, handle in ipairs(node.view or {}) do handle:close() end
    node.container:close()
  end
  if node.nl then node.nl:close() end
  if node.handle then node.handle:close() end
end

return M

--- What may be asked of a container's network: how the recipe's key `network`
-- is checked, and the one spelling that the plan is made from.

local address <const> = require "farside.network.address"
local fields <const> = require "farside.fields"

local M = {}

local function quoted(value)
  return type(value) == "string" and "'" .. value .. "'" or type(value)
end

-- One of a thing, or a list of them; answers a list.
local function some(check)
  local many <const> = fields.list(check)
  return function(value, where, fail)
    if type(value) ~= "table" then return { check(value, where, fail) } end
    local list = many(value, where, fail)
    if #list == 0 then fail(where, "at least one expected") end
    return list
  end
end

local function subnetted(value, where, fail)
  local parsed = address.parse(value)
  if not parsed or not parsed.length then
    fail(where, "address with its prefix length such as \"10.7.0.2/24\" "
         .. "expected, got %s", quoted(value))
  end
  return parsed
end

local function host_address(value, where, fail)
  local parsed = subnetted(value, where, fail)
  local bits <const> = #parsed.bytes * 8
  if parsed.length < bits - 1 and parsed == parsed:subnet() then
    fail(where, "'%s' is the subnet itself, not an address in it", value)
  end
  return parsed
end

local function plain(value, where, fail)
  local parsed = address.parse(value)
  if not parsed or parsed.length then
    fail(where, "address such as \"10.7.0.1\" expected, got %s",
         quoted(value))
  end
  return parsed
end

local function link(value, where, fail)
  fields.string(value, where, fail)
  if #value > 15 or value:find "[/:%s]" or value:find "^%.%.?$" then
    fail(where, "link name expected (1 to 15 bytes, no '/', ':' or space), "
         .. "got '%s'", value)
  end
  return value
end

local function mac(value, where, fail)
  local pairs_of_digits <const> = "^" .. ("%x%x:"):rep(5) .. "%x%x$"
  local first = type(value) == "string" and value:find(pairs_of_digits)
    and tonumber(value:sub(1, 2), 16)
  if not first or first & 1 == 1 then
    fail(where, "MAC address of one link such as \"02:00:00:00:00:01\" "
         .. "expected, got %s", quoted(value))
  end
  return value:lower()
end

local function mtu(value, where, fail)
  value = math.tointeger(tonumber(value)) or value
  fields.integer(value, where, fail)
  if value < 68 or value > 65535 then
    fail(where, "from 68 to 65535 expected, got %d", value)
  end
  return value
end

---- published ports ----

-- "8080" or "8000-8010": first and last.
local function ports(text)
  local first, last = text:match "^(%d+)%-?(%d*)$"
  if not first or text:find "%-$" then return nil end
  first = tonumber(first)
  last = last ~= "" and tonumber(last) or first
  if first < 1 or last > 65535 or last < first then return nil end
  return first // 1 | 0, last // 1 | 0
end

local protocols <const> = { tcp = true, udp = true }
local format <const> = "[ADDRESS:]PORT:PORT[/udp] such as \"8080:80\""

--- The check of a published port: "127.0.0.1:8080:80/tcp" becomes { text,
-- protocol, at, port, count, target }.
function M.publication(value, where, fail)
  local function bad() fail(where, "%s expected, got %s", format,
                            quoted(value)) end
  if type(value) ~= "string" then bad() end
  local rest, protocol = value:match "^([^/]*)/?(.*)$"
  protocol = value:find "/" and protocol or "tcp"
  local at, outer, inner = rest:match "^%[?(.-)%]?:?([%d-]+):([%d-]+)$"
  if not inner or not protocols[protocol] then bad() end
  local first, last = ports(outer)
  local target, target_last = ports(inner)
  if not first or not target then bad() end
  if last - first ~= target_last - target then
    fail(where, "'%s' has ranges of different lengths", value)
  end
  local listen = at ~= "" and address.parse(at) or nil
  if at ~= "" and (not listen or listen.length) then bad() end
  if at == "::1" then
    fail(where, "the kernel leads nothing from ::1 to another host; "
         .. "127.0.0.1 it does")
  end
  return { text = value, protocol = protocol, at = listen, port = first,
           count = last - first + 1, target = target }
end

---- an interface ----

local kinds <const> = { "bridge", "macvlan", "move", "user" }

local interface_fields <const> = {
  bridge = link, macvlan = link, move = link, user = fields.boolean,
  name = link, mac = mac, mtu = mtu, address = some(host_address),
  subnet = some(subnetted), gateway = fields.or_false(some(plain)),
  nat = fields.boolean, publish = fields.list(M.publication),
  mode = fields.word("bridge", "private", "vepa", "passthru"),
  dns = fields.or_false(some(plain)), search = some(fields.string),
}

-- Keys that only some kinds know.
local belongs <const> = {
  mac = { bridge = true, macvlan = true, move = true },
  address = { bridge = true, macvlan = true, move = true },
  gateway = { bridge = true, macvlan = true, move = true },
  subnet = { bridge = true }, nat = { bridge = true },
  publish = { bridge = true, user = true }, mode = { macvlan = true },
}

local record <const> = fields.record(interface_fields)

local function kind_of(interface, where, fail)
  local found
  for _, kind in ipairs(kinds) do
    if interface[kind] and found then
      fail(where, "one of bridge, macvlan, move, user expected, got %s and %s",
           found, kind)
    end
    found = interface[kind] and kind or found
  end
  if not found then
    fail(where, "one of bridge, macvlan, move, user expected")
  end
  return found
end

-- A gateway must be on the link, or nothing finds it.
local function check_gateway(interface, where, fail)
  for i, gateway in ipairs(interface.gateway or {}) do
    local near = not interface.address and not interface.subnet
    for _, key in ipairs { "address", "subnet" } do
      for _, one in ipairs(interface[key] or {}) do
        near = near or one:near(gateway)
      end
    end
    if not near then
      fail(("%s.gateway[%d]"):format(where, i), "%s is not in the subnet of "
           .. "the address", gateway)
    end
  end
end

local function interface_at(value, where, fail, index)
  local copy = record(value, where, fail)
  copy.kind = kind_of(copy, where, fail)
  for key, has in pairs(belongs) do
    if copy[key] ~= nil and not has[copy.kind] then
      fail(where, "unknown key '%s' for %s", key, copy.kind)
    end
  end
  if copy.kind == "bridge" then check_gateway(copy, where, fail) end
  if copy.publish and copy.gateway == false then
    fail(where .. ".publish", "published ports need a gateway: answers must "
         .. "find their way back")
  end
  copy.name = copy.name or "eth" .. index - 1
  return copy
end

local function distinct(interfaces, where, fail)
  local names, users = {}, 0
  for i, interface in ipairs(interfaces) do
    users = users + (interface.user and 1 or 0)
    if users > 1 then
      fail(where, "\"user\" can be there only once")
    elseif names[interface.name] or interface.name == "lo" then
      fail(("%s[%d].name"):format(where, i), "'%s' is there already",
           interface.name)
    end
    names[interface.name] = true
  end
end

local words <const> = { none = {}, host = "host", user = { { user = true } } }

-- An object that has a network namespace: a container, a process, a handle.
local function is_target(value)
  return type(value) == "userdata"
    or type(value) == "table" and getmetatable(value) ~= nil
end

local function join(value, where, fail)
  if is_target(value) then return { join = value } end
  if value:find "^container:." then return { join = value } end
  local name = value:match "^netns:(.+)$"
  if not name then
    fail(where, "none, host, user, netns:NAME, container:NAME, a table or a "
         .. "container expected, got '%s'", value)
  end
  return { join = name:find "/" and name or "/run/netns/" .. name }
end

--- The check of the key: a word, "netns:NAME", "container:NAME", something
-- whose network is joined, an interface or a list of them.
-- @return "host", { join = … } or { interface, … }
function M.check(value, where, fail)
  if words[value] == nil and (type(value) == "string" or is_target(value)) then
    return join(value, where, fail)
  end
  value = words[value] or value
  if value == "host" then return value end
  if type(value) ~= "table" then
    fail(where, "string or table expected, got %s", type(value))
  end
  local alone = #value == 0
  local list = {}
  for i, one in ipairs(alone and next(value) and { value } or value) do
    local at = alone and where or ("%s[%d]"):format(where, i)
    list[i] = interface_at(one, at, fail, i)
  end
  distinct(list, where, fail)
  return list
end

return M

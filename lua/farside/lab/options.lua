--- What may be said about the nodes and links of a lab, and how it is checked.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local fields <const> = require "farside.fields"
local topology <const> = require "farside.lab.topology"

local M = {}

local record <const>, list <const> = fields.record, fields.list

---- values ----

local function address(value, path, fail)
  local checked = topology.address(fields.string(value, path, fail))
  if not checked then
    fail(path, "address with the length of its prefix expected, such as "
         .. "\"10.0.0.1/24\", got '%s'", value)
  end
  return checked
end

-- One address or a list of them, as a list; false for none.
local function addresses(value, path, fail)
  if value == false then return false end
  if type(value) == "table" then return list(address)(value, path, fail) end
  return { address(value, path, fail) }
end

local function plain_address(value, path, fail)
  if not core.inet_pton(fields.string(value, path, fail)) then
    fail(path, "address expected, such as \"10.0.0.1\", got '%s'", value)
  end
  return value
end

-- { ["10.1.0.0/16"] = "10.0.0.254" }: how to get where.
local function routes(value, path, fail)
  if type(value) ~= "table" then
    fail(path, "table expected, got %s", type(value))
  end
  local sorted = {}
  for to, via in pairs(value) do
    if to ~= "default" and not (type(to) == "string"
        and (topology.address(to) or core.inet_pton(to))) then
      fail(path, "network expected, such as \"10.1.0.0/16\", got '%s'",
           tostring(to))
    end
    sorted[#sorted + 1] = { to = to,
      via = plain_address(via, ("%s[%q]"):format(path, to), fail) }
  end
  table.sort(sorted, function(x, y) return x.to < y.to end)
  return sorted
end

--- The check of a time.
function M.time(value, path, fail)
  if not pcall(core.duration, value) then
    fail(path, "time such as \"5ms\" expected, got '%s'", tostring(value))
  end
  return value
end

local function percentage(value, path, fail)
  local number = type(value) == "string"
    and tonumber(value:match "^(%d+%.?%d*)%%$")
  if not number or number > 100 then
    fail(path, "percentage such as \"1%%\" expected, got '%s'", tostring(value))
  end
  return value
end

local units <const> = { bit = 1, kbit = 1e3, mbit = 1e6, gbit = 1e9 }

local function rate(value, path, fail)
  local number, unit
  if type(value) == "string" then
    number, unit = value:match "^(%d+%.?%d*)(%l+)$"
  end
  if not units[unit] or tonumber(number) <= 0 then
    fail(path, "rate such as \"10mbit\" expected (bit, kbit, mbit, gbit), "
         .. "got '%s'", tostring(value))
  end
  return value
end

--- Bits a second of a rate.
function M.bits(text)
  local number, unit = text:match "^(.-)(%l+)$"
  return tonumber(number) * units[unit]
end

local function mac(value, path, fail)
  fields.string(value, path, fail)
  if not value:find "^%x%x:%x%x:%x%x:%x%x:%x%x:%x%x$" then
    fail(path, "MAC address such as \"02:00:00:00:00:01\" expected, got '%s'",
         value)
  end
  return value:lower()
end

local function mtu(value, path, fail)
  if fields.integer(value, path, fail) < 68 then
    fail(path, "number of bytes expected, got %d", value)
  end
  return value
end

local function interface(value, path, fail)
  fields.string(value, path, fail)
  if #value > 15 or value:find "[/%s]" or value == "." or value == ".." then
    fail(path, "name of 1 to 15 bytes without '/' and space expected, got '%s'",
         value)
  end
  return value
end

---- links ----

--- What a link does to what goes over it.
M.shape = { delay = M.time, jitter = M.time, loss = percentage,
            duplicate = percentage, reorder = percentage,
            corrupt = percentage, rate = rate }

local function with_shape(own, check)
  for key, value in pairs(M.shape) do own[key] = check(value) end
  return own
end

local function same(check) return check end

-- The end at b; false undoes what holds for both ways.
local peer <const> = record(with_shape({
  name = interface, address = addresses, mac = mac, mtu = mtu,
}, fields.or_false))

local link <const> = record(with_shape({
  name = interface, address = addresses, mac = mac, mtu = mtu, peer = peer,
}, same))

local change <const> = record(with_shape({
  up = fields.boolean, peer = record(with_shape({}, fields.or_false)),
}, fields.or_false))

local function shape_of(options, other)
  local shape = {}
  for key in pairs(M.shape) do
    local value = other and other[key]
    if value == nil then value = options[key] end
    shape[key] = value or nil
  end
  if shape.jitter and not shape.delay then
    errors.usage "link: jitter: it is a part of a delay, which is not given"
  elseif shape.reorder and not shape.delay then
    errors.usage "link: reorder: it takes a delay that some packets skip"
  end
  return next(shape) and shape or nil
end

--- Checks what is asked of a link.
-- @tparam table a the node at one end
-- @tparam table|nil given
-- @treturn table what is asked of the end at a
-- @treturn table and at the other; both as topology.add_link takes them
function M.link(a, given)
  local options = fields.check("link", link, given or {})
  local at = options.peer or {}
  local one = { name = options.name, mac = options.mac,
                address = options.address, mtu = options.mtu,
                shape = shape_of(options) }
  local other = { name = at.name, mac = at.mac, address = at.address,
                  mtu = at.mtu or options.mtu, shape = shape_of(options, at) }
  if a.kind == "switch" and one.address then
    -- a switch has none: it can only be meant for the other one
    if other.address then
      errors.usage("link: address: %s is a switch, which has none", a.name)
    end
    other.address, one.address = one.address, nil
  end
  return one, other
end

--- Checks a change of a link that is there: `up`, and shapes, where `false`
-- takes away what there was.
-- @treturn table `up`, and `a` and `b`: what changes in the shapes
function M.change(given)
  local options = fields.check("set", change, given)
  local a, b = {}, {}
  for key in pairs(M.shape) do
    a[key] = options[key]
    b[key] = options[key]
    if options.peer and options.peer[key] ~= nil then
      b[key] = options.peer[key]
    end
  end
  return { up = options.up, a = a, b = b }
end

---- nodes ----

local function setting(value, path, fail)
  if math.type(value) == "integer" then return tostring(value) end
  return fields.string(value, path, fail)
end

local own <const> = {
  gateway = plain_address, routes = routes, sysctl = fields.map(setting),
}

--- Checks a node's name: it is a host name, a name in /etc/hosts, and that of
-- a port on the switches that it is linked to.
function M.name(what, nodes, name)
  if type(name) ~= "string" then
    errors.usage("%s: name expected, got %s", what, type(name))
  elseif #name > 15 or not name:find "^%w[%w-]*$" or name == "lo" then
    errors.usage("%s: name of 1 to 15 letters, digits and '-' expected, "
      .. "got '%s'", what, name)
  elseif nodes[name] then
    errors.usage("%s: there is a %s '%s' already", what, nodes[name].kind, name)
  end
  return name
end

-- All that may be said of a node.
local function known_keys()
  local known = {}
  for key in pairs(own) do known[#known + 1] = key end
  for _, key in ipairs(require("farside.recipe").keys) do
    known[#known + 1] = key.name
  end
  return known
end

local function check_key(what, key)
  local known <const> = known_keys()
  for _, name in ipairs(known) do
    if key == name then return end
  end
  errors.usage("%s: %s", what, fields.unknown("key", key, known))
end

--- Checks what is asked of a host or router. What is not about the network is a
-- recipe: the node is a container then.
-- @treturn table `gateway`, `routes` (a list), `sysctl`, `recipe`
function M.node(what, given)
  local mine, recipe = {}, {}
  for key, value in pairs(given or {}) do
    (own[key] and mine or recipe)[key] = value
    if not own[key] and math.type(key) ~= "integer" then
      check_key(what, key)
    end
  end
  local options = fields.check(what, record(own), mine)
  if next(recipe) then options.recipe = recipe end
  return options
end

return M

--- Checks: links that networks of containers and labs are made of, and what
-- they can be made to do; each in a network namespace of its own.

local core <const> = require "farside.core"
local trial <const> = require "farside.doctor.trial"

-- kind, what for, and what it is made with; "below" is a bridge.
local links <const> = {
  { "veth", "joins two namespaces", { peer = { name = "other" } } },
  { "bridge", "a switch" },
  { "macvlan", "a second address on a link", { link = "below" } },
  { "ipvlan", "the same with one hardware address", { link = "below" } },
  { "vlan", "tagged networks", { link = "below", id = 5 } },
  { "vxlan", "networks over others", { id = 5 } },
  { "dummy", "an address without a network" },
  { "wireguard", "encrypted networks" },
}

local modules <const> = { vlan = "8021q" } -- those with another name

local function module_of(name)
  name = modules[name] or name
  return ("the kernel needs the module %s: have root run modprobe %s"):format(
    name, name)
end

local function link(kind, what, options)
  return { name = "link " .. kind, remedy = module_of(kind), try = function()
    trial.within({ "net" }, function()
      core.link.add { name = "below", kind = "bridge" }
      local wanted = { name = "made", kind = kind }
      for key, value in pairs(options or {}) do wanted[key] = value end
      core.link.add(wanted)
    end)
    return what
  end }
end

local function delay()
  trial.within({ "net" }, function()
    core.link.add { name = "made", kind = "veth", peer = { name = "other" } }
    core.qdisc.add { dev = "made", kind = "netem", delay = "5ms" }
  end)
  return "delays and losses of a lab's links"
end

-- What user-mode networks and virtual machines speak through.
local function tun()
  core.openat2(nil, "/dev/net/tun", "rdwr"):close()
  return "networks of ordinary users, by pasta"
end

return function()
  local checks = {}
  for i, one in ipairs(links) do checks[i] = link(table.unpack(one, 1, 3)) end
  checks[#checks + 1] = { name = "qdisc netem", try = delay,
    remedy = module_of "sch_netem" }
  checks[#checks + 1] = { name = "/dev/net/tun", try = tun,
    remedy = module_of "tun" .. ", and /dev/net/tun must be for everybody" }
  return checks
end

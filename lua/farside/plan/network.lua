--- Steps: the container's network.

local ref <const> = require("farside.plan.steps").ref

local M = {}

---- the network of another ----

-- The child is born in it: to join from a user namespace of its own it would
-- have no right.
function M.enter(plan, recipe)
  local join <const> = recipe.network and recipe.network.join
  if join then
    plan:add("parent", "the network that it shall be born into",
        "network.enter", join).as = "visit"
  end
end

function M.leave(plan, recipe)
  if recipe.network and recipe.network.join then
    plan:tell("parent", "visit", "back from there", "close")
  end
end

---- interfaces of its own ----

local function texts(list)
  local result = {}
  for i, one in ipairs(list) do result[i] = tostring(one) end
  return result
end

-- The spelling that everybody can read: no list of nothing, addresses as text.
local function plain(interface, ...)
  local copy = {}
  for _, key in ipairs { ... } do
    local value = interface[key]
    copy[key] = type(value) == "table" and texts(value) or value
  end
  return copy
end

local function published(interface)
  if not interface.publish then return nil end
  local list = {}
  for i, entry in ipairs(interface.publish) do list[i] = entry.text end
  return list
end

local function configure(plan, interface, link)
  plan:add("parent", "its addresses and its way out", "network.configure",
      ref "child", link or plain(interface, "name", "address", "gateway"))
end

local kinds <const> = {}

function kinds.bridge(plan, interface)
  local name <const> = interface.name
  local step = plan:add("parent", "a wire to the bridge, which is made when "
      .. "there is none", "network.plug", ref "child",
      plain(interface, "bridge", "name", "address", "subnet", "gateway", "mac",
            "mtu"))
  step.as, step.kept = name, true
  configure(plan, interface, ref(name))
  local want = { nat = interface.nat, publish = published(interface) }
  if interface.gateway == false and not want.nat then want.nat = false end
  local gate = plan:add("parent", "out through this host, which forwards from "
      .. "now on, and published ports", "network.publish", ref(name), want)
  gate.as, gate.kept = "gate_" .. name, true
end

function kinds.macvlan(plan, interface)
  plan:add("parent", "a second face of " .. interface.macvlan, "link.add", {
    name = interface.name, kind = "macvlan", link = interface.macvlan,
    netns = ref "child", address = interface.mac, mtu = interface.mtu,
    mode = interface.mode or "bridge",
  })
  configure(plan, interface)
end

function kinds.move(plan, interface)
  local step = plan:add("parent", "it moves in, and back at the end",
      "network.move", interface.move, ref "child",
      plain(interface, "name", "mac", "mtu"))
  step.as, step.kept = "moved_" .. interface.name, true
  configure(plan, interface)
end

function kinds.user(plan, interface)
  local step = plan:add("parent", "a program that speaks for it out here",
      "network.user", ref "child", {
        name = interface.name, mtu = interface.mtu,
        publish = published(interface),
      })
  step.as, step.kept = "speaker", true
end

-- The parent's part, as long as the child may still be looked into.
function M.interfaces(plan, recipe)
  for _, interface in ipairs(recipe.network or {}) do
    kinds[interface.kind](plan, interface)
  end
end

---- inside ----

-- Whether an ordinary user's container has the host's /etc to be read only.
local function etc_is_fixed(recipe, facts)
  for _, entry in ipairs(facts.top) do
    if entry.name == "etc" then return entry.busy or recipe.readonly end
  end
  return false
end

-- What is written into a root that is kept would stay.
local function way(recipe, facts)
  local root <const> = recipe.root
  if root then
    return (root.directory or root.upper) and "cover" or "write"
  end
  return etc_is_fixed(recipe, facts) and "cover" or "write"
end

local function files(plan, recipe, facts)
  local how <const>, list <const> = way(recipe, facts), recipe.network
  plan:add("child", "names and the addresses that it has", "network.hosts",
      ref "root", how, recipe.hostname)
  for _, interface in ipairs(list) do
    local given = interface.dns or interface.search
    local out = interface.user or interface.gateway ~= false
    if interface.dns ~= false and (given or out) then
      local want = plain(interface, "dns", "search")
      if interface.user then want.otherwise = { "169.254.1.1" } end
      plan:add("child", "who knows other names", "network.resolver",
          ref "root", how, want)
      return
    end
  end
end

local function await(plan, list)
  local names = {}
  for _, interface in ipairs(list) do
    if interface.kind == "bridge" then names[#names + 1] = interface.name end
  end
  if #names > 0 then
    plan:add("child", "a bridge lets packets through a moment later",
        "network.ready", table.unpack(names))
  end
end

function M.inside(plan, recipe, facts)
  local list <const> = recipe.network or {}
  if recipe.share.net or list.join then return end
  plan:add("child", "loopback is down in a new network", "link.set", "lo",
      { up = true })
  if #list == 0 then return end
  await(plan, list)
  files(plan, recipe, facts)
end

return M

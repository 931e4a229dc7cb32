--- When a lab carries traffic. The end of a pair that was made first learns in
-- the background that the other one is up; a bridge forwards to it only from
-- then on. The kernel tells it: the state of the link is UP.

local topology <const> = require "farside.lab.topology"

local M = {}

-- The other end of a pair carries IPv4 at once; IPv6 waits for the same news,
-- and so does a bridge, for all its ports.
local function waits(one)
  if one.node.kind == "switch" or topology.main_end(one.link) == one then
    return true
  end
  for _, address in ipairs(one.addresses) do
    if #address.bytes == 16 then return true end
  end
  return false
end

-- Names of the interfaces of a node that are waited for.
local function wanted(node)
  local names = {}
  for _, one in ipairs(node.ends) do
    if not one.link.down and waits(one) then names[one.name] = true end
  end
  return names
end

-- Takes those that are up away; true when none is left.
local function strike(names, node)
  if next(names) == nil then return true end
  for _, link in ipairs(node.nl.link.list()) do
    if link.operstate == "UP" then names[link.ifname] = nil end
  end
  return next(names) == nil
end

-- Who asks for one link alone has the kernel do what is to be done for it
-- first, since Linux 6.8.
local function ask_each(names, node)
  for name in pairs(names) do
    if node.nl.link.get(name).operstate == "UP" then names[name] = nil end
  end
  return next(names) == nil
end

local function complain(node, names)
  error(("lab: %s: no carrier on %s"):format(node.name,
    table.concat(require("farside.fields").keys(names), ", ")), 0)
end

-- A list may be read while the kernel is still at it: the state is told, what
-- follows from it is to come. Who changes something has to wait for that.
local function settle(node)
  node.nl.link.set(1, { up = true }) -- as it is
end

local function wait_for(node, timeout)
  local names = wanted(node)
  if strike(names, node) or ask_each(names, node) then return end
  -- a socket for the events is there before the next look
  local events <close> = node.nl:events "link"
  while not strike(names, node) do
    if not events:next(timeout) then complain(node, names) end
  end
end

--- Waits until all links are up that are not meant to be down.
-- @tparam table lab
-- @tparam number|string timeout how long nothing may happen
function M.wait(lab, timeout)
  if lab.ready then return end
  for _, node in ipairs(lab.nodes) do
    if next(wanted(node)) then
      wait_for(node, timeout)
      settle(node)
    end
  end
  lab.ready = true
end

return M

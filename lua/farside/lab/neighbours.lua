--- The hardware addresses of others on the same switches. Those that hosts find
-- out by themselves the kernel keeps in one table for all namespaces, from
-- which it drops what there is no room for: with more than some thirty hosts
-- that talk to all others, packets are lost without a word. Neighbours that
-- were told do not count. They stay until the interface goes down.

local topology <const> = require "farside.lab.topology"

local M = {}

-- So few are left to find each other as they would anywhere.
local FEW <const> = 8

local function tell_one(one, segment, bytes)
  local b <close> = one.node.nl:requests()
  for _, other in ipairs(segment) do
    for _, address in ipairs(other ~= one and other.addresses or {}) do
      if #address.bytes == bytes then
        b.neighbour.replace { to = address.plain, dev = one.index,
                              lladdr = other.mac }
      end
    end
  end
  local failure = b:send()[1]
  if failure then error(failure, 0) end
end

--- Tells all hosts and routers, unless they know.
-- @tparam table lab
-- @tparam int bytes 4 for IPv4 addresses, 16 for IPv6
function M.tell(lab, bytes)
  lab.told = lab.told or {}
  if lab.told[bytes] == #lab.links then return end
  for _, segment in ipairs(topology.segments(lab)) do
    for _, one in ipairs(#segment > FEW and segment or {}) do
      tell_one(one, segment, bytes)
    end
  end
  lab.told[bytes] = #lab.links
end

return M

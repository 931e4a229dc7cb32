--- How the parts of a drawing are put into words, the same in all drawings.

local columns <const> = require "farside.columns"

local M = {}

--- "4711 → 1": a process's PIDs, from the outermost.
function M.pids(process, arrow)
  return table.concat(process.pids, (" %s "):format(arrow))
end

local function range(first, count)
  if count == 1 then return tostring(first) end
  return ("%d-%d"):format(first, first + count - 1)
end

local function map(ranges, arrow)
  local parts = {}
  for i, one in ipairs(ranges) do
    if one[1] == one[2] and one[3] == 4294967295 then return "all" end
    parts[i] = ("%s %s %s"):format(range(one[1], one[3]), arrow,
      range(one[2], one[3]))
  end
  return #parts > 0 and table.concat(parts, ", ") or "none"
end

--- The maps of a user namespace, inside → outside, a line or two:
-- "ids 0-65535 → 100000-165535".
function M.maps(user, arrow)
  if #user.processes == 0 then return { "no process in it" } end
  local uids, gids = map(user.uid_map, arrow), map(user.gid_map, arrow)
  if uids == gids then return { "ids " .. uids } end
  return { "uids " .. uids, "gids " .. gids }
end

-- The bridge that a link is a port of.
local function bridge(link, net)
  for _, other in ipairs(net.links) do
    if other.ifindex == link.master_index then return " in " .. other.ifname end
  end
  return ""
end

--- A link: its name, its kind unless it is one of a pair that is shown, the
-- bridge that it is a port of, its addresses.
function M.link(link, net)
  local kind <const> = not link.peer and link.kind
  local addresses <const> = table.concat(link.addresses, " ")
  return columns.printable(link.ifname .. (kind and " " .. kind or "")
    .. bridge(link, net) .. (addresses ~= "" and "  " .. addresses or ""))
end

return M

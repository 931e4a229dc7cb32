--- How namespaces, and what is in them, are put into words.

local columns <const> = require "farside.columns"

local M = {}

--- A command without the path of its program, safe to show.
function M.command(text)
  return columns.printable((text:gsub("^/%S*/", "")))
end

local ways <const> = {
  mount = function(h)
    return h.path .. (h.pid and (" as process %d sees it"):format(h.pid) or "")
  end,
  descriptor = function(h)
    return ("descriptor %d of %d"):format(h.fd, h.pid)
  end,
  socket = function(h) return ("socket %d of %d"):format(h.fd, h.pid) end,
  thread = function(h) return ("thread %d of %d"):format(h.tid, h.pid) end,
  children = function(h) return ("children of %d"):format(h.pid) end,
  owner = function(h) return ("owner of %d"):format(h.id) end,
  parent = function(h) return ("parent of %d"):format(h.id) end,
}

--- What holds a namespace besides its processes, a few words for each; names
-- first.
function M.holders(row)
  local list, names = {}, 0
  for _, holder in ipairs(row.holders) do
    local text = columns.printable(ways[holder.how](holder))
    if holder.how == "mount" then names = names + 1 end
    table.insert(list, holder.how == "mount" and names or #list + 1, text)
  end
  return list
end

--- Who is in a namespace: "4711 sleep 60 and 3 more", or what holds it.
function M.who(row)
  if row.nprocs == 0 then return M.holders(row)[1] or "nothing" end
  local more = row.nprocs > 1 and (" and %d more"):format(row.nprocs - 1) or ""
  return ("%d %s%s"):format(row.pid, M.command(row.command or "?"), more)
end

local unseen <const> = {
  { "processes", "%d process", "%d processes" },
  { "mounts", "the mounts of %d namespace", "the mounts of %d namespaces" },
  { "sockets", "%d socket", "%d sockets" },
  { "relatives", "the owner of %d namespace", "the owners of %d namespaces" },
  { "hidden", nil, "what /proc hides (hidepid)" },
}

--- What could not be looked at, in words; nil when there is nothing.
-- @tparam table counts as of ns.list
function M.unseen(counts)
  local list = {}
  for _, one in ipairs(unseen) do
    local count = counts[one[1]]
    if count then
      list[#list + 1] = one[count == 1 and 2 or 3]:format(count)
    end
  end
  return #list > 0 and "without permission to look at "
    .. table.concat(list, ", ") or nil
end

--- Says so on stderr.
-- @tparam string word the sub-command
-- @tparam table counts
function M.tell_unseen(word, counts)
  local text <const> = M.unseen(counts)
  if text then io.stderr:write("farside ", word, ": ", text, "\n") end
end

return M

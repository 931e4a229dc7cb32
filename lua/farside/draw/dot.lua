--- The drawing as a graph for dot(1): user namespaces as clusters of groups of
-- processes, network namespaces, and veth pairs between these.

local list_words <const> = require "farside.list.words"
local words <const> = require "farside.draw.words"

local M = {}

local function quote(text)
  return '"' .. text:gsub('[\\"]', "\\%0"):gsub("\n", "\\n") .. '"'
end

local function put(lines, format, ...)
  lines[#lines + 1] = format:format(...)
end

local function group_label(group)
  local lines = {}
  for i, process in ipairs(group.processes) do
    lines[i] = words.pids(process, "→") .. "  "
      .. list_words.command(process.command)
  end
  if group.count > #lines then
    lines[#lines + 1] = ("and %d more"):format(group.count - #lines)
  end
  if #group.differs > 0 then
    lines[#lines + 1] = "own " .. table.concat(group.differs, " ")
  end
  return table.concat(lines, "\n")
end

local function user_label(user)
  local lines = words.maps(user, "→")
  table.insert(lines, 1, ("user %d"):format(user.id))
  return table.concat(lines, "\n")
end

-- A cluster for a user namespace, with its groups and those below it in it.
local function cluster(lines, model, user)
  put(lines, "subgraph cluster_%d { label=%s", user.id,
    quote(user_label(user)))
  put(lines, "u%d [style=invis, shape=point]", user.id) -- or dot drops it
  for i, group in ipairs(model.groups) do
    if group.namespaces.user == user.id then
      put(lines, "g%d [label=%s]", i, quote(group_label(group)))
    end
  end
  for _, row in ipairs(model.kept) do
    if row.owner == user.id and row.type ~= "user" and row.type ~= "net" then
      put(lines, "k%d [style=dashed, label=%s]", row.id, quote(("%s %d\n%s")
        :format(row.type, row.id, table.concat(list_words.holders(row),
        "\n"))))
    end
  end
  for _, child in ipairs(model.users) do
    if child.parent == user.id then cluster(lines, model, child) end
  end
  put(lines, "}")
end

local function networks(lines, model)
  for _, net in ipairs(model.nets) do
    put(lines, "n%d [style=rounded, color=blue, label=%s]", net.id,
      quote(("net %d\n%s"):format(net.id, list_words.who(net))))
  end
  for i, group in ipairs(model.groups) do
    put(lines, "g%d -- n%d [style=dotted]", i, group.namespaces.net)
  end
end

local function pairs_of(lines, model)
  local told = {}
  for _, net in ipairs(model.nets) do
    for _, link in ipairs(net.links or {}) do
      local peer <const> = link.peer
      if peer and not told[link] then
        told[peer.link] = true
        put(lines, "n%d -- n%d [color=blue, taillabel=%s, headlabel=%s]",
          net.id, peer.net.id, quote(words.link(link, net)),
          quote(words.link(peer.link, peer.net)))
      end
    end
  end
end

--- The drawing in the language of dot.
-- @tparam table model as of farside.draw.model
-- @treturn string
function M.draw(model)
  local lines = { "graph namespaces {", "rankdir=LR",
                  "node [shape=box, fontname=monospace, fontsize=10]",
                  "graph [fontname=monospace, fontsize=10]",
                  "edge [fontname=monospace, fontsize=9]" }
  for _, user in ipairs(model.users) do
    if not model.by_id[user.parent] then cluster(lines, model, user) end
  end
  networks(lines, model)
  pairs_of(lines, model)
  lines[#lines + 1] = "}\n"
  return table.concat(lines, "\n")
end

return M

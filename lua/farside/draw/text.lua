--- The drawing for a terminal. A line is a list of pieces, { text, style }, so
-- that it can be cut to a width before it is coloured.

local columns <const> = require "farside.columns"
local list_words <const> = require "farside.list.words"
local words <const> = require "farside.draw.words"

local M = {}

-- SGR codes; each kind of namespace has its colour everywhere.
local styles <const> = {
  heading = "1", dim = "2", strong = "1", mnt = "32", uts = "33", ipc = "35",
  net = "34", pid = "36", user = "31", cgroup = "95", time = "93",
}

local function piece(text, style) return { text, style } end

---- trees of lines ----

-- A node is { lines, children }; its lines after the first stand beneath it.
local function node(...) return { lines = { ... }, children = {} } end

local function add(parent, child)
  parent.children[#parent.children + 1] = child
  return child
end

-- Puts the lines of a node, and those of its children, behind their branches.
local function unfold(into, item, before, mark, marks)
  for i, line in ipairs(item.lines) do
    local first = i == 1 and mark ~= "" and marks[mark] or
      (mark == "" and "" or mark == "next" and marks.more or marks.none)
    local inner = i > 1 and (#item.children > 0 and marks.more or marks.none)
      or ""
    if i > 1 and mark == "" and #item.children == 0 then inner = "   " end
    local whole = { piece(before .. first .. inner, "dim") }
    table.move(line, 1, #line, 2, whole)
    into[#into + 1] = whole
  end
  local under = before .. (mark == "" and "" or mark == "next" and marks.more
    or marks.none)
  for i, child in ipairs(item.children) do
    unfold(into, child, under, i == #item.children and "last" or "next", marks)
  end
end

---- what is told ----

local function plural(count, word)
  return ("%d %s%s"):format(count, word, count == 1 and "" or "es")
end

local function title(row)
  return { piece(("%s %d"):format(row.type, row.id), row.type) }
end

-- The line of a process; the first one of a group has its namespaces, too.
local function process_line(self, group, process, first)
  local line = { piece(words.pids(process, self.arrow) .. "  ", "strong"),
                 piece(list_words.command(process.command)) }
  if not first or #group.differs == 0 then return line end
  line[3] = piece("  own", "dim")
  for i, kind in ipairs(group.differs) do
    line[3 + i] = piece(" " .. kind, kind)
  end
  return line
end

local function group_node(self, group)
  local lines = {}
  for i, process in ipairs(group.processes) do
    lines[i] = process_line(self, group, process, i == 1)
  end
  if group.count > #lines then
    lines[#lines + 1] = { piece(("and %d more"):format(group.count - #lines),
                                "dim") }
  end
  return node(table.unpack(lines))
end

-- Nodes of all rows of a kind, those without a parent in sight as roots.
local function forest(self, kind, make)
  local nodes, roots = {}, {}
  for _, row in ipairs(self.model.rows) do
    if row.type == kind then nodes[row.id] = make(row) end
  end
  for _, row in ipairs(self.model.rows) do
    local above = nodes[row.parent]
    if row.type == kind then
      if above then add(above, nodes[row.id]) else
        roots[#roots + 1] = nodes[row.id]
      end
    end
  end
  return roots, nodes
end

local function processes(self)
  local groups = {} -- pid namespace → its groups
  for _, group in ipairs(self.model.groups) do
    local id = group.namespaces.pid
    groups[id] = groups[id] or {}
    table.insert(groups[id], group)
  end
  return (forest(self, "pid", function(row)
    local line = title(row)
    line[2] = piece("  " .. (row.nprocs > 0 and plural(row.nprocs, "process")
      or list_words.who(row)), "dim")
    local made = node(line)
    for _, group in ipairs(groups[row.id] or {}) do
      add(made, group_node(self, group))
    end
    return made
  end))
end

local function users(self)
  return (forest(self, "user", function(row)
    local line = title(row)
    line[2] = piece(("  made by %s"):format(row.maker or "?"))
    local lines = { line }
    for _, text in ipairs(words.maps(row, self.arrow)) do
      lines[#lines + 1] = { piece(text, "dim") }
    end
    return node(table.unpack(lines))
  end))
end

local function link_node(self, net, link)
  local line = { piece(words.link(link, net), link.up and "strong" or "dim"),
                 piece(link.up and "" or "  down", "dim") }
  if link.peer then
    line[3] = piece((" %s "):format(self.joint), "net")
    line[4] = piece(columns.printable(link.peer.link.ifname), "strong")
    line[5] = piece(link.peer.net == net and "" or
      (" of net %d"):format(link.peer.net.id), "net")
  end
  return node(line)
end

local function networks(self)
  local roots = {}
  for i, net in ipairs(self.model.nets) do
    local line = title(net)
    line[2] = piece("  " .. list_words.who(net))
    roots[i] = node(line)
    if not net.links then
      add(roots[i], node { piece(net.unread, "dim") })
    end
    for _, link in ipairs(net.links or {}) do
      add(roots[i], link_node(self, net, link))
    end
  end
  return roots
end

local function kept(self)
  local roots = {}
  for i, row in ipairs(self.model.kept) do
    local line = title(row)
    line[2] = piece("  " .. table.concat(list_words.holders(row), ", "))
    roots[i] = node(line)
  end
  return roots
end

---- lines to text ----

local function finish(line, screen)
  local parts, left = {}, screen.width or math.huge
  for _, one in ipairs(line) do
    local text = columns.cut(one[1], left, screen.unicode)
    left = left - columns.width(text)
    local code = screen.colour and text ~= "" and styles[one[2]]
    parts[#parts + 1] = code and ("\27[%sm%s\27[0m"):format(code, text) or text
    if left <= 0 then break end
  end
  return (table.concat(parts):gsub("%s+$", ""))
end

local unicode <const> = { next = "├─ ", last = "└─ ", more = "│  ",
                          none = "   " }
local ascii <const> = { next = "|- ", last = "`- ", more = "|  ",
                        none = "   " }

local function section(into, name, roots, marks)
  if #roots == 0 then return end
  into[#into + 1] = {}
  into[#into + 1] = { piece(name, "heading") }
  for _, root in ipairs(roots) do unfold(into, root, "", "", marks) end
end

--- The drawing as text.
-- @tparam table model as of farside.draw.model
-- @tparam[opt] table screen as of farside.screen
-- @treturn string
function M.draw(model, screen)
  screen = screen or {}
  local marks <const> = screen.unicode and unicode or ascii
  local self <const> = {
    model = model, arrow = screen.unicode and "→" or ">",
    joint = screen.unicode and "──" or "--",
  }
  local lines = { { piece(("%d namespaces on %s"):format(#model.rows,
    columns.printable(model.host)), "heading") } }
  section(lines, "processes", processes(self), marks)
  section(lines, "users", users(self), marks)
  section(lines, "networks", networks(self), marks)
  section(lines, "kept without a process", kept(self), marks)
  for i, line in ipairs(lines) do lines[i] = finish(line, screen) end
  return table.concat(lines, "\n")
end

return M

--- All namespaces of the machine, as far as the caller may see them.
-- farside.list.holders finds them and what holds them; here is what people want
-- to know of each, and in which order and selection.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local fields <const> = require "farside.fields"
local holders <const> = require "farside.list.holders"
local kinds <const> = require "farside.kinds"

local M = {}

---- options ----

-- "net", "net,mnt" or { "net", "mnt" } as a set.
local function types(value, path, fail)
  local words, set = value, {}
  if type(value) == "string" then
    words = {}
    for word in value:gmatch "[^,]+" do words[#words + 1] = word end
  end
  for _, word in ipairs(fields.list(fields.string)(words, path, fail)) do
    local kind = kinds.of(word)
    if not kind then
      fail(path, "%s", fields.unknown("namespace", word,
        { table.unpack(kinds) }))
    end
    set[kind] = true
  end
  return set
end

local function uid_of(value, path, fail)
  if math.type(value) == "integer" then return value end
  local _, uid = require("farside.users").find(fields.string(value, path,
    fail))
  if not uid then fail(path, "no user '%s' in /etc/passwd", value) end
  return uid
end

-- What a filter's text may name besides the fields: lsns's words for them.
local lsns <const> = { ns = "id", pns = "parent", ons = "owner" }

local numbers <const> = { id = true, nprocs = true, pid = true, ppid = true,
                          uid = true, netnsid = true, parent = true,
                          owner = true }
local texts <const> = { type = true, command = true, user = true, path = true }

-- What a name stands for in a filter's text. What a namespace has not is 0
-- or "", as lsns has it.
local function lookup(row, name)
  name = lsns[name] or name
  if numbers[name] then return row[name] or 0 end
  if texts[name] then return row[name] or "" end
  if name == "nsfs" then return table.concat(row.nsfs, ",") end
  local known = { "nsfs" }
  for word in pairs(numbers) do known[#known + 1] = word end
  for word in pairs(texts) do known[#known + 1] = word end
  error(fields.unknown("name", name, known), 0)
end

-- A function of a row, out of one or out of an expression's text.
local function filter(value, path, fail)
  if type(value) == "function" then return value end
  local current
  local env <const> = setmetatable({}, { __index = function(_, name)
    return lookup(current, name)
  end })
  local chunk, message = load("return " .. fields.string(value, path, fail),
    "=filter", "t", env)
  if not chunk then fail(path, "%s", message:gsub("^filter:1: ", "")) end
  return function(row)
    current = row
    local ok, answer = pcall(chunk)
    if ok then return answer end
    errors.usage("list: filter: %s", (tostring(answer):gsub("^filter:1: ", "")))
  end
end

local check <const> = fields.record {
  type = types, pid = fields.integer, user = uid_of, filter = filter,
  tree = fields.word("parent", "owner", "process"),
}

---- what is known of a namespace ----

local function content(format, ...)
  local file <close> = io.open(format:format(...))
  return file and file:read "a" or ""
end

-- A process's command line; its name when it has none, as kernel threads.
local function command(pid)
  local line = content("/proc/%d/cmdline", pid):gsub("%z+$", "")
  if line == "" then line = content("/proc/%d/comm", pid):gsub("\n$", "") end
  return line ~= "" and line:gsub("%z", " ") or nil
end

-- Where a namespace is kept in the mounts that the caller sees.
local function kept(found)
  local paths = {}
  for _, holder in ipairs(found.holders) do
    if holder.how == "mount" and not holder.pid then
      paths[#paths + 1] = holder.path
    end
  end
  return paths
end

-- The facts about the process with the lowest PID.
local function describe(found, by_pid, names)
  local lead <const> = by_pid[found.processes[1]]
  found.nsfs = kept(found)
  found.path = found.nsfs[1]
  if not lead then return end
  found.pid, found.ppid, found.uid = lead.pid, lead.ppid, lead.uid
  found.user = names[lead.uid] or tostring(lead.uid)
  found.command = command(lead.pid)
  found.path = ("/proc/%d/ns/%s"):format(lead.pid, found.type)
end

---- selection ----

local function of_process(options, by_pid)
  local pid <const> = options.pid
  local process <const> = by_pid[pid]
  if not process or process.denied then
    local code = process and "EACCES" or "ESRCH"
    core.raise(core.errno[code], "list", nil, ("namespaces of process %d")
      :format(pid))
  end
  local ids = {}
  for _, id in pairs(process.namespaces) do ids[id] = true end
  return function(row) return ids[row.id] end
end

local function of_user(options, by_pid)
  return function(row)
    for _, pid in ipairs(row.processes) do
      if by_pid[pid].uid == options.user then return true end
    end
    return false
  end
end

-- The tests that a namespace must pass, cheap ones first.
local function tests(options, by_pid)
  local list = {}
  if options.type then
    list[1] = function(row) return options.type[row.type] end
  end
  if options.pid then list[#list + 1] = of_process(options, by_pid) end
  if options.user then list[#list + 1] = of_user(options, by_pid) end
  return list
end

local function passes(row, list)
  for _, test in ipairs(list) do
    if not test(row) then return false end
  end
  return true
end

---- trees ----

-- Who stands above a row: the id of the namespace that `field` names.
local function by_field(field)
  return function(rows)
    local by_id = {}
    for _, row in ipairs(rows) do by_id[row.id] = row end
    return function(row) return by_id[row[field]] end
  end
end

-- The row of the nearest ancestor of a row's process, of its kind if that has
-- one.
local function by_process(rows, by_pid)
  local led = {} -- pid → the rows that have it as their lowest
  for _, row in ipairs(rows) do
    if row.pid then
      led[row.pid] = led[row.pid] or {}
      led[row.pid][row.type] = led[row.pid][row.type] or row
      table.insert(led[row.pid], row)
    end
  end
  return function(row)
    local process = by_pid[row.pid]
    local passed = {} -- PIDs that were given anew may make a ring
    while process and not passed[process] do
      passed[process] = true
      local above = led[process.ppid]
      if above then return above[row.type] or above[1] end
      process = by_pid[process.ppid]
    end
  end
end

local trees <const> = {
  parent = by_field "parent", owner = by_field "owner", process = by_process,
}

-- Rows so that each comes after the one above it, with `level` from 1 and
-- `children`.
local function grow(rows, above)
  local roots, ordered = {}, {}
  for _, row in ipairs(rows) do row.children = {} end
  for _, row in ipairs(rows) do
    local parent = above(row)
    table.insert(parent and parent.children or roots, row)
  end
  local function place(list, level)
    for _, row in ipairs(list) do
      row.level = level
      ordered[#ordered + 1] = row
      place(row.children, level + 1)
    end
  end
  place(roots, 1)
  return ordered
end

---- all of it ----

local function choose(found, options)
  local by_pid, names = {}, require("farside.users").names()
  for _, process in ipairs(found.seen) do by_pid[process.pid] = process end
  local list, rows = tests(options, by_pid), {}
  for _, row in ipairs(found) do
    if passes(row, list) then
      describe(row, by_pid, names)
      if not options.filter or options.filter(row) then
        rows[#rows + 1] = row
      end
    end
  end
  table.sort(rows, function(a, b) return a.id < b.id end)
  if not options.tree then return rows end
  return grow(rows, trees[options.tree](rows, by_pid))
end

--- What list answers for options that were checked, and the processes that
-- were seen.
function M.survey(options)
  local found <const> = holders.look()
  local rows <const> = choose(found, options)
  rows.unseen = found.unseen
  return rows, found.seen
end

M.command = command

--- The processes of a namespace, as a tree.
-- @tparam integer id
-- @treturn {table,...} each with `pid`, `ppid`, `uid`, `user`, `command`, and
-- `level` and `children` as of a tree of list
function M.members(id)
  local names, rows, by_pid = require("farside.users").names(), {}, {}
  for _, process in ipairs(core.processes "parents") do
    for _, one in pairs(process.namespaces) do
      local line = one == id and command(process.pid)
      if line then -- or it has ended since
        process.user = names[process.uid] or tostring(process.uid)
        process.command = line
        by_pid[process.pid], rows[#rows + 1] = process, process
      end
    end
  end
  return grow(rows, function(row) return by_pid[row.ppid] end)
end

--- The namespaces of the machine, by id.
--
-- Besides those that a process is in there are those that are held by a mount,
-- a descriptor, a socket, a single thread or the children that a process will
-- have, and user and pid namespaces that only exist as owner or parent of
-- others. What travels in a message between two processes is seen by nobody.
-- @function list
-- @tparam[opt] table options which of them
--
-- - `type`: "net", "net,mnt" or a list
-- - `pid`: those that this process is in
-- - `user`: those with a process of this user, by name or uid
-- - `filter`: a function that answers whether to take a namespace; or a Lua
-- expression of its fields as a string, "nprocs > 1 and user == 'root'"
-- - `tree`: "parent", "owner" or "process": each follows the one that it
-- belongs to, and has `level` (1 at the root) and `children`, a list
-- @treturn {table,...} each with
--
-- - `id` (inode number), `type`, `nprocs`, `processes` (a list of PIDs)
-- - of the process with the lowest PID `pid`, `ppid`, `uid`, `user`, `command`
-- - `parent` (of pid and user) and `owner`: ids, where they may be known
-- - `path`, one by which it can be opened; `nsfs`, where it is kept: a list
-- - `creator`: of a user namespace, the uid that made it
-- - `netnsid`: the number by which the caller's network namespace knows it
-- - `holders`: what holds it besides its processes: a list of tables with `how`
-- ("mount", "descriptor", "socket", "thread", "children", "owner", "parent")
-- and `path`, `pid`, `fd`, `tid` or `id`
--
-- The list has a field `unseen`: how many `processes`, `mounts` (mount
-- namespaces), `sockets` and `relatives` (namespaces without owner) could not
-- be looked at for lack of permission; and `hidden` when /proc, by its option
-- hidepid, shows no processes of others
-- @raise a message about the options; ESRCH or EACCES for `pid`. See
-- namespaces(7), lsns(8).
-- @usage for _, n in ipairs(ns.list { type = "net" }) do
--   print(n.id, n.nprocs, n.command)
-- end
function M.list(options)
  if options ~= nil and type(options) ~= "table" then
    errors.usage("list: table expected, got %s", type(options))
  end
  options = fields.check("list", check, options or {})
  return (M.survey(options))
end

return M

--- farside ls: the namespaces of this machine.

local columns <const> = require "farside.columns"
local options <const> = require "farside.options"
local words <const> = require "farside.list.words"

local M = {}

---- columns ----

local function held(row)
  return table.concat(words.holders(row), ", ")
end

-- Of what no process is in, the command is what holds it.
local function command(row)
  if row.command or row.nprocs > 0 then return row.command end
  return "(" .. held(row) .. ")"
end

local function assigned(row)
  return row.type == "net" and (row.netnsid or "unassigned") or nil
end

local function field(name)
  return function(row) return row[name] end
end

local function column(name, key, help, more)
  local made <const> = more or {}
  made.name, made.value, made.help = name, field(key), help
  return made
end

-- lsns's columns, and one more.
local all <const> = {
  column("NS", "id", "its number (the inode)", { right = true }),
  column("TYPE", "type", "mnt, uts, ipc, net, pid, user, cgroup or time"),
  column("PATH", "path", "a path by which it can be opened"),
  column("NPROCS", "nprocs", "number of processes in it", { right = true }),
  column("PID", "pid", "the lowest PID in it", { right = true }),
  column("PPID", "ppid", "that one's parent", { right = true }),
  column("COMMAND", "command", "that one's command line",
    { text = command, cut = true }),
  column("UID", "uid", "that one's user id", { right = true }),
  column("USER", "user", "that one's user"),
  column("NETNSID", "netnsid", "number of a net namespace in this one",
    { text = assigned, right = true }),
  column("NSFS", "nsfs", "where it is kept, seen from here", { list = true }),
  column("PNS", "parent", "the namespace that it was made in",
    { right = true }),
  column("ONS", "owner", "the user namespace that it belongs to",
    { right = true }),
  column("HOLDERS", "holders", "what holds it besides its processes",
    { text = held, list = true, cut = true }),
}

local default <const> = "NS,TYPE,NPROCS,PID,USER,COMMAND"
local default_net <const> = "NS,TYPE,NPROCS,PID,USER,NETNSID,NSFS,COMMAND"
local of_members <const> = "PID,PPID,USER,COMMAND"

---- options ----

M.specs = {
  { name = "type", short = "t", option = "KIND",
    help = "only of this kind; several with commas" },
  { name = "pid", short = "p", option = "PID",
    help = "only those that this process is in" },
  { name = "user", option = "USER",
    help = "only those with a process of this user" },
  { name = "filter", short = "Q", option = "EXPRESSION",
    help = "only those for which this is true, a Lua expression of the columns "
        .. "in small letters: 'nprocs > 1 and user == \"ada\"'" },
  { name = "tree", short = "T", option = "RELATION",
    help = "a tree by parent, owner or process (as is done unless said "
        .. "otherwise)" },
  { name = "list", short = "l", help = "no tree" },
  { name = "output", short = "o", option = "COLUMNS",
    help = "these columns, by name, with commas" },
  { name = "output_all", help = "all columns" },
  { name = "json", short = "J", help = "as JSON" },
  { name = "no_headings", short = "n", help = "without the first line" },
  { name = "raw", short = "r",
    help = "single blanks between columns, \\x20 within, - for nothing" },
  { name = "no_truncate", short = "u",
    help = "lines as long as they are, at a terminal too" },
}

function M.help()
  return [[
usage: farside ls [options]
       farside ls [options] NAMESPACE

Lists the namespaces of this machine: those with processes, and those that are
held by a mount, a descriptor, a socket or a thread, or by other namespaces.
With the number of a namespace, lists the processes in it.

]] .. options.help(M.specs) .. "\n\ncolumns:\n" .. columns.help(all)
end

---- output ----

local function pick(text)
  local picked, wrong = columns.pick(text, all)
  if not picked then options.usage("ls", "%s", wrong) end
  return picked
end

local function put(key, rows, picked, given, unseen_counts)
  if given.json then
    local json <const> = require "farside.json"
    print(json.encode(json.object {
      { key, columns.objects(rows, picked) },
      unseen_counts and { "unseen", unseen_counts } or nil,
    }, "  "))
    return
  end
  columns.print(rows, picked, {
    no_headings = given.no_headings, raw = given.raw,
    no_truncate = given.no_truncate, tree = given.marks,
  })
  if unseen_counts then words.tell_unseen("ls", unseen_counts) end
end

-- A number, or the complaint of the command line.
local function number(text, what)
  local value = math.tointeger(tonumber(text))
  if not value then
    options.usage("ls", "%s expected, got '%s'", what, text)
  end
  return value
end

local function list_members(id, given)
  local rows = require("farside.list").members(number(id, "namespace number"))
  if #rows == 0 then
    error(("ls: no process that can be seen is in a namespace %s"):format(id),
      0)
  end
  given.marks = not (given.list or given.raw) and "COMMAND" or nil
  put("processes", rows, pick(given.output or of_members), given)
end

local hangs_on <const> = { parent = "NS", owner = "NS", process = "COMMAND" }

local function list_all(given)
  local tree = given.tree
  if not tree and not (given.list or given.raw or given.json) then
    tree = "process"
  end
  local rows <const> = require("farside").list {
    type = given.type, user = tonumber(given.user) or given.user,
    pid = given.pid and number(given.pid, "--pid: PID"),
    filter = given.filter, tree = tree,
  }
  local names = given.type == "net" and default_net or default
  if given.output_all then
    names = {}
    for i, one in ipairs(all) do names[i] = one.name end
    names = table.concat(names, ",")
  end
  given.marks = not given.raw and hangs_on[tree] or nil
  put("namespaces", rows, pick(given.output or names), given, rows.unseen)
end

function M.main(args)
  local given, rest = options.read("ls", M.specs, args)
  if #rest > 1 then options.usage("ls", "unexpected '%s'", rest[2]) end
  if rest[1] then list_members(rest[1], given) else list_all(given) end
  return 0
end

return M

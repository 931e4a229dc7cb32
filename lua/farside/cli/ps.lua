--- farside ps: the containers that have a name.

local columns <const> = require "farside.columns"
local options <const> = require "farside.options"

local M = {}

M.specs = {
  { name = "all", short = "a", help = "those that have ended as well" },
  { name = "quiet", short = "q", help = "names only" },
  { name = "json", short = "J", help = "as JSON" },
  { name = "no_headings", short = "n", help = "without the first line" },
}

function M.help()
  return [[
usage: farside ps [options]

Lists the containers that have a name: those that run, started by this user.

]] .. options.help(M.specs)
end

local function status(row)
  if row.status ~= "exited" then return row.status end
  local how <const> = row.how == "exit" and "exited" or "signal"
  return ("%s %s%s"):format(how, row.code, row.why and " " .. row.why or "")
end

local function since(row)
  return row.created and os.date("%Y-%m-%d %H:%M:%S", row.created)
end

local function field(name) return function(row) return row[name] end end

local all <const> = {
  { name = "NAME", value = field "name" },
  { name = "STATUS", value = field "status", text = status },
  { name = "PID", value = field "pid", right = true },
  { name = "CREATED", value = field "created", text = since },
  { name = "COMMAND", cut = true, value = function(row)
    return row.command and table.concat(row.command, " ")
  end },
}

local function rows_of(given)
  local rows = {}
  for _, row in ipairs(require("farside").containers()) do
    if given.all or row.status == "running" then rows[#rows + 1] = row end
  end
  return rows
end

function M.main(args)
  local given, words = options.read("ps", M.specs, args)
  if words[1] then options.usage("ps", "unexpected '%s'", words[1]) end
  local rows <const> = rows_of(given)
  if given.json then
    local json <const> = require "farside.json"
    print(json.encode({ containers = json.list(rows) }, "  "))
  elseif given.quiet then
    for _, row in ipairs(rows) do print(row.name) end
  else
    columns.print(rows, all, given)
  end
  return 0
end

return M

--- farside stats: what containers use.

local columns <const> = require "farside.columns"
local options <const> = require "farside.options"

local M = { takes = "running" }

M.specs = {
  { name = "json", short = "J", help = "as JSON, with all that is known" },
  { name = "no_headings", short = "n", help = "without the first line" },
}

function M.help()
  return [[
usage: farside stats [options] [NAME …]

Shows what containers use: seconds of processors, memory and its limit, the
most that it was, processes. Without a NAME, of all that run and have a control
group, as those with limits do.

]] .. options.help(M.specs)
end

local function of(key, field)
  return function(row) return row.stats[key] and row.stats[key][field] end
end

local function size_of(key, field)
  local get <const> = of(key, field)
  return function(row) return columns.size(get(row)) end
end

local all <const> = {
  { name = "NAME", value = function(row) return row.name end },
  { name = "CPU", right = true, value = of("cpu", "usage"),
    text = function(row)
      return ("%.2fs"):format(row.stats.cpu.usage)
    end },
  { name = "MEMORY", right = true, value = of("memory", "current"),
    text = size_of("memory", "current") },
  { name = "PEAK", right = true, value = of("memory", "peak"),
    text = size_of("memory", "peak") },
  { name = "LIMIT", right = true, value = of("memory", "limit"),
    text = size_of("memory", "limit") },
  { name = "PROCESSES", right = true,
    value = function(row) return row.stats.processes end },
}

local function look(name)
  local container <close> = require("farside.detached").open("stats", name)
  return { name = name, stats = container:stats() }
end

-- Of those that nobody named, some have no control group or end meanwhile.
local function rows_of(names)
  local rows = {}
  for i, name in ipairs(names) do rows[i] = look(name) end
  if #names > 0 then return rows end
  for _, container in ipairs(require("farside").containers()) do
    local ok, row = pcall(look, container.name)
    if ok and container.status == "running" then rows[#rows + 1] = row end
  end
  return rows
end

function M.main(args)
  local given, names = options.read("stats", M.specs, args)
  local rows <const> = rows_of(names)
  if given.json then
    local json <const> = require "farside.json"
    print(json.encode({ containers = json.list(rows) }, "  "))
    return 0
  end
  columns.print(rows, all, given)
  return 0
end

return M

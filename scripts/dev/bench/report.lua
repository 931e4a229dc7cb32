--- What the measurements say: medians with the quartiles around them, ratios,
-- and the memory; as a table for the terminal and as JSON.

local json <const> = require "farside.json"

local M = {}

local function quantile(sorted, q)
  return sorted[math.max(1, math.ceil(q * #sorted))] / 1e6
end

local function medians(row)
  row.median = quantile(row.samples, 0.5)
  row.low = quantile(row.samples, 0.25)
  row.high = quantile(row.samples, 0.75)
end

--- Adds to each row its `median`, `low` and `high` (the quartiles), in
-- milliseconds, `ratio`, to the table's reference, and `floor_ratio`, to what
-- the bare system calls cost.
-- @tparam table rows with `samples`
function M.summarize(rows)
  local reference, floor
  local by_name <const> = {}
  for _, row in ipairs(rows) do
    if row.samples then
      medians(row)
      by_name[row.name] = row.median
      if row.reference then reference = row.median end
      if row.floor == true then floor = row.median end
    end
  end
  for _, row in ipairs(rows) do
    local median <const> = row.median
    local own <const> = row.floor == true and median or by_name[row.floor]
      or floor
    row.ratio = median and reference and median / reference
    row.floor_ratio = median and own and median / own
  end
end

--- "1 round", "20 rounds".
function M.rounds(rows)
  return ("%d round%s"):format(rows.count, rows.count == 1 and "" or "s")
end

---- for the terminal ----

local layout <const> = "%-33s %9s %9s %9s %6s %6s %6s %6s"

local function figure(format, value)
  return value and format:format(value) or ""
end

local function line(...)
  return (layout:format(...):gsub("%s+$", ""))
end

local function row_line(row)
  if row.skipped then
    return ("  %-31s skipped: %s"):format(row.name, row.skipped)
  end
  return line("  " .. row.name, figure("%.3f", row.median),
              figure("%.3f", row.low), figure("%.3f", row.high),
              figure("%.2f", row.ratio), figure("%.2f", row.wanted),
              figure("%.2f", row.floor_ratio),
              figure("%.1f", row.memory and row.memory / 1024))
end

--- A table as lines.
-- @tparam table rows
-- @treturn string
function M.text(rows)
  local lines <const> = { line(rows.title, "median ms", "25 %", "75 %",
                               "ratio", "wanted", "floor", "MiB") }
  for _, row in ipairs(rows) do lines[#lines + 1] = row_line(row) end
  if rows.note then lines[#lines + 1] = "  " .. rows.note end
  lines[#lines + 1] = "  " .. M.rounds(rows) .. "\n"
  return table.concat(lines, "\n")
end

---- for programs ----

local function rounded(value)
  return value and math.floor(value * 1e4 + 0.5) / 1e4
end

local function json_row(row)
  local pairs <const> = { { "name", row.name } }
  local function add(key, value)
    if value ~= nil then pairs[#pairs + 1] = { key, value } end
  end
  add("median_ms", rounded(row.median))
  add("quartiles_ms", row.low and { rounded(row.low), rounded(row.high) })
  add("ratio", rounded(row.ratio))
  add("wanted", row.wanted)
  add("floor_ratio", rounded(row.floor_ratio))
  add("peak_kib", row.memory)
  add("skipped", row.skipped)
  return json.object(pairs)
end

local function json_table(rows)
  local list <const> = json.list()
  for i, row in ipairs(rows) do list[i] = json_row(row) end
  local pairs <const> = { { "title", rows.title }, { "group", rows.group },
                          { "rounds", rows.count } }
  if rows.note then pairs[#pairs + 1] = { "note", rows.note } end
  pairs[#pairs + 1] = { "rows", list }
  return json.object(pairs)
end

--- All tables as JSON.
-- @tparam table all
-- @tparam table machine of machine.lua
-- @treturn string
function M.json(all, machine)
  local tables <const> = json.list()
  for i, rows in ipairs(all) do tables[i] = json_table(rows) end
  return json.encode(json.object { { "machine", json.object(machine) },
                                   { "tables", tables } }, "  ") .. "\n"
end

return M

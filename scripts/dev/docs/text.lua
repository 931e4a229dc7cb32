-- A record as a page of plain text: what help(ns.mount) shows.

local M = {}

-- Parameters from this one on may be left out.
local function optional_from(params)
  local first = #params + 1
  while first > 1 and params[first - 1].optional do first = first - 1 end
  return first
end

--- "ns.umount(target [, flags])"
function M.signature(record)
  local params <const> = record.params
  local first <const> = optional_from(params)
  local text = ""
  for i, param in ipairs(params) do
    local comma = i > 1 and ", " or ""
    text = text .. (i < first and comma or i > 1 and " [" .. comma or "[")
      .. param.name
  end
  local brackets = ("]"):rep(#params - first + 1)
  return ("%s(%s%s)"):format(record.name, text, brackets)
end

-- Breaks one paragraph into lines.
local function fill(text, first, rest, width)
  local lines, line = {}, first
  for word in text:gmatch "%S+" do
    if utf8.len(line) + utf8.len(word) > width and line:find "%S$" then
      lines[#lines + 1], line = line, rest
    end
    local gap = (line:find "%S$") and " " or ""
    line = line .. gap .. word
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

-- Paragraphs and lists ("- " at the start of a line) in a width of 78; lines
-- that are indented stay as they are.
local function body(text, indent)
  local parts, kept = {}, nil
  local pad <const> = (" "):rep(indent)
  local function flush()
    if not kept then return end
    local item = kept:match "^%- (.*)$"
    parts[#parts + 1] = fill(item or kept, item and pad .. "- " or pad,
                             item and pad .. "  " or pad, 78)
    kept = nil
  end
  for line in (text .. "\n"):gmatch "(.-)\n" do
    if line:find "^%s*$" then
      flush()
      if #parts > 0 then parts[#parts + 1] = "" end
    elseif line:find "^%- " or not kept then
      flush()
      kept = line
    else
      kept = kept .. " " .. line
    end
  end
  flush()
  while parts[#parts] == "" do parts[#parts] = nil end
  return table.concat(parts, "\n")
end

local function parameter(param, width)
  local note = param.type .. (param.default and ", else " .. param.default
                              or param.optional and ", optional" or "")
  local head = ("  %-" .. width .. "s  %s"):format(param.name, note)
  if not param.text:find "%S" then return head end
  return head .. "\n" .. body(param.text, width + 4)
end

local function returned(result)
  local text = result.type == "any" and "" or result.type .. "  "
  return fill(text .. result.text:gsub("\n", " "), "  ", "    ", 78)
end

local function add_params(lines, record)
  local width = 0
  for _, param in ipairs(record.params) do
    width = math.max(width, #param.name)
  end
  for _, param in ipairs(record.params) do
    lines[#lines + 1] = parameter(param, width)
  end
  if #record.params > 0 then lines[#lines + 1] = "" end
end

local function add_returns(lines, record)
  local group = 1
  for i, result in ipairs(record.returns) do
    if i == 1 then lines[#lines + 1] = "returns" end
    if result.group ~= group then lines[#lines + 1] = "or" end
    group = result.group
    lines[#lines + 1] = returned(result)
  end
  if #record.returns > 0 then lines[#lines + 1] = "" end
end

--- The page.
-- @tparam table record from scripts.dev.docs.parse
-- @treturn string
function M.page(record)
  local lines = { M.signature(record), "", body(record.text, 0), "" }
  add_params(lines, record)
  add_returns(lines, record)
  if record.raises then
    lines[#lines + 1] = "raises\n" .. body(record.raises, 2) .. "\n"
  end
  if record.see then lines[#lines + 1] = "see " .. record.see .. "\n" end
  for _, usage in ipairs(record.usage) do
    lines[#lines + 1] = "for example\n  " .. usage:gsub("\n", "\n  ") .. "\n"
  end
  return (table.concat(lines, "\n"):gsub("%s+$", ""))
end

return M

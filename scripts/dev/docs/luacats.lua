-- Records as a definition file for editors that read LuaCATS annotations: the
-- names, types and texts of what `require "farside"` answers, without code.

local M = {}

local types <const> = {
  string = "string", int = "integer", integer = "integer", number = "number",
  boolean = "boolean", table = "table", ["function"] = "function",
  any = "any", ["nil"] = "nil", userdata = "userdata",
}

-- "fd" → "farside.fd"; "table[]" keeps its brackets
local function one_type(word)
  local name, list = word:match "^([%w_.]+)(%[?%]?)$"
  if not name then return "any" end
  return (types[name] or "farside." .. name:lower()) .. list
end

local function type_of(text)
  local list = {}
  for word in text:gmatch "[^|]+" do list[#list + 1] = one_type(word) end
  return table.concat(list, "|")
end

local function one_line(text) return (text:gsub("%s+", " ")) end

-- A parameter's name as Lua has it: `end` and `function` are words of its own.
local reserved <const> = { ["end"] = "end_", ["function"] = "fn",
                           ["in"] = "in_", ["repeat"] = "repeat_" }

local function name_of(param) return reserved[param.name] or param.name end

local function comment(record, lines)
  for line in (record.text .. "\n"):gmatch "(.-)\n" do
    lines[#lines + 1] = ("--- " .. line):gsub("%s+$", "")
  end
  if record.raises then
    lines[#lines + 1] = "---"
    lines[#lines + 1] = "--- Raises " .. one_line(record.raises)
  end
end

local function params(record, lines)
  local names = {}
  for i, param in ipairs(record.params) do
    names[i] = name_of(param)
    lines[#lines + 1] = ("---@param %s%s %s %s"):format(names[i],
      param.optional and param.name ~= "..." and "?" or "",
      type_of(param.type), one_line(param.text)):gsub("%s+$", "")
  end
  return table.concat(names, ", ")
end

-- Only the first way to return: the others are for the text.
local function returns(record, lines)
  for _, result in ipairs(record.returns) do
    if result.group == 1 then
      lines[#lines + 1] = ("---@return %s # %s"):format(type_of(result.type),
        one_line(result.text)):gsub(" # $", "")
    end
  end
end

-- Declares the tables and classes that a name goes through, once each.
local function declare(record, lines, declared)
  local class = record.name:match "^(%w+):"
  local area = record.name:match "^ns%.(%w+)%."
  if class and not declared[class] then
    declared[class] = true
    lines[#lines + 1] = ("\n---@class farside.%s\nlocal %s = {}"):format(class,
                                                                     class)
  elseif area and not declared[area] then
    declared[area] = true
    lines[#lines + 1] = ("\nns.%s = {}"):format(area)
  end
end

--- The definitions.
-- @tparam table records from scripts.dev.docs.parse
-- @treturn string
function M.definitions(records)
  local lines = { "---@meta farside\n-- Made by scripts/dev/docs.lua.\n",
                  "---@class farside\nlocal ns = {}" }
  local declared = {}
  for _, record in ipairs(records) do
    declare(record, lines, declared)
    lines[#lines + 1] = ""
    comment(record, lines)
    local list = params(record, lines)
    returns(record, lines)
    lines[#lines + 1] = ("function %s(%s) end"):format(record.name, list)
  end
  lines[#lines + 1] = "\nreturn ns\n"
  return table.concat(lines, "\n")
end

return M

--- The list of steps itself, and each step as the Lua call it is.

local M = {}

local Plan = { __name = "farside.plan" }
Plan.__index = Plan

--- An argument that stands for an earlier result, or for a field of it.
function M.ref(name, field) return { ref = name, field = field } end

function M.new() return setmetatable({}, Plan) end

--- Whether a value is a plan, also one of a module that was loaded before.
function M.is(value)
  local meta <const> = getmetatable(value)
  return type(meta) == "table" and meta.__name == Plan.__name
end

--- Adds a step.
-- @tparam string where who takes it: "parent" or "child"
-- @tparam string label one clause of why
-- @tparam string call the name of a public call
-- @param … its arguments
-- @treturn table the step; its `as` names the result for later ones
function Plan:add(where, label, call, ...)
  local step = { where = where, call = call, args = table.pack(...),
                 label = label }
  for i = 1, step.args.n do
    -- only tables can be, or have in them, what stands for an earlier result
    if type(step.args[i]) == "table" then step.refers = true end
  end
  self[#self + 1] = step
  return step
end

--- Adds a step that calls a method of an earlier result.
function Plan:tell(where, on, label, call, ...)
  local step = self:add(where, label, call, ...)
  step.on = on
  return step
end

--- Adds the steps that put a mount into the root.
-- @tparam string name where it is now, in the child's working directory
-- @tparam string at
-- @tparam string label
function Plan:move(name, at, label)
  self:add("child", "as a mount to be moved", "open_tree", nil, name).as = name
  self:tell("child", "root", label, "attach", M.ref(name), at)
end

local show

local function show_table(value)
  if value.ref then
    return value.field and value.ref .. "." .. value.field or value.ref
  end
  local parts = {}
  for i = 1, #value do parts[i] = show(value[i]) end
  local keyed = {}
  for key in pairs(value) do
    if type(key) == "string" then keyed[#keyed + 1] = key end
  end
  table.sort(keyed)
  for _, key in ipairs(keyed) do
    parts[#parts + 1] = key .. " = " .. show(value[key])
  end
  return #parts == 0 and "{}" or "{ " .. table.concat(parts, ", ") .. " }"
end

function show(value)
  if type(value) == "string" and value:find "\0" then
    return ("(%d bytes)"):format(#value)
  elseif type(value) == "string" then
    return (("%q"):format(value):gsub("\\\n", "\\n"))
  elseif type(value) == "table" and getmetatable(value) == nil then
    return show_table(value)
  elseif type(value) == "function" then
    local info = debug.getinfo(value, "S")
    return ("function (%s:%d)"):format(info.short_src, info.linedefined)
  end
  return tostring(value)
end

--- A step as the Lua call it is.
function M.show(step)
  local args = {}
  for i = 1, step.args.n do args[i] = show(step.args[i]) end
  local on = step.on and step.on .. ":" or "ns."
  return ("%s%s%s(%s)"):format(step.as and step.as .. " = " or "", on,
                               step.call, table.concat(args, ", "))
end

--- The plan as text.
-- @tparam[opt] table times a step's number → the seconds that it took
function Plan:text(times)
  local lines, before = {}, ""
  for i, step in ipairs(self) do
    if times then
      before = times[i] and ("%6.0f µs  "):format(times[i] * 1e6)
        or (" "):rep(8) .. "-  "
    end
    lines[i] = ("%3d  %-7s  %s%s\n%s-- %s"):format(i, step.where, before,
      M.show(step), (" "):rep(14 + utf8.len(before)), step.label)
  end
  return table.concat(lines, "\n")
end

--- The plan as records, for programs.
-- @treturn {table,...} `where`, `call`, `code` (the Lua call that it is) and
-- `label` of each step
function Plan:records()
  local list = {}
  for i, step in ipairs(self) do
    list[i] = { where = step.where, call = step.call, code = M.show(step),
                label = step.label }
  end
  return list
end

function Plan:__tostring() return self:text() end

return M

--- One step of a plan, taken: its call is looked up, references in its
-- arguments are replaced by earlier results, and its failure gets its name.
-- Containers are made of these, and what joins one gets its privileges by them.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"

local M = {}

-- A public call by its name, "link.set".
local function public(name)
  local value = require "farside"
  for part in name:gmatch "[^.]+" do value = value[part] end
  return value
end

--- The functions that steps call, looked up beforehand: when others' files are
-- in sight nothing may be loaded any more.
-- @tparam {step,...} plan
-- @treturn table by name
function M.resolve(plan)
  local calls = {}
  for _, step in ipairs(plan) do
    if not step.on and not calls[step.call] and step.call ~= "setup" then
      calls[step.call] = public(step.call)
    end
  end
  return calls
end

--- The same, each looked up when it is called, for those who may load.
-- @treturn table by name
function M.calls()
  return setmetatable({}, { __index = function(_, name)
    return public(name)
  end })
end

--- A value with references replaced, at any depth of plain tables.
function M.filled(value, values)
  if type(value) ~= "table" or getmetatable(value) then return value end
  if value.ref then
    local result <const> = values[value.ref]
    return result and value.field and result[value.field] or result
  end
  local copy = {}
  for key, element in pairs(value) do copy[key] = M.filled(element, values) end
  return copy
end

--- The arguments of a step.
-- @tparam table step
-- @tparam table values earlier results by name
-- @return its arguments, with these in the place of references
function M.arguments(step, values)
  if not step.refers then return table.unpack(step.args, 1, step.args.n) end
  local args = {}
  for i = 1, step.args.n do args[i] = M.filled(step.args[i], values) end
  return table.unpack(args, 1, step.args.n)
end

-- The recipe's own code may need a collector, which is stopped in children.
local function setup(step, values)
  collectgarbage "restart"
  local result <const> = step.args[1](values.root)
  collectgarbage "stop"
  return result
end

--- Takes a step.
-- @tparam table step
-- @tparam table calls from resolve
-- @tparam table values earlier results by name; this one's is put there
function M.take(step, calls, values)
  if step.given and values[step.given] == nil then return end
  if step.fail then core.raise(core.errno[step.fail], step.call) end
  local result
  if step.call == "setup" then
    result = setup(step, values)
  elseif step.on then
    local object = values[step.on]
    result = object[step.call](object, M.arguments(step, values))
  else
    result = calls[step.call](M.arguments(step, values))
  end
  if step.as then values[step.as] = result end
end

--- What a failed step raises: always an error object, with the step's name.
function M.named(step, failure)
  if not errors.is(failure) then
    local ok, text = pcall(tostring, failure)
    failure = errors.remake { call = step.call,
                              reason = ok and text or type(failure) }
  end
  failure.step = failure.step or step.label
  return failure
end

--- Most bytes of a message between the two sides.
M.most = 16384

--- The other side's next message. Its end without having read all that it was
-- told comes first, and then what it has said before that.
-- @tparam fd channel
-- @treturn string|nil nil when it has ended
-- @treturn {fd,...}
function M.receive(channel)
  local ok, message, descriptors = pcall(core.recvmsg, channel, M.most)
  if ok then return message, descriptors end
  if not (errors.is(message) and message.code == "ECONNRESET") then
    error(message, 0)
  end
  return core.recvmsg(channel, M.most)
end

--- A failure as bytes: all of it, or when it cannot be sent or is too long, the
-- fields that every error has, cut.
function M.told(failure)
  local serial <const> = require "farside.serial"
  local ok, bytes = pcall(serial.encode, failure)
  if ok and #bytes <= M.most then return bytes end
  local brief = { errno = failure.errno }
  for _, key in ipairs { "call", "code", "path", "detail", "reason", "where",
                         "step", "hint" } do
    local value = failure[key]
    if type(value) == "string" then brief[key] = value:sub(1, M.most // 10) end
  end
  return serial.encode(errors.remake(brief))
end

return M

--- The prompt at a terminal: what the driver adds to that of `lua`. The prompt
-- names the namespaces that differ from those at the start, `help` explains,
-- TAB completes, results are shown as tables, `_` is the last of them.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"

local M = {}

---- the prompt ----

local kinds <const> = { "user", "mnt", "pid", "net", "uts", "ipc", "cgroup",
                        "time" }

-- What the next child will be in, where that is another one than the process's.
local files <const> = { pid = "pid_for_children", time = "time_for_children" }

-- Until a child is born in it, the one for children cannot be read.
local function current()
  local set = {}
  for _, kind in ipairs(kinds) do
    local path = "/proc/self/ns/" .. (files[kind] or kind)
    local ok, link = pcall(core.readlinkat, nil, path)
    set[kind] = ok and link or set.user and files[kind] and "unborn"
  end
  return set
end

-- /proc may be gone, or be another one: then nothing is told.
local function differing(start)
  local now, list = current(), {}
  for _, kind in ipairs(kinds) do
    if now[kind] and now[kind] ~= start[kind] then list[#list + 1] = kind end
  end
  return list
end

local function prompt()
  local start <const> = current()
  return setmetatable({}, { __tostring = function()
    local list = differing(start)
    if #list == 0 then return "farside> " end
    return ("farside[%s]> "):format(table.concat(list, " "))
  end })
end

---- results ----

-- Whatever a script put into the place of print is used as it is.
local original <const> = print

--- Shows results, and keeps the last first one as `_`.
function M.show(...)
  _G._ = ...
  if print ~= original then return print(...) end
  require("farside.show").print(...)
end

---- completion ----

local function names(value, set)
  if type(value) ~= "table" then return end
  for key in pairs(value) do
    if type(key) == "string" and key:find "^[%a_][%w_]*$" then
      set[key] = true
    end
  end
end

-- A table's own keys, and those that its metatable adds.
local function members(value)
  local set = {}
  names(value, set)
  local meta <const> = debug.getmetatable(value)
  if type(meta) == "table" then names(rawget(meta, "__index"), set) end
  return set
end

local keywords <const> = {
  "and", "break", "do", "else", "elseif", "end", "false", "for", "function",
  "goto", "if", "in", "local", "nil", "not", "or", "repeat", "return", "then",
  "true", "until", "while",
}

local function starting(set, prefix, start, into)
  for name in pairs(set) do
    if name:sub(1, #start) == start then into[#into + 1] = prefix .. name end
  end
  return into
end

-- The value that "a.b.c" stands for, without calling anything but __index.
local function value_of(path)
  local value = _G
  for name in path:gmatch "[%a_][%w_]*" do
    local ok, inner = pcall(function() return value[name] end)
    if not ok or inner == nil then return nil end
    value = inner
  end
  return value
end

-- "ns.link.s" → what begins so in ns.link; "chi" → globals and keywords
local function complete_name(word)
  local path, separator, start = word:match "^(.*)([.:])([%w_]*)$"
  if path then
    return starting(members(value_of(path)), path .. separator, start, {})
  end
  local list = starting(_G, "", word, {})
  for _, name in ipairs(keywords) do
    if name:sub(1, #word) == word then list[#list + 1] = name end
  end
  return list
end

-- The call that the cursor is in: `ns.run { host` → "ns.run", whether within a
-- string, and within braces.
local function context(before)
  local stack, quote = {}, nil
  local i = 1
  while i <= #before do
    local char = before:sub(i, i)
    if quote then
      if char == "\\" then i = i + 1
      elseif char == quote then quote = nil end
    elseif char == '"' or char == "'" then
      quote = char
      if #stack == 0 or not stack[#stack].open then
        stack[#stack + 1] = { name = before:sub(1, i - 1):match
                                "([%w_.:]+)%s*$", string = true }
      end
    elseif char == "(" or char == "{" then
      stack[#stack + 1] = { open = char, name = before:sub(1, i - 1):match
                              "([%w_.:]+)%s*$" }
    elseif char == ")" or char == "}" then
      stack[#stack] = nil
    end
    i = i + 1
  end
  return stack, quote
end

local function call_of(stack)
  for i = #stack, 1, -1 do
    if stack[i].name then return stack[i].name end
  end
end

-- What a call takes by name: the keys of a recipe, or the words of its page.
local function words_of(call)
  local set = {}
  if call == "ns.run" or call == "ns.spawn" or call == "ns.plan" then
    for _, key in ipairs(require("farside.recipe").keys) do
      set[key.name] = true
    end
  end
  for _, word in ipairs(require("farside.help").words(call)) do
    set[word] = true
  end
  return set
end

--- The words that what is being typed may become.
-- @tparam string word as far as it is there
-- @tparam string line
-- @tparam integer first where the word begins in the line
-- @treturn {string,...}
function M.complete(word, line, first)
  local stack, quote = context(line:sub(1, first - 1))
  local call <const> = call_of(stack)
  local list
  if quote then
    list = call and starting(words_of(call), "", word, {}) or {}
  else
    list = complete_name(word)
    local inside = stack[#stack]
    if inside and inside.open == "{" and call then
      starting(words_of(call), "", word, list)
    end
  end
  table.sort(list)
  return list
end

---- history ----

-- Makes a directory and those above it.
local function make_directory(path)
  local ok, err = pcall(core.mkdirat, nil, path, "0700")
  if ok or err.code == "EEXIST" then return end
  local above <const> = path:match "^(.+)/[^/]+$"
  if err.code ~= "ENOENT" or not above then error(err, 0) end
  make_directory(above)
  core.mkdirat(nil, path, "0700")
end

--- The file in which lines are kept between sessions, made when it is missing;
-- nil when there is no place for it. See the XDG base directory specification.
-- @treturn string|nil
function M.history()
  local home <const> = os.getenv "HOME"
  local state = os.getenv "XDG_STATE_HOME" or home and home .. "/.local/state"
  if not state then return nil end
  local path <const> = state .. "/farside/history"
  local ok, err = pcall(function()
    make_directory(state .. "/farside")
    core.openat2(nil, path, "wronly,create,append", { mode = "0600" }):close()
  end)
  -- a home that cannot be written keeps no history; nobody asked for one
  if not ok and not errors.is(err) then error(err, 0) end
  return ok and path or nil
end

---- the start ----

-- `help` alone tells how to ask.
local function helper()
  return setmetatable({}, {
    __call = function(_, ...) return require("farside.help").help(...) end,
    __tostring = function() return require("farside.help").overview end,
  })
end

--- Makes the prompt at home. A prompt that was set by LUA_INIT stays.
function M.start()
  if _G._PROMPT == nil then _G._PROMPT = prompt() end
  if _G._PROMPT2 == nil then _G._PROMPT2 = "      >> " end
  if _G.help == nil then _G.help = helper() end
end

return M

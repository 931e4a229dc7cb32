-- Reads the doc comments of the C and Lua files into records: what the help of
-- the prompt, the manual pages and the definitions for editors are made from.
--
-- A record is { name, text, params, returns, raises, usage, fields, file,
-- line }; `name` is the public one: "ns.mount", "ns.link.add", "process:wait".
-- What is documented but not public (helpers between modules) is left out.

local M = {}

local function content(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

---- comments ----

-- Comments of a C file: { lines, line }.
local function c_comments(text)
  local list, line = {}, 0
  local open
  for raw in (text .. "\n"):gmatch "(.-)\n" do
    line = line + 1
    if open and raw:find "^%s*%*/" then
      list[#list + 1], open = open, nil
    elseif open then
      open.lines[#open.lines + 1] = raw
    elseif raw:find "^/%*%*%*" then
      local first = raw:match "^/%*%*%*%s*(.+)$"
      open = { lines = { first }, line = line }
    end
  end
  return list
end

-- Comments of a Lua file, those that begin with three dashes: { lines, line,
-- after }, where `after` is the line of code that follows.
local function lua_comments(text)
  local list, line = {}, 0
  local open
  for raw in (text .. "\n"):gmatch "(.-)\n" do
    line = line + 1
    if open and raw:find "^%s*%-%-" then
      open.lines[#open.lines + 1] = raw:match "^%s*%-%- ?(.*)$"
    elseif open then
      open.after = raw
      list[#list + 1], open = open, nil
    elseif raw:find "^%s*%-%-%-[^-]" then
      open = { lines = { raw:match "^%s*%-%-%-%s*(.*)$" }, line = line }
    end
  end
  return list
end

---- tags ----

-- Splits a comment into its text and its tags: { word, modifiers, body }.
local function split(comment)
  local text, tags = {}, {}
  local into = text
  for _, raw in ipairs(comment.lines) do
    local word, modifiers, body = raw:match "^@(%w+)(%b[])%s*(.*)$"
    if not word then word, body = raw:match "^@(%w+)%s*(.*)$" end
    if word then
      into = { word = word, modifiers = modifiers or "", body }
      tags[#tags + 1] = into
    else
      into[#into + 1] = raw
    end
  end
  return table.concat(text, "\n"):gsub("%s+$", ""), tags
end

-- What a value may be, in LuaCATS's spelling: "?string" and "table|nil".
local function type_of(word)
  local optional, name = word:match "^(%??)(.*)$"
  name = name:gsub("{([%w_.]+),%.%.%.}", "%1[]")
  return name, optional == "?"
end

local take <const> = {}

-- "@tparam[opt=default] type name text"
function take.tparam(record, tag)
  local word, name, text =
    table.concat(tag, "\n"):match "^(%S+)%s+(%S+)%s*(.*)$"
  local kind, may_be_nil = type_of(word)
  record.params[#record.params + 1] = {
    name = name == "…" and "..." or name, type = kind, text = text,
    optional = may_be_nil or tag.modifiers:find "opt" ~= nil,
    default = tag.modifiers:match "opt=([^%]]*)",
  }
end

function take.param(record, tag)
  tag[1] = "any " .. tag[1]
  take.tparam(record, tag)
end

-- "@treturn[1] type text": the same number stands for one way to return
function take.treturn(record, tag)
  local word, text = table.concat(tag, "\n"):match "^(%S+)%s*(.*)$"
  record.returns[#record.returns + 1] = {
    type = type_of(word), text = text,
    group = tonumber(tag.modifiers:match "%d+") or 1,
  }
end

take["return"] = function(record, tag)
  tag[1] = "any " .. tag[1]
  take.treturn(record, tag)
end

function take.raise(record, tag)
  record.raises = table.concat(tag, "\n")
end

function take.usage(record, tag)
  record.usage[#record.usage + 1] = table.concat(tag, "\n")
end

function take.field(record, tag)
  record.fields[#record.fields + 1] = table.concat(tag, "\n")
end

function take.see(record, tag)
  local page <const> = table.concat(tag, " ")
  record.see = record.see and record.see .. ", " .. page or page
end

take["function"] = function(record, tag) record.own = tag[1]:match "^%S+" end
take.type = function(record, tag) record.class = tag[1]:match "^%S+" end
take.classmod = take.type
take.module = function(record) record.module = true end

local function record_of(comment, file)
  local record = { params = {}, returns = {}, usage = {}, fields = {},
                   file = file, line = comment.line, after = comment.after }
  local tags
  record.text, tags = split(comment)
  for _, tag in ipairs(tags) do
    if not take[tag.word] then
      error(("%s:%d: unknown tag @%s"):format(file, comment.line, tag.word))
    end
    take[tag.word](record, tag)
  end
  return record
end

---- names ----

-- The table of the core that a file's functions are in, "link.", or "".
local function area(text)
  return text:match
    "luaL_newlib%(L, functions%);\n  lua_setfield%(L, %-2, \"(%w+)\"%);"
end

local function c_file(path, list)
  local text <const> = content(path)
  local prefix = area(text)
  prefix = prefix and "ns." .. prefix .. "." or "ns."
  for _, comment in ipairs(c_comments(text)) do
    local record = record_of(comment, path)
    if record.own then
      local whole = record.own:find "[:.]"
      record.name = not whole and prefix .. record.own
        or record.own:find ":" and record.own or "ns." .. record.own
      list[#list + 1] = record
    end
  end
end

-- Public name → the module that has it, from the library's own list.
local function public(init)
  local names = {}
  local list <const> = content(init):match "library <const> = (%b{})"
  for name, module in list:gmatch '([%w_]+) = "([%w_.]+)"' do
    names[module] = names[module] or {}
    names[module][name] = true
  end
  return names
end

-- "function M.mount(", "function Root:mkdir(" → "mount"; "Root", "mkdir"
local function defined(line)
  local class, method = line:match "^function (%u%w*):([%w_]+)%("
  if class and class ~= "M" then return nil, class, method end
  return line:match "^function M%.([%w_]+)%(" or line:match "^M%.([%w_]+) ="
end

-- The public name of what a record is about; nil for what is not public. A
-- module that is itself public as a table has all its functions in there; of
-- classes those are public that are documented as such.
local function lua_name(record, names, table, classes)
  local name, class, method = defined(record.after or "")
  if class then
    local open <const> = classes[class] and not method:find "^__"
    return open and class:lower() .. ":" .. method or nil
  end
  name = record.own or name
  if not name then return nil end
  if name:find ":" then return name end
  if names[name] or name:find "%." then return "ns." .. name end
  return table and ("ns.%s.%s"):format(table, name)
end

local function lua_file(path, list, names)
  local module <const> = path:match "farside/(.*)%.lua$":gsub("/", ".")
  local text <const>, records, classes = content(path), {}, {}
  local itself <const> = text:find("\nM." .. module .. " = M\n", 1, true)
  for i, comment in ipairs(lua_comments(text)) do
    records[i] = record_of(comment, path)
    if records[i].class then classes[records[i].class] = true end
  end
  for _, record in ipairs(records) do
    record.name = lua_name(record, names[module] or {}, itself and module,
                           classes)
    if record.name then list[#list + 1] = record end
  end
end

--- Reads files, in their order; the library's init.lua must be among them.
-- @treturn {table,...} records, sorted by name, with those of the library
-- instead of the core's where both have one
function M.read(paths)
  local names, list, by_name = nil, {}, {}
  for _, path in ipairs(paths) do
    if path:find "farside/init%.lua$" then names = public(path) end
  end
  for _, path in ipairs(paths) do
    if path:find "%.c$" then
      c_file(path, list)
    else
      lua_file(path, list, names)
    end
  end
  for _, record in ipairs(list) do by_name[record.name] = record end
  local sorted = {}
  for _, record in pairs(by_name) do sorted[#sorted + 1] = record end
  table.sort(sorted, function(a, b) return a.name < b.name end)
  return sorted
end

return M

--- Command-line options from a table: { name, short = "n" or nil, option =
-- "ARG" or nil, off = the switch's own name or nil, help }. One parser and one
-- help text serve every sub-command. With `optional`, the value is one only
-- when it stands in the same word, --name=ARG or -nARG; otherwise it is true.

local M = {}

--- What is wrong with the command line; the caller says it and leaves.
local function usage(word, format, ...)
  error({ usage = ("farside %s: %s"):format(word, format:format(...)) }, 0)
end

M.usage = usage

--- How a key is spelled as an option.
local function spelled(name) return "--" .. name:gsub("_", "-") end

M.spelled = spelled

local function index(specs)
  local by_option = {}
  for _, spec in ipairs(specs) do
    by_option[spelled(spec.off or spec.name)] = spec
    if spec.short then by_option["-" .. spec.short] = spec end
  end
  return by_option
end

local function unknown(word, specs, name)
  local known = { "--help" }
  for option in pairs(specs) do
    if option:sub(1, 2) == name:sub(1, 2) then known[#known + 1] = option end
  end
  table.sort(known)
  local meant = require("farside.fields").nearest(name, known)
  usage(word, "unknown option '%s'%s", name,
    meant and (" (did you mean '%s'?)"):format(meant) or "")
end

-- The option at i, and what stands in the same word: "--name=value", or "-n"
-- and the rest, which is its value or more options.
local function divide(text)
  local name, inline = text:match "^(%-%-[^=]+)=(.*)$"
  if name then return name, inline end
  if text:find "^%-[^-]." then return text:sub(1, 2), text:sub(3) end
  return text
end

local function take(word, specs, values, args, i)
  local name, inline = divide(args[i])
  local spec = specs[name]
  if not spec then unknown(word, specs, name) end
  if not spec.option then
    if inline and #name > 2 then
      usage(word, "option '%s' takes no value", name)
    end
    values[#values + 1] = { spec = spec, value = not spec.off }
    if not inline then return i + 1 end
    args[i] = "-" .. inline
    return i
  end
  if spec.optional then
    values[#values + 1] = { spec = spec, value = inline or true }
    return i + 1
  end
  local text = inline or args[i + 1]
  if not text then usage(word, "option '%s' needs %s", name, spec.option) end
  values[#values + 1] = { spec = spec, value = text }
  return inline and i + 1 or i + 2
end

--- Reads options up to the first word that is none, or "--".
-- @tparam string word the sub-command
-- @tparam table specs
-- @tparam table args
-- @treturn table list of { spec, value } in order
-- @treturn table the remaining words
-- @treturn boolean whether "--" stood before them
-- @raise a table with field `usage`
function M.parse(word, specs, args)
  local by_option, values, i, dashes = index(specs), {}, 1, false
  args = table.move(args, 1, #args, 1, {})
  while args[i] and args[i]:sub(1, 1) == "-" and args[i] ~= "-" do
    dashes = args[i] == "--"
    if dashes then i = i + 1 break end
    i = take(word, by_option, values, args, i)
  end
  return values, table.move(args, i, #args, 1, {}), dashes
end

--- The same for a command whose options stand anywhere between its words and
-- are each given once: a table of name → value.
-- @treturn table values
-- @treturn table the other words
function M.read(word, specs, args)
  local given, words, rest = {}, {}, args
  while #rest > 0 do
    local values, dashes
    values, rest, dashes = M.parse(word, specs, rest)
    for _, one in ipairs(values) do given[one.spec.name] = one.value end
    repeat words[#words + 1] = table.remove(rest, 1)
    until not dashes or #rest == 0
  end
  return given, words
end

-- Breaks a text into lines of at most `width`, the later ones indented.
local function wrap(text, width, indent)
  local lines, line = {}, ""
  for piece in text:gmatch "%S+" do
    if #line + #piece + 1 > width and line ~= "" then
      lines[#lines + 1], line = line, piece
    else
      line = line == "" and piece or line .. " " .. piece
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n" .. (" "):rep(indent))
end

--- The help text's list of options.
function M.help(specs)
  local lines = {}
  for _, spec in ipairs(specs) do
    local left = spelled(spec.off or spec.name)
    if spec.short then left = "-" .. spec.short .. ", " .. left end
    if spec.optional then
      left = left .. "[=" .. spec.option .. "]"
    elseif spec.option then
      left = left .. " " .. spec.option
    end
    local width <const> = utf8.len(left)
    local column = width > 23 and left .. "\n" .. (" "):rep(26)
      or left .. (" "):rep(24 - width)
    lines[#lines + 1] = "  " .. column .. wrap(spec.help, 53, 26)
  end
  return table.concat(lines, "\n")
end

return M

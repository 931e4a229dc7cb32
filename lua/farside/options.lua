--- Command-line options from a table: { name, option = "ARG" or nil, off =
-- the switch's own name or nil, help }. One parser and one help text serve
-- every sub-command.

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
  end
  return by_option
end

local function take(word, specs, values, args, i)
  local name, inline = args[i]:match "^(%-%-[^=]+)=(.*)$"
  name = name or args[i]
  local spec = specs[name]
  if not spec then usage(word, "unknown option '%s'", name) end
  if not spec.option then
    if inline then usage(word, "option '%s' takes no value", name) end
    values[#values + 1] = { spec = spec, value = not spec.off }
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
-- @raise a table with field `usage`
function M.parse(word, specs, args)
  local by_option, values, i = index(specs), {}, 1
  while args[i] and args[i]:sub(1, 1) == "-" and args[i] ~= "-" do
    if args[i] == "--" then i = i + 1 break end
    i = take(word, by_option, values, args, i)
  end
  return values, table.move(args, i, #args, 1, {})
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
    if spec.option then left = left .. " " .. spec.option end
    local column = #left > 23 and left .. "\n" .. (" "):rep(26)
      or ("%-24s"):format(left)
    lines[#lines + 1] = "  " .. column .. wrap(spec.help, 53, 26)
  end
  return table.concat(lines, "\n")
end

return M

--- help: what a function, an object or a word is, from the doc comments.
-- The pages are made when Farside is built (farside.pages).

local fields <const> = require "farside.fields"

local M = {}

--- How to ask.
M.overview = [[
help(ns.mount)  help "mount"   a function, by itself or by its name
help(child)                    what can be done with an object
help "hostname"                a key of the recipes that ns.run takes
help "ns"       help "recipe"  all functions, all keys
ns.<TAB>                       names, and words in strings as well]]

---- finding a page ----

local function all_pages()
  local found, pages = pcall(require, "farside.pages")
  if found then return pages end
  error("help: the pages are part of the driver `farside`, and of what "
    .. "`make install` installs", 0)
end

-- The name of a public function: "ns.link.add".
local function name_of(fn)
  for name, value in pairs(require "farside") do
    if value == fn then return "ns." .. name end
    if type(value) == "table" and not getmetatable(value) then
      for inner, element in pairs(value) do
        if element == fn then return ("ns.%s.%s"):format(name, inner) end
      end
    end
  end
end

-- Names that end in a word: "wait" → "container:wait", "process:wait".
local function ending(word, pages)
  local list = {}
  for _, name in ipairs(fields.keys(pages)) do
    if name:match "[^.:]+$" == word or name:match "^ns%.(.*)$" == word then
      list[#list + 1] = name
    end
  end
  return list
end

-- Names that begin with a word: "link" → "ns.link.add", …
local function below(word, pages)
  local list = {}
  for _, name in ipairs(fields.keys(pages)) do
    local rest = name:gsub("^ns%.", "")
    if rest:find(word .. ".", 1, true) == 1
      or rest:find(word .. ":", 1, true) == 1 then
      list[#list + 1] = name
    end
  end
  return list
end

---- the list of all, and of some ----

-- The first sentence of a page.
local function summary(page)
  local text = page:match "^[^\n]*\n\n(.-)\n\n" or page:match "^[^\n]*\n\n(.*)"
    or ""
  text = text:gsub("\n", " ")
  return text:match "^(.-%.)%f[%s\0]" or text
end

local function cut(text, width)
  if utf8.len(text) <= width then return text end
  return text:sub(1, utf8.offset(text, width) - 1) .. "…"
end

-- Names with what each is, a line each.
local function catalogue(names, pages)
  local width, lines = 0, {}
  for _, name in ipairs(names) do width = math.max(width, #name) end
  for i, name in ipairs(names) do
    lines[i] = ("%-" .. width .. "s  %s"):format(name,
      cut(summary(pages[name]), 77 - width))
  end
  return table.concat(lines, "\n")
end

---- recipes ----

-- What the help text says of a switch is said of its being off.
local function key_page(key)
  local spelled <const> = require("farside.options").spelled
  local lines = { key.name .. ": a key of a recipe, for ns.run and ns.spawn",
                  "  " .. (key.about or key.help) }
  if key.off then
    lines[2] = ("  with `%s = false`: %s"):format(key.name, key.help)
  end
  if key.help then
    lines[3] = ("  on the command line: %s %s"):format(
      spelled(key.off or key.name), key.option or "")
  end
  return table.concat(lines, "\n")
end

local function recipe_key(word)
  for _, key in ipairs(require("farside.recipe").keys) do
    if key.name == word then return key_page(key) end
  end
end

local function recipe_keys()
  local lines = {}
  for _, key in ipairs(require("farside.recipe").keys) do
    lines[#lines + 1] = ("%-14s %s"):format(key.name,
      cut(key.about or key.help, 63))
  end
  return table.concat(lines, "\n")
end

---- by what was asked ----

local by_type <const> = {}

local function unknown(word, pages)
  local known = {}
  for name in pairs(pages) do known[#known + 1] = name:match "[^.:]+$" end
  for _, key in ipairs(require("farside.recipe").keys) do
    known[#known + 1] = key.name
  end
  local near = fields.unknown("word", word, known)
  return "help: " .. (near:find "did you mean" and near
    or ("unknown word '%s' (help \"ns\" lists all)"):format(word))
end

function by_type.string(word)
  local pages <const> = all_pages()
  if word == "ns" then return catalogue(fields.keys(pages), pages) end
  if word == "recipe" then return recipe_keys() end
  if pages[word] then return pages[word] end
  local parts = {}
  for _, name in ipairs(ending(word, pages)) do
    parts[#parts + 1] = pages[name]
  end
  parts[#parts + 1] = recipe_key(word)
  local list = below(word, pages)
  if #list > 0 then parts[#parts + 1] = catalogue(list, pages) end
  if #parts == 0 then return unknown(word, pages) end
  return table.concat(parts, "\n\n" .. ("-"):rep(78) .. "\n")
end

by_type["function"] = function(fn)
  local name <const> = name_of(fn)
  if name then return all_pages()[name] or name .. ": not documented" end
  local info <const> = debug.getinfo(fn, "S")
  if info.what == "C" then return "a function in C, not of Farside's" end
  return ("a function of %s, line %d"):format(info.short_src, info.linedefined)
end

-- An object by the name of its metatable, "farside.process"; a table of
-- functions by its place.
local function object(value)
  if rawequal(value, _G.help) then return M.overview end
  local pages <const> = all_pages()
  local meta = getmetatable(value)
  local kind = type(meta) == "table" and rawget(meta, "__name")
  if kind then
    local list = below(kind:match "[^.]+$", pages)
    if #list > 0 then return catalogue(list, pages) end
  end
  local ns <const> = require "farside"
  if value == ns then return by_type.string "ns" end
  for name, element in pairs(ns) do
    if element == value then return by_type.string(name) end
  end
  return ("a %s%s, not of Farside's"):format(type(value),
                                             kind and " " .. kind or "")
end

by_type.table, by_type.userdata = object, object

--- Prints what is known of something.
-- @function help
-- @param[opt] thing a function of ours, an object, or a name: "mount",
-- "link.add", "hostname"; without it, how to ask
-- @raise a message where the pages are not installed
function M.help(...)
  local thing <const> = ...
  if select("#", ...) == 0 then return print(M.overview) end
  local tell <const> = by_type[type(thing)]
  print(tell and tell(thing) or "a " .. type(thing))
end

--- The words in a page that a string argument may have.
-- @tparam string name "ns.mount"
-- @treturn {string,...}
function M.words(name)
  local found, pages = pcall(require, "farside.pages")
  local page = found and pages[name] or ""
  local set = {}
  for word in page:gmatch "[`\"]([%w_%-]+)[^`\"\n]*[`\"]" do
    set[word] = true
  end
  return fields.keys(set)
end

return M

-- Manual pages: farside(3) from the doc comments, farside-recipe(5) from the
-- keys of recipes, farside(1) from the help texts of the commands.

local text <const> = require "scripts.dev.docs.text"

local M = {}

---- roff ----

-- What troff would take for its own: backslashes anywhere, a dot or an
-- apostrophe at the start of a line. A hyphen is a minus, to be searched for.
local function plain(line)
  line = line:gsub("\\", "\\e"):gsub("%-", "\\-")
  return line:find "^[.']" and "\\&" .. line or line
end

local function paragraph(lines, words)
  lines[#lines + 1] = ".PP"
  for line in (words .. "\n"):gmatch "(.-)\n" do
    if line ~= "" then lines[#lines + 1] = plain(line) end
  end
end

-- As it is, line by line.
local function verbatim(lines, block)
  lines[#lines + 1] = ".PP\n.nf"
  for line in (block .. "\n"):gmatch "(.-)\n" do
    lines[#lines + 1] = plain(line)
  end
  lines[#lines + 1] = ".fi"
end

local function page(name, section, summary)
  return {
    '.\\" -*- coding: utf-8 -*- Made by scripts/dev/docs.lua.',
    (".TH %s %d \"\" Farside"):format(name:upper():gsub("%-", "\\-"), section),
    ".SH NAME", plain(name) .. " \\- " .. plain(summary),
  }
end

local function heading(lines, name)
  lines[#lines + 1] = ".SH " .. plain(name:upper())
end

local function see_also(lines, pages)
  heading(lines, "see also")
  lines[#lines + 1] = plain(table.concat(pages, ", "))
  return table.concat(lines, "\n") .. "\n"
end

---- farside(3) ----

-- What a name is listed under: "ns", "ns.link", "process".
local function area(record)
  return record.name:match "^(.*)[.:]"
end

--- Every function and method.
-- @tparam table records from scripts.dev.docs.parse
function M.functions(records)
  local lines = page("farside", 3, "Linux namespaces as Lua functions")
  heading(lines, "synopsis")
  verbatim(lines, 'local ns = require "farside"')
  local last
  for _, record in ipairs(records) do
    if area(record) ~= last then
      last = area(record)
      heading(lines, last)
    end
    lines[#lines + 1] = ".SS " .. plain(text.signature(record))
    verbatim(lines, text.page(record):match "\n\n(.*)$")
  end
  return see_also(lines, { "farside(1)", "farside-recipe(5)", "namespaces(7)" })
end

---- farside-recipe(5) ----

local function option(key)
  local spelled <const> = require("farside.options").spelled
  if not key.help then return nil end
  return "On the command line: " .. spelled(key.off or key.name)
    .. (key.option and " " .. key.option or "")
end

--- Every key of a recipe.
-- @tparam table keys farside.recipe's
function M.recipe(keys)
  local lines = page("farside-recipe", 5, "what a container is made from")
  heading(lines, "description")
  paragraph(lines, "A recipe is a Lua table: the command and its arguments as "
    .. "a list, and these keys. ns.run, ns.spawn and ns.plan take it, and so "
    .. "do farside run and farside plan, from a Lua file that returns it. A "
    .. "key that is not known is an error.")
  heading(lines, "keys")
  for _, key in ipairs(keys) do
    lines[#lines + 1] = ".TP\n.B " .. plain(key.name)
    lines[#lines + 1] = plain((key.off and "true, or false: " or "")
      .. (key.help or key.about))
    local spelled = option(key)
    if spelled then lines[#lines + 1] = ".br\n" .. plain(spelled) end
  end
  return see_also(lines, { "farside(1)", "farside(3)", "capabilities(7)" })
end

---- farside(1) ----

--- Every command.
-- @tparam table summaries { { word, summary }, … }
-- @tparam function help answers the help text of a word
function M.commands(summaries, help)
  local lines = page("farside", 1, "a Lua interpreter with Linux namespaces "
    .. "and containers inside")
  heading(lines, "synopsis")
  verbatim(lines, "farside [options] [script [args]]\nfarside command [args]")
  heading(lines, "description")
  paragraph(lines, "farside is lua(1) with the library inside: the same "
    .. "options, the same prompt, and ns and farside as globals. A word that "
    .. "is one of the commands below runs that; anything else is a script.")
  for _, summary in ipairs(summaries) do
    heading(lines, "farside " .. summary[1])
    paragraph(lines, summary[2]:gsub("^%l", string.upper) .. ".")
    verbatim(lines, help(summary[1]))
  end
  return see_also(lines, { "lua(1)", "farside(3)", "farside-recipe(5)",
                           "unshare(1)", "nsenter(1)", "lsns(8)" })
end

return M

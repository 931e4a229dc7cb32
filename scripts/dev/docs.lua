-- Makes documents of the doc comments in the C and Lua files:
--   lua5.4 scripts/dev/docs.lua help OUT.lua FILE…     pages for the prompt
--   lua5.4 scripts/dev/docs.lua luacats OUT.lua FILE…  definitions for editors
--   lua5.4 scripts/dev/docs.lua man DIRECTORY FILE…    manual pages; with the
--                                                      core in LUA_CPATH
package.path = "./?.lua;./lua/?.lua;./lua/?/init.lua;" .. package.path

local parse <const> = require "scripts.dev.docs.parse"

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

local makers <const> = {}

-- A module that answers { NAME = PAGE }; the prompt's help loads it.
function makers.help(out, records)
  local text <const> = require "scripts.dev.docs.text"
  local lines = { "-- Made by scripts/dev/docs.lua.", "return {" }
  for _, record in ipairs(records) do
    lines[#lines + 1] = ("  [%q] = %q,"):format(record.name, text.page(record))
  end
  lines[#lines + 1] = "}\n"
  write(out, table.concat(lines, "\n"))
end

-- Definitions for editors.
function makers.luacats(out, records)
  write(out, require("scripts.dev.docs.luacats").definitions(records))
end

-- Manual pages into a directory. What the keys and the commands say of
-- themselves is asked of the library, whose core must have been built.
function makers.man(out, records)
  local man <const> = require "scripts.dev.docs.man"
  local commands <const> = require "farside.cli"
  write(out .. "/farside.3", man.functions(records))
  write(out .. "/farside-recipe.5", man.recipe(require("farside.recipe").keys))
  write(out .. "/farside.1", man.commands(commands.summaries(), function(word)
    return require("farside.cli." .. word).help()
  end))
end

local what <const>, out <const> = arg[1], arg[2]
local make <const> = makers[what]
  or error "usage: docs.lua help | luacats | man OUT FILE…"
make(out, parse.read { table.unpack(arg, 3) })

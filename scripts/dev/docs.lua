-- Makes documents of the doc comments in the C and Lua files:
--   lua5.4 scripts/dev/docs.lua help OUT.lua FILE…    pages for the prompt
package.path = "./?.lua;" .. package.path

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

local what <const>, out <const> = arg[1], arg[2]
local make <const> = makers[what]
  or error "usage: docs.lua help OUT FILE…"
make(out, parse.read { table.unpack(arg, 3) })

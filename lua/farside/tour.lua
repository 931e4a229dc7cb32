--- The guided tour: a walk through what namespaces are, shown on the reader's
-- own machine. Chapters are data (farside.tour.chapters, farside.tour.beyond):
-- a title, and parts that are text, code with what it prints, or questions
-- that are answered on both sides. Nothing is told that is not done here and
-- now.

local core <const> = require "farside.core"
local screen <const> = require "farside.screen"

local M = {}

local Guide = {}
Guide.__index = Guide

---- looks ----

local function painted(self, code, text)
  return self.screen.colour and ("\27[%sm%s\27[0m"):format(code, text) or text
end

local function say(...) io.write(table.concat({ ... }), "\n") end

--- A paragraph, broken into lines.
function Guide.text(_, words)
  local width, line = 76, ""
  say()
  for word in words:gmatch "%S+" do
    if utf8.len(line) + utf8.len(word) + 1 > width then
      say("  ", line)
      line = ""
    end
    line = line == "" and word or line .. " " .. word
  end
  say("  ", line)
end

--- Code, as it could be typed.
function Guide:code(text)
  say()
  for line in (text .. "\n"):gmatch "(.-)\n" do
    say("    ", painted(self, "36", line))
  end
end

--- What was printed, or found out.
function Guide:shown(text)
  for line in (tostring(text):gsub("\n$", "") .. "\n"):gmatch "(.-)\n" do
    say("    ", painted(self, "2", "│ "), line)
  end
end

local function cell(value)
  local text = value == nil and "none" or tostring(value)
  return (text:gsub("%s*\n%s*", ", "))
end

local function padded(text, width)
  return text .. (" "):rep(width - (utf8.len(text) or #text))
end

--- The same questions on both sides: { { question, outside, inside }, … }.
function Guide:sides(rows)
  local wide = { 0, #"outside" }
  for _, row in ipairs(rows) do
    for c = 1, 2 do wide[c] = math.max(wide[c], utf8.len(cell(row[c])) or 0) end
  end
  say()
  say("    ", padded("", wide[1]), "  ",
      painted(self, "1", padded("outside", wide[2])), "  ",
      painted(self, "1", "inside"))
  for _, row in ipairs(rows) do
    local differs <const> = cell(row[2]) ~= cell(row[3])
    say("    ", padded(cell(row[1]), wide[1]), "  ",
        padded(cell(row[2]), wide[2]), "  ",
        painted(self, differs and "32" or "0", cell(row[3])))
  end
end

--- Bars: { { name, value, text }, … }, each as long as its value.
function Guide:bars(rows)
  local most, wide = 0, 0
  for _, row in ipairs(rows) do
    most, wide = math.max(most, row[2]), math.max(wide, utf8.len(row[1]))
  end
  local block <const> = self.screen.unicode and "█" or "#"
  say()
  for _, row in ipairs(rows) do
    local length <const> = math.max(1, math.floor(row[2] / most * 40 + 0.5))
    say("    ", padded(row[1], wide), "  ",
        painted(self, "34", block:rep(length)), " ", row[3])
  end
end

---- going on ----

local quit <const> = {}

local keys <const> = { q = true, ["\3"] = true, ["\4"] = true,
                       ["\27"] = true }

-- Waits for a key; the terminal is given back whatever happens.
local function key()
  local raw <close> = core.tty.raw(0)
  local _ = raw
  return core.read(0, 1) or "q"
end

function Guide:pause()
  if not self.pauses then return end
  io.write("\n  ", painted(self, "7", " any key goes on, q ends "))
  io.flush()
  local pressed <const> = key()
  io.write("\r\27[K")
  if keys[pressed] then error(quit, 0) end
end

--- Asks for a line; what is not answered is `otherwise`.
function Guide:ask(question, otherwise)
  if not self.pauses then return otherwise end
  io.write("\n  ", question, " [", otherwise, "] ")
  io.flush()
  local line = io.read "l"
  if not line then error(quit, 0) end
  line = line:match "^%s*(.-)%s*$"
  return line == "" and otherwise or line
end

local function chapter(self, number, count, one)
  say()
  say(painted(self, "1", ("%d/%d  %s"):format(number, count, one.title)))
  for _, part in ipairs(one) do
    if type(part) == "string" then self:text(part) else part(self) end
  end
  self:pause()
end

--- Goes through all chapters.
-- @tparam boolean pauses wait for a key after each
-- @tparam[opt] int first the chapter to begin with
-- @tparam[opt] string kernel a file for the virtual machine
-- @raise a message when there is no such chapter
function M.run(pauses, first, kernel)
  local guide <const> = setmetatable({ pauses = pauses, kernel = kernel,
                                       screen = screen.of(1) }, Guide)
  local list = table.move(require "farside.tour.chapters", 1, 99, 1, {})
  table.move(require "farside.tour.beyond", 1, 99, #list + 1, list)
  if first and not list[first] then
    error(("tour: chapter from 1 to %d expected, got %d"):format(#list, first),
          0)
  end
  for number = first or 1, #list do
    local ok, failure = pcall(chapter, guide, number, #list, list[number])
    if failure == quit then return say() end
    if not ok then error(failure, 0) end
  end
end

return M

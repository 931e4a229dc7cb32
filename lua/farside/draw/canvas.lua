--- A page of SVG: shapes and texts, put down in page coordinates, with one
-- style sheet for light and dark backgrounds. Texts are measured by counting
-- characters of fixed-width type; so they can be cut to the room they have.

local columns <const> = require "farside.columns"

local M = {}

local Canvas <const> = {}
Canvas.__index = Canvas

function M.new() return setmetatable({ parts = {} }, Canvas) end

-- Width of a character, as a part of the type's size: that of the widest of
-- the usual fixed-width fonts.
local advance <const> = 0.605

--- How wide a text of a size is.
function M.width(text, size) return columns.width(text) * size * advance end

--- As much of a text as fits into a width.
function M.fit(text, width, size)
  return columns.cut(text, math.floor(width / (size * advance)), true)
end

local escapes <const> = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;",
                          ['"'] = "&quot;" }

local function escape(text)
  return (columns.printable(text):gsub('[&<>"]', escapes))
end

-- Numbers without more digits than a screen has.
local function num(value) return ("%.6g"):format(value) end

function Canvas:put(format, ...)
  self.parts[#self.parts + 1] = format:format(...)
end

--- A rectangle with round corners.
function Canvas:box(x, y, w, h, class, radius)
  self:put('<rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="%s"/>',
    class, num(x), num(y), num(w), num(h), num(radius or 8))
end

--- A text whose baseline begins at x, y; `tip` is shown under the pointer.
function Canvas:text(x, y, text, class, tip)
  local inner = escape(text)
  if tip then
    inner = ("<title>%s</title>%s"):format(escape(tip), inner)
  end
  self:put('<text class="%s" x="%s" y="%s">%s</text>', class, num(x), num(y),
    inner)
end

function Canvas:line(x1, y1, x2, y2, class)
  self:put('<path class="%s" d="M%s %sL%s %s"/>', class, num(x1), num(y1),
    num(x2), num(y2))
end

function Canvas:dot(x, y, r, class)
  self:put('<circle class="%s" cx="%s" cy="%s" r="%s"/>', class, num(x),
    num(y), num(r))
end

---- the style sheet ----

-- Colours of the kinds, on light and on dark.
local kinds <const> = {
  { "mnt", "#2f7d32", "#7fcf83" }, { "uts", "#94730a", "#e3c25a" },
  { "ipc", "#9c2f86", "#e493d3" }, { "net", "#1d5fc4", "#86b6ff" },
  { "pid", "#0d7f86", "#6fd3d9" }, { "user", "#c0392b", "#ff9a8d" },
  { "cgroup", "#6a3fbf", "#bba2ff" }, { "time", "#b45a09", "#ffb26b" },
}

-- class → property, light, dark
local colours <const> = {
  { "page", "fill", "#ffffff", "#15181d" },
  { "frame", "fill", "#f5f6f8", "#1b1f26" },
  { "frame", "stroke", "#d5d9e0", "#353c47" },
  { "card", "fill", "#ffffff", "#232832" },
  { "card", "stroke", "#c9ced7", "#414a58" },
  { "kept", "fill", "none", "none" },
  { "kept", "stroke", "#9aa3b0", "#6b7686" },
  { "ink", "fill", "#1c2128", "#e8ebf0" },
  { "dim", "fill", "#5f6b7a", "#9fabba" },
  { "wire", "stroke", "#1d5fc4", "#86b6ff" },
  { "up", "fill", "#2f7d32", "#7fcf83" },
  { "down", "fill", "none", "none" },
  { "down", "stroke", "#8a94a2", "#7d8896" },
}

local fixed <const> = [[
text{white-space:pre}
.h1{font:600 22px system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
.h2{font:600 15px system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
.name{font:700 12px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
.mono{font:12px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
.small{font:11px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
.frame,.card{stroke-width:1}
.kept{stroke-width:1;stroke-dasharray:4 3}
.wire{fill:none;stroke-width:1.5}
.down{stroke-width:1.2}
]]

local function rules(which)
  local lines = {}
  for _, one in ipairs(colours) do
    lines[#lines + 1] = (".%s{%s:%s}"):format(one[1], one[2], one[which + 2])
  end
  for _, kind in ipairs(kinds) do
    local colour <const> = kind[which + 1]
    lines[#lines + 1] = (".t-%s{fill:%s}.c-%s{fill:%s;fill-opacity:.13;"
      .. "stroke:%s;stroke-opacity:.5}"):format(kind[1], colour, kind[1],
      colour, colour)
  end
  return table.concat(lines, "\n")
end

--- The whole file.
function Canvas:finish(width, height, title)
  return ([[<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" ]]
    .. [[viewBox="0 0 %d %d" role="img">
<title>%s</title>
<style>
%s%s
@media (prefers-color-scheme:dark){
%s
}
</style>
<rect class="page" width="100%%" height="100%%"/>
%s
</svg>
]]):format(width, height, width, height, escape(title), fixed, rules(1),
    rules(2), table.concat(self.parts, "\n"))
end

return M

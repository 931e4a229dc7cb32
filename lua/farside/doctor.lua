--- What this kernel, this user and these settings allow. Every answer comes
-- from trying it, in a child that is thrown away; every "no" has its reason,
-- which is what the kernel said, and its remedy, which is the hint of that
-- error or what the check knows.
--
-- A check is { name, needed, remedy, try }: `try` answers a detail to show, or
-- nothing, and raises when the answer is no (trial.no has reason and remedy);
-- `needed` is what a default container cannot do without.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local trial <const> = require "farside.doctor.trial"

local M = {}

local areas <const> = { "namespaces", "ids", "mounts", "cgroups", "security",
                        "network", "programs", "container" }

---- one check ----

-- What an error says, without where it happened and what to do.
local function reason_of(failure)
  if errors.is(failure) then
    local fields = {}
    for key, value in pairs(failure) do fields[key] = value end
    fields.where, fields.hint = nil, nil
    return tostring(errors.remake(fields)):gsub("\nstep: ", ", at the step: ")
  end
  return (tostring(failure):match "^[^\n]*":gsub("^%S+:%d+: ", ""))
end

local function examine(area, check)
  local ok, result = pcall(check.try)
  local answer = { area = area, name = check.name, ok = ok,
                   needed = check.needed or false }
  if ok then
    answer.detail = result
  elseif trial.is_no(result) then
    answer.reason, answer.remedy = result.reason, result.remedy
  else
    answer.reason = reason_of(result)
    answer.remedy = errors.is(result) and result.hint
  end
  if not ok then answer.remedy = answer.remedy or check.remedy end
  return answer
end

---- the report ----

local Report <const> = {}
Report.__index = Report

local words <const> = { [true] = "yes", [false] = "no" }

-- Colours of a terminal; none without.
local function painter(colour)
  return function(code, text)
    return colour and ("\27[%sm%s\27[0m"):format(code, text) or text
  end
end

local function wrap(text, width, indent)
  local lines, line = {}, ""
  for word in text:gmatch "%S+" do
    if line ~= "" and utf8.len(line .. " " .. word) > width - indent then
      lines[#lines + 1], line = line, word
    else
      line = line == "" and word or line .. " " .. word
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n" .. (" "):rep(indent))
end

local function draw(answer, paint, width)
  local colour = answer.ok and "32" or answer.needed and "31;1" or "33"
  local name = answer.name
  if answer.detail then name = ("%-31s "):format(name) end
  local lines = { ("  %s  %s%s"):format(
    paint(colour, ("%-3s"):format(words[answer.ok])), name,
    paint("2", wrap(answer.detail or "", width, 39))) }
  if answer.reason then
    lines[2] = "       why: " .. wrap(answer.reason, width, 12)
  end
  if answer.remedy then
    lines[#lines + 1] = "       do:  " .. wrap(answer.remedy, width, 12)
  end
  return table.concat(lines, "\n")
end

local function verdict(self)
  if self.ok then return "A default container has all that it needs." end
  local missing = {}
  for _, answer in ipairs(self) do
    if answer.needed and not answer.ok then
      missing[#missing + 1] = answer.name
    end
  end
  return "A default container lacks: " .. table.concat(missing, "; ") .. "."
end

--- The report as text.
-- @tparam[opt] table screen as of farside.screen: `colour`, `width`
-- @treturn string
function Report:text(screen)
  screen = screen or {}
  local paint = painter(screen.colour)
  local width = math.max(screen.width or 80, 40)
  local lines, area = { ("%s on Linux %s, uid %d"):format(self.farside,
    self.kernel, self.uid) }, nil
  for _, answer in ipairs(self) do
    if answer.area ~= area then
      area = answer.area
      lines[#lines + 1] = "\n" .. paint("1", area)
    end
    lines[#lines + 1] = draw(answer, paint, width)
  end
  lines[#lines + 1] = "\n" .. wrap(verdict(self), width, 0)
  return table.concat(lines, "\n")
end

function Report:__tostring() return self:text() end

---- all of it ----

--- Finds out what containers can have here, by trying it.
-- @function doctor
-- @treturn Report a list of answers, each with `area`, `name`, `ok`, `needed`
-- (whether a default container needs it), and `detail`, or `reason` and
-- `remedy`; its fields: `ok`, whether all that is needed is there, `kernel`,
-- `farside`, `uid`. tostring draws it; nothing of it is left behind.
-- @usage print(ns.doctor())
-- @raise nothing: what fails is an answer
function M.doctor()
  local report <const> = setmetatable({
    ok = true, kernel = core.uname().release, uid = core.geteuid(),
    farside = require("farside")._VERSION,
  }, Report)
  errors.prepare()
  local facts <const> = require("farside.host").facts()
  for _, area in ipairs(areas) do
    for _, check in ipairs(require("farside.doctor." .. area)(facts)) do
      local answer = examine(area, check)
      report[#report + 1] = answer
      report.ok = report.ok and (answer.ok or not answer.needed)
    end
  end
  return report
end

return M

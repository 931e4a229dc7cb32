--- farside doctor: what containers can have here.

local options <const> = require "farside.options"

local M = {}

M.specs = {
  { name = "json", short = "J", help = "as JSON" },
}

function M.help()
  return [[
usage: farside doctor [options]

Finds out, by trying it, what this kernel, this user and these settings allow;
for each "no" the reason and the remedy.

]] .. options.help(M.specs) .. [[


exit code: 0 when all is there that a default container needs, 1 when something
is missing]]
end

local function print_json(report)
  local json <const> = require "farside.json"
  local checks = json.list()
  for i, answer in ipairs(report) do checks[i] = answer end
  print(json.encode(json.object {
    { "ok", report.ok }, { "farside", report.farside },
    { "kernel", report.kernel }, { "uid", report.uid }, { "checks", checks },
  }, "  "))
end

function M.main(args)
  local given, words = options.read("doctor", M.specs, args)
  if words[1] then options.usage("doctor", "unexpected '%s'", words[1]) end
  local report <const> = require("farside").doctor()
  if given.json then
    print_json(report)
  else
    print(report:text(require("farside.screen").of(1)))
  end
  return report.ok and 0 or 1
end

return M

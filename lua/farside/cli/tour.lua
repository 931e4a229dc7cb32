--- farside tour: what namespaces are, shown on this machine.

local options <const> = require "farside.options"

local M = { takes = {} }

M.specs = {
  { name = "no_pause", help = "all of it at once, without waiting for keys" },
  { name = "chapter", option = "NUMBER", help = "begin with this one" },
  { name = "kernel", option = "FILE",
    help = "for the virtual machine beside the container; one from /boot when "
        .. "not given" },
}

function M.help()
  return [[
usage: farside tour [options]

A guided tour of a quarter of an hour: what a namespace is, each kind shown on
this machine from inside and outside, containers, and one of your own in the
end. Nobody needs to be root for it, and nothing is left behind.

]] .. options.help(M.specs)
end

function M.main(args)
  local given, rest = options.read("tour", M.specs, args)
  if rest[1] then options.usage("tour", "unexpected '%s'", rest[1]) end
  local first = given.chapter and math.tointeger(tonumber(given.chapter))
  if given.chapter and not first then
    options.usage("tour", "--chapter: number expected, got '%s'",
                  given.chapter)
  end
  local isatty <const> = require("farside.core").tty.isatty
  local pauses = not given.no_pause and isatty(0) and isatty(1)
  require("farside.tour").run(pauses, first, given.kernel)
  return 0
end

return M

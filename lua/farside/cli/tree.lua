--- farside tree: the namespaces of this machine, drawn.

local options <const> = require "farside.options"

local M = {}

M.specs = {
  { name = "svg", option = "FILE",
    help = "a picture for a browser, as one file; - is the output" },
  { name = "dot", help = "a graph for dot(1)" },
}

function M.help()
  return [[
usage: farside tree [options]

Draws the namespaces of this machine: processes in their pid namespaces, with
the PIDs that they have outside and inside, and the kinds of namespace that they
have of their own; user namespaces with their maps; network namespaces with
their links, and the veth pairs that join them; and what is kept without a
process. At a terminal in colour, unless NO_COLOR is set.

]] .. options.help(M.specs)
end

local function write(path, text)
  if path == "-" then return assert(io.write(text)) end
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

function M.main(args)
  local given, words = options.read("tree", M.specs, args)
  if words[1] then options.usage("tree", "unexpected '%s'", words[1]) end
  local tree <const> = require("farside").tree()
  if given.svg then write(given.svg, tree:svg()) end
  if given.dot then io.write(tree:dot()) end
  if not given.svg and not given.dot then
    print(tree:text(require("farside.screen").of(1)))
  end
  require("farside.list.words").tell_unseen("tree", tree.model.unseen)
  return 0
end

return M

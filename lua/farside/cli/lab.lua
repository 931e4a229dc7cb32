--- farside lab: a lab from a file, and a prompt in it.

local errors <const> = require "farside.error"
local inspect <const> = require "farside.inspect"
local options <const> = require "farside.options"

local M = {}

--- The options; what else is taken.
M.specs = {
  { name = "draw", option = "KIND",
    words = { "text", "dot", "svg" },
    help = "print a picture of it and make nothing: text, dot or svg" },
  inspect.option,
  { name = "prompt", off = "no_prompt",
    help = "end with the script, without a prompt" },
}

M.takes = "file"

function M.help()
  return [=[
usage: farside lab [options] file.lua [argument …]

Runs a script that makes a lab with `ns.lab`. Then there is a prompt, with the
hosts, switches and routers as globals under their names, and `lab`; the lab
ends with it.

    > h1:run { "ping", "-c1", "h2" }
    > lab:ping_all()

]=] .. options.help(M.specs)
end

-- Has labs stay when the script has ended. Answers a function for the last one.
local function keep_labs()
  local ns <const> = require "farside"
  local make, last = ns.lab, nil
  function ns.lab(asked)
    last = make(asked)
    last.kept = true
    return last
  end
  return function()
    ns.lab = make
    return last
  end
end

-- What a script declares until it first uses it, which ends the script.
local function declared(chunk, args)
  local ns <const> = require "farside"
  local make <const>, stop <const> = ns.lab, {}
  function ns.lab(asked)
    stop.lab = make(asked)
    function stop.lab.start() error(stop, 0) end
    return stop.lab
  end
  local ok, failure = pcall(chunk, table.unpack(args))
  ns.lab = make
  if not ok and failure ~= stop then error(failure, 0) end
  return stop.lab
end

local function load_script(args, given)
  local path <const> = table.remove(args, 1)
  if not path then options.usage("lab", "a script is expected") end
  local chunk, message = loadfile(path, given.draw and not given.trust and "t"
                                         or "bt")
  if not chunk then error(errors.visible(message), 0) end
  _G.arg = table.move(args, 1, #args, 1, { [0] = path })
  return chunk, path
end

local function no_lab(path)
  error(path .. ": makes no lab: it calls ns.lab() nowhere", 0)
end

-- The picture of a lab; who only looks at it runs the script so far as it may
-- do no harm.
local function picture(kind, chunk, path, args)
  local lab = declared(chunk, args) or no_lab(path)
  return lab:draw(kind)
end

function M.main(args)
  local values, rest = options.parse("lab", M.specs, args)
  local given = {}
  for _, one in ipairs(values) do given[one.spec.name] = one.value end
  local chunk <const>, path <const> = load_script(rest, given)
  if given.draw then
    local look <const> = given.trust and picture or function(...)
      return inspect.look(picture, ...)
    end
    io.write(errors.visible(look(given.draw, chunk, path, rest)))
    return 0
  end
  local last <const> = keep_labs()
  local ok, failure = pcall(chunk, table.unpack(rest))
  local lab = last()
  if ok and not lab then no_lab(path) end
  if ok and given.prompt ~= false then
    ok, failure = pcall(lab.repl, lab)
  end
  if lab then lab:close() end
  if not ok then error(failure, 0) end
  return 0
end

return M

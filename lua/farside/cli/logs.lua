--- farside logs: what a detached container has written.

local core <const> = require "farside.core"
local options <const> = require "farside.options"

local M = { takes = "container" }

M.specs = {
  { name = "follow", short = "f", help = "go on until the container ends" },
  { name = "tail", short = "n", option = "LINES",
    help = "only the last lines" },
}

function M.help()
  return [[
usage: farside logs [options] NAME

Prints what a detached container has written to its standard output and error
streams. Of old output as much is kept as its `--log-size` says.

]] .. options.help(M.specs)
end

local function count(text)
  local number <const> = text:find "^%d+$" and math.tointeger(tonumber(text))
  if not number then
    options.usage("logs", "--tail: number expected, got '%s'", text)
  end
  return number
end

-- The last lines of a text.
local function last(text, lines)
  local starts = { 1 }
  for at in text:gmatch "\n()" do starts[#starts + 1] = at end
  if starts[#starts] > #text then table.remove(starts) end -- no line after it
  return text:sub(starts[math.max(#starts - lines + 1, 1)] or #text + 1)
end

local function put(text)
  io.stdout:write(text)
  io.stdout:flush()
end

-- Waits for more in a file; false when the container has ended. What came
-- before the file was watched is read before anything is waited for.
local function waiter(container)
  if not container.supervisor then return function() return false end end
  local changes <const>, watched = core.inotify_init(), nil
  return function(file)
    if file ~= watched then
      core.inotify_add_watch(changes, "/proc/self/fd/" .. file:fileno(),
                             "modify,move_self")
      watched = file
      return true
    end
    local ready <const> = core.poll { changes, container.supervisor }
    if ready[1] == changes then core.read(changes, 4096) end
    return ready[#ready] ~= container.supervisor
  end
end

-- All of it, in pieces; with `lines`, what is there at first is held back.
local function show(container, given)
  local lines = given.tail and count(given.tail)
  local held <const> = {}
  local function take(data)
    if lines then held[#held + 1] = data else put(data) end
  end
  local wait <const> = given.follow and waiter(container)
  local function follow(file)
    if lines then put(last(table.concat(held), lines)) end
    lines = nil
    return wait and wait(file)
  end
  require("farside.log").read(container.name, take, follow)
end

function M.main(args)
  local given, words = options.read("logs", M.specs, args)
  if #words ~= 1 then options.usage("logs", "one NAME expected") end
  local container <close> = require("farside.detached").open("logs", words[1])
  show(container, given)
  return 0
end

return M

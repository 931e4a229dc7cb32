--- The command line: `farside WORD …` runs the module farside.cli.WORD. Each
-- has `main(args)`, which answers an exit code, and its help text.

local M = {}

local summaries <const> = {
  { "tour", "a guided tour of namespaces, on this machine" },
  { "run", "run a command, or a recipe, in a container" },
  { "plan", "print what run would do, step by step" },
  { "exec", "run one more command in a container" },
  { "enter", "run a command in namespaces that exist" },
  { "ps", "list the containers that have a name" },
  { "logs", "print what a detached container has written" },
  { "stop", "end detached containers" },
  { "pause", "let containers stand still" },
  { "resume", "let them go on" },
  { "stats", "show what containers use" },
  { "rm", "forget detached containers that have ended" },
  { "cache", "list the layers that are unpacked, remove them" },
  { "completion", "make a shell complete the words of farside" },
  { "net", "list the networks of containers, clear what a crash left" },
  { "netns", "network namespaces with a name, shared with `ip netns`" },
  { "ls", "list the namespaces of this machine, and what holds them" },
  { "tree", "draw the namespaces of this machine, as text or a picture" },
  { "doctor", "find out what containers can have here, and why not" },
  { "lab", "run a script that makes a network lab, then a prompt in it" },
}

--- { { word, summary }, … } in the order of the help text.
function M.summaries() return summaries end

--- What to add to the complaint that there is no such script: the sub-command
-- that may have been meant.
-- @tparam string word
-- @treturn string|nil
function M.suggest(word)
  local words = {}
  for i, summary in ipairs(summaries) do words[i] = summary[1] end
  local near = #word > 1 and word:find "^%l+$" and
    require("farside.fields").nearest(word, words)
  return near and (" (did you mean `farside %s`?)"):format(near) or nil
end

local function say(message)
  io.stderr:write(message, "\n")
end

--- Runs a sub-command.
-- @tparam string word
-- @param … its arguments
-- @treturn int exit code
function M.main(word, ...)
  -- The collector gets a credit of 4 MB: loading would have it run in vain, and
  -- most commands need no more.
  collectgarbage("step", -4096)
  local command = require("farside.cli." .. word)
  local args = { ... }
  if args[1] == "-h" or args[1] == "--help" then
    print(command.help())
    return 0
  end
  local ok, result = pcall(command.main, args)
  if ok then return result end
  if type(result) == "table" and result.usage then
    say(result.usage)
    say(("farside: `farside %s --help` lists what it takes"):format(word))
  else
    say("farside: " .. tostring(result))
  end
  return 125
end

return M

--- What shells complete after `farside`, from the option tables that the parser
-- and the help text are made from. One description of it serves the three
-- shells; each has a writer here.
--
-- A sub-command's module has `specs`, its options, and `takes`, what its words
-- are: "container", "running" (one that runs), "command", "file", or a list of
-- the words themselves; a list of these for the first word and the others.

local M = {}

---- the description ----

-- What stands for an option's value → how it is completed.
local values <const> = {
  DIR = "directory", FILE = "file", RECIPE = "file",
  KIND = { "mnt", "uts", "ipc", "net", "pid", "user", "cgroup", "time" },
  SIGNAL = { "TERM", "KILL", "INT", "HUP", "QUIT", "USR1", "USR2" },
}

local spelled <const> = require("farside.options").spelled

local function describe_option(spec)
  return {
    long = spelled(spec.off or spec.name),
    short = spec.short and "-" .. spec.short or nil,
    value = spec.option, optional = spec.optional, help = spec.help,
    completes = spec.words or values[spec.option],
  }
end

local help <const> = { long = "--help", help = "say what it takes" }

local function describe_command(summary)
  local word <const> = summary[1]
  local command <const> = require("farside.cli." .. word)
  local options = { help }
  for i, spec in ipairs(command.specs or {}) do
    options[i + 1] = describe_option(spec)
  end
  local takes = command.takes or {}
  if type(takes) == "string" then takes = { takes, takes } end
  return { word = word, help = summary[2], options = options,
           first = takes[1], others = takes[2] }
end

--- All sub-commands with what can be completed after them.
-- @treturn {table,...}
function M.describe()
  local list = {}
  for i, summary in ipairs(require("farside.cli").summaries()) do
    list[i] = describe_command(summary)
  end
  return list
end

---- writing ----

local Text <const> = {}
Text.__index = Text

function Text:add(format, ...)
  self[#self + 1] = select("#", ...) > 0 and format:format(...) or format
end

local function text() return setmetatable({}, Text) end

-- All spellings of a command's options.
local function spellings(command)
  local words = {}
  for _, option in ipairs(command.options) do
    words[#words + 1] = option.long
    words[#words + 1] = option.short
  end
  return words
end

-- In single quotes, for any shell.
local function quoted(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

-- How a shell completes a word: one of a list, or what it has ways for.
local function way_of(ways, completes)
  if type(completes) == "table" then
    return ways.words:format(table.concat(completes, " "))
  end
  return ways[completes] or ways.none
end

---- bash ----

local bash_ways <const> = {
  words = '_farside_words "%s"', none = ":",
  directory = "_farside_files -d", file = "_farside_files -f",
  command = "_farside_command", container = "_farside_words "
    .. '"$(farside ps -aq 2>/dev/null)"',
  running = '_farside_words "$(farside ps -q 2>/dev/null)"',
}

local bash_head <const> = [==[
# Completions of farside for bash; made by `farside completion bash`.

_farside_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_farside_files() {
  compopt -o filenames
  mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

# $at is the word at which the command begins
_farside_command() {
  if ((at == COMP_CWORD)) && [[ $cur != */* ]]; then
    mapfile -t COMPREPLY < <(compgen -c -- "$cur")
  else
    _farside_files -f
  fi
}

_farside_takes_value() {
  [[ $valued == *" $word:$1 "* ]]
}

_farside() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  local word=${COMP_WORDS[1]} at first=1]==]

local bash_body <const> = [==[
  COMPREPLY=()
  for ((at = 2; at < COMP_CWORD; at++)); do
    if [[ ${COMP_WORDS[at]} == -- ]]; then
      ((at++))
      _farside_command
      return
    fi
    [[ ${COMP_WORDS[at]} == -* ]] ||
      _farside_takes_value "${COMP_WORDS[at-1]}" || first=
  done]==]

-- Calls a function with each option that has a value in the next word.
local function each_valued(commands, fn)
  for _, command in ipairs(commands) do
    for _, option in ipairs(command.options) do
      if option.value and not option.optional then
        fn(command.word .. ":" .. option.long, option)
        if option.short then fn(command.word .. ":" .. option.short, option) end
      end
    end
  end
end

local function bash_values(out, commands)
  each_valued(commands, function(name, option)
    if option.completes then
      out:add("    %s) %s; return ;;", name,
              way_of(bash_ways, option.completes))
    end
  end)
end

local function bash_words(out, command)
  out:add('    %s:*:-*) _farside_words "%s" ;;', command.word,
          table.concat(spellings(command), " "))
  if command.first then
    out:add("    %s:1:*) %s ;;", command.word, way_of(bash_ways, command.first))
  end
  if command.others then
    out:add("    %s::*) %s ;;", command.word, way_of(bash_ways, command.others))
  end
end

local function bash(commands)
  local out, words, valued = text(), {}, { "" }
  for i, command in ipairs(commands) do words[i] = command.word end
  each_valued(commands, function(name) valued[#valued + 1] = name end)
  out:add(bash_head)
  out:add('  local valued="%s "', table.concat(valued, " "))
  out:add(bash_body)
  out:add("  if ((COMP_CWORD == 1)); then")
  out:add('    _farside_words "%s"', table.concat(words, " "))
  out:add "    ((${#COMPREPLY[@]})) || _farside_files -f"
  out:add "    return"
  out:add "  fi"
  out:add "  case $word:$prev in"
  bash_values(out, commands)
  out:add "  esac"
  out:add '  _farside_takes_value "$prev" && return'
  out:add "  case $word:$first:$cur in"
  for _, command in ipairs(commands) do bash_words(out, command) end
  out:add "  esac"
  out:add "}"
  out:add ""
  out:add "complete -F _farside farside"
  return out
end

---- zsh ----

local zsh_ways <const> = {
  words = "(%s)", none = " ",
  directory = "_files -/", file = "_files", command = "_normal",
  container = "_farside_containers -a", running = "_farside_containers",
}

local function zsh_escaped(words)
  return (words:gsub("[%[%]:\\]", "\\%0"))
end

local function zsh_option(name, option)
  local suffix = option.value and (option.optional and "=-" or
                                   #name > 2 and "=" or "+") or ""
  local line = ("%s%s[%s]"):format(name, suffix, zsh_escaped(option.help))
  if option.value then
    line = ("%s:%s%s:%s"):format(line, option.optional and ":" or "",
                               zsh_escaped(option.value),
                               way_of(zsh_ways, option.completes))
  end
  return quoted("*" .. line)
end

local function zsh_command(out, command)
  out:add("    %s)", command.word)
  out:add "      _arguments -s -S \\"
  for _, option in ipairs(command.options) do
    out:add("        %s \\", zsh_option(option.long, option))
    if option.short then
      out:add("        %s \\", zsh_option(option.short, option))
    end
  end
  local others = command.others == "command" and "*::command:_normal"
    or "*:word:" .. way_of(zsh_ways, command.others)
  if command.first and command.first ~= command.others then
    out:add("        %s \\",
            quoted("1:word:" .. way_of(zsh_ways, command.first)))
  end
  out:add("        %s ;;", quoted(others))
end

local function zsh(commands)
  local out = text()
  out:add "#compdef farside"
  out:add "# Completions of farside for zsh; made by `farside completion zsh`."
  out:add ""
  out:add "_farside_containers() {"
  out:add '  compadd -- ${(f)"$(farside ps -q "$@" 2>/dev/null)"}'
  out:add "}"
  out:add ""
  out:add "_farside() {"
  out:add "  if (( CURRENT == 2 )); then"
  out:add "    local -a commands=("
  for _, command in ipairs(commands) do
    out:add("      %s", quoted(command.word .. ":"
                               .. zsh_escaped(command.help)))
  end
  out:add "    )"
  out:add "    _describe command commands"
  out:add "    _files -g '*.lua'"
  out:add "    return"
  out:add "  fi"
  out:add "  shift words"
  out:add "  (( CURRENT-- ))"
  out:add "  case $words[1] in"
  for _, command in ipairs(commands) do zsh_command(out, command) end
  out:add "  esac"
  out:add "}"
  out:add ""
  out:add '_farside "$@"'
  return out
end

---- fish ----

local fish_ways <const> = {
  words = "%s",
  directory = "(__fish_complete_directories)", file = "(__fish_complete_path)",
  command = "(__fish_complete_subcommand)",
  container = "(farside ps -aq 2>/dev/null)",
  running = "(farside ps -q 2>/dev/null)",
}

-- In single quotes, where fish knows \\ and \'.
local function fish_quoted(word)
  return "'" .. word:gsub("[\\']", "\\%0") .. "'"
end

local function fish_option(out, condition, option)
  local line = { ("complete -c farside -n %s -l %s"):format(
    condition, option.long:sub(3)) }
  if option.short then line[#line + 1] = "-s " .. option.short:sub(2) end
  if option.value and not option.optional then line[#line + 1] = "-x" end
  local way <const> = option.value and way_of(fish_ways, option.completes)
  if way then line[#line + 1] = "-a " .. fish_quoted(way) end
  line[#line + 1] = "-d " .. fish_quoted(option.help)
  out:add("%s", table.concat(line, " "))
end

local function fish(commands)
  local out = text()
  out:add "# Completions of farside for fish: `farside completion fish`."
  out:add ""
  for _, command in ipairs(commands) do
    out:add("complete -c farside -n __fish_use_subcommand -a %s -d %s",
            command.word, fish_quoted(command.help))
  end
  for _, command in ipairs(commands) do
    local condition <const> = fish_quoted("__fish_seen_subcommand_from "
                                          .. command.word)
    out:add ""
    for _, option in ipairs(command.options) do
      fish_option(out, condition, option)
    end
    for _, what in ipairs { command.first or false,
                            command.others or false } do
      local way <const> = what and way_of(fish_ways, what)
      if way then
        out:add("complete -c farside -n %s -f -a %s", condition,
                fish_quoted(way))
      end
    end
  end
  return out
end

local shells <const> = { bash = bash, zsh = zsh, fish = fish }

--- The names of the shells, sorted.
M.shells = { "bash", "fish", "zsh" }

--- The completions for a shell.
-- @tparam string shell "bash", "zsh" or "fish"
-- @treturn string a script that it loads
function M.script(shell)
  return table.concat(shells[shell](M.describe()), "\n") .. "\n"
end

return M

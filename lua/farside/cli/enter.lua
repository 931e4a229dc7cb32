--- farside enter: a command in namespaces that exist, as nsenter(1) has it.

local core <const> = require "farside.core"
local options <const> = require "farside.options"
local outcome <const> = require "farside.outcome"

local M = { takes = { "running", { "mnt", "uts", "ipc", "net", "pid", "user",
                                   "cgroup", "time" } } }

-- nsenter's options for the kinds, each with the path of a namespace if wanted.
local kinds <const> = {
  { "mount", "m" }, { "uts", "u" }, { "ipc", "i" }, { "net", "n" },
  { "pid", "p" }, { "user", "U" }, { "cgroup", "C" }, { "time", "T" },
}

local word_of <const> = { mount = "mnt", network = "net" }

M.specs = {
  { name = "target", short = "t", option = "PID",
    help = "the process, instead of the first word" },
  { name = "all", short = "a",
    help = "all kinds of namespaces; so it is when none is named" },
}

for _, kind in ipairs(kinds) do
  M.specs[#M.specs + 1] = {
    name = kind[1], short = kind[2], option = "FILE", optional = true,
    help = ("the %s namespace, of the target or the one at FILE")
           :format(word_of[kind[1]] or kind[1]),
  }
end

for _, spec in ipairs {
  { name = "setuid", short = "S", option = "UID",
    help = "be this user in there" },
  { name = "setgid", short = "G", option = "GID",
    help = "be of this group in there, and of no other" },
  { name = "preserve_credentials",
    help = "keep the ids in another user namespace; root of it otherwise" },
  { name = "root", short = "r", option = "DIR", optional = true,
    help = "the target's root, or DIR, is the root" },
  { name = "wd", short = "w", option = "DIR", optional = true,
    help = "start in the target's working directory, or in DIR" },
  { name = "wdns", short = "W", option = "DIR",
    help = "start in DIR as it is found in there" },
  { name = "env", short = "e", help = "have the target's environment" },
  { name = "join_cgroup", short = "c",
    help = "be in the control group of the target" },
  { name = "no_fork", short = "F",
    help = "only children of the command are in the pid namespace" },
  { name = "tty",
    help = "a terminal of its own; so it is when standard input and output "
        .. "are one" },
  { name = "no_tty", help = "the caller's terminal, which programs in there "
        .. "can then type on" },
} do M.specs[#M.specs + 1] = spec end

function M.help()
  return [=[
usage: farside enter [options] PID|NAME|PATH [kind …] [-- command …]
       farside enter [options] --target PID|--KIND=FILE [command …]

Runs a command, or a shell, in the namespaces of a process, of a container
that has a name, or in the one that is kept under a path: in all, or in those
kinds that are named: mnt, uts, ipc, net, pid, user, cgroup, time. It has the
powers of its caller; `farside exec` gives it those of a container.

]=] .. options.help(M.specs) .. "\n\n" .. outcome.help
end

---- what was asked ----

local function usage(...) options.usage("enter", ...) end

local function number(text, option)
  local value <const> = text:find "^%d+$" and math.tointeger(tonumber(text))
  if not value or value > 0xfffffffe then
    usage("%s: number expected, got '%s'", option, text)
  end
  return value
end

local known <const> = {}
for _, kind in ipairs(kinds) do
  local word <const> = word_of[kind[1]] or kind[1]
  known[word], known[kind[1]] = word, word
end
known.network = "net"

-- A word is one kind or several with commas.
local function add_kinds(list, text)
  for word in text:gmatch "[^,]+" do
    if not known[word] then
      local all = {}
      for name in pairs(known) do all[#all + 1] = name end
      usage("%s", require("farside.fields").unknown("namespace", word, all))
    end
    list[#list + 1] = known[word]
  end
end

-- Options may stand among the words that say where; after "--" comes the
-- command. After --target or a FILE, as for nsenter(1), it begins at the first
-- word.
local function divide(args)
  local values, before, rest = {}, {}, args
  local target = false
  repeat
    local some, dashes
    some, rest, dashes = options.parse("enter", M.specs, rest)
    for _, given in ipairs(some) do
      values[#values + 1] = given
      target = target or given.spec.name == "target" or
        known[given.spec.name] and given.value ~= true
    end
    if dashes or target then return values, before, rest end
    before[#before + 1] = table.remove(rest, 1)
  until #rest == 0
  return values, before, {}
end

local function read(args)
  local values, before, command = divide(args)
  local ask <const> = { kinds = {}, files = {}, command = command }
  for _, given in ipairs(values) do
    local key <const>, value <const> = given.spec.name, given.value
    if known[key] and value == true then
      add_kinds(ask.kinds, key)
    elseif known[key] then
      ask.files[#ask.files + 1] = { kind = known[key], path = value }
    else
      ask[key] = value
    end
  end
  ask.target = ask.target or table.remove(before, 1)
  for _, word in ipairs(before) do add_kinds(ask.kinds, word) end
  if not ask.target and #ask.files == 0 then
    usage "PID, NAME or PATH expected"
  end
  return ask
end

---- what is meant by it ----

local function find_container(name)
  local container <const> = require("farside.detached").open("enter", name)
  if not container:running() then
    core.raise(core.errno.ESRCH, "enter", nil, tostring(container))
  end
  return { process = container.process, handles = container.namespaces }
end

-- The first process of an ordinary user's container may not be looked at; who
-- looks after it has the ways in.
local function find_process(pid)
  if pid == 0 then usage "PID: number from 1 expected, got '0'" end
  local pidfd <const> = core.pidfd_open(pid)
  local ok, handle = pcall(core.open, pidfd, "user")
  if ok then
    handle:close()
  elseif handle.code == "EACCES" then
    local known_as, name = pcall(require("farside.registry").name_of, "enter",
                                 pid)
    if known_as then return find_container(name) end
  end
  return { process = pidfd }
end

-- A process (a pidfd), a container, or the namespace at a path.
local function find(ask)
  local text <const> = ask.target
  if not text then return nil end
  if text:find "^%d+$" then return find_process(number(text, "PID")) end
  if text:find "/" then return { handles = { core.open(text) } } end
  return find_container(text)
end

local function need_process(target, option)
  if target and target.process then return target.process end
  usage("%s needs a process as the target", option)
end

-- A link of the target in /proc, as a directory.
local function directory(target, option, name)
  local proc <close> = core.open_proc(need_process(target, option))
  return core.openat2(proc, name, "path,directory")
end

-- The process, or namespaces of it and those at paths.
local function to_join(ask, target)
  if #ask.files == 0 then return target.handles or target.process end
  local list = {}
  if target and (ask.all or #ask.kinds > 0) then
    local wanted <const> = not ask.all and ask.kinds or nil
    list = target.handles or
      require("farside").namespaces(target.process, wanted)
    ask.kinds = {}
  end
  for _, file in ipairs(ask.files) do
    list[#list + 1] = core.open(file.path, file.kind)
  end
  return list
end

local function place(ask, target)
  local function at(key, link)
    if ask[key] == true then return directory(target, "--" .. key, link) end
    return ask[key] and core.openat2(nil, ask[key], "path,directory") or nil
  end
  return at("root", "root"), at("wd", "cwd")
end

local function content(target, option, name)
  local proc <close> = core.open_proc(need_process(target, option))
  local file <close> = core.openat2(proc, name, "rdonly")
  local text = ""
  for part in function() return core.read(file, 65536) end do
    text = text .. part
  end
  return text
end

local function environment(target)
  local list = {}
  for one in content(target, "--env", "environ"):gmatch "[^%z]+" do
    list[#list + 1] = one
  end
  return list
end

local function cgroup(target)
  local option <const> = "--join-cgroup"
  local path <const> = require("farside.cgroup").locate(
    content(target, option, "cgroup"),
    require("farside.mountinfo").mountinfo())
  if not path then usage("%s: no cgroup of version 2 is there", option) end
  return core.openat2(nil, path, "path,directory")
end

-- Steps to other ids; whoever is denied setgroups has none to give up.
local function ids(ask, target)
  local steps = {}
  local function add(call, ...)
    steps[#steps + 1] = { call = call, label = "ids in there",
                          args = table.pack(...) }
  end
  local user <const> = ask.setuid and number(ask.setuid, "--setuid")
  local group <const> = ask.setgid and number(ask.setgid, "--setgid")
  if group then
    local denied <const> = target and target.process and
      content(target, "--setgid", "setgroups"):find "deny"
    if not denied then add("setgroups", {}) end
    add("setresgid", group, group, group)
  end
  if user then add("setresuid", user, user, user) end
  return steps
end

local function joins_files(ask)
  if ask.root or #ask.kinds == 0 and #ask.files == 0 then return true end
  for _, kind in ipairs(ask.kinds) do
    if kind == "mnt" then return true end
  end
  for _, file in ipairs(ask.files) do
    if file.kind == "mnt" then return true end
  end
  return false
end

local function command_of(ask, target)
  local command <const> = ask.command
  if not command[1] then
    command[1] = not joins_files(ask) and os.getenv "SHELL" or "/bin/sh"
  end
  command.env = ask.env and environment(target) or nil
  command.cwd = ask.wdns
  if ask.tty or not ask.no_tty and outcome.interactive() then
    command.tty = "/dev/ptmx"
  end
  return command
end

local function enter(ask)
  local target <const> = find(ask)
  local root, wd = place(ask, target)
  local command <const> = command_of(ask, target)
  local options_of <const> = {
    steps = ids(ask, target), root = root, directory = wd,
    preserve = ask.preserve_credentials, outside = ask.no_fork,
    cgroup = ask.join_cgroup and cgroup(target) or nil,
  }
  local joined <const> = to_join(ask, target)
  options_of.kinds = not ask.all and #ask.kinds > 0 and ask.kinds or nil
  return require("farside.attend").attend(function()
    return require("farside.enter").spawn(joined, command, options_of)
  end, not command.tty)
end

function M.main(args)
  local ask <const> = read(args)
  return outcome.of(enter, ask)
end

return M

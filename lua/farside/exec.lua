--- Becoming another program with nothing of this one's left over: signals as a
-- program expects them, and no descriptor but the standard ones and those that
-- were asked for.

local core <const> = require "farside.core"
local fields <const> = require "farside.fields"

local M = {}

local PATH <const> = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                     .. "/sbin:/bin"

---- options ----

-- One element of an environment as "NAME=VALUE", or nil for none.
local function variable(name, value, path, fail)
  if math.type(name) == "integer" then
    if type(value) == "string" and value:find "^[^=%z]+=[^%z]*$" then
      return value
    end
    fail(path, "NAME=VALUE expected, got '%s'", tostring(value))
  elseif type(name) ~= "string" or name:find "[=%z]" or name == "" then
    fail(path, "bad name of a variable")
  end
  if value == true then value = os.getenv(name) or false end
  if type(value) == "number" then value = tostring(value) end
  return value and name .. "=" .. fields.text(value, path, fail)
end

-- An environment is a list of "NAME=VALUE", or a table { NAME = "VALUE" }, or
-- both in one; true stands for the caller's own value, false for none. The
-- answer is a list.
local function environment(value, path, fail)
  if type(value) ~= "table" then
    fail(path, "table expected, got %s", type(value))
  end
  local list = {}
  for name, text in pairs(value) do
    local here = ("%s[%s]"):format(path, tostring(name))
    list[#list + 1] = variable(name, text, here, fail) or nil
  end
  table.sort(list)
  return list
end

local descriptor <const> = fields.descriptor

-- A path, or a descriptor.
local function terminal(value, path, fail)
  local check = type(value) == "string" and fields.string or descriptor
  return check(value, path, fail)
end

local options <const> = fields.record({
  env = environment, cwd = fields.string, path = fields.text,
  argv0 = fields.text, keep = fields.list(descriptor),
  stdin = descriptor, stdout = descriptor, stderr = descriptor,
  session = fields.boolean, terminal = terminal,
}, fields.argument)

--- Checks a command, before anything is done for it.
-- @tparam string who the function that was called
-- @param ... as of exec
-- @treturn table for `become`
function M.check(who, ...)
  local first <const> = ...
  local given = type(first) == "table" and first or { ... }
  local want = fields.check(who, options, given)
  if want[1] == nil or want[1] == "" then
    require("farside.error").usage("%s: command expected", who)
  end
  return want
end

---- finding the program ----

local function variable_of(list, name)
  for _, text in ipairs(list or {}) do
    if text:sub(1, #name + 1) == name .. "=" then return text:sub(#name + 2) end
  end
end

local function search_path(want)
  return want.path or variable_of(want.env, "PATH") or os.getenv "PATH" or PATH
end

-- The files that the command may mean: itself when it is a path.
local function candidates(command, path)
  if command:find("/", 1, true) then return { command } end
  local files = {}
  for directory in (path .. ":"):gmatch "([^:]*):" do
    files[#files + 1] = (directory == "" and "." or directory) .. "/" .. command
  end
  return files
end

---- the exec, and the way back when it fails ----

local function set_cloexec(list, on)
  for _, fd in ipairs(list or {}) do core.cloexec(fd, on) end
end

-- A link to a descriptor that was left open may lead out of the root.
local function enter(directory)
  core.chdir(directory)
  if core.getcwd():sub(1, 1) ~= "/" then
    core.raise(core.errno.ENOENT, "chdir", directory,
               directory .. " (outside the root)")
  end
end

-- Copies of the descriptors that become the standard streams: one of them may
-- be where another goes.
local function streams(want)
  local place = { session = want.session, terminal = want.terminal }
  for _, name in ipairs { "stdin", "stdout", "stderr" } do
    if want[name] then place[name] = core.dup(want[name]) end
  end
  return place
end

-- A session's first terminal that is opened by its path becomes its own.
local function take_terminal(given)
  local by_path <const> = type(given) == "string"
  local fd <const> = by_path and core.openat2(nil, given, "rdwr") or given
  if not by_path then core.tty.control(fd) end
  for number = 0, 2 do core.dup(fd, number) end
end

local function become(want, files, argv)
  local place = streams(want)
  if want.session then core.setsid() end
  if want.terminal then take_terminal(want.terminal) end
  for number, name in ipairs { "stdin", "stdout", "stderr" } do
    if place[name] then core.dup(place[name], number - 1) end
  end
  core.execve(files, argv, want.env, "sigdefault")
end

-- The copies are closed at once: as long as one is open, who reads from a pipe
-- sees no end.
local function start(want, files, argv)
  local place <const> = streams(want)
  local _stdin <close> = place.stdin
  local _stdout <close> = place.stdout
  local _stderr <close> = place.stderr
  return core.posix_spawn(files, argv, want.env, place)
end

-- The program's own words, its name first.
local function arguments(want)
  local argv = table.move(want, 1, #want, 1, {})
  argv[1] = want.argv0 or argv[1]
  return argv
end

local function run(want, files, go)
  if want.cwd then enter(want.cwd) end
  core.close_range(3, nil, "cloexec")
  set_cloexec(want.keep, false)
  return go(want, files, arguments(want))
end

-- Says where a command was searched that nobody found.
local function explain(err, want, files, path)
  local command = want[1]
  if err.call ~= "execve" and err.call ~= "posix_spawn" then return end
  err.call = "exec"
  if err.code == "ENOENT" and err.path == (want.argv0 or command)
    and files[1] ~= command then
    err.path, err.detail = command, ("%s in %s"):format(command, path)
  end
end

-- Does it, and puts back what was changed for it in this process.
local function attempt(want, go)
  local path <const> = search_path(want)
  local files <const> = candidates(want[1], path)
  local here <close> = want.cwd and core.openat2(nil, ".", "path") or nil
  local ok, result = pcall(run, want, files, go)
  if here then core.chdir(here) end
  pcall(set_cloexec, want.keep, true) -- they may be what is wrong
  if ok then return result end
  if type(result) == "table" then explain(result, want, files, path) end
  error(result, 0)
end

--- What a command asks for, without doing it.
-- @tparam string who for messages
-- @tparam table command as for exec
-- @treturn table the command, checked
-- @treturn {string,...} the files that it may mean, to be tried in turn
-- @treturn {string,...} the program's words, its name first
function M.resolve(who, command)
  local want <const> = M.check(who, command)
  return want, candidates(want[1], search_path(want)), arguments(want)
end

--- Becomes another program: it is searched for in the path, signals are set to
-- their defaults and none is blocked, and descriptors from 3 on are closed.
-- Never returns; when it raises, the process is as it was, but for descriptors
-- that are marked to be closed on exec, a session and standard streams.
-- @usage ns.exec { "env", "-0", env = { LANG = "C" }, cwd = "/" }
-- @usage ns.exec("ls", "-l")
-- @tparam string|table command the program and its arguments, as strings or as
-- a list with the fields
--
-- - `env`: the whole environment, { NAME = "VALUE" } or a list of "NAME=VALUE";
--   true stands for the caller's value; all of the caller's without `env`
-- - `cwd`: the directory to start in
-- - `path`: where to search, "/bin:/usr/bin"; otherwise PATH of `env`, or of
--   the caller
-- - `argv0`: what the program is told as its name
-- - `keep`: a list of descriptors that stay open, under their numbers
-- - `stdin`, `stdout`, `stderr`: descriptors to be its standard streams
-- - `session`: true for a session of its own, without a terminal
-- - `terminal`: a terminal, by path or descriptor, to be all three, and the
--   session's own
-- @param ... its arguments
-- @raise ENOENT when it is not found; EACCES when it may not be executed;
-- ENOEXEC for an unknown format. See execve(2).
function M.exec(...)
  attempt(M.check("exec", ...), become)
end

--- Becomes a program that was checked before.
-- @tparam table want from `check`
-- @raise as exec
function M.become(want) attempt(want, become) end

--- Starts a program in a child process. It costs the same however much memory
-- the caller has, since that is shared until the program is executed; the
-- caller waits so long. Descriptors of the caller from 3 on are marked to be
-- closed on exec.
-- @tparam string|table command as for exec
-- @param ... its arguments
-- @treturn process
-- @raise as exec. See posix_spawn(3).
function M.posix_spawn(...)
  return attempt(M.check("posix_spawn", ...), start)
end

return M

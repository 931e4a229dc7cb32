--- Helper programs of others: given their input, a time limit and a bare
-- environment; all that they say is collected.

local core <const> = require "farside.core"

local M = {}

-- Where tools for the administrator are is not in everybody's path.
local function path()
  return (os.getenv "PATH" or "/usr/bin:/bin") .. ":/usr/sbin:/sbin"
end

--- Whether there is such a program.
-- @tparam string name
-- @treturn boolean
function M.find(name)
  for directory in path():gmatch "[^:]+" do
    if core.faccessat(nil, directory .. "/" .. name, "execute") then
      return true
    end
  end
  return false
end

--- Starts a program; a hint names the package when there is none.
-- @tparam table command as for exec, without `env` and `path`
-- @treturn process
-- @raise as exec, in the program's name
function M.start(command)
  command.env, command.path = { LC_ALL = "C" }, path()
  command.session = true -- keys at the caller's terminal are not for it
  if not M.find(command[1]) then core.raise(core.errno.ENOENT, command[1]) end
  return require("farside.exec").posix_spawn(command)
end

local function text_of(file)
  local size <const> = core.fstatat(file, "").size
  return size > 0 and core.read(file, size, 0) or ""
end

--- Runs a program to its end.
-- @tparam table command the program and its arguments
-- @tparam[opt=""] string input what it reads
-- @tparam[opt="30s"] string limit when it is killed
-- @treturn boolean|nil whether it went well
-- @treturn string what it printed
-- @treturn string what it said on its standard error, on one line
-- @raise as start; ETIMEDOUT
function M.run(command, input, limit)
  local given <close> = core.memfd_create "input"
  local printed <close> = core.memfd_create "output"
  local said <close> = core.memfd_create "errors"
  core.write(given, input or "")
  local again <close> = core.openat2(nil, "/proc/self/fd/" .. given:fileno(),
                                     "rdonly") -- from its beginning
  local child <close> = M.start(table.move(command, 1, #command, 1, {
    stdin = again, stdout = printed, stderr = said,
  }))
  local ok, how = child:wait(limit or "30s")
  if how == "timeout" then
    child:close()
    core.raise(core.errno.ETIMEDOUT, command[1], nil,
               table.concat(command, " ", 2))
  end
  local line = text_of(said):gsub("%s+$", ""):gsub("%s*\n%s*", "; ")
  return ok, text_of(printed), line
end

return M

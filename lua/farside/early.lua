--- A container's first process ahead of its plan. That a container has all
-- namespaces, and that a walker takes its steps, is known of most by the keys
-- of the recipe alone; so the kernel makes the namespaces while the plan is
-- made. Where it was the wrong guess the process is ended, and another started.

local core <const> = require "farside.core"
local walker <const> = require "farside.walker"

local M = {}

--- What such a process is born into.
M.kinds = { "user", "mnt", "pid", "net", "uts", "ipc", "cgroup" }

-- Keys with which a container is no such one, or its making takes longer; and
-- options that make them.
local unusual <const> = {
  boottime = true, monotonic = true, -- which come between the first steps
  detach = true, keep = true, landlock = true, limits = true, name = true,
  network = true, setup = true, share = true, stderr = true, stdin = true,
  stdout = true, tty = true, user = true,
  image = true, layer = true, publish = true, upper = true,
}

-- Each may come with a descriptor.
local most_mounts <const> = 8

local function is_usual(recipe)
  if type(recipe) ~= "table" or getmetatable(recipe) then return false end
  for key in pairs(recipe) do
    if unusual[key] then return false end
  end
  local mounts <const> = recipe.mounts
  return type(recipe.root) ~= "table" and
    (type(mounts) ~= "table" or #mounts <= most_mounts)
end

--- What a starter and a container's first process talk over.
-- @treturn table `mine` and `channel`, ends of a socket; `status_reader` and
-- `status_writer`, of a pipe
function M.doors()
  local mine, channel = core.socketpair "seqpacket"
  local reader, writer = core.pipe()
  return { mine = mine, channel = channel, status_reader = reader,
           status_writer = writer }
end

local Early = {}
Early.__index = Early

--- Ends the process, unless it was taken.
function Early:close()
  local process <const>, doors <const> = self.process, self.doors
  self.process, self.doors = nil, nil
  if process then process:close() end
  if process then self.memory:close() end
  for _, fd in pairs(doors or {}) do fd:close() end
end

Early.__close = Early.close

--- Whether it is in these namespaces.
function Early.fits(_, kinds)
  if kinds.cgroup or #kinds ~= #M.kinds then return false end
  for i, kind in ipairs(M.kinds) do
    if kinds[i] ~= kind then return false end
  end
  return true
end

--- Gives the process away, to somebody who ends it.
-- @treturn process
-- @treturn memory
function Early:take()
  local process <const> = self.process
  self.process = nil
  return process, self.memory
end

-- Where a standard stream is closed its number would be another descriptor's.
local function numbers_are_free(doors)
  return doors.channel:fileno() > 2 and doors.status_writer:fileno() > 2
end

local function start()
  local doors <const> = M.doors()
  local self <const> = setmetatable({ doors = doors }, Early)
  local mine <const>, channel <const> = doors.mine, doors.channel
  local writer <const> = doors.status_writer
  local ok, process, memory = false, nil, nil
  if numbers_are_free(doors) then
    ok, process, memory = pcall(core.walker, M.kinds, { channel, writer })
  end
  if not ok then return self:close() end
  self.process, self.memory = process, memory
  core.sendmsg(mine, walker.beginning(channel, writer))
  return self
end

--- Starts a process for a recipe that has not been looked at.
-- @param recipe
-- @treturn ?Early to be closed; nil when it would be the wrong one, or could
-- not be started, which the start that follows tells
function M.start(recipe)
  return is_usual(recipe) and start() or nil
end

-- A terminal is one's own where the caller's is one.
local function has_terminal()
  local isatty <const> = core.tty.isatty
  return isatty(0) and isatty(1)
end

-- Words that are the command's may be taken for options: they only cost time.
local function speaks_against(word)
  local option <const> = word:match "^%-%-([%w-]+)"
  if option then return unusual[option:gsub("-", "_")] end
  return word:find "^%-." or word:find "%.lua$"
end

--- The same for a command line that has not been read.
-- @tparam {string,...} args
-- @treturn ?Early
function M.for_options(args)
  if has_terminal() then return nil end
  for _, word in ipairs(args) do
    if word == "--" then break end
    if speaks_against(word) then return nil end
  end
  return start()
end

return M

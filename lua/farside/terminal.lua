--- A container's terminal joined to the caller's own, as ssh joins them: keys
-- go in as they are, so that ^C is the container's to interpret, and what it
-- writes comes out; the size follows.

local beside <const> = require "farside.beside"
local core <const> = require "farside.core"

local M = {}

local input <const>, output <const> = 0, 1

-- Writes no more than a terminal that is ready surely takes.
local at_once <const> = 256

-- What can be read now; nil at the end, which a terminal tells by EIO.
local function read(fd)
  local ok, data = pcall(core.read, fd)
  if ok then return data end
  if data.code ~= "EIO" then error(data, 0) end
end

local function fit(terminal)
  for _, fd in ipairs { input, output } do
    if core.tty.isatty(fd) then
      return core.tty.resize(terminal, core.tty.size(fd))
    end
  end
end

---- raw mode that ends with this process ----

local Raw = {}
Raw.__index = Raw

function Raw:pause() self.modes:pause() end

function Raw:resume() self.modes:resume() end

function Raw:close()
  self.modes:close()
  self.guard:close()
end

Raw.__close = Raw.close

-- The caller's terminal in raw mode. A process that is killed puts nothing
-- back, so a child does that for it.
local function make_raw()
  local self <close> = core.pidfd_open(core.getpid())
  local modes <const> = core.tty.raw(input)
  local ok, guard = pcall(beside.start, "farside-guard", { self, modes },
                          function(process, terminal)
                            core.poll { process }
                            modes:rescue(terminal)
                          end)
  if ok then return setmetatable({ modes = modes, guard = guard }, Raw) end
  modes:close()
  error(guard, 0)
end

---- two terminals ----

local Join = {}
Join.__index = Join

function Join:from_container()
  local data = read(self.terminal)
  if not data then
    self.over = true
  else
    core.write(output, data)
  end
end

-- A pipe's end is what ^D is at a terminal.
function Join:from_caller()
  local data = read(input)
  self.pending = self.pending .. (data or "\4")
  self.deaf = not data
end

function Join:to_container()
  core.write(self.terminal, self.pending:sub(1, at_once))
  self.pending = self.pending:sub(at_once + 1)
end

local on <const> = {}

function on.WINCH(self) fit(self.terminal) end

-- The shell has the terminal as it knows it, until it lets us go on.
function on.TSTP(self)
  if self.raw then self.raw:pause() end
  core.kill(core.getpid(), "STOP")
  on.CONT(self)
end

-- Who was stopped finds the terminal as somebody else left it.
function on.CONT(self)
  if self.raw then self.raw:resume() end
  fit(self.terminal)
end

-- An end of ours that is gone is told by the call that wants it.
function on.PIPE() end

function Join:signal()
  local name <const> = core.read_signal(self.signals)
  if on[name] then
    on[name](self)
  elseif self.forwarded[name] then
    pcall(self.container.signal, self.container, name) -- ESRCH: it has ended
  else
    error(("ended by signal %s"):format(name), 0)
  end
end

-- What is worth waiting for: keys are not, while some are to be passed on.
function Join:wanted()
  local list = { self.container, self.signals }
  if not self.over then
    local events = self.pending == "" and "in" or "in,out"
    list[#list + 1] = { self.terminal, events }
  end
  if not self.deaf and self.pending == "" then list[#list + 1] = input end
  return list
end

-- Takes what is ready; true when the container has ended.
function Join:turn()
  local ended = false
  local ready, what = core.poll(self:wanted())
  for i, object in ipairs(ready) do
    if object == self.container then
      ended = true
    elseif object == self.signals then
      self:signal()
    elseif object == input then
      self:from_caller()
    else
      if what[i].out then self:to_container() end
      if what[i]["in"] or what[i].hup then self:from_container() end
    end
  end
  return ended
end

-- What the container wrote last.
function Join:drain()
  while not self.over and #core.poll({ self.terminal }, 0) > 0 do
    self:from_container()
  end
end

--- All signals that end or stop a process and that can be held back, but those
-- of a background job, and those that tell of a mistake in the program.
M.signals = { "HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "CONT", "WINCH",
              "TSTP", "PIPE", "ALRM", "VTALRM", "PROF", "IO", "PWR", "XCPU",
              "XFSZ" }

--- Joins the terminals until the container ends.
-- @tparam Container container with a terminal
-- @tparam fd signals a signalfd of M.signals; WINCH changes the size
-- @tparam {string,...} forwarded those that are passed on
-- @return as Container:wait
-- @raise a message when another signal came; the caller's terminal is as it
-- was, then as well
function M.join(container, signals, forwarded)
  local raw <close> = core.tty.isatty(input) and make_raw() or nil
  local self = setmetatable({
    container = container, terminal = container.terminal, signals = signals,
    pending = "", raw = raw, forwarded = {},
  }, Join)
  for _, name in ipairs(forwarded) do self.forwarded[name] = true end
  fit(self.terminal)
  repeat until self:turn()
  self:drain()
  return container:wait()
end

return M

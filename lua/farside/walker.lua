--- The child's steps as a program for the walker: a small program that is the
-- first process of a container, instead of a copy of the caller that would walk
-- them in Lua (farside.spawn). It takes the steps that are system calls, or a
-- few of them, which are all of most plans.
--
-- What it cannot take (code of the recipe's own, a terminal, a call that has
-- no place here) is walked in Lua, and so is a plan whose walk has failed: the
-- walker tells where, Lua why.

local core <const> = require "farside.core"
local exec <const> = require "farside.exec"
local special <const> = require "farside.special"
local steps <const> = require "farside.step"

local M = {}

-- Registers of the walker: results that later steps refer to, from the first
-- on, and one for what is closed again within a step; from the one before that
-- down, descriptors that are sent with the program, so many at most.
local passing <const>, most <const> = 32, 16

local function held(register) return core.register + register end

-- What is raised when a step is not for the walker.
local refused <const> = {}

local function refuse() error(refused, 0) end

---- steps that are more than one call ----

-- call, or "object:call" → function (program, …)
local composed <const> = {}

function composed.root(program, directory)
  program:add(program:result(), "openat2", nil, directory, "path,directory")
end

local clock <const> = "/proc/self/timens_offsets"

function composed.write_time_offsets(program, offsets)
  program:add(0, "write", clock, require("farside.clock").text(offsets))
end

composed["link.set"] = function(program, name, change)
  if not change.up or next(change, next(change)) then refuse() end
  program:add(0, "link_up", name)
end

composed["root:mkdir"] = function(program, root, path, mode)
  program:add(passing, "directory", root, path, mode)
  program:add(0, "close", held(passing))
end

for method, call in pairs { attach = "attach", symlink = "symlink",
                            write = "file", chmod = "chmod", mask = "mask",
                            protect = "protect" } do
  composed["root:" .. method] = function(program, ...)
    program:add(0, call, ...)
  end
end

composed["root:mount"] = function(program, ...)
  program:add(0, "mount_inside", ...)
end

composed["root:bind"] = function(program, root, source, path, words)
  program:add(passing, "tree", source, false, nil, words)
  program:add(0, "attach", root, held(passing), path)
end

function composed.bind_tree(program, source, attr)
  attr = attr or {}
  if attr.optional then refuse() end -- what refers to it would have to ask
  program:add(program:result(), "tree", source, attr.alone, attr.type, attr.set)
end

composed["root:devices"] = function(program, root, directory, ...)
  program:add(passing, "directory", root, directory)
  for _, name in ipairs { ... } do
    local number <const> = special.devices[name]
    program:add(0, "device", held(passing), name, number[1], number[2])
  end
  program:add(0, "close", held(passing))
end

composed["root:symlinks"] = function(program, root, directory, links)
  program:add(passing, "directory", root, directory)
  for name, target in pairs(links) do
    program:add(0, "symlinkat", target, held(passing), name)
  end
  program:add(0, "close", held(passing))
end

-- The program's place in the world, then itself: farside.exec, call by call.
local function start(program, call, command)
  local want <const>, files <const>, argv <const> = exec.resolve(call, command)
  if want.cwd then
    program:add(0, "chdir", want.cwd)
    program:add(0, "inside")
  end
  program:add(0, "place", want.session, want.terminal, want.stdin,
              want.stdout, want.stderr)
  program:add(0, "close_others")
  program:free_streams()
  for _, fd in ipairs(want.keep or {}) do
    program:hold(fd)
    program:add(0, "cloexec", fd, false)
  end
  for _, name in ipairs { "stdin", "stdout", "stderr" } do
    if want[name] then program:hold(want[name]) end
  end
  program:add(0, call, files, argv, want.env)
end

function composed.posix_spawn(program, command)
  start(program, "spawn", command)
end

function composed.exec(program, command)
  start(program, "exec", command)
end

---- what needs neither ids nor a plan ----

-- Steps of every usual plan, which a walker that is started ahead of it takes
-- at once.
local beginning <const> = {
  { "unshare", "time" },
  { "setns", "/proc/self/ns/time_for_children", "time" },
  { "link_up", "lo" },
}

-- The same as they stand in a plan: its call and first argument.
local taken <const> = {
  ["unshare"] = "time", ["setns"] = "/proc/self/ns/time_for_children",
  ["link.set"] = "lo",
}

local function was_taken(step)
  local first <const> = taken[step.call]
  return first ~= nil and step.args[1] == first and not step.on
    and not step.fail
end

--- The first program of a walker that is started ahead of its plan.
-- @tparam fd channel the child's end
-- @tparam fd status
-- @treturn string
function M.beginning(channel, status)
  local append <const> = core.program(channel, status)
  for _, call in ipairs(beginning) do append(0, 0, table.unpack(call)) end
  return append()
end

---- a program ----

local Program = {}
Program.__index = Program

-- Appends a call to the step; a register gets its result, or 0. What is wrong
-- with the arguments is told when the call is made in Lua.
function Program:add(register, call, ...)
  self.adding = true
  self.append(self.index, register, call, ...)
  self.adding = false
end

-- A descriptor that the walker has open, too, under the same number.
function Program:hold(fd)
  if self.sends then refuse() end
  self.descriptors[#self.descriptors + 1] = fd
end

-- A starter with a standard stream that is closed has another descriptor in its
-- place, which must not be taken for it.
function Program:free_streams()
  if self.sends then return end
  for _, fd in ipairs(self.descriptors) do
    local number <const> = math.type(fd) == "integer" and fd or fd:fileno()
    if number < 3 then self:add(0, "cloexec", fd, true) end
  end
end

-- The result of a step of the parent's that the walker gets with the program.
function Program:send(name, fd)
  local count <const> = #self.descriptors
  if count == most then refuse() end
  self.descriptors[count + 1] = fd
  self.values[name] = held(passing - 1 - count)
end

-- What steps may refer to: a result of the walker's own is a register, one of
-- the parent's a descriptor that the walker gets; a field is no descriptor.
function Program:refer(value)
  if type(value) ~= "table" or getmetatable(value) then return end
  local found = value.ref and self.values[value.ref]
  local object <const> = type(found) == "table" or type(found) == "userdata"
  if object and not value.field then
    if self.sends then self:send(value.ref, found) else self:hold(found) end
  end
  for _, element in pairs(value) do self:refer(element) end
end

-- The register for the step's result, 0 for none.
function Program:result()
  local name <const> = self.current.as
  if not name then return 0 end
  self.registers = self.registers + 1
  if self.registers == passing - (self.sends and most or 0) then refuse() end
  self.values[name] = held(self.registers)
  return self.registers
end

function Program:step(index, step)
  local values <const> = self.values
  if step.given and values[step.given] == nil then return end
  if self.sends and was_taken(step) then return end
  self.index, self.current = index, step
  if step.refers then
    for i = 1, step.args.n do self:refer(step.args[i]) end
  end
  if step.fail then return self:add(0, "fail", core.errno[step.fail]) end
  local write <const> = composed[step.on and "root:" .. step.call or step.call]
  if step.on then
    if not write then refuse() end
    return write(self, values[step.on], steps.arguments(step, values))
  elseif write then return write(self, steps.arguments(step, values))
  end
  return self:add(self:result(), step.call, steps.arguments(step, values))
end

local function write(program, plan, first)
  local turn = nil -- the first baton is the program
  for index = first, #plan do
    local step <const> = plan[index]
    if turn and step.where ~= turn then
      program.append(index, 0, step.where == "child" and "await" or "pass")
      turn = step.where
    end
    if step.where == "child" then
      turn = "child"
      program:step(index, step)
    end
  end
  return program.append(), program.descriptors
end

--- The child's steps of a plan as a program.
-- @tparam Plan plan
-- @tparam int first the step after the clone
-- @tparam table values the results of the parent's steps so far
-- @tparam fd channel the child's end
-- @tparam fd status
-- @tparam boolean runs it has been started, with channel and status alone, and
-- has had the beginning
-- @treturn[1] string for the walker
-- @treturn[1] {fd,...} the descriptors that it needs: has from birth, or when
-- it runs, gets with the program
-- @treturn[2] nil when a step cannot be taken so
function M.program(plan, first, values, channel, status, runs)
  local program <const> = setmetatable({
    append = core.program(channel, status), adding = false, registers = 0,
    values = setmetatable({}, { __index = values }),
    descriptors = runs and {} or { channel, status }, sends = runs,
  }, Program)
  local ok, bytes, descriptors = pcall(write, program, plan, first)
  if ok then return bytes, descriptors end
  if not program.adding and bytes ~= refused then error(bytes, 0) end
end

return M

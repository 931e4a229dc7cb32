--- Walks a plan: the caller takes the parent's steps, a child in the new
-- namespaces takes its own, in one order. The two share the list; where it
-- passes from one to the other a baton goes over a socket. A failure on either
-- side ends both, and comes back as an error that names its step.
--
-- The child is a small program where its steps can be told to one
-- (farside.walker), and the first baton is these steps. Otherwise, and to say
-- why a step of that one failed, it is a copy of the caller that takes them in
-- Lua: a plan that fails is walked twice.

local containers <const> = require "farside.container"
local core <const> = require "farside.core"
local earlies <const> = require "farside.early"
local errors <const> = require "farside.error"
local plans <const> = require "farside.plan"
local steps <const> = require "farside.step"
local walker <const> = require "farside.walker"

local M = {}

-- Does something for a step, and says whether it went well; a plan that is
-- traced (farside.trace) notes the time.
local function attempt_step(self, index, fn, ...)
  local trace <const> = self.plan.trace
  if trace then return trace(index, fn, ...) end
  return pcall(fn, ...)
end

---- the child's side ----

local baton <const> = "+"

-- Waits for the parent; without one there is nothing to live for.
local function await_parent(self)
  if core.recvmsg(self.channel, 16) == nil then core._exit(125) end
end

local walk -- both sides

local function tell_failure(self, step, failure)
  core.sendmsg(self.channel, steps.told(steps.named(step, failure)))
  core._exit(125)
end

local function take_all(self, index)
  self.mine:close()
  self.status_reader:close()
  require("farside.child").seal()
  walk(self, "child", index)
  core.sendmsg(self.channel, baton, { self.values.terminal })
end

-- Runs in the forked child; never returns. What starts a program with an init
-- leaves this process to be the init.
local function child_main(self, index)
  collectgarbage "stop" -- marking would copy every page of the caller's heap
  local ok, failure = pcall(take_all, self, index)
  if not ok then tell_failure(self, { call = "spawn" }, failure) end
  require("farside.reaper").run(self.values.payload.pid, self.status_writer)
end

-- A starter that died before the parent death signal was set sends none; its
-- end of the channel tells.
local function check_parent(self)
  if #core.poll({ self.channel }, 0) > 0 then core._exit(125) end
end

-- What comes before the step that starts the program.
local preparation <const> = {}

function preparation.posix_spawn(self)
  check_parent(self)
  require("farside.reaper").prepare()
end

function preparation.exec(self)
  check_parent(self)
  -- from here on, silence is success
  core.sendmsg(self.channel, baton, { self.values.terminal })
end

local function prepare_and_take(self, step)
  local prepare <const> = preparation[step.call]
  if prepare then prepare(self) end
  steps.take(step, self.calls, self.values)
end

-- A step of the child's; its failure is told to the parent.
local function take_child(self, step, index)
  local ok, failure = attempt_step(self, index, prepare_and_take, self, step)
  if not ok then tell_failure(self, step, failure) end
end

---- the parent's side ----

-- An error that the child sent, or the child's end, which is one too.
local function child_failed(self, message)
  if self.quick then error("the walker has failed", 0) end
  if message then
    error(errors.remake(require("farside.serial").decode(message)), 0)
  end
  local _, how, code = self.values.child:wait()
  local refused <const> = how == "signal" and code == 31 -- SYS
  error(errors.remake {
    call = "spawn", reason = ("the child ended early (%s %d)"):format(how,
                                                                      code),
    hint = refused and "the init lives by the rules of `seccomp`, too, and "
      .. "needs: " .. require("farside.seccomp").init or nil,
  }, 0)
end

local function await_child(self)
  local message, descriptors = steps.receive(self.mine)
  if message ~= baton then child_failed(self, message) end
  return descriptors
end

-- What the child needs is loaded before it is there: see farside.child.
local function fork_child(self, kinds, index)
  for _, name in ipairs { "child", "reaper" } do require("farside." .. name) end
  self.calls = steps.resolve(self.plan)
  return core.clone(kinds, function() child_main(self, index + 1) end)
end

-- Other doors than those of a process that was not wanted: what it has not
-- heard any more is still to be heard there.
local function change_doors(self)
  for name, door in pairs(earlies.doors()) do
    self[name]:close()
    self[name] = door
  end
end

-- The process that was started before there was a plan; nil where there is
-- none, or it is not the one that is wanted.
local function take_early(self, kinds, index)
  local early <close> = self.early
  self.early = nil
  if not early then return nil end
  local program, descriptors
  if early:fits(kinds) then
    program, descriptors = walker.program(self.plan, index + 1, self.values,
      self.channel, self.status_writer, true)
  end
  if not program then return change_doors(self) end
  local process <const>, memory <const> = early:take()
  self.program, self.sent, self.memory = program, descriptors, memory
  return process
end

-- nil where that is not possible: by this plan, or on this machine.
local function start_walker(self, kinds, index)
  local program, descriptors = walker.program(self.plan, index + 1, self.values,
                                              self.channel, self.status_writer)
  if not program then return nil end
  local ok, process, memory = pcall(core.walker, kinds, descriptors)
  if not ok and process.call == "clone" then error(process, 0) end
  if not ok then return nil end
  self.program, self.memory = program, memory
  return process
end

local function make_child(self, step, index)
  local kinds <const> = steps.filled(step.args[1], self.values)
  local process = self.quick and (take_early(self, kinds, index)
                                  or start_walker(self, kinds, index))
  self.quick = process ~= nil and process ~= false
  self.values[step.as] = process or fork_child(self, kinds, index)
  self.channel:close()
  self.status_writer:close()
end

local function take_parent(self, step, index)
  local ok, failure
  if step.call == "clone" and not step.fail then
    ok, failure = attempt_step(self, index, make_child, self, step, index)
  else
    ok, failure = attempt_step(self, index, steps.take, step, self.calls,
                               self.values)
  end
  if not ok then error(steps.named(step, failure), 0) end
end

---- both ----

local function pass(self, side)
  if side == "child" then return core.sendmsg(self.channel, baton) end
  local ok, failure = pcall(core.sendmsg, self.mine, self.program or baton,
                            self.sent)
  -- it has ended, and may have said why
  if not ok and failure.code == "EPIPE" then
    child_failed(self, (steps.receive(self.mine)))
  elseif not ok then
    error(failure, 0)
  end
  self.program, self.sent = nil, nil
end

local function pass_or_await(self, side, turn)
  if turn == side then
    pass(self, side)
  elseif side == "parent" then
    await_child(self)
  else
    await_parent(self)
  end
end

-- Takes one side's steps from the `first` on, in the order of the whole list.
-- It is the parent's turn until the child has been cloned.
function walk(self, side, first)
  local take_mine <const> = side == "parent" and take_parent or take_child
  local turn = "parent"
  for index = first, #self.plan do
    local step = self.plan[index]
    if step.where ~= turn then
      pass_or_await(self, side, turn)
      turn = step.where
    end
    if turn == side then take_mine(self, step, index) end
  end
end

---- containers ----

-- What a container lives with.
local lives <const> = { child = true, ways = true, terminal = true }

-- The results of the steps that are marked as kept, in their order.
local function kept(self)
  local list, names = {}, {}
  for _, step in ipairs(self.plan) do
    local value = step.kept and self.values[step.as]
    if value then list[#list + 1], names[step.as] = value, true end
  end
  return list, names
end

-- What only the making needed is closed.
local function release(self)
  local list, names = kept(self)
  containers.close { self.mine, self.channel, self.status_writer, self.memory }
  for name, value in pairs(self.values) do
    if not (names[name] or lives[name]) then containers.close(value) end
  end
  return list
end

-- After a failure all is closed, the child first, and what is kept is undone
-- in reverse order; what fails in that must not hide the first failure.
local function abandon(self)
  local list, names = kept(self)
  local function close(value) pcall(containers.close, value) end
  close { self.mine, self.channel, self.status_writer, self.status_reader }
  close(self.early)
  close(self.values.child)
  close(self.memory)
  for name, value in pairs(self.values) do
    if not names[name] then close(value) end
  end
  for i = #list, 1, -1 do close(list[i]) end
end

local function to_plan(who, recipe)
  if plans.is(recipe) then return recipe, {} end
  local checked = require("farside.recipe").check(who, recipe)
  return plans.make(checked, require("farside.host").facts(checked)), checked
end

local function start(self)
  walk(self, "parent", 1)
  -- it has started the program, or is about to become it
  self.values.terminal = await_child(self)[1]
  if self.plan[#self.plan].call ~= "exec" then return end
  local message = steps.receive(self.mine)
  if message then child_failed(self, message) end
end

-- The end of its time, which the first process has begun to measure.
local function deadline(plan)
  if not plan.timeout then return nil end
  return core.monotonic() + core.duration(plan.timeout) / 1e9
end

-- All that a start consists of, with a walker if `quick` and if it can be.
local function attempt(plan, quick, early)
  local self = early and early.doors or earlies.doors()
  if early then early.doors = nil end
  self.plan, self.calls, self.values = plan, steps.calls(), {}
  self.quick, self.early = quick, early
  local ok, failure = pcall(start, self)
  if not ok then
    -- a walker that has just ended fails steps of the parent's as well
    local again <const> = self.quick and self.values.child
    abandon(self)
    if again then return nil end
    error(failure, 0)
  end
  return containers.new { process = self.values.child,
                          status = self.status_reader,
                          namespaces = self.values.ways,
                          terminal = self.values.terminal,
                          deadline = deadline(plan),
                          kept = release(self), plan = plan,
                          values = self.values }
end

--- Starts what a plan describes.
-- @tparam Plan plan
-- @tparam[opt] Early early its first process
-- @treturn Container
function M.launch(plan, early)
  local _room <close> = plan.trees and require("farside.room").make(plan)
  errors.prepare()
  local container = plan.walker ~= false and attempt(plan, true, early)
  return container or attempt(plan, false)
end

-- A container without a name is known to its starter alone.
local function begin(plan, checked, early)
  if not checked.name then return M.launch(plan, early) end
  local supervisor <const> = require "farside.supervisor"
  return (checked.detach and supervisor.start or supervisor.attached)(checked,
                                                                      plan)
end

local Patience <const> = {}
Patience.__index = Patience

function Patience:close()
  if self.waits then collectgarbage "restart" end
  self.waits = false
end

Patience.__close = Patience.close

-- Has garbage wait until this is closed: until the program runs, when there is
-- nothing to do but wait for its end.
local function patience()
  local runs <const> = collectgarbage "isrunning"
  if runs then collectgarbage "stop" end
  return setmetatable({ waits = runs }, Patience)
end

--- Starts a container.
-- @tparam table|Plan recipe see farside.recipe for its keys
-- @treturn Container running, its program executed; with `detach`, a Detached
-- @raise a message about the recipe, or an error object whose `step` tells
-- which step of the plan failed; then nothing is left behind
function M.spawn(recipe)
  local early <close> = earlies.start(recipe)
  local plan <const>, checked <const> = to_plan("spawn", recipe)
  return begin(plan, checked, early)
end

--- Starts a container whose first process may have been started already, and
-- waits for its end.
-- @tparam table|Plan recipe
-- @tparam[opt] Early early its first process
-- @return as run
-- @raise as spawn
function M.attended(recipe, early)
  local first <close> = early or earlies.start(recipe)
  local garbage <close> = patience()
  local plan <const>, checked <const> = to_plan("run", recipe)
  if checked.detach then
    errors.usage "run: detach: nobody waits for such a container; use spawn"
  end
  return require("farside.attend").attend(function()
    local container <const> = begin(plan, checked, first)
    garbage:close()
    return container
  end, not plan[#plan].args[1].session)
end

--- Starts a container and waits for its end; signals to the caller go to it.
-- @tparam table|Plan recipe
-- @treturn boolean true, or nil when the status is not 0
-- @treturn string "exit" or "signal"
-- @treturn int status or signal number
-- @raise as spawn
function M.run(recipe)
  return M.attended(recipe)
end

return M

--- Nodes of a lab that are containers. The network of such a node is that of
-- the container, whose root has all rights over it that the recipe gives. Each
-- has a keeper: a child that has joined the lab's user namespace, if there is
-- one, so that the lab may reach into the container, and starts it from there.
-- The container ends with its keeper, and that with the lab or with the process
-- that made it.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local serial <const> = require "farside.serial"

local M = {}

local MOST <const> = 65536 -- bytes of an error
local PATIENCE <const> = 5 -- seconds, for what takes some milliseconds

-- What is run where nothing was asked for: it only has to be there.
local IDLE <const> = { "sleep", "2147483647" }

local function recipe_of(node)
  local recipe = {}
  for key, value in pairs(node.recipe) do recipe[key] = value end
  if recipe[1] == nil then table.move(IDLE, 1, #IDLE, 1, recipe) end
  if recipe.network ~= nil then
    errors.usage("%s: network: that of the lab is the only one", node.kind)
  end
  recipe.network = "none"
  recipe.hostname = recipe.hostname or node.name
  return recipe
end

--- Checks what is asked of a node that is a container.
function M.check(node)
  require("farside.recipe").check(node.kind, recipe_of(node))
end

---- the keeper ----

local function keep(channel, user, recipe)
  if user then
    core.setns(user, "user")
    require("farside.join").become_root()
  end
  local ok, container = pcall(require("farside").spawn, recipe)
  if not ok then
    local sendable = errors.is(container) and container or tostring(container)
    core.sendmsg(channel, serial.encode(sendable))
    core._exit(1)
  end
  core.sendmsg(channel, serial.encode(container.pid), { container })
  core.recvmsg(channel, 1) -- until the other end is closed
  container:close()
end

---- the lab's side ----

--- The container of a node.
-- @type Kept
local Kept <const> = {}
Kept.__index = Kept

function Kept:spawn(command)
  return require("farside.enter").spawn(self.process, command)
end

-- The keeper ends the container and waits for that, so that it leaves nothing.
function Kept:close()
  self.control:close()
  if self.process then self.process:close() end
  self.keeper:wait(PATIENCE)
  self.keeper:close()
end

-- What the keeper says: the container's descriptor, or what went wrong.
local function await(node, channel)
  local message, descriptors = core.recvmsg(channel, MOST)
  local answer = message and serial.decode(message)
    or ("lab: the container of %s ended early"):format(node.name)
  if descriptors[1] then return descriptors[1] end
  if errors.is(answer) then
    answer.where = node.where
    answer.step = ("%s %s: %s"):format(node.kind, node.name,
                                       answer.step or "its container")
  end
  error(answer, 0)
end

--- Starts the container of a node.
function M.start(node)
  local one, other = core.socketpair "seqpacket"
  local mine <const>, theirs <close> = one, other
  local recipe <const> = recipe_of(node)
  local caller <close> = core.pidfd_open(core.getpid())
  local kept = setmetatable({ control = mine }, Kept)
  kept.keeper = core.clone({}, function()
    mine:close() -- or the lab's hanging up would not arrive, here and at others
    for _, other_node in ipairs(node.lab.nodes) do
      if other_node.container then other_node.container.control:close() end
    end
    require("farside.join").live_with(caller)
    keep(theirs, node.lab.user, recipe)
    core._exit(0)
  end)
  theirs:close()
  node.container = kept
  kept.process = await(node, mine)
  node.handle = core.open(kept.process, "net")
  node.nl = core.netlink_socket(node.handle)
end

return M

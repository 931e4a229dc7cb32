--- From what was asked to what is done: a plan is the ordered list of the calls
-- that make a container, as data. Making one is a pure function of the recipe
-- and of the facts about the caller; farside.spawn walks it.
--
-- A step is { where, call, args, label, as, on, kept }: who takes it ("parent"
-- or "child"), the name of a public call, its arguments, one clause of why, the
-- name under which later steps know its result, the name of the object when
-- the call is a method, and whether the result of a parent's step is closed
-- only after the container's end: what must be undone then. Steps that are a
-- `privilege` are taken by every program of the container, not only the first:
-- a parent's before it is in the container, with itself as the `child`; those
-- that are the privilege "user" make it the payload's user.
-- A step that has `given` is left out when that result is nil.

local identity <const> = require "farside.plan.identity"
local files <const> = require "farside.plan.files"
local furniture <const> = require "farside.plan.furniture"
local network <const> = require "farside.plan.network"
local payload <const> = require "farside.plan.payload"
local resources <const> = require "farside.plan.resources"
local steps <const> = require "farside.plan.steps"
local Trees <const> = require "farside.plan.trees"

local M = { is = steps.is }

-- Steps that every program of the container takes.
local function privilege(plan, add, ...)
  local first <const> = #plan + 1
  add(plan, ...)
  for i = first, #plan do plan[i].privilege = plan[i].privilege or true end
end

-- The part that most recipes have no need of.
local function with_mounts(name, recipe, ...)
  if recipe.mounts then require("farside.plan.mounts")[name](...) end
end

--- The plan for a checked recipe. Pure: no call is made.
-- @tparam table recipe from farside.recipe
-- @tparam table facts from farside.host
-- @treturn Plan
function M.make(recipe, facts)
  local plan = steps.new()
  local trees = Trees.new(plan, recipe, facts)
  trees:check()
  local function take_trees()
    files.sources(trees, recipe, facts)
    with_mounts("sources", recipe, trees, recipe)
  end
  identity.lease(plan, recipe, facts)
  files.unpack(trees, recipe, facts, identity.maps(recipe, facts))
  with_mounts("unpack", recipe, trees, recipe, identity.maps(recipe, facts))
  if facts.root then take_trees() end
  identity.identity(plan, recipe, facts)
  privilege(plan, resources.by_starter, recipe, facts)
  trees:map_ids()
  network.interfaces(plan, recipe)
  identity.clocks(plan, recipe)
  identity.become_root(plan, recipe, facts)
  if not facts.root then take_trees() end
  files.files(plan, trees, recipe, facts)
  furniture.furniture(plan, recipe)
  with_mounts("mounts", recipe, plan, trees, recipe)
  payload.names(plan, recipe)
  network.inside(plan, recipe, facts)
  payload.setup(plan, recipe)
  payload.enter(plan, recipe)
  privilege(plan, identity.become_user, recipe, facts)
  trees:limit()
  privilege(plan, payload.privileges, recipe, facts)
  payload.payload(plan, recipe)
  return plan
end

--- What a recipe does, as a plan: print it, or give it to spawn.
-- @function plan
-- @tparam table recipe
-- @treturn Plan a list of steps; tostring draws it
-- @raise a message about the recipe
function M.plan(recipe)
  local checked = require("farside.recipe").check("plan", recipe)
  return M.make(checked, require("farside.host").facts(checked))
end

return M

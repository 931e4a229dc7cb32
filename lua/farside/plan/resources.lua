--- Steps: what of the machine the container's processes may use, each.

local fields <const> = require "farside.fields"
local ref <const> = require("farside.plan.steps").ref

local M = {}

--- A cgroup with limits for all of them together.
function M.group(plan, recipe)
  if not recipe.limits then return end
  local step = plan:add("parent", "a cgroup of its own, which has its limits",
                        "cgroup.make", recipe.limits)
  step.as, step.kept = "cgroup", true
end

--- What only the starter may do, since the child's power ends where the first
-- user namespace does: hard limits above its own, more of the processor, less
-- danger when memory runs out. Before the child hides itself from its like.
function M.by_starter(plan, recipe, facts)
  local function parent(...) plan:add("parent", ...) end
  if facts.root then
    for _, name in ipairs(fields.keys(recipe.rlimits or {})) do
      parent("a limit above the starter's is raised by who may", "raise_limit",
             ref "child", name, recipe.rlimits[name])
    end
  end
  if recipe.nice and recipe.nice < 0 then
    parent("it is served before others", "setpriority", recipe.nice,
           ref "child")
  end
  if recipe.oom_score_adj then
    parent("how soon it is killed when memory runs out", "write_oom_score_adj",
           ref "child", recipe.oom_score_adj)
  end
end

-- The size of a core dump. With 0 there is no file, but the host's program that
-- dumps are piped to (core_pattern) is run nevertheless, by root; with 1, which
-- the kernel takes for a dump of that program's own, it is not. Where the
-- starter may have none at all, neither may the container.
local function no_core(facts)
  return facts.no_core and 0 or 1
end

--- What each program sets for itself.
function M.of_each(plan, recipe, facts)
  local function child(...) plan:add("child", ...) end
  local wanted = { core = no_core(facts) }
  for name, limit in pairs(recipe.rlimits or {}) do wanted[name] = limit end
  for _, name in ipairs(fields.keys(wanted)) do
    child("a limit for each process, not to be raised again", "setrlimit", name,
          wanted[name], wanted[name])
  end
  if recipe.nice and recipe.nice >= 0 then
    child("others are served before it", "setpriority", recipe.nice)
  end
  if recipe.affinity then
    child("where it may run", "sched_setaffinity", recipe.affinity)
  end
end

--- The kernel tells PID 1 when the time is over. More than once, for it may not
-- be listening yet.
function M.time(plan, recipe)
  if recipe.timeout then
    plan.timeout = recipe.timeout
    plan:add("child", "when this time is over PID 1 ends it", "setitimer",
             recipe.timeout, "100ms")
  end
end

return M

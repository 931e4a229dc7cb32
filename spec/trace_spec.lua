-- The time that each step of a plan takes.
local t <const> = require "spec.helper"
local ns <const> = require "farside"
local trace <const> = require "farside.trace"

local driver <const> = t.build .. "/farside"

-- Nothing of the caller's streams is touched.
local function plan_of(recipe)
  t.needs("userns", "filesystem overlay")
  return ns.plan(recipe)
end

describe("a trace", function()
  it("has a time for each step, the parent's and the child's", function()
    local plan = plan_of { "true" }
    local times, ok, how, code = trace.run(plan)
    assert.same({ true, "exit", 0 }, { ok, how, code })
    for index, step in ipairs(plan) do
      assert.is_number(times[index], step.label)
      assert.is_true(times[index] >= 0 and times[index] < 60)
    end
  end)

  it("has none for the step that becomes the program", function()
    local plan = plan_of { "true", init = false }
    local times = trace.run(plan)
    assert.equal("exec", plan[#plan].call)
    assert.is_nil(times[#plan])
    assert.is_number(times[#plan - 1])
  end)

  it("has none for the step in which the clock itself changes", function()
    local plan = plan_of { "true", monotonic = "30d" }
    local times = trace.run(plan)
    for index, step in ipairs(plan) do
      local moves = step.call == "setns" and step.args[2] == "time"
      assert.equal(moves, times[index] == nil)
    end
  end)

  it("leaves the plan as it was, also when a step fails", function()
    local plan = plan_of { "true" }
    plan[#plan - 1].fail = "EPERM"
    local ok, err = pcall(trace.run, plan)
    assert.same({ false, "EPERM" }, { ok, err.code })
    assert.is_nil(plan.trace or plan.walker)
    plan[#plan - 1].fail = nil
    assert.is_true(ns.run(plan))
  end)

  it("stands beside the steps that it is of", function()
    local plan = require("farside.plan.steps").new()
    plan:add("parent", "its name", "sethostname", "moon")
    plan:add("child", "the program", "exec", { "true" })
    assert.equal('  1  parent       12 µs  ns.sethostname("moon")\n'
      .. (" "):rep(25) .. "-- its name\n"
      .. '  2  child            -  ns.exec({ "true" })\n'
      .. (" "):rep(25) .. "-- the program",
      (plan:text { 12e-6 }))
    assert.equal("parent 0.012 ms, child 0.000 ms, each step in Lua",
      trace.summary(plan, { 12e-6 }))
  end)

  it("is printed by farside plan after the program has run", function()
    t.needs("userns", "filesystem overlay")
    local pipe <close> = assert(io.popen(driver .. " plan --trace -- sh -c "
      .. "'echo in; exit 7' 2>&1 </dev/null; echo $?"))
    local said = pipe:read "a"
    assert.matches("^in\n  1  parent +%d+ µs  ", said)
    assert.matches("\n%s*%d+  child +%d+ µs  payload = ns.posix_spawn", said)
    assert.matches("\n\nparent %d+%.%d%d%d ms, child %d+%.%d%d%d ms, each "
      .. "step in Lua\n7\n$", said)
  end)
end)

-- That the benchmark can be run; what it measures is for people to judge.

local t = require "spec.helper"
local lfs = require "lfs"

local function bench(...)
  local driver <const> = t.build .. "/farside"
  if not lfs.attributes(t.build .. "/bench/container") then
    pending "needs the programs that make bench builds"
  end
  local words = table.concat({ driver, "scripts/dev/bench.lua", ... }, " ")
  local pipe <close> = assert(io.popen(words .. " 2>&1"))
  local text = pipe:read "a"
  local ok = pipe:close()
  t.reap() -- bwrap leaves the reaping of its child to others
  return text, ok
end

local number <const> = "%d+%.%d%d%d"

describe("the benchmark", function()
  it("tells a median, spread, ratio and memory of each row", function()
    t.needs "userns"
    local text, ok = bench("--count", "1", "start", "containers")
    assert.is_true(ok, text)
    if text:find "C, one process, same calls +skipped" then
      return pending "needs Linux 6.11, which the C container is written for"
    end
    local times <const> = (" +" .. number):rep(3) .. " +%d+%.%d%d.* %d+%.%d\n"
    for _, name in ipairs { "farside %-e ''", "ns.run, one process",
                            "C, one process, same calls", "farside run" } do
      assert.matches("\n  " .. name .. times, text)
    end
  end)

  it("writes the same as JSON", function()
    t.needs "userns"
    local text, ok = bench("--count", "1", "--json", "-", "start")
    assert.is_true(ok, text)
    local report <const> = require "farside.json".decode(text)
    assert.matches("^Linux ", report.machine.kernel)
    local row <const> = report.tables[1].rows[1]
    assert.equal("farside -e ''", row.name)
    assert.is_true(row.quartiles_ms[1] <= row.median_ms and row.ratio > 0)
    assert.is_true(row.floor_ratio > 0 and row.peak_kib > 1000)
  end)

  it("measures networks beside C and others", function()
    t.needs "userns"
    local text, ok = bench("--count", "1", "routes")
    assert.is_true(ok, text)
    local times <const> = (" +" .. number):rep(3) .. " +%d+%.%d%d"
    for _, name in ipairs { "nl:batch", "C, raw netlink, one queue",
                            "ip %-batch" } do
      assert.matches("\n  " .. name .. times, text)
    end
  end)

  it("draws them", function()
    local text, ok = bench("--count", "1", "--svg", "-", "start")
    assert.is_true(ok, text)
    assert.matches("^<svg .*>start of an interpreter<.*</svg>\n$", text)
    assert.matches(">farside %-e ''<", text)
    assert.matches('class="t%-time"', text) -- what is wanted
  end)

  it("has figures also where what others are compared to is missing", function()
    local rows <const> = { title = "t", group = "g", count = 1,
      { name = "a", ours = true, wanted = 0.5, samples = { 2e6 }, memory = 9 },
      { name = "b", reference = true, skipped = "no b" } }
    local report <const> = dofile "scripts/dev/bench/report.lua"
    report.summarize(rows)
    assert.matches("\n  a +2.000 .*\n  b +skipped: no b\n  1 round\n$",
                   report.text(rows))
    rows.rounds = report.rounds(rows)
    local svg <const> = dofile "scripts/dev/bench/plot.lua".draw({ rows }, {})
    assert.matches(">skipped: no b<", svg)
    assert.matches("> +2.000 +0.50 +0.0<", svg)
  end)

  it("tells what the first and the last of many cost", function()
    t.needs "userns"
    local text, ok = bench("--count", "2", "many")
    assert.is_true(ok, text)
    assert.matches("\n  ns.run, the last tenth" .. (" +" .. number):rep(3)
                   .. " +%d+%.%d%d +1.10 +%d", text)
  end)

  it("refuses what it does not know", function()
    assert.equal("usage: bench.lua [--count N] [--json FILE] [--svg FILE] "
      .. "[start | containers | large | many | list | links | routes | "
      .. "labs]...\n", (bench "--fast"))
  end)
end)

-- The tour, whole: what it shows is what it says.
local t <const> = require "spec.helper"
local ns <const> = require "farside"

local function tour(options)
  local pipe <close> = assert(io.popen(("%s/farside tour %s 2>&1"):format(
    t.build, options)))
  local text <const> = pipe:read "a"
  return text, select(3, pipe:close())
end

-- The two answers to a question of a chapter.
local function answers(text, chapter, question)
  local from = text:match(chapter .. "\n(.*)")
  local line = from:match("\n    (" .. question .. "[^\n]*)")
  return line:match "%?%s+(.-)%s%s+(.-)%s*$"
end

describe("farside tour", function()
  it("shows every kind from both sides", function()
    t.needs("userns", "namespace time")
    local text, code = tour "--no-pause"
    assert.equal(0, code)
    for _, kind in ipairs { "user", "pid", "net", "mnt", "uts", "ipc",
                            "cgroup", "time" } do
      local out, inside = answers(text, kind .. ": [^\n]*",
                                  "which namespace")
      assert.equal(ns.readlinkat(nil, "/proc/self/ns/" .. kind), out)
      assert.matches("^" .. kind .. ":%[%d+%]$", inside)
      assert.not_equal(out, inside)
    end
    local _, first = answers(text, "pid: [^\n]*", "how many processes")
    assert.equal("2", first)
    assert.same({ ns.uname().nodename, "moon" },
      { answers(text, "uts: [^\n]*", "on which machine") })
    assert.same({ "none", "silver" },
      { answers(text, "mnt: [^\n]*", "what is in /mnt/moon") })
    local days, more = answers(text, "time: [^\n]*", "up for how many days")
    assert.equal(30, math.floor(more - days + 0.5))
    assert.matches("\n    │ root of moon, process 2\n", text)
    assert.matches("\n    │ Welcome to tranquility. You are alone here.\n"
      .. "    │ tranquility\n", text)
  end)

  it("begins where it is told to", function()
    t.needs "userns"
    local text <const> = tour "--no-pause --chapter 8"
    assert.matches("^\n8/15  uts: a name\n", text)
  end)

  it("says what is wrong with its options", function()
    assert.equal("farside tour: --chapter: number expected, got 'x'\n"
      .. "farside: `farside tour --help` lists what it takes\n",
      (tour "--chapter x"))
    assert.equal("farside: tour: chapter from 1 to 15 expected, got 99\n",
      (tour "--no-pause --chapter 99"))
  end)
end)

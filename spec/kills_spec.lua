-- Processes of containers that are killed at random moments: a few of those
-- that `make kills` takes.

local t <const> = require "spec.helper"

describe("whoever is killed", function()
  it("leaves nothing that the next commands do not clear", function()
    t.needs "userns"
    local pipe <close> = assert(io.popen(t.build .. "/farside "
      .. "scripts/dev/kills.lua --count 20 2>&1"))
    local text <const> = pipe:read "a"
    assert.matches("^seed %d+\nbefore: 0 processes, ", text)
    assert.matches("\n20 kills, 0 findings\n$", text)
  end)
end)

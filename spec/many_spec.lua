-- That the program which makes many containers can be run, and that nothing is
-- left of them; what they cost is for people to judge.

local t = require "spec.helper"

describe("many containers", function()
  it("leave no descriptor and no child, one by one or at once", function()
    t.needs "userns"
    local pipe <close> = io.popen(t.build .. "/farside scripts/dev/many.lua "
                                  .. "--count 20 --together 20 2>&1")
    local text <const> = pipe:read "a"
    assert.matches("20 to their end +first +%d+%.%d+ ms .* ratio %d", text)
    assert.matches("20 at once: started in %d+%.%d+ s", text)
    for _, thing in ipairs { "descriptors", "children" } do
      local before, after = text:match(thing .. " +(%d+) before +(%d+) after")
      assert.equal(before, after, thing)
    end
  end)
end)

-- Helper programs of others: what they say comes back, they have an end, and
-- one that is missing is named.

local t <const> = require "spec.helper"
local program <const> = require "farside.program"

describe("a program", function()
  it("gets its input, and all that it says is collected", function()
    local ok, out, said = program.run({ "sh", "-c", "cat; echo no >&2; echo "
      .. "way >&2; exit 3" }, "hello\n")
    assert.same({ n = 3, nil, "hello\n", "no; way" },
                { n = 3, ok, out, said })
  end)

  it("has little in its environment", function()
    local _, out = program.run { "env" }
    assert.equal("LC_ALL=C\n", out)
  end)

  it("that does not end is ended", function()
    local ok, err = pcall(program.run, { "sleep", "1000" }, nil, "20ms")
    assert.is_false(ok)
    assert.equal("sleep 1000: Connection timed out (ETIMEDOUT)",
                 tostring(err):gsub("^%S+:%d+: ", ""))
  end)

  it("that is not there is looked for and named", function()
    t.child(function()
      assert.is_false(program.find "no-such-program")
      assert.is_true(program.find "sh")
      local ok, err = pcall(program.run, { "no-such-program" })
      assert.is_false(ok)
      assert.equal("no-such-program: No such file or directory (ENOENT)",
                   (tostring(err):gsub("^%S+:%d+: ", "")))
    end)
  end)
end)

-- The set-up script, which installs nothing here: --check only tells.

local t = require "spec.helper"

-- What the script says, and how it ends.
local function setup(environment, arguments)
  local run = assert(io.popen(("%s scripts/dev/setup --check %s 2>&1")
    :format(environment, arguments)))
  return run:read "a", select(3, run:close())
end

describe("the set-up script", function()
  it("says nothing when all is there", function()
    t.needs "program cc"
    local text, code = setup("", "build check")
    assert.equal("", text)
    assert.equal(0, code)
  end)

  it("names the packages that are missing, each once", function()
    t.needs "program apt-get"
    local text, code = setup("LUA=lua5.5", "build")
    assert.equal("Farside needs packages that are not installed:\n"
      .. "  apt-get install liblua5.5-dev lua5.5\n", text)
    assert.equal(1, code)
  end)

  it("knows what each group is for", function()
    local text, code = setup("", "bulid")
    assert.equal("setup: no group 'bulid'\n", text)
    assert.equal(2, code)
  end)
end)

describe("the rockspec", function()
  it("names every Lua file", function()
    assert.is_true(os.execute(t.lua .. " scripts/dev/rockspec.lua --check "
      .. "rockspec/farside-scm-1.rockspec"))
  end)
end)

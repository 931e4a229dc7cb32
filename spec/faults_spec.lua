-- Calls of set-ups that are made to fail: a few of those that `make faults`
-- takes, so that what it does is known to work.

local t <const> = require "spec.helper"
local lfs <const> = require "lfs"

local function faults(...)
  local words <const> = table.concat({ t.build .. "/farside",
                                       "scripts/dev/faults.lua", ... }, " ")
  local pipe <close> = assert(io.popen(words .. " 2>&1"))
  local text <const> = pipe:read "a"
  return text, pipe:close()
end

local function needs()
  t.needs "userns"
  if t.sanitized then
    return pending "needs a build without sanitizers, which hear of a tracer"
  elseif not lfs.attributes(t.build .. "/fault/inject") then
    return pending "needs x86-64, for which what makes calls fail is written"
  end
end

-- What is said of a set-up when all is well.
local line <const> = "%s +%%d+ calls, +%%d+ runs, 0 findings: [^\n]*\n"

describe("a call that fails", function()
  for _, name in ipairs { "default", "code", "exec", "inside", "detached" } do
    it("is told by the set-up " .. name .. ", and nothing is left", function()
      needs()
      local text, ok = faults("--errno EIO --every 97", name)
      assert.matches("^" .. line:format(name) .. "$", text)
      assert.is_true(ok)
    end)
  end

  it("is told as well when all of its name fail from then on", function()
    needs()
    local text <const> = faults("--errno EPERM --from-on --only 1.3 code")
    assert.matches("^" .. line:format "code" .. "$", text)
  end)

  it("is noticed where it does matter", function()
    needs()
    local text, ok = faults("--errno EIO --every 30 --strict code")
    assert.matches("\tunnoticed\tok", text)
    assert.is_nil(ok)
  end)
end)

describe("a lack of memory in Lua", function()
  it("leaves no descriptor and no child of a call, wherever it comes",
     function()
    t.needs "userns"
    local pipe <close> = assert(io.popen(t.build .. "/farside "
      .. "scripts/dev/fault/memory.lua clone walker posix_spawn sendmsg open "
      .. "netlink_socket link.add 2>/dev/null"))
    assert.matches("^7 functions, %d+ allocations that failed, 0 findings\n$",
                   pipe:read "a")
  end)
end)

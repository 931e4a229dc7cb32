-- The targets of `make fuzz`, without a fuzzer: each gets its seeds and some
-- hundred inputs made of them by chance, the same ones every time. What needs
-- the fuzzer's own program (netlink's answers) is left to it.

local t = require "spec.helper"

-- In a process of its own, since targets put themselves in the place of io.open
-- and the like: fails with what was found.
local program <const> = [[
  local run = loadfile "scripts/dev/fuzz/run.lua"
  package.path = "scripts/dev/fuzz/?.lua;" .. package.path
  math.randomseed(7)

  local function changed(seed)
    for _ = 1, math.random(6) do
      local at = math.random(#seed + 1)
      local new = math.random(2) == 1 and string.char(math.random(0, 255))
        or seed:sub(math.random(#seed + 1)):sub(1, 8)
      seed = seed:sub(1, at - 1) .. new .. seed:sub(at + math.random(0, 3))
    end
    return seed
  end

  local names = {}
  for name in pairs(require "targets") do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local target = require "targets"[name]
    local take = not target.fed and run(name)
    for _, seed in ipairs(take and target.seeds or {}) do
      take(seed)
      for _ = 1, COUNT do take(changed(seed)) end
    end
    if take then print(name) end
  end
]]

-- What a script says, and whether it went well.
local function run(text)
  local path <const> = t.tmpdir() .. "/script.lua"
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
  file:close()
  local pipe <close> = assert(io.popen(("timeout 120 '%s/farside' '%s' 2>&1")
    :format(t.build, path)))
  local said <const> = pipe:read "a"
  return said, pipe:close()
end

describe("what reads input", function()
  it("takes nonsense, or says what is wrong with it", function()
    local text <const>, ok = run((program:gsub("COUNT", "40")))
    assert.is_true(ok, text)
    for _, name in ipairs { "map", "mount", "proc", "tar", "image", "json",
                            "recipe", "filter", "units" } do
      assert.matches("%f[%w]" .. name .. "\n", text)
    end
  end)
end)

describe("the judge of the fuzzer", function()
  local function found(code)
    return (run([[
      package.path = "scripts/dev/fuzz/?.lua;" .. package.path
      local try = require "judge" ""
      print(select(2, pcall(try, function() ]] .. code .. " end)))")
      :match "^[^\n]*")
  end

  it("finds what stumbles", function()
    assert.matches("attempt to index", found "local a; return a.b")
    assert.matches("bad argument #1 to 'rep'", found "string.rep()")
    assert.matches("attempt to", found "error('x: attempt to index nil', 0)")
    assert.equal("a nil is raised", found "error(nil)")
  end)

  it("lets pass what refuses", function()
    for _, code in ipairs {
      "error('map: bad range', 0)", "ns.unshare('nett')",
      "ns.mount('a', '/none/there', 'tmpfs')", "error({ usage = 'x' })",
    } do assert.equal("false\tfalse", found(code)) end
  end)
end)

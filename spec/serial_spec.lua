-- Values as bytes: what goes in comes out, and nothing else gets in.
require "spec.helper"
local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local serial <const> = require "farside.serial"

local function there_and_back(...) return serial.decode(serial.encode(...)) end

local function message(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

describe("serial", function()
  it("brings back each kind of value as what it was", function()
    local values = table.pack(nil, true, false, 0, -1, math.maxinteger,
      math.mininteger, 0.5, -0.0, math.huge, "", "a\0b\255\n", nil)
    local back = table.pack(there_and_back(table.unpack(values, 1, values.n)))
    assert.equal(values.n, back.n)
    for i = 1, values.n do
      assert.equal(values[i], back[i])
      assert.equal(math.type(values[i]), math.type(back[i]))
    end
  end)

  it("brings back no value as no value", function()
    assert.equal(0, select("#", there_and_back()))
  end)

  it("keeps the sign of zero and that nan is not equal to itself", function()
    local zero, nan = there_and_back(-0.0, 0 / 0)
    assert.equal(-math.huge, 1 / zero)
    assert.not_equal(nan, nan)
  end)

  it("brings back tables at any depth, with keys of several kinds", function()
    local value = { 1, { "two", { [3.5] = { [true] = "deep" } } }, x = {} }
    assert.same(value, (there_and_back(value)))
  end)

  it("brings back a table that is in two places twice", function()
    local shared = { 1 }
    local back = there_and_back { a = shared, b = shared }
    assert.same({ a = { 1 }, b = { 1 } }, back)
  end)

  it("brings back a megabyte", function()
    local text = ("farside\0"):rep(131072)
    assert.is_true(there_and_back(text) == text)
  end)

  it("brings back error objects as error objects", function()
    local _, err = pcall(core.setns, 0x7fffffff, "net")
    local back = there_and_back { cause = err }.cause
    assert.is_true(errors.is(back))
    assert.equal(tostring(err), tostring(back))
    assert.same(err.namespaces, back.namespaces)
  end)

  it("names the place of what cannot be sent", function()
    assert.equal("cannot send a function (value 2.names[1])",
      message(serial.encode, 1, { names = { print } }))
    assert.equal("cannot send a userdata (value 1[\"a b\"])",
      message(serial.encode, { ["a b"] = io.stdout }))
    assert.equal("cannot send a thread (value 1)",
      message(serial.encode, coroutine.create(print)))
  end)

  it("refuses a table with a metatable, whose meaning would be lost",
    function()
      assert.equal("cannot send a table with a metatable (value 1.x)",
        message(serial.encode, { x = setmetatable({}, {}) }))
    end)

  it("refuses a table that contains itself", function()
    local ring = {}
    ring.me = { ring }
    assert.equal("cannot send a table that contains itself (value 1.me[1])",
      message(serial.encode, ring))
  end)

  it("refuses a table as a key", function()
    assert.matches("^cannot send a table as a key %(value 1%[",
      message(serial.encode, { [{}] = 1 }))
  end)

  it("refuses what is nested deeper than it would read", function()
    local deep = {}
    for _ = 1, 200 do deep = { deep } end
    assert.matches("^cannot send tables nested so deep",
      message(serial.encode, deep))
  end)

  it("refuses what grows without end", function()
    local wide = ("x"):rep(1 << 20)
    for _ = 1, 10 do wide = { wide, wide } end
    assert.matches("^cannot send more than 268435456 bytes",
      message(serial.encode, wide))
  end)

  it("refuses every beginning of its bytes, and more than all", function()
    local bytes = serial.encode({ 1, "abc", { x = 2.5 } }, "z")
    for i = 0, #bytes - 1 do
      assert.matches("^corrupt values at byte %d+$",
        message(serial.decode, bytes:sub(1, i)))
    end
    assert.equal(("corrupt values at byte %d"):format(#bytes + 1),
      message(serial.decode, bytes .. "n"))
  end)

  it("survives any single byte changed", function()
    local bytes = serial.encode({ 1, "abc", { x = 2.5, [7] = true } }, nil)
    for i = 1, #bytes do
      for _, byte in ipairs { "\0", "t", "\127", "\255" } do
        local ok, err = pcall(serial.decode,
          bytes:sub(1, i - 1) .. byte .. bytes:sub(i + 1))
        assert.is_true(ok or err:find "^corrupt values" ~= nil)
      end
    end
  end)

  it("takes no length on trust", function()
    local huge = ("<I4c1i8"):pack(1, "s", math.maxinteger)
    assert.equal("corrupt values at byte 18",
      message(serial.decode, "far1" .. huge))
    assert.equal("corrupt values at byte 9",
      message(serial.decode, "far1" .. ("<I4"):pack(0xffffffff)))
  end)

  it("takes no error object without its text", function()
    local bytes = serial.encode({}):gsub("t", "e", 1)
    assert.matches("^corrupt values", message(serial.decode, bytes))
  end)
end)

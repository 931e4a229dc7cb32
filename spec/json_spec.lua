-- JSON: what is written is right, also where lua-cjson's is not; what is
-- written reads back as it was.
local t <const> = require "spec.helper"
local json <const> = require "farside.json"

local function refused(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

describe("json", function()
  it("writes keys in order, and integers whole", function()
    assert.equal('{"a":9007199254740993,"b":[1,0.1,true,null],"c":"x"}',
      json.encode { c = "x", b = { 1, 0.1, true, json.null },
                    a = 9007199254740993 })
  end)

  it("tells an empty list from an empty object", function()
    assert.equal('[{},[]]', json.encode { {}, json.list {} })
  end)

  it("keeps the order that was asked for", function()
    assert.equal('{"z":1,"a":null}',
      json.encode(json.object { { "z", 1 }, { "a", nil } }))
  end)

  it("escapes what must be, and mends what is no UTF-8", function()
    assert.equal('"a\\"\\\\\\n\\u001b\\u0000é"',
      json.encode 'a"\\\n\27\0é')
    assert.equal('"\u{FFFD}a\u{FFFD}(é\u{FFFD}"',
      json.encode "\xffa\xc3(é\xfe")
  end)

  it("indents when asked to", function()
    assert.equal('{\n  "a": [\n    1,\n    2\n  ],\n  "b": {}\n}',
      json.encode({ a = { 1, 2 }, b = {} }, "  "))
  end)

  it("reads back what it wrote", function()
    t.needs "lua cjson"
    local value = { a = { 1, 2.5, "é\n\"", json.null }, b = { c = false } }
    assert.same(value, json.decode(json.encode(value)))
    assert.equal(json.null, json.decode "[null]"[1])
  end)

  it("says what it cannot write or read", function()
    assert.equal("json: cannot write a function", refused(json.encode, print))
    assert.equal("json: inf is no number in JSON",
      refused(json.encode, { 1 / 0 }))
    assert.equal("json: name expected, got number",
      refused(json.encode, { [2] = 1 }))
    local loop = {}
    loop[1] = loop
    assert.equal("json: nested too deep", refused(json.encode, loop))
  end)

  it("says what is wrong with a text", function()
    t.needs "lua cjson"
    assert.matches("^json: Expected object key string but found",
      refused(json.decode, "{"))
  end)

  it("names the package that is missing", function()
    local loaded, path, cpath = package.loaded.cjson, package.path,
      package.cpath
    package.loaded.cjson, package.path, package.cpath = nil, "", ""
    local message = refused(json.decode, "1")
    package.loaded.cjson, package.path, package.cpath = loaded, path, cpath
    assert.equal("json: reading JSON needs lua-cjson: Debian has it in the "
      .. "package lua-cjson", message)
  end)
end)

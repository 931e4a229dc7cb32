-- Internet addresses: bytes and text, subnets, and what is none.

require "spec.helper"
local ns <const> = require "farside"
local addresses <const> = require "farside.network.address"

describe("an address", function()
  it("is bytes, of IPv4 or IPv6, and text again", function()
    assert.equal("\10\0\0\1", ns.inet_pton "10.0.0.1")
    assert.equal(("\0"):rep(15) .. "\1", ns.inet_pton "::1")
    assert.equal("fd00::2", ns.inet_ntop(ns.inet_pton "fd00:0:0::0002"))
    assert.equal("10.0.0.1", ns.inet_ntop "\10\0\0\1")
    local ok, message = pcall(ns.inet_ntop, "abc")
    assert.is_false(ok)
    assert.matches("4 or 16 bytes expected", message, 1, true)
  end)

  it("is nothing that merely looks like one", function()
    for _, text in ipairs { "", "10", "10.0.0", "10.0.0.256", "010.0.0.1",
                            "fd00::1%eth0", "example.org", "10.0.0.1/24" } do
      assert.is_nil(ns.inet_pton(text), text)
    end
    for _, text in ipairs { "10.0.0.1/33", "fd00::1/129", "10.0.0.1/",
                            "10.0.0.1/-1", "10.0.0.1/2x", "/24", 7 } do
      assert.is_nil(addresses.parse(text), tostring(text))
    end
  end)

  it("is in a subnet, with a number", function()
    local one <const> = addresses.parse "10.7.3.9/22"
    assert.equal("10.7.0.0/22", tostring(one:subnet()))
    assert.equal("10.7.1.4/22", tostring(one:host(260)))
    assert.is_true(one:near(addresses.parse "10.7.0.1"))
    assert.is_false(one:near(addresses.parse "10.7.4.1"))
    assert.is_false(one:near(addresses.parse "fd00::1"))
    assert.equal(1022, one:capacity())
    local six <const> = addresses.parse "fd00:1::5/64"
    assert.equal("fd00:1::ff/64", tostring(six:host(255)))
  end)

  it("has the same MAC address each time", function()
    assert.equal("02:fa:0a:07:00:02", addresses.parse "10.7.0.2/24":mac())
  end)
end)

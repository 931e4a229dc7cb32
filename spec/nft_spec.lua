-- Whether there is a table of nftables.

local t <const> = require "spec.helper"
local networks <const> = require "spec.networks"
local ns <const> = require "farside"

describe("a table of nftables", function()
  it("is there, or is not", function()
    t.needs "nft"
    networks.apart(function()
      assert.is_false(ns.nft_table("inet", "mine"))
      networks.nft "add table inet mine"
      assert.is_true(ns.nft_table("inet", "mine"))
      assert.is_false(ns.nft_table("ip", "mine"))
      assert.is_false(ns.nft_table("inet", "min"))
    end)
  end)

  it("cannot be looked for without the right to", function()
    networks.apart(function()
      ns.capability.keep ""
      assert.equal("nft_table mine: Operation not permitted (EPERM)",
                   (networks.told(ns.nft_table, "inet", "mine")))
    end)
  end)

  it("has a family and a name that make sense", function()
    assert.matches("unknown family 'inetx'",
      networks.told(ns.nft_table, "inetx", "mine"), 1, true)
    assert.matches("name too long",
      networks.told(ns.nft_table, "inet", ("x"):rep(32)), 1, true)
  end)
end)

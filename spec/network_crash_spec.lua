-- A starter that is killed leaves nothing that the next one does not clear,
-- whatever it was about.

local t <const> = require "spec.helper"
local networks <const> = require "spec.networks"
local ns <const> = require "farside"

-- FARSIDE_KILLS: how many times in each place
local kills <const> = tonumber(os.getenv "FARSIDE_KILLS")
local TIMES <const> = { root = kills or 10, ["a user namespace"] = kills or 50 }

-- Starts a container with all that there is to be left, in a process of its
-- own that is killed after some time; 0 for none.
local function attempt(recipe, seconds)
  local starter <const> = ns.clone({}, function()
    ns.run(recipe)
  end)
  starter:wait(seconds)
  starter:close()
end

-- The links of the dead go a moment after their processes.
local function await_the_dead()
  local nl <close> = ns.netlink()
  local monitor <close> = nl:monitor "link"
  while #ns.link.list { kind = "veth" } > 0 do
    assert(monitor:next "10s", "a wire stays")
  end
end

local recipe <const> = {
  "/bin/sleep", "1000", network = networks.with {
    nat = true, publish = { "8080:80", "127.0.0.1:8081:80/udp" },
  },
}

for place, within in pairs { root = networks.as_root,
                             ["a user namespace"] = networks.apart } do
  describe("for " .. place .. ", a starter that is killed", function()
    it("at any moment leaves nothing that the next does not clear", function()
      t.needs "nft"
      within(function()
        local began <const> = ns.monotonic()
        local container <const> = ns.spawn(recipe)
        local took <const> = ns.monotonic() - began
        container:close()
        for i = 1, TIMES[place] do
          attempt(recipe, i / TIMES[place] * took * 1.5)
        end
        await_the_dead()
        ns.run { "/bin/true", network = networks.plain }
        networks.nothing_left()
      end)
      t.reap()
    end)

    it("leaves nothing that is not cleared on demand", function()
      t.needs "nft"
      within(function()
        local reader <close>, writer = ns.pipe()
        local starter <const> = ns.clone({}, function()
          ns.spawn(recipe)
          ns.write(writer, "started")
          ns.pause()
        end)
        writer:close()
        ns.read(reader)
        assert.matches("8080", networks.ruleset())
        starter:close()
        await_the_dead()
        assert.matches("8080", networks.ruleset())
        local entries <const>, bridges = ns.network.prune()
        assert.is_true(entries > 0)
        assert.same({ "br0" }, bridges)
        networks.nothing_left()
      end)
      t.reap()
    end)
  end)
end

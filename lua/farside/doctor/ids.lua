--- Checks: whose ids a container may have.

local core <const> = require "farside.core"
local trial <const> = require "farside.doctor.trial"

local wanted <const> = 65536 -- what distributions expect a system to have

local function own(facts)
  return { name = "one's own id as root's", needed = not facts.root,
    try = function()
      trial.within({}, function()
        if core.getuid() ~= 0 then error("it is not root in there", 0) end
      end)
      return ("uid %d is 0 inside"):format(facts.uid)
    end }
end

-- Ids of a range that may be mapped: everything for root.
local function range(facts, which)
  if facts.root then return { first = 100000, count = wanted } end
  return require("farside.subid").subids(which, facts.uid)[1]
end

local function maps(facts)
  local uids, gids = range(facts, "uid"), range(facts, "gid")
  if not uids or not gids then
    local name = require("farside.users").find(facts.uid) or facts.uid
    trial.no(("/etc/%s grants nothing to %s"):format(uids and "subgid"
      or "subuid", name), ("have root add %s:100000:65536 to /etc/subuid and "
      .. "/etc/subgid, with numbers that nobody else has there"):format(name))
  end
  return { { 0, uids.first, uids.count } }, { { 0, gids.first, gids.count } }
end

local function ranges(facts)
  return { name = "a range of ids", needed = facts.root, try = function()
      local uid_map, gid_map = maps(facts)
      trial.within({ uid_map = uid_map, gid_map = gid_map }, function()
        core.setresgid(1, 1, 1)
        core.setresuid(1, 1, 1)
      end)
      local map = uid_map[1]
      return ("%d-%d%s"):format(map[2], map[2] + map[3] - 1, map[3] < wanted
        and ", fewer than the usual 65536" or "")
    end }
end

return function(facts) return { own(facts), ranges(facts) } end

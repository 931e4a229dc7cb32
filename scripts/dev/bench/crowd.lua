--- A machine with many processes in many namespaces, for as long as a function
-- runs. The kinds are taken in turn, so that lists have some of each.

local ns <const> = require "farside"
local kinds <const> = require "farside.kinds"

-- In the child: its descriptors are its own, and it has others beside it.
local function settle(others, channel)
  ns.prctl("pdeathsig", "KILL")
  for _ = 1, others do
    ns.clone({}, function()
      ns.prctl("pdeathsig", "KILL")
      ns.close_range(3)
      ns.pause()
    end)
  end
  ns.sendmsg(channel, "+")
  ns.close_range(3)
  ns.pause()
end

--- Runs a function while the crowd is there.
-- @tparam int namespaces
-- @tparam int processes in each of them
-- @tparam function fn
-- @return what it returns
return function(namespaces, processes, fn)
  local children <const> = {}
  local mine <close>, channel = ns.socketpair "seqpacket"
  for i = 1, namespaces do
    local kind = kinds[i % #kinds + 1]
    local list = { kind }
    if kind ~= "user" and ns.geteuid() ~= 0 then list[2] = "user" end
    children[i] = ns.clone(list, function()
      settle(processes - 1, channel)
    end)
    ns.recvmsg(mine, 1)
  end
  channel:close()
  local results = table.pack(pcall(fn))
  for _, child in ipairs(children) do child:close() end
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

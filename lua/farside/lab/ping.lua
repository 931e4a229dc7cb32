--- Pings in a lab: a raw socket in each node's namespace, all of them in this
-- process, and no program anywhere.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local fields <const> = require "farside.fields"
local neighbours <const> = require "farside.lab.neighbours"
local topology <const> = require "farside.lab.topology"

local M = {}

---- what is asked ----

local time <const> = require("farside.lab.options").time

local whole <const> = fields.record {
  nodes = function(value, path, fail)
    if type(value) ~= "table" then
      fail(path, "list of nodes expected, got %s", type(value))
    end
    return value
  end,
  timeout = time, ipv6 = fields.boolean,
}

local function resolve(lab, nodes)
  local list = {}
  for i, node in ipairs(nodes) do
    if type(node) == "string" then node = lab.nodes[node] end
    if not node or lab.nodes[node.name] ~= node then
      errors.usage("ping_all: nodes[%d]: host or router of this lab expected",
                   i)
    end
    list[i] = node
  end
  return list
end

-- All hosts, or where there is none, all routers.
local function all_nodes(lab)
  local lists = { host = {}, router = {}, switch = {} }
  for _, node in ipairs(lab.nodes) do table.insert(lists[node.kind], node) end
  return #lists.host > 0 and lists.host or lists.router
end

local function addresses_of(node, bytes)
  local list = {}
  for _, address in ipairs(topology.addresses(node)) do
    if #address.bytes == bytes then list[#list + 1] = address.plain end
  end
  return list
end

---- asking ----

local function open_some(sockets, nodes, places, v6)
  local handles = {}
  for i, place in ipairs(places) do handles[i] = nodes[place].nl end
  for i, socket in ipairs(core.ping_sockets(handles, v6 or false)) do
    sockets[places[i]] = socket
  end
end

-- All at once, but for those of containers: who has gone into the user
-- namespace of one cannot go into that of another.
local function open_sockets(sockets, nodes, v6)
  local plain = {}
  for i, node in ipairs(nodes) do
    if node.recipe then
      open_some(sockets, nodes, { i }, v6)
    else
      plain[#plain + 1] = i
    end
  end
  open_some(sockets, nodes, plain, v6)
end

-- In rounds, each node to the one so many places before it: so each has been
-- heard of by the switches when it is asked for the first time.
local function plan(nodes, bytes)
  local targets, from, to, who = {}, {}, {}, {}
  for i, node in ipairs(nodes) do targets[i] = addresses_of(node, bytes) end
  for step = 1, #nodes - 1 do
    for i = 1, #nodes do
      local j = (i - step - 1) % #nodes + 1
      for _, address in ipairs(targets[j]) do
        from[#from + 1], to[#to + 1], who[#who + 1] = i, address, j
      end
    end
  end
  return from, to, who
end

-- Through a slow link few may be under way, or its queue overflows.
local function pace(lab)
  for _, link in ipairs(lab.links) do
    for _, one in ipairs { link.a, link.b } do
      if one.shape and one.shape.rate then return 32, "1s" end
    end
  end
end

-- IPv6 becomes able to answer some time after it was set up, and nothing tells
-- when: who asks too early is answered a second later.
local function timeout_of(want, v6)
  return want.timeout or (v6 and "3s" or "1s")
end

-- What a switch has not heard of goes to all its ports, and on to all of the
-- next: so many copies that a busy machine drops some. So all ask the first
-- node before, a few at a time; that counts for nothing.
local function make_heard(nodes, sockets, v6)
  local address <const> = addresses_of(nodes[1], v6 and 16 or 4)[1]
  local from, to = {}, {}
  for i = 2, address and #nodes or 0 do
    from[#from + 1], to[#to + 1] = i, address
  end
  if #from > 8 then core.ping(sockets, from, to, "50ms", 4, "50ms") end
end

---- what the machine loses ----

-- How many packets it has dropped because they came faster than it worked on
-- them, whoever they were for: the queue of a processor is one for all
-- namespaces.
local function dropped()
  local sum = 0
  for line in io.lines "/proc/net/softnet_stat" do
    sum = sum + tonumber(line:match "^%x+ (%x+)", 16)
  end
  return sum
end

local function loses(one)
  return one.shape and (one.shape.loss or one.shape.corrupt or one.shape.rate)
end

local function is_lossy(lab)
  for _, link in ipairs(lab.links) do
    if loses(link.a) or loses(link.b) then return true end
  end
  return false
end

local TRIES <const> = 4

-- Sends what has no answer yet, and once more as long as it is the machine that
-- drops, and no link that does as it was told.
local function ping(lab, sockets, from, to, timeout)
  local answers, left = {}, {}
  for i = 1, #from do answers[i], left[i] = false, i end
  local final <const> = is_lossy(lab)
  for _ = 1, TRIES do
    local some_from, some_to = {}, {}
    for k, i in ipairs(left) do some_from[k], some_to[k] = from[i], to[i] end
    local before <const> = dropped()
    local heard = core.ping(sockets, some_from, some_to, timeout, pace(lab))
    local silent = {}
    for k, i in ipairs(left) do
      answers[i] = heard[k]
      if not heard[k] then silent[#silent + 1] = i end
    end
    left = silent
    if #left == 0 or final or dropped() == before then break end
  end
  return answers
end

local function ask(nodes, from, to, want, v6, lab)
  local sockets <const> = {}
  local ok, answers = pcall(function()
    open_sockets(sockets, nodes, v6)
    make_heard(nodes, sockets, v6)
    return ping(lab, sockets, from, to, timeout_of(want, v6))
  end)
  for _, socket in pairs(sockets) do socket:close() end
  if not ok then error(answers, 0) end
  return answers
end

---- the report ----

local Report <const> = {}
Report.__index = Report

local MOST_TOLD <const> = 20

function Report:__tostring()
  local lines = { ("%d sent, %d received, %d lost"):format(self.sent,
    self.received, self.lost) }
  if self.received > 0 then
    lines[1] = lines[1] .. (", %.3f/%.3f/%.3f ms"):format(self.min,
      self.average, self.max)
  end
  for i, loss in ipairs(self.losses) do
    if i > MOST_TOLD then
      lines[#lines + 1] = ("  and %d more"):format(self.lost - MOST_TOLD)
      break
    end
    lines[#lines + 1] = ("  %s to %s (%s): %s"):format(loss.from, loss.to,
      loss.address, loss.reason)
  end
  return table.concat(lines, "\n")
end

local function report(nodes, answers, from, to, who)
  local self = { sent = #answers, received = 0, lost = 0, losses = {},
                 min = math.huge, max = 0 }
  local sum = 0
  for i, answer in ipairs(answers) do
    if math.type(answer) == "integer" then
      self.received, sum = self.received + 1, sum + answer
      self.min, self.max = math.min(self.min, answer),
        math.max(self.max, answer)
    else
      self.lost = self.lost + 1
      self.losses[self.lost] = {
        from = nodes[from[i]].name, to = nodes[who[i]].name, address = to[i],
        reason = answer or "no answer",
      }
    end
  end
  if self.received > 0 then
    self.min, self.max = self.min / 1e6, self.max / 1e6
    self.average = sum / self.received / 1e6
  else
    self.min, self.max = nil, nil
  end
  return setmetatable(self, Report)
end

--- Pings from every node to every other: see Lab:ping_all.
function M.all(lab, asked)
  local want <const> = fields.check("ping_all", whole, asked)
  lab:wait()
  local nodes = want.nodes and resolve(lab, want.nodes) or all_nodes(lab)
  local bytes = want.ipv6 and 16 or 4
  neighbours.tell(lab, bytes)
  local from, to, who = plan(nodes, bytes)
  if #from == 0 then return report(nodes, {}, from, to, who) end
  return report(nodes, ask(nodes, from, to, want, want.ipv6, lab), from, to,
                who)
end

local once <const> = fields.record {
  timeout = time, ipv6 = fields.boolean,
  count = function(value, path, fail)
    if fields.integer(value, path, fail) < 1 then
      fail(path, "a number above 0 expected, got %d", value)
    end
    return value
  end,
}

local function address_of(node, target, v6)
  if type(target) == "string" and node.lab.nodes[target] then
    target = node.lab.nodes[target]
  end
  if type(target) == "table" and target.lab == node.lab then
    topology.complete(node.lab)
    return addresses_of(target, v6 and 16 or 4)[1], target.name
  end
  local bytes = type(target) == "string" and core.inet_pton(target)
  if not bytes then
    errors.usage("ping: node or address expected, got %s",
      type(target) == "string" and "'" .. target .. "'" or type(target))
  end
  return target, target
end

--- Pings one address: see Node:ping.
function M.one(node, target, asked)
  local want <const> = fields.check("ping", once, asked or {})
  local address, name = address_of(node, target, want.ipv6)
  if not address then
    errors.usage("ping: %s has no such address", name)
  end
  node.lab:wait()
  local from, to, who = {}, {}, {}
  for i = 1, want.count or 1 do from[i], to[i], who[i] = 1, address, 2 end
  local answers <const> = ask({ node }, from, to, want,
                              #core.inet_pton(address) == 16, node.lab)
  local told = report({ node, { name = name } }, answers, from, to, who)
  if told.received > 0 then return told.average, told end
  return nil, told.losses[1].reason, told
end

return M

--- How much goes from one host to another, by iperf3.

local core <const> = require "farside.core"
local fields <const> = require "farside.fields"

local M = {}

local PATIENCE <const> = 10 -- seconds for what takes none

local whole <const> = fields.record {
  time = fields.integer, udp = fields.string,
}

--- Waits for words of a program.
-- @treturn string all that it said until then
-- @raise what it said when it ends without them
function M.await(program, reader, words)
  local said = ""
  while not said:find(words, 1, true) do
    local ready = core.poll({ reader }, PATIENCE)
    local bytes = ready[1] and core.read(reader, 4096)
    if not bytes or bytes == "" then
      program:close()
      error(("%s: not ready: %s"):format(program, said), 0)
    end
    said = said .. bytes
  end
  return said
end

local function start_server(node, address)
  local one, other = core.pipe()
  local reader <close> = one
  local writer <close> = other
  local server = node:spawn { "iperf3", "-s", "-1", "-B", address,
                              "--forceflush", stdout = writer }
  writer:close()
  M.await(server, reader, "Server listening")
  return server
end

-- What the receiver counted: TCP has two sums, UDP has one.
local function received(text)
  local sum = text:match '"sum_received":%s*(%b{})'
    or text:match '"sum":%s*(%b{})[^{}]*"cpu' or text:match '"sum":%s*(%b{})'
  return sum and tonumber(sum:match '"bits_per_second":%s*([%d.e+-]+)')
end

--- Measures: see Lab:throughput.
function M.measure(from, to, asked)
  local want <const> = fields.check("throughput", whole, asked)
  local address <const> = to.address
  local server <close> = start_server(to, address)
  local command = { "iperf3", "-c", address, "-J", "-t",
                    tostring(want.time or 1) }
  if want.udp then
    table.move({ "-u", "-b", (want.udp:gsub("bit$", "")) }, 1, 3,
               #command + 1, command)
  end
  local text, ok = from:read(command)
  local bits = ok and received(text)
  if not bits then
    local reason = text:match '"error":%s*"(.-)"' or "no result"
    error(("throughput: %s to %s: iperf3: %s"):format(from.name, to.name,
      reason), 0)
  end
  server:wait(PATIENCE)
  return bits, text
end

return M

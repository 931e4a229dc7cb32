--- Internet addresses and subnets. An address is a table { bytes, length,
-- family }: 4 or 16 bytes, the length of its prefix or nil, 4 or 6.

local core <const> = require "farside.core"

local M = {}

local Address = { __name = "farside.address" }
Address.__index = Address

local function new(bytes, length)
  return setmetatable({ bytes = bytes, length = length,
                        family = #bytes == 4 and 4 or 6 }, Address)
end

--- An address from "10.0.0.1", "10.0.0.1/24", "fd00::1/64".
-- @tparam string text
-- @treturn Address|nil
function M.parse(text)
  if type(text) ~= "string" then return nil end
  local ip, digits = text:match "^([^/%z]+)/(%d%d?%d?)$"
  local bytes = core.inet_pton(ip or text:match "^[^/%z]+$" or "?")
  local length = tonumber(digits)
  if not bytes or length and length > #bytes * 8 then return nil end
  return new(bytes, length and math.tointeger(length))
end

--- The address alone, "10.0.0.1".
function Address:ip() return core.inet_ntop(self.bytes) end

--- With its prefix, "10.0.0.1/24".
function Address:__tostring()
  return self:ip() .. (self.length and "/" .. self.length or "")
end

function Address.__eq(one, other) return one.bytes == other.bytes end

-- A byte of a prefix's mask.
local function mask(length, place)
  local bits = math.max(0, math.min(8, length - 8 * (place - 1)))
  return 0xff << (8 - bits) & 0xff
end

--- The subnet that it is in: its first address.
function Address:subnet()
  local bytes = { self.bytes:byte(1, -1) }
  for i = 1, #bytes do bytes[i] = bytes[i] & mask(self.length, i) end
  return new(string.char(table.unpack(bytes)), self.length)
end

--- Whether another address is in the same subnet.
function Address:near(other)
  return self.family == other.family and
    new(other.bytes, self.length):subnet() == self:subnet()
end

--- The address with a number in its subnet; 0 is the subnet itself. Only the
-- last 32 bits count.
-- @tparam int number
function Address:host(number)
  local first <const> = self:subnet().bytes
  local low <const> = (">I4"):unpack(first, -4)
  return new(first:sub(1, -5) .. (">I4"):pack(low + number), self.length)
end

--- How many numbers a container may have: without the subnet itself and the
-- broadcast address, and no more than 2^20 are ever tried.
function Address:capacity()
  local bits <const> = #self.bytes * 8 - self.length
  return math.min((1 << math.min(bits, 32)) - 2, 1 << 20)
end

--- A MAC address made of its last four bytes, so that whoever gets an address
-- after another is found under the same one.
function Address:mac()
  return ("02:fa:%02x:%02x:%02x:%02x"):format(self.bytes:byte(-4, -1))
end

return M

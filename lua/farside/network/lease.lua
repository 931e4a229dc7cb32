--- Who has which address on a bridge: the kernel knows. The host's end of a
-- container's wire is named after the bridge and the address, and the kernel
-- gives no name twice: whoever makes the link has the address. It dies with
-- the container's network namespace, however that comes about, so no address
-- is ever left taken and there is no file to go stale.
--
-- Links of ours are in a group of their own, from their creation on: that is
-- how bridges that we made are told from others.

local M = {}

--- The group of all links that we make.
M.group = 0x66617273 -- "fars"

local digits <const> = "0123456789abcdefghijklmnopqrstuvwxyz"

local function base36(number)
  local text = ""
  repeat
    local digit = number % 36 + 1
    text = digits:sub(digit, digit) .. text
    number = number // 36
  until number == 0
  return text
end

-- 32 bits of 16 bytes, the same each time (FNV-1a).
local function digest(bytes)
  local hash = 0x811c9dc5
  for _, byte in ipairs { bytes:byte(1, -1) } do
    hash = (hash ~ byte) * 0x01000193 & 0xffffffff
  end
  return hash
end

-- What every link that holds this address is named at first.
local function stem(address)
  if address.family == 4 then
    return ("f%08x"):format((">I4"):unpack(address.bytes))
  end
  return ("g%08x"):format(digest(address.bytes))
end

--- The link that holds an address on a bridge: at most 15 bytes.
-- @tparam Address address
-- @tparam int bridge its ifindex
function M.name(address, bridge)
  return stem(address) .. base36(bridge)
end

--- Of what is held by links: a function that tells whether an address is.
-- @tparam {table,...} links
function M.held(links)
  local stems = {}
  for _, link in ipairs(links) do
    if link.group == M.group then stems[link.ifname:sub(1, 9)] = true end
  end
  return function(address) return stems[stem(address)] or false end
end

return M

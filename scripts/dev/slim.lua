-- Takes the names of local variables and upvalues out of a compiled chunk. They
-- are a third of what it takes to load one, since each is a string to be made;
-- lines, which errors tell, are kept. string.dump can only leave out both.
--
-- What it reads is the form of Lua 5.4, lundump.c; another is told.

-- Reads the chunk; what is not left out is copied.
local Copy = {}
Copy.__index = Copy

function Copy:bytes(count)
  local bytes <const> = self.chunk:sub(self.at, self.at + count - 1)
  self.at = self.at + count
  self.copy[#self.copy + 1] = bytes
  return bytes
end

-- A number, 7 bits a byte, the highest first; the last byte has its top bit
-- set. Answers the number and its bytes.
function Copy:read_size()
  local first <const>, number = self.at, 0
  repeat
    local byte <const> = self.chunk:byte(self.at)
    number = number << 7 | byte & 0x7f
    self.at = self.at + 1
  until byte & 0x80 ~= 0
  return number, self.chunk:sub(first, self.at - 1)
end

function Copy:size()
  local number, bytes = self:read_size()
  self.copy[#self.copy + 1] = bytes
  return number
end

-- Its length counts a byte that is not there; 0 stands for none at all.
function Copy:string()
  local length <const> = self:size()
  if length > 0 then self:bytes(length - 1) end
end

function Copy:skip_string()
  local length <const> = self:read_size()
  if length > 0 then self.at = self.at + length - 1 end
end

local constants <const> = {
  [0x00] = function() end, -- nil, false, true
  [0x01] = function() end,
  [0x11] = function() end,
  [0x03] = function(copy) copy:bytes(8) end, -- integer, float
  [0x13] = function(copy) copy:bytes(8) end,
  [0x04] = Copy.string, -- short, long
  [0x14] = Copy.string,
}

-- A list of no names.
function Copy:none()
  self.copy[#self.copy + 1] = "\x80"
end

function Copy:names()
  for _ = 1, (self:read_size()) do -- a local's name, from where to where
    self:skip_string()
    self:read_size()
    self:read_size()
  end
  self:none()
  for _ = 1, (self:read_size()) do self:skip_string() end -- upvalues
  self:none()
end

function Copy:func()
  self:string() -- its source
  self:size() -- first and last line
  self:size()
  self:bytes(3) -- parameters, more of them, registers
  self:bytes(4 * self:size()) -- instructions
  for _ = 1, self:size() do constants[self:bytes(1):byte()](self) end
  self:bytes(3 * self:size()) -- where upvalues come from
  for _ = 1, self:size() do self:func() end
  self:bytes(self:size()) -- lines, from instruction to instruction
  for _ = 1, self:size() do -- and outright
    self:size()
    self:size()
  end
  self:names()
end

-- Signature, version, format, data; sizes of instruction, integer and float;
-- one of each; how many upvalues.
local header <const> = "^\27Lua\x54\0\x19\x93\r\n\x1a\n\4\8\8"

return function(chunk)
  assert(chunk:find(header), "a chunk of Lua 5.4 expected")
  local copy <const> = setmetatable({ chunk = chunk, at = 1, copy = {} }, Copy)
  copy:bytes(15 + 8 + 8 + 1)
  copy:func()
  assert(copy.at == #chunk + 1, "a chunk of Lua 5.4 expected")
  return table.concat(copy.copy)
end

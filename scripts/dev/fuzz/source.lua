--- Values made of bytes: what a fuzzer changes in the bytes changes the value.
-- The same bytes always make the same value.

local Source <const> = {}
Source.__index = Source

local function new(bytes)
  return setmetatable({ bytes = bytes, at = 1 }, Source)
end

--- The next byte; 0 behind the end.
function Source:byte()
  local byte <const> = self.bytes:byte(self.at) or 0
  self.at = self.at + 1
  return byte
end

function Source:ended() return self.at > #self.bytes end

--- One of a list.
function Source:one_of(list) return list[self:byte() % #list + 1] end

--- So many bytes as they are, as far as there are any.
function Source:text(length)
  local text <const> = self.bytes:sub(self.at, self.at + length - 1)
  self.at = self.at + length
  return text
end

local odd <const> = {
  0, 1, -1, 2, 255, 256, 65535, 65536, 1 << 31, (1 << 31) - 1, 1 << 32,
  math.maxinteger, math.mininteger, 0.5, -0.5, 1e300, 1 / 0, 0 / 0, 3.0,
}

local function callable() end

local makers <const> = {
  function() return true end,
  function() return false end,
  function(self) return self:byte() - 8 end,
  function(self) return self:one_of(odd) end,
  function(self) return self:text(self:byte() % 24) end,
  function(self, words) return self:one_of(words.values) end,
  function(self, words) return self:one_of(words.values) end,
  function(self, words) return self:one_of(words.values) end,
  function(self, words) return self:one_of(words.keys) end,
  function(self, words)
    return self:one_of(words.values) .. self:text(self:byte() % 8)
  end,
  function() return callable end,
  function() return io.stdout end,
  function(self, words, depth) return self:list(words, depth) end,
  function(self, words, depth) return self:table(words, depth) end,
  function(self, words, depth) return self:table(words, depth) end,
  function(self, words, depth) return self:table(words, depth) end,
}

--- Any value, with words of the subject among them.
-- @tparam table words `keys` and `values`, lists of strings
function Source:value(words, depth)
  depth = depth or 0
  local maker <const> = self:byte() % #makers
  if depth > 6 or self:ended() then return self:one_of(words.values) end
  return makers[maker + 1](self, words, depth + 1)
end

function Source:list(words, depth)
  local list = {}
  for i = 1, self:byte() % 5 do list[i] = self:value(words, depth or 0) end
  return list
end

--- A table: a list part, and keys, most of them words of the subject.
function Source:table(words, depth)
  local made <const> = self:list(words, depth)
  for _ = 1, self:byte() % 6 do
    local key = self:one_of(words.keys)
    if self:byte() % 16 == 0 then key = self:value(words, 6) end
    if key == key and key ~= nil then
      made[key] = self:value(words, depth or 0)
    end
  end
  return made
end

return { new = new }

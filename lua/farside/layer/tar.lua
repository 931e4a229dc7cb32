--- What of a tar archive may become a layer: its headers are read and checked,
-- and what passes goes on, as it is, to the program that unpacks. That one runs
-- where nothing but the layer can be reached; here it is decided, and said in
-- words, what is not even tried.
--
-- Refused are names that are absolute or go up, links out of the layer,
-- devices, what is larger than there is room for, formats that tar programs
-- read differently, and an archive that ends too soon. White-outs (OCI image
-- layer specification) are taken out and answered. The devices that every
-- container has under /dev anyway are left out.

local M = {}

local BLOCK <const> = 512
local MOST_EXTENDED <const> = 1 << 20 -- bytes of names and attributes
local MOST_HIDDEN <const> = 1 << 20   -- white-outs

---- reading ----

local Reader = {}
Reader.__index = Reader

local function new_reader(read)
  return setmetatable({ read = read, buffer = "", at = 1 }, Reader)
end

-- What can be had at once, and at most so many bytes; nil at the end.
function Reader:some(most)
  if self.at > #self.buffer then
    self.buffer, self.at = self.read() or "", 1
    if self.buffer == "" then return nil end
  end
  local piece <const> = self.buffer:sub(self.at, self.at + most - 1)
  self.at = self.at + #piece
  return piece
end

-- Exactly so many bytes; nil when there are less, and whether there was any.
function Reader:exactly(count)
  local parts = {}
  while count > 0 do
    local piece <const> = self:some(count)
    if not piece then return nil, #parts > 0 end
    parts[#parts + 1] = piece
    count = count - #piece
  end
  return table.concat(parts)
end

---- headers ----

local function fail(format, ...)
  error({ refused = format:format(...) }, 0)
end

local function cut_off(where)
  error({ refused = "it ends " .. where, ends = true }, 0)
end

local function padded(size) return (size + BLOCK - 1) // BLOCK * BLOCK end

local function text(field) return (field:match "^[^\0]*") end

-- Octal digits, or bytes with the highest bit set before them.
local function number(field, what)
  if field:byte() & 0x80 ~= 0 then
    local value = field:byte() & 0x7f
    for i = 2, #field do
      if value >= 1 << 50 then fail("a %s beyond all numbers", what) end
      value = value << 8 | field:byte(i)
    end
    return value
  end
  local digits <const> = text(field):match "^%s*([0-7]*)%s*$"
  if not digits then fail("a %s that is no number", what) end
  return digits == "" and 0 or math.tointeger(tonumber(digits, 8))
end

local function checksum_holds(block)
  local sum = 8 * 32
  for i = 1, BLOCK do
    if i < 149 or i > 156 then sum = sum + block:byte(i) end
  end
  return sum == number(block:sub(149, 156), "checksum")
end

local function parse(block)
  if not checksum_holds(block) then fail "a header that is none" end
  local name <const>, prefix = text(block:sub(1, 100)), ""
  if block:sub(258, 265) == "ustar\00000" then
    prefix = text(block:sub(346, 500))
  end
  return {
    name = prefix == "" and name or prefix .. "/" .. name,
    size = number(block:sub(125, 136), "size"), type = block:sub(157, 157),
    link = text(block:sub(158, 257)),
    major = number(block:sub(330, 337), "device"),
    minor = number(block:sub(338, 345), "device"),
  }
end

-- Records "LENGTH KEY=VALUE\n" of an extended header.
local function records(data)
  local found, at = {}, 1
  while at <= #data and data:byte(at) ~= 0 do
    local digits, start = data:match("^(%d+) ()", at)
    local length <const> = digits and #digits < 9 and math.tointeger(digits)
    local key, value
    if length and at + length - 1 <= #data then
      key, value = data:sub(start, at + length - 1):match "^([^=]+)=(.*)\n$"
    end
    if not key then fail "an extended header that is none" end
    found[key] = value
    at = at + length
  end
  return found
end

---- what is allowed ----

-- A name without "./" before it and "/" after it; "." is the layer itself.
local function plain(name)
  local short = name:gsub("^%./+", ""):gsub("/+$", "")
  while short:find "^%./" do short = short:gsub("^%./+", "") end
  return short == "" and "." or short
end

local function goes_up(name)
  return ("/" .. name .. "/"):find("/../", 1, true) ~= nil
end

local function check_name(name)
  if name == "" then fail "an entry without a name" end
  if name:find("\0", 1, true) then fail "a zero byte in a name" end
  if name:sub(1, 1) == "/" then fail("%s: an absolute name", name) end
  if goes_up(name) then fail("%s: a name that goes up", name) end
end

local function check_hard_link(entry)
  if entry.link:sub(1, 1) == "/" or goes_up(entry.link) or entry.link == "" then
    fail("%s: a link out of the layer, to %s", entry.name, entry.link)
  end
end

-- A relative target is followed from where the link is, as words; an absolute
-- one is of the container's root.
local function check_symlink(entry)
  local depth = -1 -- the link's own name is not gone into
  for _ in plain(entry.name):gmatch "[^/]+" do depth = depth + 1 end
  if entry.link:sub(1, 1) == "/" then depth = 0 end
  for part in entry.link:gmatch "[^/]+" do
    if part == ".." then depth = depth - 1
    elseif part ~= "." then depth = depth + 1 end
    if depth < 0 then
      fail("%s: a link out of the layer, to %s", entry.name, entry.link)
    end
  end
end

-- What root file systems are shipped with, and a container has of its own.
local usual <const> = {
  ["dev/null"] = "1:3", ["dev/zero"] = "1:5", ["dev/full"] = "1:7",
  ["dev/random"] = "1:8", ["dev/urandom"] = "1:9", ["dev/tty"] = "5:0",
  ["dev/console"] = "5:1", ["dev/ptmx"] = "5:2",
}

local function device(entry)
  local number_of <const> = entry.major .. ":" .. entry.minor
  if entry.type == "3" and usual[plain(entry.name)] == number_of then
    return "skip"
  end
  fail("%s: a device (%s)", entry.name, number_of)
end

local function has_data(entry) return entry.type:find "^[07\0]" ~= nil end

-- The type of an entry → a check; it may answer that the entry is left out.
local types <const> = {
  ["0"] = true, ["\0"] = true, ["7"] = true, ["5"] = true, ["6"] = true,
  ["1"] = check_hard_link, ["2"] = check_symlink,
  ["3"] = device, ["4"] = device,
}

local function check_type(entry)
  local check <const> = types[entry.type]
  if not check then
    fail("%s: an entry of type '%s'", entry.name, entry.type)
  end
  return check ~= true and check(entry) or nil
end

---- white-outs ----

-- ".wh.NAME" hides what lower layers have there, ".wh..wh..opq" all that they
-- have in the directory; others of ".wh..wh." are of the aufs file system.
local function white_out(found, name)
  local directory, hidden = ("/" .. plain(name)):match "^(.*)/%.wh%.([^/]*)$"
  if not hidden then return false end
  if directory == "" then directory = "/" end
  if hidden == ".wh..opq" then
    if #found.opaque == MOST_HIDDEN then fail "white-outs without end" end
    table.insert(found.opaque, directory)
  elseif not hidden:find "^%.wh%." then
    if hidden == "" or hidden == "." or hidden == ".." then
      fail("%s: a white-out of nothing", name)
    end
    if #found.hidden == MOST_HIDDEN then fail "white-outs without end" end
    table.insert(found.hidden, { directory = directory, name = hidden })
  end
  return true
end

---- an archive ----

local Filter = {}
Filter.__index = Filter

-- Takes as many bytes as an entry has, with their padding.
function Filter:data(size, keep)
  local left = padded(size)
  while left > 0 do
    local piece <const> = self.reader:some(left)
    if not piece then cut_off "in the middle of a file" end
    left = left - #piece
    if keep then self.write(piece) end
  end
end

-- The data of an extended header, which also goes on with its entry.
function Filter:extended(block, size)
  if size > MOST_EXTENDED then fail "names or attributes without end" end
  local data <const> = self.reader:exactly(padded(size))
  if not data then cut_off "in the middle of a header" end
  table.insert(self.pending, block .. data)
  return data:sub(1, size)
end

-- Extended headers say more about the next entry.
local extensions <const> = {
  L = function(self, data) self.more.name = text(data) end,
  K = function(self, data) self.more.link = text(data) end,
  x = function(self, data)
    local found <const> = records(data)
    for key in pairs(found) do
      if key:find "^GNU%.sparse" then fail "a sparse file" end
    end
    self.more.name = found.path or self.more.name
    self.more.link = found.linkpath or self.more.link
    if found.size then
      if not found.size:find "^%d+$" or #found.size > 15 then
        fail "a size beyond all numbers"
      end
      self.more.size = math.tointeger(found.size)
    end
  end,
  g = function(self, data)
    local found <const> = records(data)
    if found.path or found.linkpath or found.size then
      fail "one name for all entries"
    end
    table.remove(self.pending) -- nothing in it is for us
  end,
}

function Filter:account(entry)
  self.found.entries = self.found.entries + 1
  self.found.bytes = self.found.bytes + entry.size
  if self.found.bytes > self.most then
    fail("%s: there is no room for its %d bytes", entry.name, entry.size)
  elseif self.found.entries > self.most_entries then
    fail("%s: there is no room for so many files", entry.name)
  end
end

function Filter:entry(entry, block)
  for key, value in pairs(self.more) do entry[key] = value end
  if not has_data(entry) then entry.size = 0 end
  check_name(entry.name)
  local keep = check_type(entry) ~= "skip"
  self:account(entry)
  if white_out(self.found, entry.name) then keep = false end
  if keep then
    self.write(table.concat(self.pending) .. block)
  end
  self:data(entry.size, keep)
  self.pending, self.more = {}, {}
end

function Filter:block(block)
  local entry <const> = parse(block)
  local extend <const> = extensions[entry.type]
  if extend then
    extend(self, self:extended(block, entry.size))
  else
    self:entry(entry, block)
  end
end

local zeros <const> = ("\0"):rep(BLOCK)

-- The next header; nil at the end, which is two blocks of zeros. There are
-- programs that leave those out, as umoci does: where nothing can be missing,
-- the end of the bytes between two entries is one, too.
function Filter:header()
  local block <const>, some <const> = self.reader:exactly(BLOCK)
  if block then return block ~= zeros and block or nil end
  local between <const> = not some and self.found.entries > 0
    and #self.pending == 0
  if not (self.whole and between) then cut_off "before its end" end
end

--- Passes an archive on, up to its end.
-- @tparam function read answers bytes, nil at the end
-- @tparam function write takes bytes
-- @tparam int most bytes that all files together may have
-- @tparam int most_entries how many of them there may be
-- @tparam[opt] boolean whole it is known to be all there, by its digest
-- @treturn table `hidden`, a list of { directory =, name = }, and `opaque`, a
-- list of directories: what is white-out; `entries`, `bytes`
-- @raise a table with the fields `refused`, why it is, and `ends`, whether it
-- is for an end too soon
function M.filter(read, write, most, most_entries, whole)
  local self <const> = setmetatable({
    reader = new_reader(read), write = write, most = most,
    most_entries = most_entries, whole = whole, pending = {}, more = {},
    found = { hidden = {}, opaque = {}, entries = 0, bytes = 0 },
  }, Filter)
  for block in self.header, self do self:block(block) end
  write(zeros .. zeros)
  while self.reader:some(1 << 16) do end -- what made it may find a fault yet
  return self.found
end

return M

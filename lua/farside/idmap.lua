--- Id maps of user namespaces: read, checked, written.
-- A map is a list of ranges { inside, outside, count }, read from any of its
-- spellings. It is written by one write(2), through the /proc directory of
-- the process itself: a number may be another process's by then. What the
-- kernel does not let the caller write goes through newuidmap and newgidmap.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"

local M = {}

local LAST <const> = 4294967294 -- 4294967295 is -1: no id
local MOST_LINES <const> = 340
local PAGE <const> = 4096 -- the smallest that there is

---- reading a map ----

-- A range as people write it.
local function spell(range) return table.concat(range, ":") end

-- A decimal; too long a one, which would wrap, is just beyond all ids.
local function decimal(digits)
  return #digits <= 10 and math.tointeger(tonumber(digits)) or LAST + 2
end

local function add_spelled(ranges, text, pattern, what)
  local inside, outside, count = text:match(pattern)
  if not inside then
    errors.usage("%s: bad range '%s' (expected INSIDE:OUTSIDE:COUNT)", what,
      text)
  end
  ranges[#ranges + 1] = { decimal(inside), decimal(outside), decimal(count) }
end

-- "0:1000:1 1:100000:65536", or "0 1000 1"
local function add_piece(ranges, piece, what)
  if not piece:find(":", 1, true) then
    local spaced <const> = "^%s*(%d+)%s+(%d+)%s+(%d+)%s*$"
    return add_spelled(ranges, piece, spaced, what)
  end
  for word in piece:gmatch "%S+" do
    add_spelled(ranges, word, "^(%d+):(%d+):(%d+)$", what)
  end
end

local function add_text(ranges, text, what)
  for line in text:gmatch "[^\n]+" do
    if line:find "%S" then
      for piece in (line .. ","):gmatch "([^,]*)," do
        add_piece(ranges, piece, what)
      end
    end
  end
end

local names <const> = { inside = 1, outside = 2, count = 3 }

-- { 0, 100000, 65536 } or { inside = 0, outside = 100000, count = 65536 }
local function add_entry(ranges, entry, what)
  local range = {}
  for key, value in pairs(entry) do
    local place = names[key] or key
    if place ~= 1 and place ~= 2 and place ~= 3 or range[place] then
      errors.usage("%s[%d]: unknown key '%s'", what, #ranges + 1, tostring(key))
    elseif math.type(value) ~= "integer" then
      errors.usage("%s[%d]: integers expected, got %s", what, #ranges + 1,
        math.type(value) or type(value))
    end
    range[place] = value
  end
  if not (range[1] and range[2] and range[3]) then
    errors.usage("%s[%d]: inside, outside and count expected", what,
      #ranges + 1)
  end
  ranges[#ranges + 1] = range
end

local function add_table(ranges, map, what)
  for i, entry in ipairs(map) do
    if type(entry) == "string" then
      add_text(ranges, entry, what)
    elseif type(entry) == "table" then
      add_entry(ranges, entry, what)
    else
      errors.usage("%s[%d]: range expected, got %s", what, i, type(entry))
    end
  end
  for key in pairs(map) do
    if math.type(key) ~= "integer" or key < 1 or key > #map then
      errors.usage("%s: unknown key '%s'", what, tostring(key))
    end
  end
end

---- what the kernel wants of it ----

local function check_range(range, what)
  if range[3] < 1 then
    errors.usage("%s: %s: a count of 1 or more expected", what, spell(range))
  end
  for place = 1, 2 do
    if range[place] < 0 or range[3] > LAST + 1 - range[place] then
      errors.usage("%s: %s leaves the ids from 0 to %d", what, spell(range),
        LAST)
    end
  end
end

-- Neighbours in order of one side are all that can overlap first.
local function check_overlap(ranges, place, side, what)
  local sorted <const> = table.move(ranges, 1, #ranges, 1, {})
  table.sort(sorted, function(a, b) return a[place] < b[place] end)
  for i = 2, #sorted do
    local before <const>, after <const> = sorted[i - 1], sorted[i]
    if after[place] < before[place] + before[3] then
      errors.usage("%s: %s and %s overlap %s", what, spell(before),
        spell(after), side)
    end
  end
end

--- The text of a map as uid_map has it.
-- @tparam table map as parse answers it
-- @treturn string one line a range
function M.format(map)
  local lines <const> = {}
  for i, range in ipairs(map) do
    lines[i] = table.concat(range, " ") .. "\n"
  end
  return table.concat(lines)
end

local function check(ranges, what)
  if #ranges == 0 then errors.usage("%s: empty map", what) end
  for _, range in ipairs(ranges) do check_range(range, what) end
  check_overlap(ranges, 1, "inside", what)
  check_overlap(ranges, 2, "outside", what)
  if #ranges > MOST_LINES then
    errors.usage("%s: %d ranges (the kernel takes %d)", what, #ranges,
      MOST_LINES)
  end
  local size <const> = #M.format(ranges)
  if size >= PAGE then
    errors.usage("%s: %d bytes of text (the kernel takes %d)", what, size,
      PAGE - 1)
  end
  return ranges
end

--- Reads a map from any of its spellings.
-- @param map "0:100000:65536" (more of them after a comma, a space or a new
-- line), "0 100000 65536", or a list of such strings, of { 0, 100000, 65536 }
-- or of { inside = 0, outside = 100000, count = 65536 }
-- @tparam[opt="map"] string what what a message calls it
-- @treturn table a list of { inside, outside, count }
-- @raise a message that names the range: not whole numbers, beyond the last
-- id, overlapping, or more than the kernel takes. See user_namespaces(7).
function M.parse(map, what)
  what = what or "map"
  local ranges <const> = {}
  if type(map) == "string" then
    add_text(ranges, map, what)
  elseif type(map) == "table" then
    add_table(ranges, map, what)
  else
    errors.usage("%s: string or table expected, got %s", what, type(map))
  end
  return check(ranges, what)
end

---- the files of a process ----

local function read_file(dir, name)
  local file <close> = core.openat2(dir, name, "rdonly")
  local text = ""
  for piece in function() return core.read(file) end do text = text .. piece end
  return text
end

-- nil when it went well, otherwise the error object.
local function try_write(dir, name, text)
  local ok, err = pcall(function()
    local file <close> = core.openat2(dir, name, "wronly")
    core.write(file, text)
  end)
  if not ok and not errors.is(err) then error(err, 0) end
  return not ok and err or nil
end

local function read_map(dir, name)
  local map <const> = {}
  local triple <const> = "(%d+)%s+(%d+)%s+(%d+)"
  for inside, outside, count in read_file(dir, name):gmatch(triple) do
    map[#map + 1] = { math.tointeger(inside), math.tointeger(outside),
                      math.tointeger(count) }
  end
  return map
end

--- The user id map of a process's user namespace, its outside as the caller
-- sees it (4294967295 for ids that he does not).
-- @param[opt] target a PID, a process object, a pidfd; nil for the caller
-- @treturn table a list of { inside, outside, count }, empty before one is
-- written
-- @raise ESRCH when the process is gone. See user_namespaces(7).
function M.read_uid_map(target)
  local dir <close> = core.open_proc(target)
  return read_map(dir, "uid_map")
end

--- The group id map, as read_uid_map.
-- @param[opt] target
-- @treturn table
-- @raise as read_uid_map
function M.read_gid_map(target)
  local dir <close> = core.open_proc(target)
  return read_map(dir, "gid_map")
end

---- writing ----

local function put_setgroups(dir, pid, word)
  local err <const> = try_write(dir, "setgroups", word)
  if err then
    core.raise(err.errno, "set_setgroups", nil,
      ("%s of process %d"):format(word, pid), { target = pid })
  end
end

--- Allows or denies setgroups in a process's user namespace. What is denied
-- stays denied, and only before the group map is written can it be.
-- @param target a PID, a process object, a pidfd; nil for the caller
-- @param value "allow", "deny", or a boolean
-- @raise EPERM, EACCES. See user_namespaces(7).
function M.set_setgroups(target, value)
  local words <const> = { [true] = "allow", [false] = "deny", allow = "allow",
                          deny = "deny" }
  local word <const> = words[value]
  if not word then
    errors.usage("set_setgroups: allow or deny expected, got '%s'",
      tostring(value))
  end
  local dir <close>, pid = core.open_proc(target)
  put_setgroups(dir, pid, word)
end

local kinds <const> = {
  uid = { file = "uid_map", call = "write_uid_map" },
  gid = { file = "gid_map", call = "write_gid_map", own = core.getegid },
}

-- One's own group, and nothing but it, can be mapped without privilege once
-- setgroups is denied. From inside the namespace one's own id is not to be
-- seen, and no helper could do more.
local function needs_deny(kind, ranges, target, dir)
  return kind.own and #ranges == 1 and ranges[1][3] == 1
    and (target == nil or ranges[1][2] == kind.own())
    and read_file(dir, "setgroups"):find "^allow"
end

local function spell_all(ranges)
  local words <const> = {}
  for i = 1, math.min(#ranges, 3) do words[i] = spell(ranges[i]) end
  return table.concat(words, ",") .. (#ranges > 3 and ",…" or "")
end

-- nil, or the errno and what else there is to say about it.
local function put_map(kind, which, ranges, target, dir, pid)
  local text <const> = M.format(ranges)
  local err = try_write(dir, kind.file, text)
  if not err then return nil end
  local there <const> = read_map(dir, kind.file)
  if #there > 0 then
    return core.errno.EPERM, "it has the map " .. spell_all(there)
  end
  if err.code == "EPERM" and needs_deny(kind, ranges, target, dir) then
    put_setgroups(dir, pid, "deny")
    err = try_write(dir, kind.file, text)
  end
  if not err or err.code ~= "EPERM" or target == nil then
    return err and err.errno
  end
  return require("farside.subid").write(which, pid, ranges)
end

local function write_map(which, target, map)
  local kind <const> = kinds[which]
  local ranges <const> = M.parse(map, kind.file)
  local dir <close>, pid = core.open_proc(target)
  local err, more = put_map(kind, which, ranges, target, dir, pid)
  if not err then return end
  core.raise(err, kind.call, nil, ("%s of process %d%s"):format(
    spell_all(ranges), pid, more and " (" .. more .. ")" or ""),
    { map = ranges, target = pid })
end

--- Writes the user id map of a process's user namespace: once, and from
-- outside unless it is the caller's own id alone. Ranges that the caller may
-- not write himself are left to newuidmap, which asks /etc/subuid.
-- @param target a PID, a process object, a pidfd; nil for the caller
-- @param map as parse takes it
-- @raise EPERM with the ranges that would be allowed; the error has `map` and
-- `target` (PID). See user_namespaces(7), newuidmap(1).
function M.write_uid_map(target, map) write_map("uid", target, map) end

--- Writes the group id map, as write_uid_map. For one's own group alone
-- setgroups is denied first.
-- @param target a PID, a process object, a pidfd; nil for the caller
-- @param map as parse takes it
-- @raise as write_uid_map. See user_namespaces(7), newgidmap(1).
function M.write_gid_map(target, map) write_map("gid", target, map) end

return M

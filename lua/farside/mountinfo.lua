--- The mounts that a process sees, from /proc/PID/mountinfo, proc(5).

local M = {}

-- The kernel writes blank, tab, newline and backslash as \040 and the like.
local function unescape(text)
  if not text:find("\\", 1, true) then return text end
  return (text:gsub("\\([0-3][0-7][0-7])", function(octal)
    return string.char(tonumber(octal, 8))
  end))
end

-- "rw,size=16m" as a list of words and as a set of them: { "rw", "size=16m",
-- rw = true, size = "16m" }.
local function words(text)
  local list = {}
  for word in text:gmatch "[^,]+" do
    word = unescape(word)
    list[#list + 1] = word
    local key, value
    if word:find("=", 2, true) then key, value = word:match "^([^=]+)=(.*)$" end
    list[key or word] = value or true
  end
  return list
end

-- "shared:5 master:2" as { shared = 5, master = 2 }; a tag without a number
-- is true.
local function propagation(text)
  local tags = {}
  if text == " " then return tags end
  for name, number in text:gmatch "([%w_]+):?(%d*)" do
    tags[name] = math.tointeger(tonumber(number)) or true
  end
  return tags
end

local line_pattern <const> =
  "^(%d+) (%d+) (%d+):(%d+) (%S+) (%S+) (%S+)(.-) %- (%S+) (%S*) ?(.*)$"

-- Of the same lines where and of which type, since what is captured costs.
local point_pattern <const> =
  "%d+ %d+ %d+:%d+ %S+ (%S+) [^\n]- %- (%S+)[^\n]*"

-- One line as a table, nil for what is no line of mountinfo. The source may
-- be empty; then two blanks stand side by side.
local function parse_line(line)
  local id, parent, major, minor, root, target, options, tags, fstype,
    source, super_options = line:match(line_pattern)
  if not id then return nil end
  return {
    id = math.tointeger(id),
    parent = math.tointeger(parent),
    major = math.tointeger(major),
    minor = math.tointeger(minor),
    root = unescape(root),
    target = unescape(target),
    options = words(options),
    propagation = propagation(tags),
    fstype = unescape(fstype),
    source = unescape(source),
    super_options = words(super_options),
  }
end

local function read_file(path)
  local core <const> = require "farside.core"
  local file <close> = core.openat2(nil, path, "rdonly")
  local parts = {}
  for part in function() return file:read() end do
    parts[#parts + 1] = part
  end
  return table.concat(parts)
end

-- The pid of a process object, else the value itself.
local function pid_of(what)
  local kind = type(what)
  return (kind == "table" or kind == "userdata") and what.pid or what
end

local function text_of(what)
  what = pid_of(what)
  if what == nil then return read_file "/proc/self/mountinfo" end
  if math.type(what) == "integer" then
    return read_file(("/proc/%d/mountinfo"):format(what))
  end
  if type(what) ~= "string" then
    require("farside.error").usage(
      "mountinfo: process, pid, path or text expected, got %s", type(what))
  end
  return what:sub(1, 1) == "/" and read_file(what) or what
end

--- Where which type of file system is mounted, in the kernel's order: all that
-- most need of the own mounts, at a fifth of the cost.
-- @treturn {table,...} each with `target` and `fstype`
function M.points()
  local points, n = {}, 0
  for target, fstype in text_of():gmatch(point_pattern) do
    n = n + 1
    points[n] = { target = unescape(target), fstype = unescape(fstype) }
  end
  return points
end

--- The mounts of a mount namespace, in the kernel's order.
-- @function mountinfo
-- @tparam[opt] int|process|string of a process (this one when absent), the
-- absolute path of a mountinfo file, or its text
-- @treturn {table,...} each with `id`, `parent`, `major`, `minor`, `root`
-- (what of the file system is mounted), `target`, `options` and
-- `super_options` (of the mount and of its file system: a list of words that
-- is also a set, `options.ro`, `super_options.size`), `propagation`
-- (`shared`, `master`, `propagate_from` with the number of the peer group,
-- `unbindable`), `fstype`, `source`
-- @raise what opening the file raises: ENOENT for a process that is gone.
-- Lines that are not of the known form are left out.
-- See proc_pid_mountinfo(5).
function M.mountinfo(of)
  local mounts = {}
  for line in text_of(of):gmatch "[^\n]+" do
    mounts[#mounts + 1] = parse_line(line)
  end
  return mounts
end

return M

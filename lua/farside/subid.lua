--- Ranges of ids that an administrator has granted to a user: /etc/subuid and
-- /etc/subgid, and the programs newuidmap and newgidmap, which may map them.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local users <const> = require "farside.users"

local M = {}

local kinds <const> = {
  uid = { file = "/etc/subuid", program = "newuidmap" },
  gid = { file = "/etc/subgid", program = "newgidmap" },
}

---- what is granted ----

local function check_kind(which)
  if kinds[which] then return end
  errors.usage("subids: uid or gid expected, got '%s'", tostring(which))
end

-- The ranges granted to whoever passes a check.
local function granted(which, is)
  local list <const> = {}
  local text <const> = require("farside.file").find(nil, kinds[which].file)
  for line in (text or ""):gmatch "[^\n]+" do
    local who, digits, many = line:match "^([^:]+):(%d+):(%d+)$"
    local first = who and is(who) and users.id(digits)
    local count = first and users.id(many)
    if count then list[#list + 1] = { first = first, count = count } end
  end
  return list
end

--- The ranges granted to a user by name or by number.
-- @tparam string which "uid" or "gid"
-- @tparam[opt] string|integer user a name or uid; the caller without
-- @treturn table a list of { first = 100000, count = 65536 }
-- @see subuid(5), subgid(5)
-- @raise a message about a user that there is not
function M.subids(which, user)
  check_kind(which)
  local name, uid = users.find(user or core.getuid())
  return granted(which, function(who)
    return who == name or who == tostring(uid)
  end)
end

--- The ranges granted to anybody.
-- @tparam string which "uid" or "gid"
-- @treturn table as subids
function M.all(which)
  return granted(which, function() return true end)
end

--- What is granted to the caller, in words: "/etc/subuid grants ada
-- 100000-165535".
function M.granted(which)
  local name, uid = users.find(core.getuid())
  local words <const> = {}
  for i, range in ipairs(M.subids(which)) do
    words[i] = ("%d-%d"):format(range.first, range.first + range.count - 1)
  end
  return ("%s grants %s %s"):format(kinds[which].file, name or uid,
    #words > 0 and table.concat(words, ", ") or "nothing")
end

---- the programs ----

local function find(program)
  local path <const> = os.getenv "PATH" or "/usr/bin:/bin"
  for directory in path:gmatch "[^:]+" do
    local file = directory .. "/" .. program
    if pcall(core.fstatat, nil, file) then return file end
  end
end

-- Becomes the program; all it says goes to `output`.
local function become(file, argv, output)
  core.dup(output, 1)
  core.dup(output, 2)
  core.close_range(3, nil, "cloexec")
  local _, err = pcall(core.execve, file, argv, { "LC_ALL=C" }, "sigdefault")
  core.write(2, tostring(err))
  core._exit(127)
end

local function read_all(reader)
  local text = ""
  for piece in function() return core.read(reader) end do
    text = text .. piece
  end
  return text
end

-- Whether it went well, and what it said, on one line.
local function run(file, argv)
  local reader <close>, writer = core.pipe()
  local child <close> = core.clone({}, function()
    become(file, argv, writer)
  end)
  writer:close()
  local said = read_all(reader):gsub("%s+$", ""):gsub("%s*\n%s*", "; ")
  return child:wait(), said
end

--- Has newuidmap or newgidmap write a map.
-- @tparam string which "uid" or "gid"
-- @tparam integer pid whose user namespace gets it
-- @tparam table ranges { inside, outside, count }…
-- @treturn nil|integer nothing when it is done, else an errno
-- @treturn string why it is not
function M.write(which, pid, ranges)
  local program <const> = kinds[which].program
  local file <const> = find(program)
  if not file then
    return core.errno.EPERM, program .. " is not installed: Debian has it in"
      .. " the package uidmap"
  end
  local argv <const> = { program, tostring(pid) }
  for _, range in ipairs(ranges) do
    for place = 1, 3 do argv[#argv + 1] = tostring(range[place]) end
  end
  local ok, said = run(file, argv)
  if not ok then
    return core.errno.EPERM, ("%s; %s"):format(said, M.granted(which))
  end
end

return M

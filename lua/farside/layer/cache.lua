--- Where unpacked layers are: a directory for each digest, and in it one for
-- each way in which ids are on disk. Whoever unpacks holds a lock on the
-- digest's directory, works in one beside the final one, and renames it at the
-- end. What a crash has left is removed by the next who gets the lock. Whoever
-- uses a layer shares a lock on its own directory.

local core <const> = require "farside.core"
local files <const> = require "farside.file"

local M = {}

--- The directory of all layers: /var/cache/farside/layers for root, else
-- farside/layers in $XDG_CACHE_HOME or in ~/.cache.
-- @treturn string
function M.path()
  if require("farside.host").is_root() then
    return "/var/cache/farside/layers"
  end
  local base = os.getenv "XDG_CACHE_HOME"
  if not base or not base:find "^/" then
    base = (os.getenv "HOME" or "") .. "/.cache"
  end
  return base .. "/farside/layers"
end

-- Makes a directory and those above it; nobody else enters the last two, where
-- set-user-id programs of images are.
local function make(path)
  local at = ""
  for part in path:gmatch "[^/]+" do
    at = at .. "/" .. part
    local ours <const> = at:find "/farside$" or at:find "/farside/"
    local ok, err = pcall(core.mkdirat, nil, at, ours and "0700" or "0755")
    if not ok and err.code ~= "EEXIST" then error(err, 0) end
  end
end

--- What a map of ids is called among the ways of being on disk.
-- @tparam ?table uids ranges; nil: as the archive has them
-- @tparam ?table gids
-- @treturn string
function M.way(uids, gids)
  if not uids then return "plain" end
  local words = {}
  for _, map in ipairs { uids, gids } do
    for _, range in ipairs(map) do
      words[#words + 1] = table.concat(range, "-")
    end
    words[#words + 1] = "and"
  end
  local name <const> = table.concat(words, "_", 1, #words - 1)
  if #name <= 200 then return name end
  return require("farside.layer.digest").of_text(name)
end

-- "0-1000-1_1-100000-65536" → { { 0, 1000, 1 }, { 1, 100000, 65536 } }
local function ranges(text)
  local map = {}
  for inside, outside, count in text:gmatch "(%d+)%-(%d+)%-(%d+)" do
    map[#map + 1] = { math.tointeger(inside), math.tointeger(outside),
                      math.tointeger(count) }
  end
  return map
end

--- The maps of a way, as far as its name tells.
-- @tparam string way
-- @treturn table `uid_map`, `gid_map`; empty when it has none
function M.maps(way)
  local uids, gids = way:match "^([%d_-]+)_and_([%d_-]+)"
  if not uids then return {} end
  return { uid_map = ranges(uids), gid_map = ranges(gids) }
end

--- The final directory of a layer.
-- @tparam string digest hexadecimal digits
-- @tparam string way
-- @treturn string
function M.place(digest, way)
  return M.path() .. "/" .. digest .. "/" .. way
end

--- Whether a layer is there.
-- @tparam string digest
-- @tparam string way
-- @treturn boolean
function M.has(digest, way)
  return files.has(nil, M.place(digest, way))
end

--- The directory of notes about digests.
-- @treturn string
function M.known()
  local path <const> = M.path() .. "/known"
  make(path)
  return path
end

---- locks ----

local function same(fd, path)
  local ok, there = pcall(core.fstatat, nil, path)
  return ok and there.ino == core.fstatat(fd, "").ino
end

-- A directory that is there, locked; nil when it is gone, or somebody has it.
local function lock(path, ...)
  local fd = core.openat2(nil, path, "rdonly,directory", { optional = true })
  if not fd then return nil end
  if core.flock(fd, ...) and same(fd, path) then return fd end
  fd:close()
end

--- Waits for its turn to unpack a digest. The directory may go while one waits,
-- when the other one has failed.
-- @tparam string digest
-- @treturn fd to be closed
function M.lock(digest)
  local path <const> = M.path() .. "/" .. digest
  make(path)
  return lock(path, "exclusive") or M.lock(digest)
end

--- A lock for one of those who use a layer.
-- @tparam string path its directory
-- @treturn ?fd nil when it was just removed
function M.share(path) return lock(path, "shared") end

--- The only lock of a directory.
-- @tparam string path
-- @treturn ?fd nil when somebody has one, or it is gone
function M.claim(path) return lock(path, "exclusive,nonblock") end

---- as whom ----

-- What is of other ids than an ordinary user's own is his in a user namespace
-- with these. Answers whether it went well, what was printed, what was said.
local function as_owner(command, ids)
  if ids.idmap or not ids.uid_map or require("farside.host").is_root() then
    return require("farside.program").run(command, "", "600s")
  end
  local printed <close> = core.memfd_create "printed"
  local said <close> = core.memfd_create "said"
  command.stdout, command.stderr = printed, said
  local child <close> = require("farside.clone").clone({
    "user", uid_map = ids.uid_map, gid_map = ids.gid_map,
  }, function() require("farside.exec").exec(command) end)
  return child:wait(), core.read(printed, 4096, 0) or "",
         core.read(said, 4096, 0) or ""
end

--- Removes a directory of the cache.
-- @tparam string path
-- @tparam table ids `uid_map`, `gid_map`, of its files
-- @raise EBUSY when something is left
function M.erase(path, ids)
  local ok, _, said = as_owner({ "rm", "-rf", "--", path }, ids)
  if ok then return end
  core.raise(core.errno.EBUSY, "unpack", path,
             ("%s (cannot be removed) %s"):format(path, said))
end

--- The bytes that a directory has on disk.
-- @tparam string path
-- @tparam table ids `uid_map`, `gid_map`, of its files
-- @treturn ?int nil when it was just removed
function M.size(path, ids)
  local _, printed = as_owner({ "du", "-s", "-B1", "--", path }, ids)
  return math.tointeger(tonumber(printed:match "^%d+"))
end

return M

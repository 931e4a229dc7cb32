--- The layers that are unpacked, for whoever wants the room back: which there
-- are, which are in use, and their removal. Those of other users are theirs.
-- @module farside.layers

local cache <const> = require "farside.layer.cache"
local core <const> = require "farside.core"
local errors <const> = require "farside.error"

local M = {}
M.layers = M

local unfinished <const> = "%.partial$"

local function entries(path)
  local ok, list = pcall(core.readdir, path)
  if ok then return list end
  if list.code == "ENOENT" then return {} end -- just removed, or nothing yet
  error(list, 0)
end

local function names(path)
  local found = {}
  for _, entry in ipairs(entries(path)) do
    if entry.type == "directory" then found[#found + 1] = entry.name end
  end
  table.sort(found)
  return found
end

local function digests()
  local found = {}
  for _, name in ipairs(names(cache.path())) do
    if #name == 64 and name:find "^%x+$" then found[#found + 1] = name end
  end
  return found
end

-- A lock that is taken and given back tells.
local function in_use(path)
  local lock <close> = cache.claim(path)
  return not lock
end

local function describe(digest, way)
  local path <const> = cache.place(digest, way)
  local ok, there = pcall(core.fstatat, nil, path)
  if not ok then return nil end -- just removed
  local maps <const> = cache.maps(way)
  return {
    digest = digest, path = path, uid_map = maps.uid_map,
    gid_map = maps.gid_map, used = in_use(path), size = cache.size(path, maps),
    unpacked = math.tointeger(tonumber(there.ctime) // 1),
  }
end

--- All layers of the caller's cache.
-- @treturn {table,...} one for each: `digest` (SHA-256 of the archive), `path`,
-- `uid_map` and `gid_map` (nil where files have the archive's owners), `size`
-- (bytes on disk), `used` (by a container that runs), `unpacked` (seconds, as
-- of os.time)
-- @raise EACCES for a cache that is not one's own. See openat2(2).
function M.list()
  local rows = {}
  for _, digest in ipairs(digests()) do
    for _, way in ipairs(names(cache.path() .. "/" .. digest)) do
      if not way:find(unfinished) then
        rows[#rows + 1] = describe(digest, way)
      end
    end
  end
  return rows
end

-- The notes of which file has a digest.
local function forget(digest)
  local path <const> = cache.known()
  for _, entry in ipairs(entries(path)) do
    local note <const> = path .. "/" .. entry.name
    local file <close> = io.open(note)
    if file and (file:read "l" or ""):sub(1, #digest) == digest then
      os.remove(note)
    end
  end
end

-- Removes one of a digest's directories. It gets another name first: whoever
-- wants the layer from here on unpacks it.
local function remove_way(digest, way)
  local path = cache.place(digest, way)
  local lock <close> = cache.claim(path)
  if not lock then return false end
  local maps <const> = cache.maps(way)
  if not way:find(unfinished) then
    local partial <const> = path .. ".partial"
    cache.erase(partial, maps) -- what a crash has left
    core.renameat(nil, path, nil, partial)
    path = partial
  end
  cache.erase(path, maps)
  return true
end

-- Removes what of a digest is not in use; answers whether that was all.
local function remove_digest(digest)
  local path <const> = cache.path() .. "/" .. digest
  local lock <close> = cache.claim(path)
  if not lock then return false end -- it is being unpacked
  local all = true
  for _, way in ipairs(names(path)) do
    all = remove_way(digest, way) and all
  end
  if all then
    core.unlinkat(nil, path, "removedir")
    forget(digest)
  end
  return all
end

-- The digest that is meant by its beginning.
local function find(beginning)
  local found
  for _, digest in ipairs(digests()) do
    if digest:sub(1, #beginning) == beginning then
      if found then
        errors.usage("layers.remove: '%s' is the beginning of several digests",
                     beginning)
      end
      found = digest
    end
  end
  return found or errors.usage("layers.remove: no layer '%s'", beginning)
end

--- Removes a layer.
-- @tparam string digest or the beginning of it
-- @raise EBUSY when a container that runs uses it; a message when there is none
function M.remove(digest)
  if type(digest) ~= "string" or not digest:find "^%x+$" then
    errors.usage("layers.remove: digest expected, got '%s'", tostring(digest))
  end
  digest = find(digest:lower())
  if not remove_digest(digest) then
    core.raise(core.errno.EBUSY, "layers.remove", nil,
               ("layer %s (in use)"):format(digest))
  end
end

--- Removes all layers that are not in use.
-- @treturn {string,...} the digests that went
-- @treturn {string,...} and those that are in use
-- @raise EBUSY when something of one is left
function M.prune()
  local gone, kept = {}, {}
  for _, digest in ipairs(digests()) do
    local into <const> = remove_digest(digest) and gone or kept
    into[#into + 1] = digest
  end
  return gone, kept
end

return M

--- Where unpacked layers are: a directory for each digest, and in it one for
-- each way in which ids are on disk. Whoever unpacks holds a lock on the
-- digest's directory, works in one beside the final one, and renames it at the
-- end. What a crash has left is removed by the next who gets the lock.

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

--- Waits for its turn to unpack a digest. The directory may go while one waits,
-- when the other one has failed.
-- @tparam string digest
-- @treturn fd to be closed
function M.lock(digest)
  local path <const> = M.path() .. "/" .. digest
  make(path)
  local fd = core.openat2(nil, path, "rdonly,directory", { optional = true })
  if not fd then return M.lock(digest) end
  core.flock(fd, "exclusive")
  local ok, there = pcall(core.fstatat, nil, path)
  if ok and there.ino == core.fstatat(fd, "").ino then return fd end
  fd:close()
  return M.lock(digest)
end

return M

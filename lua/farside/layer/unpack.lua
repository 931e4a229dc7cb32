--- Archives as layers, each unpacked once.
--
-- Nothing of an archive is trusted. The programs that decompress and unpack it
-- run in containers of their own: no network, few powers, the host's files
-- read-only, and the layer's directory as the one place that can be written to.
-- Between the two its headers are checked (farside.layer.tar).

local cache <const> = require "farside.layer.cache"
local core <const> = require "farside.core"
local digests <const> = require "farside.layer.digest"
local errors <const> = require "farside.error"
local fields <const> = require "farside.fields"
local is_there <const> = require("farside.file").has
local progress <const> = require "farside.layer.progress"
local tar <const> = require "farside.layer.tar"

local M = {}

local AT <const> = "/tmp/layer" -- the layer's place in those containers
local ROOM <const> = 1 << 16

---- the programs ----

local packings <const> = {
  { "^\x1f\x8b", "gzip" }, { "^%(\xb5/\xfd", "zstd" },
  { "^\xfd7zXZ", "xz" }, { "^BZh", "bzip2" },
}

-- The program that a file must go through, nil for a plain archive.
local function packing(file)
  local start <const> = core.read(file, 6, 0) or ""
  for _, row in ipairs(packings) do
    if start:find(row[1]) then return row[2] end
  end
end

-- A program in a container of its own, with the ids that the layer has. Of the
-- host's files it sees what everybody may read.
local function start(ids, recipe)
  recipe.readonly, recipe.idmap, recipe.userns = true, false, false
  recipe.hostname = "layer"
  recipe.capabilities = recipe.capabilities or "none"
  recipe.uid_map, recipe.gid_map = ids.uid_map, ids.gid_map
  local ok, result = pcall(require("farside.spawn").spawn, recipe)
  if ok then return result end
  if errors.is(result) and result.call == "exec" and result.code == "ENOENT"
  then
    result.hint = ("Debian has it in the package %s"):format(recipe[1])
  end
  error(result, 0)
end

-- What a program has said, on one line.
local function said(file)
  local size <const> = core.fstatat(file, "").size
  local words <const> = size > 0 and core.read(file, math.min(size, 2000), 0)
  return ((words or ""):match "^%s*(.-)%s*$":gsub("%s*\n%s*", "; "))
end

local function bind(layer, ids)
  return { { bind = layer, at = AT, idmap = ids.idmap } }
end

local function unpacker(layer, ids, input, words)
  return start(ids, {
    "tar", "--extract", "--file=-", "--numeric-owner", "--preserve-permissions",
    ids.single and "--no-same-owner" or "--same-owner", "--xattrs",
    "--xattrs-include=security.capability", "--directory=" .. AT,
    stdin = input, stdout = words, stderr = words, mounts = bind(layer, ids),
    env = { LC_ALL = "C" },
    capabilities = { "chown", "dac_override", "fowner", "fsetid", "setfcap" },
  })
end

local function decompressor(name, ids, archive, output, words)
  return start(ids, { name, "-dc", stdin = archive, stdout = output,
                      stderr = words })
end

---- white-outs, as the overlay file system has them ----

-- In a layer of its own a white-out is of lower layers alone: what the layer
-- has at that name stays, and a directory then hides the lower ones' content.
local function hide(layer, entry)
  local path <const> = entry.directory .. "/" .. entry.name
  local above <close> = layer:mkdir(entry.directory)
  local ok, there = pcall(core.fstatat, above, entry.name, "nofollow")
  if not ok then
    core.mknodat(above, entry.name, "char", "0000", 0, 0)
  elseif there.type == "directory" then
    return path
  end
end

local function apply(layer, found)
  local opaque <const> = found.opaque
  for _, entry in ipairs(found.hidden) do
    opaque[#opaque + 1] = hide(layer, entry)
  end
  for _, path in ipairs(opaque) do
    layer:mkdir(path):close()
    local directory <close> = layer:open(path, "rdonly,directory")
    core.setxattr(directory, "user.overlay.opaque", "y")
  end
end

local function white_out(path, ids, found)
  if #found.hidden + #found.opaque == 0 then return end
  local roots <const> = require "farside.root"
  local container <close> = start(ids, {
    "true", mounts = bind(path, ids), setup = function(c)
      local layer <close> = roots.root(c:open(AT, "path,directory"))
      apply(layer, found)
    end,
  })
  container:wait()
end

---- from an archive to a directory ----

local function refuse(archive, why)
  core.raise(core.errno.EINVAL, "unpack", archive.path,
             ("%s (%s)"):format(archive.path, why))
end

-- Bytes of the archive without its packing, as a function; and the program, to
-- be asked whether all went well.
local function source(archive, ids, words)
  local name <const> = packing(archive.file)
  if not name then
    return function() return core.read(archive.file, ROOM) end
  end
  local reader, writer <close> = core.pipe()
  local program = decompressor(name, ids, archive.file, writer, words)
  return function() return core.read(reader, ROOM) end, program, reader
end

-- A stream that tells of the other end's death by an error and no signal.
local function sink(socket)
  return function(piece)
    local at = 1
    while at <= #piece do
      at = at + core.sendmsg(socket, at == 1 and piece or piece:sub(at))
    end
  end
end

-- Bytes and files that there is room for.
local function room(layer)
  local is <const> = core.statfs(layer)
  return is.available, is.files > 0 and is.files_free or math.maxinteger
end

-- Waits for a program; what it has said when it failed.
local function finish(program, words, what)
  local ok, how, code = program:wait()
  if ok then return end
  local text <const> = said(words)
  return ("%s: %s"):format(what, text ~= "" and text or how .. " " .. code)
end

-- What is told when something went wrong: a fault that was found, or what a
-- program that ended early has said.
local function explain(archive, failure, packed, unpacking, words)
  if type(failure) == "table" and failure.refused then
    local fault <const> = failure.ends and packed
      and finish(packed, words, "unpacked")
    refuse(archive, fault or failure.refused)
  elseif errors.is(failure) and failure.code == "EPIPE" then
    local fault <const> = finish(unpacking, words, "tar")
    if fault then refuse(archive, fault) end
  end
  error(failure, 0)
end

-- Passes the archive through; answers the white-outs.
local function pour(archive, layer, ids)
  local words <close> = core.memfd_create "words"
  local read, packed, reader = source(archive, ids, words)
  local _packed <close> = packed
  local _reader <close> = reader
  local mine, theirs = core.socketpair "stream"
  local _mine <close> = mine
  local _theirs <close> = theirs
  local unpacking <close> = unpacker(layer, ids, theirs, words)
  theirs:close()
  local bytes <const>, files <const> = room(layer)
  local ok, found = pcall(tar.filter, progress.of(archive, read), sink(mine),
                          bytes, files, archive.expected ~= nil)
  mine:close()
  if not ok then explain(archive, found, packed, unpacking, words) end
  local fault <const> = packed and finish(packed, words, "unpacked")
    or finish(unpacking, words, "tar")
  if fault then refuse(archive, fault) end
  return found
end

---- where it goes ----

local function outside(map)
  for _, range in ipairs(map) do
    if range[1] == 0 then return range[2] end
  end
end

local function make(path, ids)
  core.mkdirat(nil, path, "0755")
  if ids.uid_map and require("farside.host").is_root() then
    core.fchownat(nil, path, outside(ids.uid_map), outside(ids.gid_map))
  end
end

local function same(one, other)
  for _, key in ipairs { "ino", "dev", "size", "mtime", "ctime" } do
    if one[key] ~= other[key] then return false end
  end
  return true
end

-- Fills a directory from the archive, which must be what it was taken for.
local function fill(archive, path, ids)
  if archive.expected and archive.digest ~= archive.expected then
    refuse(archive, ("its digest is sha256:%s, sha256:%s expected"):format(
      archive.digest, archive.expected))
  end
  white_out(path, ids, pour(archive, path, ids))
  if not same(archive.stat, core.fstatat(archive.file, "")) then
    refuse(archive, "it was changed while it was being read")
  end
end

local function unpack(archive, way, ids)
  local _lock <close> = cache.lock(archive.digest)
  local place <const> = cache.place(archive.digest, way)
  if cache.has(archive.digest, way) then return place end
  local partial <const> = place .. ".partial"
  if is_there(nil, partial) then
    cache.erase(partial, ids) -- what a crash has left
  end
  make(partial, ids)
  local ok, err = pcall(fill, archive, partial, ids)
  if ok then
    core.renameat(nil, partial, nil, place)
    return place
  end
  cache.erase(partial, ids)
  pcall(core.unlinkat, nil, cache.path() .. "/" .. archive.digest, "removedir")
  error(err, 0)
end

---- the public face ----

local function map(value, where)
  return require("farside.idmap").parse(value, "unpack: " .. where)
end

local function digest(value, where, fail)
  if type(value) ~= "string" or not value:find "^%x+$" or #value ~= 64 then
    fail(where, "64 hexadecimal digits expected")
  end
  return value:lower()
end

local known <const> = fields.record {
  uid_map = map, gid_map = map, idmap = fields.boolean, digest = digest,
}

-- How ids are to be on disk, and what that is called: as the archive has them
-- where a container can be shown them with its own ids, else with its own.
local function ids_of(want)
  if require("farside.host").is_root() and want.idmap ~= false then
    return { idmap = true }, cache.way()
  end
  local uids <const> = want.uid_map or { { 0, core.geteuid(), 1 } }
  local gids <const> = want.gid_map or { { 0, core.getegid(), 1 } }
  local single <const> = #uids == 1 and uids[1][3] == 1
  return { uid_map = uids, gid_map = gids, single = single },
         cache.way(uids, gids)
end

local function open(path)
  local file = core.openat2(nil, path, "rdonly,nonblock")
  local stat <const> = core.fstatat(file, "")
  if stat.type ~= "file" then
    file:close()
    core.raise(core.errno.EINVAL, "unpack", path,
               ("%s (archive expected, it is a %s)"):format(path, stat.type))
  end
  return { path = path, name = path:match "[^/]*$", file = file, stat = stat,
           size = stat.size }
end

--- Unpacks a tar archive, plain or compressed (gzip, zstd, xz, bzip2), into a
-- directory of the cache, once: later calls answer the same directory.
-- White-outs (OCI image layers) become those of the overlay file system.
-- @tparam string path
-- @tparam[opt] table options `digest`, what its SHA-256 must be: then, once it
-- is unpacked, the archive is not read again; `uid_map` and `gid_map` of the
-- containers that will use it; `idmap`, false for root when its files are not
-- to be shown with other ids but are to have those
-- @treturn string the directory
-- @raise EINVAL with the reason for what may not be a layer: names that are
-- absolute or go up, links out of it, devices, more than there is room for, an
-- end too soon, another digest; then nothing is left
function M.unpack(path, options)
  local want <const> = fields.check("unpack", known, options or {})
  local ids, way = ids_of(want)
  if want.digest and cache.has(want.digest, way) then
    return cache.place(want.digest, way)
  end
  local archive <const> = open(path)
  local _file <close> = archive.file
  archive.expected = want.digest
  archive.digest = digests.of_archive(archive)
  if not want.digest and cache.has(archive.digest, way) then
    return cache.place(archive.digest, way)
  end
  return unpack(archive, way, ids)
end

---- a layer that is in use ----

local Layer <const> = {}
Layer.__index = Layer

--- Lets go of it.
function Layer:close()
  self.lock = self.lock and self.lock:close()
end

Layer.__close = Layer.close

--- The same as unpack, for a layer that stays in the cache until it is closed.
-- @tparam string path
-- @tparam[opt] table options
-- @treturn table `directory`; the method `close`
-- @raise as unpack
function M.hold_layer(path, options)
  local directory <const> = M.unpack(path, options)
  local lock <const> = cache.share(directory)
  if not lock then return M.hold_layer(path, options) end -- just removed
  return setmetatable({ directory = directory, lock = lock }, Layer)
end

return M

--- What a plan must know of the machine and of the caller: read once, so that
-- making the plan is a pure function of the recipe and these facts.

local core <const> = require "farside.core"

local M = {}

--- Root over the whole machine: uid 0 in the first user namespace, which has
-- the same number on every kernel (PROC_USER_INIT_INO).
-- @tparam[opt] int euid the caller's, when it is known
-- @treturn boolean
function M.is_root(euid)
  return (euid or core.geteuid()) == 0 and
    core.readlinkat(nil, "/proc/self/ns/user") == "user:[4026531837]"
end

-- The top of the host's tree, without what every container has of its own.
local own <const> = { proc = true, sys = true, dev = true, tmp = true,
                      run = true }

-- A directory with nothing in it that an ordinary user could see.
local function empty(path)
  return not core.faccessat(nil, path, "read") or #core.readdir(path, 1) == 0
end

local function describe(entry, busy)
  local path = "/" .. entry.name
  local facts = { name = entry.name, type = entry.type }
  if entry.type == "symlink" then
    facts.target = core.readlinkat(nil, path)
  elseif entry.type == "directory" then
    facts.busy, facts.empty = busy, not busy and empty(path)
    facts.mode = core.fstatat(nil, path).mode
  end
  return facts
end

-- File systems of which an overlay can be made, whatever is in them.
local layered <const> = { ext2 = true, ext3 = true, ext4 = true, xfs = true,
                          btrfs = true, f2fs = true }

local function top(mounts)
  local busy = {} -- top directories with something mounted in them
  for _, mount in ipairs(mounts) do
    local name, more = mount.target:match "^/([^/]+)(.*)"
    local whole <const> = more == "" and layered[mount.fstype]
    if name and not whole then busy[name] = true end
  end
  local list = {}
  for _, entry in ipairs(core.readdir "/") do
    if not own[entry.name] then
      list[#list + 1] = describe(entry, busy[entry.name])
    end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

-- File systems that hold somebody's files, and whether the kernel can show
-- them with other ids. What else is mounted on the host (api file systems,
-- containers' overlays, memory) is no part of a container's root.
local files <const> = {
  ext2 = true, ext3 = true, ext4 = true, xfs = true, btrfs = true,
  f2fs = true, vfat = true, exfat = true, squashfs = true, erofs = true,
  ntfs3 = true, zfs = true, bcachefs = false, iso9660 = false, nfs = false,
  nfs4 = false, cifs = false, ["9p"] = false, virtiofs = false,
  fuseblk = false,
}

--- Whether a file system of this type holds somebody's files.
function M.has_files(fstype) return files[fstype] ~= nil end

-- Mounts below / that a container over the host's files shows as well.
local function below(mounts)
  local list = {}
  for _, mount in ipairs(mounts) do
    local name = mount.target:match "^/([^/]+)"
    local mappable = files[mount.fstype]
    if name and not own[name] and mappable ~= nil then
      list[#list + 1] = { path = mount.target, mappable = mappable,
                          layered = layered[mount.fstype] }
    end
  end
  return list
end

-- Whether the kernel can show the files of / with other ids.
local function mappable(mounts)
  local fstype
  for _, mount in ipairs(mounts) do
    if mount.target == "/" then fstype = mount.fstype end -- the last covers
  end
  return files[fstype] or false
end

-- What an ordinary user may map, when all of it is asked for.
local function granted(which)
  local subids <const> = require "farside.subid"
  local ranges <const> = subids.subids(which)
  if #ranges > 0 then return ranges end
  require("farside.error").usage(
    "%s_map: \"auto\" needs a range of ids, and %s", which,
    subids.granted(which))
end

-- Which of the layers are archives.
local function archives(recipe)
  local found <const> = {}
  local function look(layers)
    for _, layer in ipairs(layers or {}) do
      -- what is not there is told when it is taken
      local file <close> = core.openat2(nil, layer, "path",
                                        { optional = true })
      found[layer] = file and core.fstatat(file, "").type == "file" or nil
    end
  end
  look(recipe.root and recipe.root.layers)
  for _, mount in ipairs(recipe.mounts or {}) do look(mount.layers) end
  return found
end

--- The facts.
-- @tparam[opt] table recipe checked
-- @treturn table root (boolean), uid, gid, mappable (whether the kernel can
-- show the files of / with other ids), below (mounts of files below /),
-- top (entries of /, for an ordinary user), nofile (its limits), no_core
-- (whether its hard limit for core dumps is 0), subuids and subgids (what is
-- granted to an ordinary user, when it is asked for), archives (a set of the
-- layers that are files)
function M.facts(recipe)
  local uid, gid = core.geteuid(), core.getegid()
  local root = M.is_root(uid)
  local mounts = require("farside.mountinfo").points()
  local all <const> = not root and recipe and recipe.uid_map == "auto"
  return {
    root = root, uid = uid, gid = gid, mappable = root and mappable(mounts),
    below = root and below(mounts) or {},
    top = not root and top(mounts) or {},
    nofile = { core.getrlimit "nofile" },
    no_core = select(2, core.getrlimit "core") == 0,
    subuids = all and granted "uid", subgids = all and granted "gid",
    archives = recipe and archives(recipe) or {},
  }
end

return M

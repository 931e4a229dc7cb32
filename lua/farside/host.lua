--- What a plan must know of the machine and of the caller: read once, so that
-- making the plan is a pure function of the recipe and these facts.

local core <const> = require "farside.core"

local M = {}

-- Root over the whole machine: uid 0 in the first user namespace, where ids
-- are mapped to themselves.
local function is_root(euid)
  if euid ~= 0 then return false end
  local maps = require("farside.idmap").read_uid_map()
  local first = maps[1]
  return #maps == 1 and first[1] == first[2] and first[3] == 4294967295
end

-- The top of the host's tree, without what every container has of its own.
local own <const> = { proc = true, sys = true, dev = true, tmp = true,
                      run = true }

local function top(mounts)
  local busy = {} -- top directories with something mounted below or on them
  for _, mount in ipairs(mounts) do
    local name = mount.target:match "^/([^/]+)"
    if name then busy[name] = true end
  end
  local entries = core.readdir "/"
  table.sort(entries, function(a, b) return a.name < b.name end)
  local list = {}
  for _, entry in ipairs(entries) do
    if not own[entry.name] and entry.name ~= "." and entry.name ~= ".." then
      list[#list + 1] = {
        name = entry.name, type = entry.type, busy = busy[entry.name],
        mode = entry.type == "directory"
          and core.fstatat(nil, "/" .. entry.name).mode or nil,
        target = entry.type == "symlink"
          and core.readlinkat(nil, "/" .. entry.name) or nil,
      }
    end
  end
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

-- Mounts below / that a container over the host's files shows as well.
local function below(mounts)
  local list = {}
  for _, mount in ipairs(mounts) do
    local name = mount.target:match "^/([^/]+)"
    local mappable = files[mount.fstype]
    if name and not own[name] and mappable ~= nil then
      list[#list + 1] = { path = mount.target, mappable = mappable }
    end
  end
  return list
end

--- The facts.
-- @treturn table root (boolean), uid, gid, below (mounts of files below /),
-- top (entries of /, for an ordinary user)
function M.facts()
  local uid, gid = core.geteuid(), core.getegid()
  local root = is_root(uid)
  local mounts = require("farside.mountinfo").points()
  return {
    root = root, uid = uid, gid = gid,
    below = root and below(mounts) or {},
    top = not root and top(mounts) or {},
  }
end

return M

--- Where files are kept that tell of containers while they live, and locks
-- between those who start and end them.
--
-- Root of the machine has /run/farside. Everybody else has a directory of his
-- own in $XDG_RUNTIME_DIR, or else in /tmp, named after the uid that he has
-- outside of his user namespace. What is in them is trusted, so a directory
-- that others own or may write to is refused.

local core <const> = require "farside.core"

local M = {}

-- What uid 0 of a user namespace is outside.
local function outside(uid)
  local map <const> = require("farside.idmap").read_uid_map()
  for _, range in ipairs(map) do
    local offset = uid - range[1]
    if offset >= 0 and offset < range[3] then return range[2] + offset end
  end
  return uid
end

local function is_ours(fd)
  local stat <const> = core.fstatat(fd, "")
  return stat.type == "directory" and stat.uid == core.geteuid()
    and tonumber(stat.mode, 8) & 0x12 == 0 -- 022: others write
end

-- Opens a directory, made when it is missing, that is ours alone.
local function open(parent, name, path, mode)
  local ok, err = pcall(core.mkdirat, parent, name, mode)
  if not ok and err.code ~= "EEXIST" then
    core.raise(err.errno, "state", path)
  end
  local fd = core.openat2(parent, name, "rdonly,directory,nofollow")
  if is_ours(fd) then return fd end
  fd:close()
  core.raise(core.errno.EACCES, "state", path,
             path .. " (others own it or may write to it)")
end

-- The path, and the mode that it is made with.
local function base()
  if require("farside.host").is_root() then return "/run/farside", "0755" end
  local own <const> = os.getenv "XDG_RUNTIME_DIR"
  if own and own:find "^/" then
    local ok, fd = pcall(core.openat2, nil, own, "path,directory")
    local ours = ok and is_ours(fd)
    if ok then fd:close() end
    if ours then return own .. "/farside", "0700" end
  end
  return "/tmp/farside-" .. outside(core.geteuid()), "0700"
end

--- A directory for state files, made when it is missing.
-- @tparam string name what it is for
-- @treturn string its path
-- @treturn fd the same, open
-- @raise EACCES when somebody else owns it or may write to it
function M.directory(name)
  local path <const>, mode <const> = base()
  local top <close> = open(nil, path, path, mode)
  local whole <const> = path .. "/" .. name
  return whole, open(top, name, whole, "0700")
end

--- Waits for its turn, and holds it until it is closed: one at a time, of all
-- who use this directory. Not to be taken twice.
-- @tparam string name the directory
-- @treturn fd
-- @raise as directory
function M.lock(name)
  local _, fd = M.directory(name)
  core.flock(fd, "exclusive")
  return fd
end

return M

--- Trees of files as detached mounts: taken from where they are, shown with the
-- ids of a container, and attached elsewhere by descriptor.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local fields <const> = require "farside.fields"
local errno <const> = core.errno

local M = {}

---- taking ----

-- A descriptor of another mount namespace, as an ordinary user's child gets it
-- from its starter, is found again by its name here, and must be the same.
local function find_again(fd, flags, err)
  if err.code ~= "EINVAL" then error(err, 0) end
  local copy <close> = core.dup(fd)
  local name <const> = core.readlinkat(nil, "/proc/self/fd/" .. copy:fileno())
  local tree = core.open_tree(nil, name, flags)
  local was <const>, is <const> = core.fstatat(fd, ""), core.fstatat(tree, "")
  if was.dev == is.dev and was.ino == is.ino then return tree end
  tree:close()
  core.raise(errno.ENOENT, "open_tree", name,
             name .. " (something else by now)")
end

local tree_fields <const> = fields.record {
  set = function(value) return value end, -- the core knows the words
  alone = fields.boolean,
  optional = fields.boolean,
  type = fields.word("directory", "device"),
}

local function check_source(who, source)
  if type(source) == "string" then return nil, source end
  fields.check(who, function(value, _, fail)
    if value == nil then
      fail("", "path or descriptor expected, got nil")
    end
    return fields.descriptor(value, "", fail)
  end, source)
  return source, ""
end

-- What a tree must be: what its top is then, and what to raise if it is not.
local wanted <const> = {
  directory = { directory = true, error = errno.ENOTDIR },
  device = { char = true, block = true, error = errno.ENODEV },
}

local function check_type(tree, type, name)
  local want <const> = wanted[type]
  local is <const> = want and core.fstatat(tree, "").type
  if not want or want[is] then return end
  core.raise(want.error, "bind_tree", name, ("%s (%s expected, it is a %s)")
             :format(name, type, is))
end

local function prepare(tree, attr, name)
  check_type(tree, attr.type, name)
  core.mount_setattr(tree, "", { propagation = "private", set = attr.set,
                                 recursive = not attr.alone })
end

-- The tree, or nil when nothing is there and that is fine.
local function open(dir, path, attr)
  local flags <const> = attr.alone and "clone" or "clone,recursive"
  local ok, tree = pcall(core.open_tree, dir, path, flags)
  if ok then return tree end
  if attr.optional and tree.code == "ENOENT" then return nil end
  if not dir then error(tree, 0) end
  return find_again(dir, flags, tree)
end

--- Takes a tree of files as a detached mount of our own, private.
-- @tparam string|fd source a path, or a descriptor of what is shown
-- @tparam[opt] table attr `set` (words), `alone` (without what is mounted
-- below), `type` ("directory" or "device": nothing else will do), `optional`
-- @treturn ?fd nil when nothing is there, with `optional`
-- @raise as open_tree and mount_setattr; ENOTDIR, ENODEV for another type
function M.bind_tree(source, attr)
  local dir, path = check_source("bind_tree", source)
  attr = fields.check("bind_tree", tree_fields, attr or {})
  local tree = open(dir, path, attr)
  if not tree then return nil end
  local ok, err = pcall(prepare, tree, attr, dir and tostring(dir) or path)
  if ok then return tree end
  tree:close()
  error(err, 0)
end

---- showing it with other ids ----

local map_fields <const> = fields.record {
  source = fields.string, alone = fields.boolean,
}

-- Tries one part alone; that it cannot be mapped is all that is asked.
local function refuses(path, userns)
  local ok, tree = pcall(core.open_tree, nil, path, "clone")
  if not ok then return false end
  local shown, err = pcall(core.mount_setattr, tree, "",
                           { set = "idmap", userns = userns })
  tree:close()
  return not shown and err.code == "EINVAL"
end

-- The part of a tree that the kernel does not show with other ids: the top, or
-- what is mounted below.
local function culprit(source, alone, userns)
  local here <close> = core.openat2(nil, source, "path")
  local top <const> = core.readlinkat(nil, "/proc/self/fd/" .. here:fileno())
  if alone or refuses(top, userns) then return top, core.statfs(top).type end
  local within <const> = top == "/" and "/" or top .. "/"
  for _, mount in ipairs(require("farside.mountinfo").points()) do
    local at <const> = mount.target
    if at:sub(1, #within) == within and refuses(at, userns) then
      return at, mount.fstype
    end
  end
  return top, core.statfs(top).type
end

local advice <const> = "%s cannot show its files with other ids; choose: "
  .. "idmap = false shows them as they are owned, where those that are not "
  .. "mapped are nobody's; or put them on ext4, xfs, btrfs or, since Linux "
  .. "6.3, tmpfs; or give the files to the mapped ids"

--- Shows a detached tree with the ids of a user namespace: what root owns on
-- disk is root's in there. Nothing on disk is changed.
-- @tparam fd tree from bind_tree
-- @tparam namespace userns
-- @tparam[opt] table attr `source`, the path that the tree was taken from, for
-- messages; `alone`, without what is mounted below
-- @raise EINVAL for a file system that cannot be shown so: the error's path is
-- the part that cannot. See mount_setattr(2).
function M.map_tree(tree, userns, attr)
  attr = fields.check("map_tree", map_fields, attr or {})
  local ok, err = pcall(core.mount_setattr, tree, "", {
    set = "idmap", userns = userns, recursive = not attr.alone })
  if ok then return end
  if not attr.source or not errors.is(err) or err.code ~= "EINVAL" then
    error(err, 0)
  end
  local path, fstype = culprit(attr.source, attr.alone, userns)
  err.path, err.detail, err.hint = path, nil, advice:format(fstype or "it")
  error(err, 0)
end

return M

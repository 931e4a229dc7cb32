--- A container's root while it is being built.
-- One descriptor of the root; every path is resolved inside it by the kernel
-- (openat2 with RESOLVE_IN_ROOT), whatever links lie there, and then only the
-- descriptor is used: what a recipe's `setup` is given, and what the steps of
-- a plan call.
-- @classmod Root

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local fields <const> = require "farside.fields"
local errno <const> = core.errno

local M = {}

local Root = {}
Root.__index = Root

local inside <const> = "in_root,no_magiclinks"
local maybe <const> = { resolve = inside, optional = true }

-- A failed call speaks of the path as it was asked for, not of a descriptor.
local function about(path, ok, ...)
  if ok then return ... end
  local err = ...
  if type(err) == "table" then err.path, err.detail = path, nil end
  error(err, 0)
end

-- Runs a call; its error tells the path inside the root.
local function try(path, call, ...)
  return about(path, pcall(call, ...))
end

-- "/a/b/" → "/a", "b"
local function split(path)
  local parent, name = path:match "^(.-)/*([^/]+)/*$"
  return parent == "" and "/" or parent, name
end

--- The root whose files are at a directory.
-- @tparam string directory
-- @treturn Root
-- @raise as openat2
function M.root(directory)
  local fd = core.openat2(nil, directory, "path,directory")
  return setmetatable({ fd = fd, directory = directory }, Root)
end

function Root:fileno()
  return self.fd:fileno()
end

function Root:close()
  self.fd:close()
end

Root.__close = Root.close

function Root:__tostring()
  return ("root %s"):format(self.directory)
end

--- Opens a path inside the root. See openat2(2).
-- @tparam string path
-- @tparam string flags as openat2: "rdonly", "path,directory"…
-- @tparam[opt] string mode for a file that is made
-- @treturn fd
-- @raise as openat2
function Root:open(path, flags, mode)
  return try(path, core.openat2, self.fd, path, flags,
             { resolve = inside, mode = mode })
end

-- What is at a path, or nil when there is nothing.
function Root:find(path)
  return try(path, core.openat2, self.fd, path, "path", maybe)
end

--- Makes a directory and those above it that are missing, one by one; one that
-- exists is left as it is.
-- @tparam string path
-- @tparam[opt="0755"] string mode
-- @treturn fd its descriptor (O_PATH)
-- @raise ENOTDIR, EROFS… See mkdirat(2).
function Root:mkdir(path, mode)
  local fd = self:find(path)
  if fd then return fd end
  local above, name = split(path)
  local parent <close> = self:mkdir(above)
  try(path, core.mkdirat, parent, name, mode or "0755")
  return try(path, core.openat2, parent, name, "path,directory,nofollow")
end

-- Makes something new at a path; a file or link that is there gives way, and
-- is never followed.
local function make_anew(self, path, call)
  local above, name = split(path)
  local parent <close> = self:mkdir(above)
  local ok, made = pcall(call, parent, name)
  if not ok and made.errno == errno.EEXIST then
    try(path, core.unlinkat, parent, name)
    ok, made = pcall(call, parent, name)
  end
  return about(path, ok, made)
end

--- Writes a new file, and its directories when they are missing.
-- @tparam string path a file or link that is there is replaced
-- @tparam string text
-- @tparam[opt="0644"] string mode
-- @raise EISDIR when a directory is there; EROFS, ENOSPC… See openat2(2).
function Root:write(path, text, mode)
  local file <close> = make_anew(self, path, function(parent, name)
    return core.openat2(parent, name, "wronly,create,excl,nofollow",
                        { mode = mode or "0644" })
  end)
  try(path, core.write, file, text)
end

--- Reads a whole file.
-- @tparam string path
-- @treturn string
-- @raise as openat2 and read
function Root:read(path)
  local file <close> = self:open(path, "rdonly")
  local parts = {}
  repeat
    parts[#parts + 1] = try(path, core.read, file, 65536)
  until not parts[#parts] or parts[#parts] == ""
  return table.concat(parts)
end

--- Makes a symbolic link; a file or link that is there is replaced.
-- @tparam string target what the link says
-- @tparam string path
-- @raise EISDIR when a directory is there. See symlinkat(2).
function Root:symlink(target, path)
  make_anew(self, path, function(parent, name)
    core.symlinkat(target, parent, name)
  end)
end

--- Removes a file or link. See unlinkat(2).
-- @tparam string path
function Root:remove(path)
  local above, name = split(path)
  local parent <close> = self:open(above, "path,directory")
  try(path, core.unlinkat, parent, name)
end

--- Sets the owner of what is at a path, ids as seen inside. See fchownat(2).
function Root:chown(path, uid, gid)
  local fd <close> = self:open(path, "path")
  try(path, core.fchownat, fd, "", uid, gid)
end

-- Opens what a mount is to cover, made when missing: a directory for a
-- directory, an empty file for anything else.
function Root:mountpoint(path, type)
  if type == "directory" then return self:mkdir(path) end
  local fd = self:find(path)
  if fd then return fd end
  local above, name = split(path)
  local parent <close> = self:mkdir(above)
  return try(path, core.openat2, parent, name, "wronly,create,excl,nofollow",
             { mode = "0644" })
end

--- Puts a detached mount at a path. See move_mount(2).
-- @tparam fd tree from open_tree or fsmount
-- @tparam string path made when it is missing
-- @raise as move_mount
function Root:attach(tree, path)
  local point <close> = self:mountpoint(path, core.fstatat(tree, "").type)
  try(path, core.move_mount, tree, "", point, "")
end

-- The name by which a call that takes only a path finds a descriptor.
local function magic(fd)
  return "/proc/self/fd/" .. fd:fileno()
end

--- Mounts a new file system at a path inside.
-- @tparam string fstype
-- @tparam string path made when it is missing
-- @tparam[opt] string options as for mount
-- @raise as mount
function Root:mount(fstype, path, options)
  local point <close> = self:mkdir(path)
  local ok, err = pcall(core.mount, fstype, magic(point), fstype, options)
  if ok then return end
  if type(err) == "table" then
    err.target, err.detail = path, ("%s on %s"):format(fstype, path)
  end
  about(path, false, err)
end

--- Shows a file or tree of the caller's at a path inside.
-- @tparam string source
-- @tparam string path
-- @tparam[opt] string words "ro,nosuid,nodev,noexec", for all of it
-- @raise as open_tree, mount_setattr, move_mount
function Root:bind(source, path, words)
  local tree <close> = M.bind_tree(source, { set = words })
  self:attach(tree, path)
end

local tree_fields <const> = fields.record {
  set = function(value) return value end, -- the core knows the words
  alone = fields.boolean,
}

--- Takes a tree of files as a detached mount of our own, private.
-- @tparam string source
-- @tparam[opt] table attr set (words), alone (without what is mounted below)
-- @treturn fd
-- @raise as open_tree and mount_setattr
function M.bind_tree(source, attr)
  if type(source) ~= "string" then
    errors.usage("bind_tree: path expected, got %s", type(source))
  end
  attr = fields.check("bind_tree", tree_fields, attr or {})
  local recursive = not attr.alone
  local tree = core.open_tree(nil, source,
                              recursive and "clone,recursive" or "clone")
  core.mount_setattr(tree, "", { propagation = "private", set = attr.set,
                                 recursive = recursive })
  return tree
end

local devices <const> = {
  null = { 1, 3 }, zero = { 1, 5 }, full = { 1, 7 },
  random = { 1, 8 }, urandom = { 1, 9 }, tty = { 5, 0 },
}

-- The host's device as a detached mount, once it is known to be that device.
local function device(name)
  local number <const> = devices[name]
  local tree = core.open_tree(nil, "/dev/" .. name, "clone")
  local is = core.fstatat(tree, "")
  if is.type ~= "char" or is.major ~= number[1] or is.minor ~= number[2] then
    tree:close()
    core.raise(errno.ENODEV, "device", "/dev/" .. name)
  end
  return tree
end

--- Shows devices of the host in a directory.
-- @tparam string directory made when it is missing
-- @tparam string … null, zero, full, random, urandom, tty
-- @raise ENODEV when what the host has there is something else; EEXIST
function Root:devices(directory, ...)
  local parent <close> = self:mkdir(directory)
  for _, name in ipairs { ... } do
    local tree <close> = device(name)
    try(name, core.mknodat, parent, name, "file")
    try(name, core.move_mount, tree, "", parent, name)
  end
end

--- Makes symbolic links in a directory.
-- @tparam string directory made when it is missing
-- @tparam table links { NAME = "TARGET" }
-- @raise EEXIST when something is there. See symlinkat(2).
function Root:symlinks(directory, links)
  local parent <close> = self:mkdir(directory)
  for name, target in pairs(links) do
    try(name, core.symlinkat, target, parent, name)
  end
end

local nothing <const> = {
  directory = function()
    local context <close> = core.fsopen "tmpfs"
    core.fsconfig(context, "string", "size", "4k")
    core.fsconfig(context, "create")
    return core.fsmount(context, "ro,nosuid,nodev,noexec")
  end,
  file = function() return device "null" end,
}

-- What covers a thing of a type, made once: once it is attached, a mount can
-- be cloned for the next place.
local function cover(made, type)
  local kind = type == "directory" and type or "file"
  if made[kind] then return core.open_tree(made[kind], "", "clone") end
  made[kind] = nothing[kind]()
  return made[kind]
end

--- Hides what is at these paths, where there is anything: an empty read-only
-- directory over a directory, the null device over a file.
-- @tparam string … paths
function Root:mask(...)
  local made = {}
  for _, path in ipairs { ... } do
    local point <close> = self:find(path)
    if point then
      local tree = cover(made, core.fstatat(point, "").type)
      try(path, core.move_mount, tree, "", point, "")
    end
  end
  for _, tree in pairs(made) do tree:close() end
end

--- Write-protects what is at these paths, where there is anything, with all
-- that is mounted below.
-- @tparam string … paths
function Root:protect(...)
  for _, path in ipairs { ... } do
    local point <close> = self:find(path)
    if point then
      local tree <close> = core.open_tree(point, "", "clone,recursive")
      core.mount_setattr(tree, "", { set = "ro", recursive = true })
      try(path, core.move_mount, tree, "", point, "")
    end
  end
end

return M

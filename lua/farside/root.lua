--- A container's root while it is being built.
-- One descriptor of the root; every path is resolved inside it by the kernel
-- (openat2 with RESOLVE_IN_ROOT), whatever links lie there, and then only the
-- descriptor is used: what a recipe's `setup` is given, and what the steps of
-- a plan call.
-- @classmod Root

local accounts <const> = require "farside.account"
local core <const> = require "farside.core"
local special <const> = require "farside.special"
local trees <const> = require "farside.tree"
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
-- @tparam string|fd directory
-- @treturn Root
-- @raise as openat2
function M.root(directory)
  local fd = directory
  if type(directory) == "string" then
    fd = core.openat2(nil, directory, "path,directory")
  end
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
  return ("root %s"):format(tostring(self.directory))
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

-- What is there after all when making a name says EEXIST: the end of a symbolic
-- link that points at nothing yet, made inside the root, or what somebody else
-- has just made. `make` is called with the path again.
local function behind(self, path, parent, name, make, depth)
  local ok, target = pcall(core.readlinkat, parent, name)
  if not ok then return self:open(path, "path") end
  if depth > 40 then core.raise(errno.ELOOP, "mkdirat", path) end
  if target:sub(1, 1) ~= "/" then target = split(path) .. "/" .. target end
  return make(self, target, depth + 1)
end

-- The mode as it was asked for, which the umask may have narrowed.
local function exactly(parent, name, mode)
  if mode then core.fchmodat(parent, name, mode) end
end

local function make_directory(self, path, mode, depth)
  local fd = self:find(path)
  if fd then return fd end
  local above, name = split(path)
  local parent <close> = make_directory(self, above, nil, depth)
  if name == ".." or name == "." then return self:open(path, "path") end
  local ok, err = pcall(core.mkdirat, parent, name, mode or "0755")
  if not ok and err.code == "EEXIST" then
    return behind(self, path, parent, name, function(root, target, deeper)
      return make_directory(root, target, mode, deeper)
    end, depth)
  end
  about(path, ok, err)
  try(path, exactly, parent, name, mode)
  return try(path, core.openat2, parent, name, "path,directory,nofollow")
end

--- Makes a directory and those above it that are missing, one by one; one that
-- exists is left as it is. What a symbolic link on the way names is made inside
-- the root.
-- @tparam string path
-- @tparam[opt="0755"] string mode
-- @treturn fd its descriptor (O_PATH)
-- @raise ENOTDIR, EROFS… See mkdirat(2).
function Root:mkdir(path, mode)
  return make_directory(self, path, mode, 0)
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
    local new = core.openat2(parent, name, "wronly,create,excl,nofollow",
                             { mode = mode or "0644" })
    exactly(parent, name, mode)
    return new
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
  for part in function() return try(path, core.read, file, 65536) end do
    parts[#parts + 1] = part
  end
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

--- A user of its /etc/passwd, with the groups of its /etc/group.
-- @tparam string|integer user a name or a number, which need not be there
-- @tparam[opt] string|integer group another than that user's
-- @tparam[opt] table groups others than those that it is a member of
-- @treturn table `uid`, `gid`, `groups`, `home`
-- @raise ENOENT for a name that is not there
function Root:account(user, group, groups)
  return accounts.find(self, user, group, groups)
end

--- Sets the permissions of what is at a path. See fchmodat(2).
-- @tparam string path
-- @tparam string mode such as "0755"
function Root:chmod(path, mode)
  local fd <close> = self:open(path, "rdonly")
  try(path, core.fchmodat, fd, "", mode)
end

local function make_file(self, path, depth)
  local fd = self:find(path)
  if fd then return fd end
  local above, name = split(path)
  local parent <close> = make_directory(self, above, nil, depth)
  local ok, file = pcall(core.openat2, parent, name,
                         "wronly,create,excl,nofollow", { mode = "0644" })
  if not ok and file.code == "EEXIST" then
    return behind(self, path, parent, name, make_file, depth)
  end
  return about(path, ok, file)
end

-- Opens what a mount is to cover, made when missing: a directory for a
-- directory, an empty file for anything else.
function Root:mountpoint(path, type)
  if type == "directory" then return self:mkdir(path) end
  return make_file(self, path, 0)
end

-- Only a directory covers a directory; the kernel's word for it is EINVAL.
local function cover(tree, type, point, path)
  local ok, err = pcall(core.move_mount, tree, "", point, "")
  if ok then return end
  local there <const> = core.fstatat(point, "").type
  if (type == "directory") ~= (there == "directory") then
    core.raise(there == "directory" and errno.EISDIR or errno.ENOTDIR,
      "move_mount", path, ("%s (a %s cannot cover a %s)"):format(path, type,
                                                                 there))
  end
  about(path, false, err)
end

--- Puts a detached mount at a path, and closes its descriptor. See
-- move_mount(2).
-- @tparam fd tree from bind_tree, open_tree or fsmount
-- @tparam string path made when it is missing
-- @raise EISDIR, ENOTDIR for a file over a directory or a directory over a
-- file; else as move_mount
function Root:attach(tree, path)
  local type <const> = core.fstatat(tree, "").type
  local point <close> = self:mountpoint(path, type)
  cover(tree, type, point, path)
  tree:close()
end

-- The end of a chain of links, each followed inside the root, as far as
-- there is anything.
local function end_of(self, path)
  for _ = 1, 40 do
    local above, name = split(path)
    local parent <close> = self:mkdir(above)
    local ok, target = pcall(core.readlinkat, parent, name)
    if not ok then return path end
    path = target:sub(1, 1) == "/" and target or above .. "/" .. target
  end
  core.raise(errno.ELOOP, "cover", path)
end

--- Shows a text of the container's own at a path, and leaves what is there as
-- it is: it is covered by a file in the directory that the caller stands in.
-- @tparam string path made, empty, when it is missing
-- @tparam string text
-- @raise as openat2 and move_mount
function Root:cover(path, text)
  local name <const> = "cover" .. path:gsub("/", "_")
  local file <close> = core.openat2(nil, name, "rdwr,create,excl",
                                    { mode = "0644" })
  core.write(file, text)
  local tree <close> = core.open_tree(nil, name, "clone")
  local there <close> = self:find(path)
  self:attach(tree, there and path or end_of(self, path))
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
  local tree <close> = trees.bind_tree(source, { set = words })
  self:attach(tree, path)
end

-- The host's device as a detached mount, once it is known to be that device.
-- Its owner and mode are not to be changed.
local function device(name)
  local number <const> = special.devices[name]
  local tree = core.open_tree(nil, "/dev/" .. name, "clone")
  local is = core.fstatat(tree, "")
  if is.type ~= "char" or is.major ~= number[1] or is.minor ~= number[2] then
    tree:close()
    core.raise(errno.ENODEV, "device", "/dev/" .. name)
  end
  core.mount_setattr(tree, "", { set = "ro" })
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
local function cover_for(made, type)
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
      local tree = cover_for(made, core.fstatat(point, "").type)
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

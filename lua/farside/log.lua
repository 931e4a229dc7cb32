--- What a detached container writes to its standard streams, kept in two files
-- of bounded size: when the newer is full it takes the place of the older.

local core <const> = require "farside.core"
local files <const> = require "farside.file"
local state <const> = require "farside.state"

local M = {}

local older <const>, newer <const> = ".1", ""

-- Names of containers and of these files cannot be mixed up: no container's
-- name has a colon.
local function file_name(name, which) return name .. ":log" .. which end

local function directory()
  local path, dir = state.directory "logs"
  return dir, path
end

--- The path of the newer file.
function M.path(name)
  local dir <close>, path = directory()
  local _ = dir
  return path .. "/" .. file_name(name, newer)
end

---- writing ----

local Log <const> = {}
Log.__index = Log

local function create(self, which)
  return core.openat2(self.dir, file_name(self.name, which),
                      "wronly,create,excl,append,nofollow",
                      { mode = "0600" })
end

--- A new log; what was kept under this name before is gone.
-- @tparam string name the container
-- @tparam int size bytes that both files have together, at most
function M.new(name, size)
  M.remove(name)
  local self = setmetatable({ name = name, most = size // 2, size = 0,
                              dir = (directory()) }, Log)
  self.file = create(self, newer)
  return self
end

-- At no moment is there no newer file: a reader would take it for the end.
local function turn(self)
  local old <const> = file_name(self.name, older)
  pcall(core.unlinkat, self.dir, old) -- ENOENT
  local file <const> = create(self, older)
  core.renameat(self.dir, old, self.dir, file_name(self.name, newer),
                "exchange")
  self.file:close()
  self.file, self.size = file, 0
end

local function add(self, piece)
  if self.size + #piece > self.most then turn(self) end
  self.size = self.size + #piece
  core.write(self.file, piece)
end

--- Adds what was written. A full disk must not end a container: then it is
-- dropped, and counted.
function Log:write(data)
  for at = 1, #data, self.most do
    local piece <const> = data:sub(at, at + self.most - 1)
    if not pcall(add, self, piece) then
      self.lost = (self.lost or 0) + #piece
    end
  end
end

---- reading ----

local function open(dir, name, which)
  local ok, file = pcall(core.openat2, dir, file_name(name, which),
                         "rdonly,nofollow")
  return ok and file or nil
end

-- Hands on what is left in a file.
local function pour(file, take)
  for data in function() return core.read(file, 65536) end do take(data) end
end

local function same(file, dir, name, which)
  local ok, now = pcall(core.fstatat, dir, file_name(name, which), "nofollow")
  return ok and now.ino == core.fstatat(file, "").ino
end

-- Both files, of a moment at which they were not just being turned.
local function open_both(dir, name)
  local old <const> = open(dir, name, older)
  local file <const> = open(dir, name, newer)
  if not old or same(old, dir, name, older) then return old, file end
  old:close()
  if file then file:close() end
  return open_both(dir, name)
end

--- Reads a container's log.
-- @tparam string name
-- @tparam function take gets the pieces in order
-- @tparam[opt] function follow called whenever all of the newer file, which it
-- gets, was read: it waits for more, and answers false when what comes now is
-- the last
function M.read(name, take, follow)
  local dir <close> = directory()
  local old <close>, file = open_both(dir, name)
  local last = not follow
  if old then pour(old, take) end
  while file do
    pour(file, take)
    if not same(file, dir, name, newer) then -- it was turned: more is in the
      file:close()                           -- next
      file = open(dir, name, newer)
    elseif last then
      file = file:close()
    else
      last = not follow(file)
    end
  end
end

--- Takes a container's log away.
function M.remove(name)
  local dir <close> = directory()
  for _, which in ipairs { older, newer } do
    files.remove(dir, file_name(name, which))
  end
end

return M

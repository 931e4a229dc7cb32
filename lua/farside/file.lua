--- Small files, read whole. What cannot be read is an error, as it is not with
-- io.open and its `read`, which answer nil for no file and for one whose text
-- the kernel did not give.

local core <const> = require "farside.core"

local M = {}

--- All of a file.
-- @tparam ?fd dir the directory that its path begins at
-- @tparam string path
-- @tparam[opt] string flags "nofollow"
-- @treturn string
-- @raise as openat2 and read
function M.read(dir, path, flags)
  local file <close> = core.openat2(dir, path, "rdonly," .. (flags or ""))
  local parts = {}
  for part in function() return core.read(file, 65536) end do
    parts[#parts + 1] = part
  end
  return table.concat(parts)
end

-- No such file; the process has ended whose it was.
local gone <const> = { ENOENT = true, ESRCH = true }

--- The same, nil when there is none.
function M.find(dir, path, flags)
  local ok, text = pcall(M.read, dir, path, flags)
  if ok then return text end
  if not (type(text) == "table" and gone[text.code]) then error(text, 0) end
end

--- Whether there is something of this name.
function M.has(dir, path)
  local there <close> = core.openat2(dir, path, "path", { optional = true })
  return there ~= nil
end

--- Removes a file, if it is there.
-- @tparam fd dir
-- @tparam string name
-- @raise as unlinkat, but for ENOENT
function M.remove(dir, name)
  local ok, err = pcall(core.unlinkat, dir, name)
  if not ok and err.code ~= "ENOENT" then error(err, 0) end
end

return M

-- What specs of containers share: a container's words, and its files.

local t <const> = require "spec.helper"
local ns <const> = require "farside"

local M = {}

--- What a container's payload says, and how it ended.
function M.output(recipe)
  local reader, writer = ns.pipe()
  local _ <close> = reader
  recipe.stdout = writer
  local container <close> = ns.spawn(recipe)
  writer:close()
  local parts = {}
  for part in function() return ns.read(reader, 65536) end do
    parts[#parts + 1] = part
  end
  return table.concat(parts), container:wait()
end

--- What a shell's script says in a container, without the last line's end.
function M.sh(script, recipe)
  recipe = recipe or {}
  table.move({ "/bin/sh", "-c", script }, 1, 3, 1, recipe)
  return (M.output(recipe):gsub("\n$", ""))
end

--- The first line of what a recipe's container cannot start for, and the error.
function M.failure(recipe)
  recipe[1] = recipe[1] or "/bin/true"
  local ok, err = pcall(ns.spawn, recipe)
  assert(not ok, "it started")
  return (tostring(err):match "^[^\n]*":gsub("^%S+:%d+: ", "")), err
end

--- A file's text.
function M.read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

--- Writes a file.
function M.write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

--- A directory for files of a container, with directories in it.
function M.tree(...)
  t.needs "idmapped files"
  local directory <const> = t.tmpdir()
  for _, name in ipairs { ... } do
    local path = directory
    for part in name:gmatch "[^/]+" do
      path = path .. "/" .. part
      pcall(ns.mkdirat, nil, path, "0755") -- EEXIST
    end
  end
  return directory
end

--- A recipe whose root has the host's programs.
function M.host(recipe)
  local mounts <const> = recipe.mounts or {}
  recipe.mounts = table.move(mounts, 1, #mounts, 5, {
    { bind = "/usr", at = "/usr", "ro" },
    { symlink = "/bin", to = "usr/bin" }, { symlink = "/lib", to = "usr/lib" },
    { symlink = "/lib64", to = "usr/lib64" },
  })
  return recipe
end

return M

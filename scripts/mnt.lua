#!/usr/bin/env farside
-- mnt: files of one's own.
-- In a new mnt namespace two directories that stay as they are lie under one
-- that takes what is written. The stack becomes the root, and all there is.

local ns = require "farside"

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

local function files(path) -- "mars=red moon=grey"
  local list = {}
  for i, entry in ipairs(ns.readdir(path)) do
    local file <close> = assert(io.open(path .. "/" .. entry.name))
    list[i] = entry.name .. "=" .. file:read "a"
  end
  table.sort(list)
  return table.concat(list, " ")
end

local function show(what, path)
  print(("%-28s %s"):format(what, files(path)))
end

local child <close> = ns.clone({
  "user", "mnt", -- root inside, the caller outside: so anybody may
  uid_map = { { 0, ns.getuid(), 1 } }, gid_map = { { 0, ns.getgid(), 1 } },
}, function()
  ns.mount("tmpfs", "/mnt", "tmpfs") -- all of this is in memory
  ns.chdir "/mnt"
  for _, name in ipairs { "low", "high", "upper", "work", "root" } do
    ns.mkdirat(nil, name, "0755")
  end
  write("low/mars", "red")
  write("low/moon", "grey")
  write("high/moon", "silver")
  ns.mount("overlay", "root", "overlay",
           "lowerdir=high:low,upperdir=upper,workdir=work")
  show("low layer", "low")
  show("high layer, covers it", "high")
  show("both, as one", "root")

  write("root/comet", "new")
  os.remove "root/mars"
  show("after a write and a removal", "root")
  show("low layer, as it was", "low")
  assert(files "low" == "mars=red moon=grey")

  ns.chdir "root"
  ns.pivot_root(".", ".") -- the old root now lies over the new one …
  ns.umount(".", "detach") -- … and goes, with all that is mounted in it
  ns.chdir "/"
  show("all the files in /", "/")
  assert(files "/" == "comet=new moon=silver")
end)
assert(child:wait())
assert(not io.open "/comet" and not io.open "/mnt/low") -- nothing out here

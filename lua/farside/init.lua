--- Linux namespaces as Lua functions.
-- The core's calls under their own names, and the library's. A library module
-- is loaded when one of its names is first used, so that `require "farside"`
-- costs next to nothing.
-- @module farside

local core <const> = require "farside.core"
require "farside.error"

local ns = { _VERSION = "Farside 0.1" }

-- public name → the module that has it; a name not listed is the core's
local library <const> = {
  clone = "clone", inside = "inside", namespaces = "join",
  exec = "exec", posix_spawn = "exec",
  new = "handle", persist = "handle", unpersist = "handle",
  write_uid_map = "idmap", write_gid_map = "idmap", set_setgroups = "idmap",
  read_uid_map = "idmap", read_gid_map = "idmap", subids = "subid",
  mountinfo = "mountinfo", write_time_offsets = "clock",
  run = "spawn", spawn = "spawn", plan = "plan",
  container = "detached", containers = "detached",
  raise_limit = "resources", write_oom_score_adj = "resources",
  max_namespaces = "sysctl", lease_ids = "lease",
  root = "root", bind_tree = "tree", map_tree = "tree",
  unpack = "layer.unpack", hold_layer = "layer.unpack",
  layers = "layers",
  list = "list", tree = "draw", doctor = "doctor", netlink = "netlink",
  netns = "netns", network = "network",
  cgroup = "cgroup", confine = "landlock",
  lab = "lab",
}

setmetatable(ns, {
  __index = function(self, name)
    local module = library[name]
    local value
    if module then
      value = require("farside." .. module)[name]
    else
      value = core[name]
    end
    rawset(self, name, value)
    return value
  end,

  -- every public name, so that completion and curiosity find them
  __pairs = function(self)
    for name in next, core do local _ = self[name] end
    for name in next, library do local _ = self[name] end
    return next, self, nil
  end,
})

return ns

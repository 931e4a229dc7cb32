--- Steps: the mounts that were asked for, in their order.

local masks <const> = require "farside.plan.masks"
local ref <const> = require("farside.plan.steps").ref

local M = {}

local function name_of(i) return "mount" .. i end

-- Words that are set on a mount, beside those that it always has.
local function attributes(mount, ...)
  local set, there = { ... }, { rw = true }
  for _, word in ipairs(set) do there[word] = true end
  for _, word in ipairs(mount) do
    if not there[word] then set[#set + 1] = word end
  end
  return set
end

local function place(mount)
  return mount.at or mount[mount.kind]
end

---- what is taken from outside, before anything covers it ----

local sources <const> = {}

-- Devices and set-user-id programs come in by no bind.
function sources.bind(trees, mount, as)
  trees:take(as, mount.bind, { set = attributes(mount, "nodev", "nosuid"),
                               optional = mount.optional }, mount.idmap)
end

-- What a device does is as it was; its owner and mode are not to be changed.
function sources.device(trees, mount, as)
  trees:take(as, mount.device, { type = "device", optional = mount.optional,
    set = attributes(mount, "nosuid", "noexec", "ro") })
end

-- Layers are the container's own, unless it is said otherwise.
local function idmapped(mount, recipe)
  if mount.idmap ~= nil then return mount.idmap end
  return recipe.idmap ~= false
end

function sources.overlay(trees, mount, as, recipe)
  trees:take_layers(as, mount, idmapped(mount, recipe))
end

--- Layers that are archives.
function M.unpack(trees, recipe, uids, gids)
  for i, mount in ipairs(recipe.mounts or {}) do
    if mount.kind == "overlay" then
      trees:unpack(name_of(i), mount, idmapped(mount, recipe), uids, gids)
    end
  end
end

--- Opens all that mounts need of the host.
function M.sources(trees, recipe)
  for i, mount in ipairs(recipe.mounts or {}) do
    local take = sources[mount.kind]
    if take then take(trees, mount, name_of(i), recipe) end
  end
end

---- what is done inside ----

local steps <const> = {}

function steps.bind(plan, mount, as)
  local step = plan:tell("child", "root", "as asked for", "attach", ref(as),
                         place(mount))
  step.given = mount.optional and as or nil
end

steps.device = steps.bind

function steps.overlay(plan, mount, as, trees)
  trees:directory(as)
  trees:overlay_layers(as, mount, as, "the layers as one")
  plan:add("child", "as a mount to be moved", "open_tree", nil, as).as = as
  local set = attributes(mount, "nosuid", "nodev")
  plan:add("child", "with these attributes", "mount_setattr", ref(as), "",
           { set = set })
  plan:tell("child", "root", "as asked for", "attach", ref(as), place(mount))
end

-- What a new file system has unless words say otherwise, and the keys that are
-- options of its own.
local new <const> = {
  tmpfs = { "nosuid", "nodev", keys = { "size", "mode" } },
  proc = { "nosuid", "nodev", "noexec" },
  sysfs = { "nosuid", "nodev", "noexec", "ro" },
  mqueue = { "nosuid", "nodev", "noexec" },
  devpts = { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620" },
}

-- What has parts to be hidden is put into the root with these hidden.
local function mount_covered(plan, mount, as, options, recipe)
  plan:tell("child", "place", "as asked for", "mount", mount.kind, as, options)
  masks.cover(plan, recipe, { { mount.kind, as } })
  plan:move(as, place(mount), "as asked for")
end

local function mount_new(plan, mount, as, _, recipe)
  local defaults <const> = new[mount.kind]
  local options = attributes(mount, table.unpack(defaults))
  for _, key in ipairs(defaults.keys or {}) do
    if mount[key] then options[#options + 1] = key .. "=" .. mount[key] end
  end
  local text <const> = table.concat(options, ",")
  if masks.concerns(mount.kind) then
    return mount_covered(plan, mount, as, text, recipe)
  end
  plan:tell("child", "root", "as asked for", "mount", mount.kind, place(mount),
            text)
end

for kind in pairs(new) do steps[kind] = mount_new end

function steps.directory(plan, mount)
  plan:tell("child", "root", "as asked for", "mkdir", place(mount), mount.mode)
end

function steps.file(plan, mount)
  plan:tell("child", "root", "as asked for", "write", place(mount), mount.text,
            mount.mode)
end

function steps.symlink(plan, mount)
  plan:tell("child", "root", "as asked for", "symlink", mount.to, place(mount))
end

--- The mounts, in the new root.
function M.mounts(plan, trees, recipe)
  for i, mount in ipairs(recipe.mounts or {}) do
    steps[mount.kind](plan, mount, name_of(i), trees, recipe)
  end
end

return M

--- Trees of files that a container is made of: who takes them, which of them
-- are shown with the container's ids, and overlays of several. The root and
-- the mounts are put together of these.

local errors <const> = require "farside.error"
local ref <const> = require("farside.plan.steps").ref
local room <const> = require "farside.room"

local Trees = {}
Trees.__index = Trees

--- What is to be taken for a container.
-- @tparam Plan plan
-- @tparam table recipe
-- @tparam table facts
-- @treturn Trees
function Trees.new(plan, recipe, facts)
  return setmetatable({ plan = plan, recipe = recipe, facts = facts,
                        mapped = {}, unpacked = {}, count = 0 }, Trees)
end

-- The caller takes them when it is root, since container root may be able to
-- see less; else the child, the one with power over mounts.
local function taker(facts)
  return facts.root and "parent" or "child"
end

--- Whether a tree can and should be shown with the container's ids: with a user
-- namespace and real root, files are container root's by an idmapped mount, and
-- nothing on disk is changed.
function Trees:can_map()
  return self.facts.root and not self.recipe.share.user
end

--- Refuses an idmapped mount that was asked for by name where there is none.
function Trees:check()
  if self:can_map() then return end
  local function refuse(where)
    errors.usage("%s: only root can have files shown with other ids, in a "
      .. "user namespace of the container's own", where)
  end
  if self.recipe.idmap then refuse "idmap" end
  for i, mount in ipairs(self.recipe.mounts or {}) do
    if mount.idmap then refuse(("mounts[%d].idmap"):format(i)) end
  end
end

--- Takes a tree.
-- @tparam string as the name of the result
-- @param source a path, or a descriptor
-- @tparam table attr as for bind_tree
-- @tparam boolean idmap show it with the container's ids
-- @tparam[opt] string label
function Trees:take(as, source, attr, idmap, label)
  local path = type(source) == "string" and source or nil
  label = label or ("take %s as a mount of our own"):format(
    path or "a descriptor")
  self.plan:add(taker(self.facts), label, "bind_tree", source, attr).as = as
  self.count = self.count + 1
  if idmap and self:can_map() then
    table.insert(self.mapped, { as = as, source = path, alone = attr.alone,
                                optional = attr.optional })
    self.mapped[as] = true
  end
end

-- Layers are directories; nothing is a device in there.
function Trees:take_layer(as, path, idmap)
  local source <const> = self.unpacked[as] or path
  self:take(as, source, { type = "directory", set = { "nodev" } }, idmap,
            ("take %s as a mount of our own"):format(path))
end

--- Unpacks those layers that are archives, before anything else is made.
-- @tparam string name
-- @tparam table layered { layers = { … }, digests = { … } or nil }
-- @tparam boolean idmap
-- @param uids map of user ids, of the container
-- @param gids map of group ids
function Trees:unpack(name, layered, idmap, uids, gids)
  local plain <const> = self.recipe.share.user or idmap and self:can_map()
  for i, layer in ipairs(layered.layers) do
    if self.facts.archives[layer] then
      local as = name .. "_" .. i
      local step = self.plan:add("parent",
        "the directory of an archive, unpacked once", "hold_layer", layer, {
          digest = layered.digests and layered.digests[i],
          idmap = plain or false, uid_map = not plain and uids or nil,
          gid_map = not plain and gids or nil,
        })
      step.as, step.kept = as .. "_files", true
      self.unpacked[as] = ref(as .. "_files", "directory")
    end
  end
end

--- Many trees need more descriptors than a process may usually have. The
-- starter has the limit raised meanwhile; the program gets what there was.
function Trees:limit()
  local soft <const>, hard <const> = table.unpack(self.facts.nofile or {})
  if not soft or not room.needed(self.count, soft, hard) then return end
  self.plan.trees = self.count
  local own <const> = self.recipe.rlimits and self.recipe.rlimits.nofile
  if own then return end
  self.plan:add("child", "so many descriptors were for its mounts alone",
                "setrlimit", "nofile", soft, hard)
end

--- Takes the layers of an overlay, and the directory that keeps what is
-- written, as NAME_1, NAME_2… and NAME_kept.
-- @tparam string name
-- @tparam table layered { layers = { … }, upper = DIR or nil }
-- @tparam boolean idmap
function Trees:take_layers(name, layered, idmap)
  for i, layer in ipairs(layered.layers) do
    self:take_layer(name .. "_" .. i, layer, idmap)
  end
  if layered.upper then
    self:take_layer(name .. "_kept", layered.upper, idmap)
  end
end

--- Once the child's user namespace has its maps, trees get them too.
function Trees:map_ids()
  if #self.mapped == 0 then return end
  self.plan:add("parent", "the user namespace whose ids the files shall have",
                "open", ref "child", "user").as = "userns"
  for _, tree in ipairs(self.mapped) do
    local step = self.plan:add("parent", "show " .. (tree.source or "it")
      .. " with the container's ids", "map_tree", ref(tree.as), ref "userns",
      { source = tree.source, alone = tree.alone })
    step.given = tree.optional and tree.as or nil
  end
end

---- in the place to build on, where the child is ----

--- A directory for a mount to stand on.
function Trees:directory(name, mode)
  self.plan:add("child", "for the mounts to stand on", "mkdirat", nil, name,
                mode or "0755")
end

--- Attaches a tree to a directory of its own there.
function Trees:stand(as, label)
  self:directory(as)
  self.plan:add("child", label, "move_mount", ref(as), "", nil, as)
end

--- Mounts an overlay. Names are of the place to build on, so that no name of
-- the caller's has to be spelled among the options.
-- @tparam string at the directory to mount it on
-- @tparam string lower directories, the highest first, joined by colons
-- @tparam string upper
-- @tparam string work
-- @tparam string label
-- @tparam[opt] boolean readonly
function Trees:overlay(at, lower, upper, work, label, readonly)
  self.plan:add("child", label, "mount", "overlay", at, "overlay",
    ("nodev,%slowerdir=%s,upperdir=%s,workdir=%s,userxattr"):format(
      readonly and "ro," or "", lower, upper, work))
end

--- Mounts the layers that take_layers took; the first is the lowest, overlay
-- names it last.
-- @tparam string name theirs
-- @tparam table layered
-- @tparam string at
-- @tparam string label
function Trees:overlay_layers(name, layered, at, label)
  local lower <const>, plan <const> = {}, self.plan
  for i = #layered.layers, 1, -1 do
    local layer = name .. "_" .. i
    self:stand(layer, "layer " .. i)
    lower[#lower + 1] = layer
  end
  local above = name .. (layered.upper and "_kept" or "_above")
  if layered.upper then
    self:stand(above, "the layer that is kept")
  else
    self:directory(above)
  end
  plan:add("child", "the place for what is written", "root", above).as = above
  if self.mapped[above] then
    plan:tell("child", above, "no one out here runs its set-user-id programs",
              "chmod", "/", "0700")
  end
  plan:tell("child", above, "what is written", "mkdir", "/upper")
  plan:tell("child", above, "for the overlay's own use", "mkdir", "/work")
  self:overlay(at, table.concat(lower, ":"), above .. "/upper",
               above .. "/work", label)
end

return Trees

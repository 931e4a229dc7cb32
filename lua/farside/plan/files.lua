--- Steps: the container's files, from the host, a directory or layers.

local ref <const> = require("farside.plan.steps").ref

local M = {}

-- Who takes trees of files: the caller when it is root, since container root
-- may be able to see less; else the child, the one with power over mounts.
local function taker(facts)
  return facts.root and "parent" or "child"
end

-- With a user namespace and real root, files are shown as container root's by
-- an idmapped mount: nothing on disk is changed. Where the host's file system
-- cannot be shown so (an overlay, in a container), its files are nobody's
-- unless the recipe insists.
local function idmapped(recipe, facts)
  if not facts.root or recipe.share.user or recipe.idmap == false then
    return false
  end
  return recipe.idmap or recipe.root or facts.mappable
end

local function take(plan, facts, mapped, as, path, alone)
  plan:add(taker(facts), "take " .. path .. " as a mount of our own",
           "bind_tree", path, { alone = alone, set = { "nodev" } }).as = as
  mapped[#mapped + 1] = { as = as, alone = alone }
end

-- The attributes of a mount that was asked for: devices and set-user-id
-- programs come in by no bind.
local function attributes(mount)
  local set = { "nodev", "nosuid" }
  for _, word in ipairs(mount) do
    if word ~= "rw" and word ~= "nodev" and word ~= "nosuid" then
      set[#set + 1] = word
    end
  end
  return set
end

-- All trees that are needed, opened before anything covers them. Answers those
-- whose ids are to be mapped.
function M.sources(plan, recipe, facts)
  local root, mapped = recipe.root, {}
  if not root and facts.root then
    take(plan, facts, mapped, "files", "/", true)
    for i, mount in ipairs(facts.below) do
      local as = "below" .. i
      plan:add("parent", "and " .. mount.path .. ", to be read", "bind_tree",
          mount.path, { alone = true, set = { "nodev", "ro" } }).as = as
      if mount.mappable then
        mapped[#mapped + 1] = { as = as, alone = true }
      end
    end
  elseif root and root.directory then
    take(plan, facts, mapped, "files", root.directory)
  elseif root then
    for i, layer in ipairs(root.layers) do
      take(plan, facts, mapped, "layer" .. i, layer)
    end
    if root.upper then
      take(plan, facts, mapped, "kept", root.upper)
    end
  end
  for i, mount in ipairs(recipe.mounts or {}) do
    if mount.bind then
      plan:add(taker(facts), "take " .. mount.bind .. " as it is", "bind_tree",
          mount.bind, { set = attributes(mount) }).as = "mount" .. i
    end
  end
  return idmapped(recipe, facts) and mapped or {}
end

-- Once the child's user namespace has its maps, trees get them too.
function M.map_ids(plan, mapped)
  if #mapped == 0 then return end
  plan:add("parent", "the user namespace whose ids the files shall have",
      "open", ref "child", "user").as = "userns"
  for _, tree in ipairs(mapped) do
    plan:add("parent", "show its files as the container's own",
        "mount_setattr", ref(tree.as), "",
        { set = "idmap", userns = ref "userns",
          recursive = not tree.alone })
  end
end

local function overlay(plan, recipe, label, at, lower, upper, work)
  local options = ("lowerdir=%s,upperdir=%s,workdir=%s"):format(lower, upper,
                                                                work)
  if not recipe.share.user then options = options .. ",userxattr" end
  plan:add("child", label, "mount", "overlay", at, "overlay",
           "nodev," .. options)
end

local function directory(plan, name, mode)
  plan:add("child", "for the mounts to stand on", "mkdirat", nil, name,
           mode or "0755")
end

local function opened(plan)
  plan:add("child", "the new root, by descriptor", "root", "root").as = "root"
end

-- The host's files as root sees them: one overlay over a clone of /.
local function host_for_root(plan, recipe, facts)
  for _, name in ipairs { "lower", "upper", "work" } do
    directory(plan, name)
  end
  plan:add("child", "below, the host's files", "move_mount", ref "files", "",
      nil, "lower")
  overlay(plan, recipe, "above, a throw-away layer that is written to",
          "root", "lower", "upper", "work")
  opened(plan)
  for i, mount in ipairs(facts.below) do
    plan:tell("child", "root", "the host's " .. mount.path, "attach",
         ref("below" .. i), mount.path)
  end
end

-- An ordinary user cannot lay an overlay over / itself, whose submounts are
-- locked; over each directory that has none he can.
local function host_for_user(plan, recipe, facts)
  directory(plan, "upper")
  directory(plan, "work")
  plan:add("child", "a root to hang the host's directories in", "mount",
      "tmpfs", "root", "tmpfs", "nosuid,nodev,mode=0755")
  opened(plan)
  for _, entry in ipairs(facts.top) do
    local path = "/" .. entry.name
    if entry.type == "symlink" then
      plan:tell("child", "root", "as on the host", "symlink", entry.target,
           path)
    elseif entry.type ~= "directory" or entry.busy or recipe.readonly or
           entry.name:find "[,:\\]" then
      plan:tell("child", "root", "the host's " .. path .. ", to be read",
           "bind", path, path, "nodev,ro")
    elseif entry.empty then
      plan:tell("child", "root", "there is nothing in it to be seen", "mkdir",
                path)
    else
      local upper, work = "upper" .. path, "work" .. path
      directory(plan, upper, entry.mode)
      directory(plan, work)
      directory(plan, "root" .. path)
      overlay(plan, recipe, "the host's " .. path .. ", writes thrown away",
              "root" .. path, path, upper, work)
    end
  end
end

-- Directories as layers; the first is the lowest, overlay names it last.
local function layered(plan, recipe)
  local lower, root = {}, recipe.root
  for i = #root.layers, 1, -1 do
    local name = "layer" .. i
    directory(plan, name)
    plan:add("child", "layer " .. i, "move_mount", ref(name), "", nil, name)
    lower[#lower + 1] = name
  end
  local above = root.upper and "kept" or "above"
  directory(plan, above)
  if root.upper then
    plan:add("child", "the layer that is kept", "move_mount", ref "kept", "",
        nil, above)
  end
  plan:add("child", "the place for what is written", "root", above
     ).as = "above"
  plan:tell("child", "above", "what is written", "mkdir", "/upper")
  plan:tell("child", "above", "for the overlay's own use", "mkdir", "/work")
  overlay(plan, recipe, "the layers as one", "root",
          table.concat(lower, ":"), above .. "/upper", above .. "/work")
  opened(plan)
end

function M.files(plan, recipe, facts)
  plan:add("child", "modes are as they are asked for", "umask", "0022")
  plan:add("child", "what is mounted here stays here", "mount", nil, "/",
      nil, "rprivate")
  plan:add("child", "a place to build on, in memory", "mount", "tmpfs",
      "/tmp", "tmpfs", "nosuid,nodev,mode=0755")
  plan:add("child", "names from here on are of that place", "chdir", "/tmp")
  directory(plan, "root")
  if recipe.root and recipe.root.directory then
    plan:add("child", "the container's files", "move_mount", ref "files", "",
        nil, "root")
    opened(plan)
  elseif recipe.root then
    layered(plan, recipe)
  else
    (facts.root and host_for_root or host_for_user)(plan, recipe, facts)
  end
end

return M

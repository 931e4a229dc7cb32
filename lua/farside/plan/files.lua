--- Steps: the container's files, from the host, a directory or layers.

local ref <const> = require("farside.plan.steps").ref

local M = {}

-- Whether the root's files are shown with the container's ids. Where the
-- host's file system cannot be shown so (an overlay, in a container), its
-- files are nobody's unless the recipe insists.
local function idmapped(recipe, facts)
  if recipe.idmap ~= nil then return recipe.idmap end
  return recipe.root ~= nil or facts.mappable
end

local function take_host(trees, facts, idmap)
  trees:take("files", "/", { alone = true, set = { "nodev" } }, idmap)
  for i, mount in ipairs(facts.below) do
    trees:take("below" .. i, mount.path, { alone = true,
      set = { "nodev", "ro" } }, idmap and mount.mappable,
      "and " .. mount.path .. ", to be read")
  end
end

--- The root's layers that are archives.
function M.unpack(trees, recipe, facts, uids, gids)
  local root <const> = recipe.root
  if root and root.layers then
    trees:unpack("layer", root, idmapped(recipe, facts), uids, gids)
  end
end

--- All trees of the root, opened before anything covers them.
function M.sources(trees, recipe, facts)
  local root <const>, idmap <const> = recipe.root, idmapped(recipe, facts)
  if root and root.directory then
    trees:take_layer("files", root.directory, idmap)
  elseif root then
    trees:take_layers("layer", root, idmap)
  elseif facts.root then
    take_host(trees, facts, idmap)
  end
end

local function opened(plan)
  plan:add("child", "the new root, by descriptor", "root", "root").as = "root"
end

-- The files of another file system of the host's, to be read. What they have of
-- sockets and pipes leads to the host's services, and is not the same in an
-- overlay.
local function another(plan, trees, as, mount)
  if mount.layered then
    local upper <const>, work <const> = as .. "_upper", as .. "_work"
    trees:stand(as, "below, the host's " .. mount.path)
    trees:directory(upper)
    trees:directory(work)
    as = as .. "_root"
    trees:directory(as)
    trees:overlay(as, as:gsub("_root$", ""), upper, work,
                  "above, nothing: its sockets are not the host's", true)
    plan:add("child", "as a mount to be moved", "open_tree", nil, as).as = as
  end
  plan:tell("child", "root", "the host's " .. mount.path, "attach", ref(as),
            mount.path)
end

-- The host's files as root sees them: one overlay over a clone of /.
local function host_for_root(plan, trees, _, facts)
  trees:stand("files", "below, the host's files")
  trees:directory "upper"
  trees:directory "work"
  trees:overlay("root", "files", "upper", "work",
                "above, a throw-away layer that is written to")
  opened(plan)
  for i, mount in ipairs(facts.below) do
    another(plan, trees, "below" .. i, mount)
  end
end

-- A directory of the host's with a throw-away layer above. What overlay would
-- take for something else in the name goes by a name of ours.
local function overlaid(trees, entry, i)
  local path, lower, key = "/" .. entry.name, "/" .. entry.name, entry.name
  if entry.name:find "[,:\\]" then
    lower, key = "lower" .. i, tostring(i)
    trees.plan:add("child", "take " .. path .. " as a mount of our own",
                   "bind_tree", path, { alone = true }).as = lower
    trees:stand(lower, "it stands under a name without '" ..
                entry.name:match "[,:\\]" .. "'")
  end
  local upper, work = "upper/" .. key, "work/" .. key
  trees:directory(upper, entry.mode)
  trees:directory(work)
  trees:directory("root" .. path)
  trees:overlay("root" .. path, lower, upper, work, "the host's " .. path
                .. ", writes thrown away", trees.recipe.readonly)
end

-- An ordinary user cannot lay an overlay over / itself, whose submounts are
-- locked; over each directory that has none he can.
local function host_for_user(plan, trees, _, facts)
  trees:directory "upper"
  trees:directory "work"
  plan:add("child", "a root to hang the host's directories in", "mount",
      "tmpfs", "root", "tmpfs", "nosuid,nodev,mode=0755")
  opened(plan)
  for i, entry in ipairs(facts.top) do
    local path = "/" .. entry.name
    if entry.type == "symlink" then
      plan:tell("child", "root", "as on the host", "symlink", entry.target,
           path)
    elseif entry.type ~= "directory" or entry.busy then
      plan:tell("child", "root", "the host's " .. path .. ", to be read",
           "bind", path, path, "nodev,ro")
    elseif entry.empty then
      plan:tell("child", "root", "there is nothing in it to be seen", "mkdir",
                path)
    else
      overlaid(trees, entry, i)
    end
  end
end

--- The root, in a place to build on.
function M.files(plan, trees, recipe, facts)
  plan:add("child", "modes are as they are asked for", "umask", "0022")
  plan:add("child", "what is mounted here stays here", "mount", nil, "/",
      nil, "rprivate")
  plan:add("child", "a place to build on, in memory", "mount", "tmpfs",
      "/tmp", "tmpfs", "nosuid,nodev,mode=0755")
  plan:add("child", "names from here on are of that place", "chdir", "/tmp")
  trees:directory "root"
  if recipe.root and recipe.root.directory then
    plan:add("child", "the container's files", "move_mount", ref "files", "",
        nil, "root")
    opened(plan)
  elseif recipe.root then
    trees:overlay_layers("layer", recipe.root, "root", "the layers as one")
    opened(plan)
  else
    (facts.root and host_for_root or host_for_user)(plan, trees, recipe, facts)
  end
end

return M

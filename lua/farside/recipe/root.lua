--- The `root` of a recipe: a directory, layers of which later ones win, or an
-- image, which has layers and says what a container of it runs.

local fields <const> = require "farside.fields"

local M = {}

local function layers(value, where, fail)
  local copy = fields.list(fields.string)(value, where, fail)
  if #copy == 0 then fail(where, "at least one directory expected") end
  return copy
end

local layered <const> = fields.record {
  layers = layers, upper = fields.string, image = fields.string,
}

--- The check of the key: a directory, { layers = { … }, upper = DIR } or
-- { image = "DIR:TAG", upper = DIR }; "/" is the host's files, which is nil.
function M.check(value, where, fail)
  if type(value) == "table" then
    local copy = layered(value, where, fail)
    if copy.layers and copy.image then
      fail(where, "either image or layers expected, not both")
    elseif not copy.layers and not copy.image then
      fail(where .. ".layers", "list of directories expected")
    end
    return copy
  end
  value = fields.string(value, where, fail)
  if value:find "^/+$" then return nil end
  return { directory = value }
end

-- The recipe's words are in place of all of the image's.
local function command(recipe, image)
  if #recipe > 0 then return end
  table.move(image.command, 1, #image.command, 1, recipe)
end

local function environment(recipe, image)
  local env = image.env
  for name, value in pairs(recipe.env or {}) do env[name] = value end
  recipe.env = env
end

-- An image need not have the directory that its command starts in.
local function place(recipe, image)
  if recipe.cwd or not image.cwd then return end
  recipe.cwd = image.cwd
  recipe.mounts = table.move(recipe.mounts or {}, 1, #(recipe.mounts or {}), 2,
                             { { directory = image.cwd } })
end

--- What a recipe is with what its root's image says, where it says nothing
-- itself.
-- @tparam table recipe as it was given
-- @treturn table the same, or a copy
-- @treturn ?table the image
function M.complete(recipe)
  local root <const> = type(recipe) == "table" and recipe.root
  local name <const> = type(root) == "table" and root.image
  if type(name) ~= "string" or name == "" or root.layers then return recipe end
  local image <const> = require("farside.layer.image").read(name)
  local copy = {}
  for key, value in pairs(recipe) do copy[key] = value end
  command(copy, image)
  environment(copy, image)
  place(copy, image)
  copy.user = copy.user or image.user
  return copy, image
end

return M

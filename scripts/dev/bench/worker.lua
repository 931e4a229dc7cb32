--- Makes a container for each byte on standard input and answers with a byte
-- once it has ended: what container.c is in C. With the argument "readonly"
-- nothing in it can be written but on mounts of its own; with "plan" the plan
-- is made once; with a number it has that many binds; with a size, "256M", the
-- worker holds so much memory meanwhile.

local ns <const> = require "farside"

local how = {}
for _, word in ipairs(arg) do how[word] = true end

local recipe = { "/bin/true", readonly = how.readonly }
for _, word in ipairs(arg) do
  if tonumber(word) then
    recipe.mounts = {}
    for i = 1, tonumber(word) do
      recipe.mounts[i] = { bind = "/usr/share", at = "/tmp/" .. i, "ro" }
    end
  end
end
if how.plan then recipe = ns.plan(recipe) end

-- In pieces as programs have them, each with something in it.
local heap = {}
for _, word in ipairs(arg) do
  local megabytes <const> = tonumber(word:match "^(%d+)M$")
  for i = 1, megabytes and megabytes * 64 or 0 do
    heap[i] = ("%d"):format(i):rep(16384):sub(1, 16384)
  end
end

while heap and io.read(1) do -- which keeps it
  assert(ns.run(recipe))
  io.write "\n"
  io.flush()
end

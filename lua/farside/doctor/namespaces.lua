--- Checks: each kind of namespace, in a user namespace as containers have it.

local core <const> = require "farside.core"
local kinds <const> = require "farside.kinds"
local trial <const> = require "farside.doctor.trial"

-- What shows that one is the master in a new namespace.
local uses <const> = {
  mnt = function() core.mount("tmpfs", "/tmp", "tmpfs") end,
  uts = function() core.sethostname "moon" end,
  net = function() core.link.set("lo", { up = true }) end,
}

-- A new one is another one.
local function is_new(kind, own)
  local id = core.readlinkat(nil, "/proc/self/ns/" .. kind)
  if id == own then error("the child is in the same one", 0) end
end

local function limit(kind)
  local file <close> = io.open("/proc/sys/user/max_" .. kind .. "_namespaces")
  local most = file and file:read "n"
  return most and ("at most %d"):format(most)
end

local function check(kind)
  return { name = kind, needed = true, try = function()
    local own = core.readlinkat(nil, "/proc/self/ns/" .. kind)
    local list = kind == "user" and {} or { kind }
    if kind == "time" then list.boottime = "1d" end
    trial.within(list, function()
      is_new(kind, own)
      if uses[kind] then uses[kind]() end
    end)
    return limit(kind)
  end }
end

return function()
  local checks = { check "user" }
  for _, kind in ipairs(kinds) do
    if kind ~= "user" then checks[#checks + 1] = check(kind) end
  end
  return checks
end

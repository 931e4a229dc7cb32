--- Checks: the programs of others that are used when they are there.

local program <const> = require "farside.program"
local trial <const> = require "farside.doctor.trial"

-- name, the package that has it (Debian's word), and what for.
local helpers <const> = {
  { "tar", "tar", "images and layers" },
  { "nft", "nftables", "published ports and address translation" },
  { "pasta", "passt", "networks of ordinary users" },
  { "ip", "iproute2", "names of `ip netns`" },
}

-- It runs, and says which version it is; ip has a word of its own for that.
local function runs(name)
  local flag <const> = name == "ip" and "-V" or "--version"
  local ok, printed, said = program.run({ name, flag }, "", "5s")
  if not ok then
    error(("%s %s: %s"):format(name, flag, said ~= "" and said or "failed"), 0)
  end
  local line <const> = printed:match "^[^\n]*"
  return line:match "%d+%.[%d.]*%d" or "no version is told"
end

-- Set-user-id, or with the capability in its file.
local function maps(name)
  local path <const> = "/usr/bin/" .. name
  if not program.find(name) then
    trial.no("it is not there", "Debian has it in the package uidmap")
  end
  if require("farside.hint.system").setuid(path) == false then
    trial.no(path .. " is neither set-uid nor has file capabilities",
      "install the package again (Debian: uidmap)")
  end
end

local function nft()
  trial.within({ "net" }, function()
    local ok, _, said = program.run({ "nft", "add table inet farside" }, "",
      "5s")
    if not ok then error("nft add table: " .. said, 0) end
  end)
end

return function()
  local checks = {}
  for _, name in ipairs { "newuidmap", "newgidmap" } do
    checks[#checks + 1] = { name = name, try = function()
      maps(name)
      return "for ranges of ids"
    end }
  end
  for _, helper in ipairs(helpers) do
    local name <const>, package <const>, what <const> = table.unpack(helper)
    checks[#checks + 1] = { name = name,
      remedy = ("for %s: Debian has it in the package %s"):format(what,
        package),
      try = function()
        return ("for %s (%s)"):format(what, runs(name))
      end }
  end
  checks[#checks + 1] = { name = "nft in a user namespace",
    remedy = "nft must be there (Debian: nftables), and the kernel's module "
      .. "nf_tables: have root run modprobe nf_tables", try = nft }
  return checks
end

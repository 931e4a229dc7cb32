--- `farside within.lua DIRECTORY COMMAND…` runs the command where the host's
-- files are seen in DIRECTORY/root, too, as crun, runc and systemd-nspawn want
-- them, and where there is but one kind of control groups, which crun insists
-- on. That is so in a mount namespace of the command's own.

local ns <const> = require "farside"

local directory <const> = arg[1]
local groups <const> = "/sys/fs/cgroup"

ns.unshare "mount"
ns.mount(nil, "/", nil, "rprivate")
ns.mount("/", directory .. "/root", nil, "bind")
if pcall(ns.fstatat, nil, groups .. "/unified") then
  ns.mount(groups .. "/unified", groups, nil, "bind")
end
ns.exec { table.unpack(arg, 2) }

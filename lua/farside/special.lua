--- What the kernel has special: devices by their numbers, and file systems in
-- which some paths matter more than others.

local M = {}

-- The harmless devices, each { major, minor }.
M.devices = {
  null = { 1, 3 }, zero = { 1, 5 }, full = { 1, 7 },
  random = { 1, 8 }, urandom = { 1, 9 }, tty = { 5, 0 },
}

-- What has parts to be masked is mounted where its path says and nowhere else:
-- a link could lead the masks astray.
M.no_links = { proc = true, sysfs = true }

return M

--- Targets that read texts: maps, options, what /proc and files of users say,
-- units, addresses. A target has `run`, called with the bytes and with judge's
-- `try`; `seeds`, inputs to start from; `words`, of which the fuzzer makes
-- more.

local core <const> = require "farside.core"

local M = {}

local openat2 <const> = core.openat2

-- A file with this text, open for reading.
local function memory_with(text)
  local memory <close> = core.memfd_create "fuzz"
  core.write(memory, text)
  return openat2(nil, "/proc/self/fd/" .. memory:fileno(), "rdonly")
end

-- Has a function run while every file that it opens has this text.
local function with_file(text, fn)
  local open <const> = io.open
  rawset(io, "open", function()
    local file <const> = assert(io.tmpfile())
    file:write(text)
    file:seek "set"
    return file
  end)
  core.openat2 = function() return memory_with(text) end
  local ok <const>, err = pcall(fn)
  rawset(io, "open", open)
  core.openat2 = openat2
  if not ok then error(err, 0) end
end

local function same(a, b, what)
  if a ~= b then error(("%s: %q became %q"):format(what, a, b), 0) end
end

---- maps ----

local idmap <const> = require "farside.idmap"

M.map = {
  seeds = { "0:100000:65536", "0 1000 1\n1 100000 65536\n",
            "0:0:1,1:1:4294967294" },
  words = { ":", ",", "4294967295", "4294967294", "\n", " " },
  run = function(bytes, try)
    local ok <const>, map = try(idmap.parse, bytes)
    if not ok then return end
    local text <const> = idmap.format(map)
    same(text, idmap.format(idmap.parse(text)), "a map")
  end,
}

---- mount options ----

local ns <const> = require "farside"
local options <const> = require "farside.options"
local container_options <const> = require "farside.container_options"

-- What mount(2) would get, and what the words of mount_setattr make. No mount
-- is made: the fuzzer's own mount(2) refuses, and nothing is at that place.
M.mount = {
  seeds = { "tmpfs\0nosuid,nodev,size=16M", "\0bind,ro", "\0rslave",
            "\0remount,bind,ro,noatime", "overlay\0lowerdir=a\\,b,upperdir=c" },
  words = { "nosuid", "rprivate", "make-rslave", "remount", "rbind", "move",
            "strictatime", "lazytime", "silent", "\\,", "=" },
  run = function(bytes, try)
    local fstype <const>, words = bytes:match "^([^\0]*)\0?(.*)$"
    local place <const> = "/proc/self/none"
    try(ns.mount, "none", place, fstype, words)
    try(ns.mount, nil, place, nil, words)
    local list = {}
    for word in words:gmatch "[^,]+" do list[#list + 1] = word end
    try(core.mount_setattr, nil, place, { set = list })
  end,
}

-- Words of `farside run`, one a line, up to the recipe that they make.
M.options = {
  seeds = { "--bind\n/a:/b:ro\n--\n/bin/true",
            "--network=bridge=br0,address=10.7.0.2/24\n--publish\n8080:80\nsh",
            "--seccomp\ndeny:chmod\n--landlock=ro:/usr\n--limits\nmemory=1G",
            "--overlay=/a:/b:/c:upper=u\n--tmpfs\n/t:size=1M\n--env=A=b" },
  words = { "--bind", "--tmpfs", "--overlay", "--mount", "--network", "--env",
            "--publish", "--seccomp", "--landlock", "--limits", "--rlimits",
            "--uid-map", "--share", "--keep", "--symlink", "--device", "--dir",
            "--user", "--groups", "--capabilities", "--no-mask", "--" },
  run = function(bytes, try)
    local words = {}
    for word in bytes:gmatch "[^\n]+" do
      if word:find "^%-%-file" or word:find "image" then return end
      words[#words + 1] = word
    end
    try(function()
      local values, rest = options.parse("run", container_options.specs, words)
      local recipe <const> = container_options.fill("run", values, {})
      table.move(rest, 1, #rest, 1, recipe)
      return require("farside.recipe").check("run", recipe)
    end)
  end,
}

---- files of the system ----

local mountinfo <const> = require "farside.mountinfo"

local one_mount <const> = "36 35 98:0 /a\\040b /mnt rw,size=16m "
  .. "shared:1 master:2 - ext3 /dev/root rw,errors=continue\n"

-- What /proc/PID/mountinfo and /proc/PID/cgroup say.
local function read_mounts(bytes, try)
  local cgroup <const> = require "farside.cgroup"
  try(mountinfo.mountinfo, "\n" .. bytes)
  with_file(bytes, function()
    try(mountinfo.points)
    try(cgroup.own)
  end)
  try(cgroup.locate, bytes, mountinfo.mountinfo(one_mount .. bytes))
end

-- The files of a root that nobody trusts.
local function root_with(text)
  return { open = function() return memory_with(text) end }
end

-- /etc/passwd, /etc/group and /etc/subuid, the machine's and a container's.
local function read_users(bytes, try)
  local subid <const>, users <const>, account <const> =
    require "farside.subid", require "farside.users", require "farside.account"
  with_file(bytes, function()
    try(subid.all, "uid")
    try(subid.granted, "gid")
    try(users.find, "ada")
    try(users.names)
  end)
  local root <const> = root_with(bytes)
  try(account.find, root, "ada", "wheel", { "wheel", 7 })
  try(account.find, root, 1000)
end

M.proc = {
  seeds = { one_mount, "1 1 0:1 / / rw - tmpfs  rw\n", "0 100000 65536\n",
            "1 (a) b) S 0 1 1 0 -1 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18\n",
            "0::/a.slice/b\n",
            "ada:x:1000:1000:Ada:/home/ada:/bin/sh\nwheel:x:10:ada,root\n",
            "ada:100000:65536\n1000:165536:65536\n",
            "eve:x:99999999999999999999:0:::\nroot:99999999999999999999:1" },
  words = { " - ", "\\040", "\\134", "shared:", "master:", "\n", "nsfs", ":",
            "cgroup2", "4294967296", "x:", ") ", "root", "0::/" },
  run = function(bytes, try)
    read_mounts(bytes, try)
    read_users(bytes, try)
    with_file(bytes, function()
      try(idmap.read_uid_map)
      try(require("farside.registry").identity, "self")
    end)
  end,
}

---- units ----

local address <const> = require "farside.network.address"
local topology <const> = require "farside.lab.topology"
local lab <const> = require "farside.lab.options"

local resources <const> = require "farside.recipe.resources"

local function fail(at, format, ...)
  error({ usage = at .. ": " .. format:format(...) }, 0)
end

local unit_checks <const> = {
  require("farside.network.keys").publication, lab.time, resources.affinity,
  resources.timeout,
  function(value) return resources.limits({ memory = value }, "key", fail) end,
  function(value) return resources.rlimits({ nofile = value }, "key", fail) end,
}
for _, check in pairs(lab.shape) do unit_checks[#unit_checks + 1] = check end

M.units = {
  seeds = { "256M", "5ms", "1.5h", "10.0.0.1/24", "fd00::1/64", "8080:80/udp",
            "127.0.0.1:8080-8090:80", "0-3,6", "10mbit", "1.5%", "0x10",
            "2001:db8::ff00:42:8329", "::ffff:1.2.3.4/128", "-30d" },
  words = { "ms", "us", "d", "h", "K", "M", "G", "kbit", "%", "/", "::", "." },
  run = function(bytes, try)
    for _, check in ipairs(unit_checks) do try(check, bytes, "key", fail) end
    try(core.duration, bytes)
    try(topology.address, bytes)
    local ok <const>, found = try(address.parse, bytes)
    if not ok or not found then return end
    same(tostring(found), tostring(address.parse(tostring(found))),
         "an address")
    if found.length then
      try(found.subnet, found)
      try(found.host, found, 7)
      try(found.capacity, found)
      try(found.near, found, address.parse "10.0.0.1")
    end
    try(found.mac, found)
  end,
}

---- values of others ----

local serial <const> = require "farside.serial"

-- What comes back from a child, and what is kept of a container.
M.serial = {
  seeds = { serial.encode(1, "two", { 3, four = 0.5 }, nil, true),
            serial.encode { version = 1, name = "db", argv = { "a" } } },
  words = { "far1", "\1\0\0\0" },
  run = function(bytes, try)
    local decoded
    local ok = try(function()
      decoded = table.pack(serial.decode(bytes))
    end)
    if not ok then return end
    local again <const> = serial.encode(table.unpack(decoded, 1, decoded.n))
    serial.decode(again)
    for i = 1, decoded.n do try(tostring, decoded[i]) end
  end,
}

return M

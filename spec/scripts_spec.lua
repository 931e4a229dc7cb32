-- The recipes in scripts/: each asserts what it claims and fails otherwise;
-- here each is run by those who may run it, and must say the words.

local t = require "spec.helper"
local lfs = require "lfs"

local driver <const> = t.build .. "/farside"

-- What a recipe needs, and lines that it must print.
local recipes <const> = {
  hello = { needs = { "filesystem overlay", "namespace time" }, {
    "who am I%? +%w+ +root", "on which machine%? +%S+ +moon",
    "which process am I%? +%d+ +2", "networks%? .* lo\n",
    "a file /moon%? +none +silver",
  } },
  pid = { {
    "number of one process +%d+ +1\n", "TERM to PID 1: timeout; KILL: signal 9",
    "orphan %d+ was left to process 1",
  } },
  net = { needs = { "perl", "bash" }, {
    "address +10.7.0.2 +10.7.0.3",
    "asks red +here is red +here is red +here is red",
    "asks blue +here is blue +here is blue +here is blue",
  } },
  mnt = { needs = { "filesystem overlay" }, {
    "both, as one +mars=red moon=silver", "as it was +mars=red moon=grey",
    "all the files in / +comet=new moon=silver",
  } },
  uts = { { "after sethostname +%S+ +moon" } },
  ipc = { needs = { "ipcmk" }, { "after ipcmk %-Q inside +.+ %-?%d+\n" } },
  user = { {
    "my user id +0\n", "rename this machine +EPERM",
    "rename one of my own +moon", "its file belongs to +[1-9]%d*\n",
  } },
  cgroup = { { "the child +/%S* +/\n", "its parent +/%S* +/" } },
  time = { needs = { "namespace time" }, { "days running +%d+%.%d+ +3" } },
  tour = { needs = { "namespace time", "filesystem overlay" }, {
    "on which machine%? +%S+ +moon", "root of moon, process 2",
    "Welcome to tranquility",
  } },
  ["lab/switch"] = { {
    "sw  switch\n├─ h1  10.0.0.1/24\n└─ h2  10.0.0.2/24\n",
    "here is h1, which knows of: h1 h2\n", "2 sent, 2 received, 0 lost",
    "port h2  is UP\n",
  } },
  ["lab/routers"] = { {
    "from h1 to h2:\t[%d.]+\tms\n", "r2:\t10.2.0.0/24\tby 10.0.23.3\n",
    "without the route:\tnetwork unreachable\n",
  } },
  ["lab/tree"] = { {
    "lab %(211 nodes, 210 links%)\n", "39800 sent, 39800 received, 0 lost",
  } },
  ["lab/dumbbell"] = { needs = { "qdisc netem" }, {
    "├─ right  switch  %(10ms loss 20%%%)\n", "on the same side +0.%d+ ms",
    "over the line +2%d.%d+ ms, +[2-5]%d %% lost",
    "slow in one direction +3%d.%d+ ms, +0 %% lost", "mended +0.%d+ ms",
  } },
  ["lab/nat"] = { needs = { "nft" }, {
    "as it is:\tno answer\n", "h2 to web, hidden: [%d.]+ ms\n",
    "packets that were hidden:\t2\n",
  } },
}

local names <const> = {}
for _, place in ipairs { "", "lab/" } do
  for file in lfs.dir("scripts/" .. place) do
    local name <const> = file:match "^(%w+)%.lua$"
    names[#names + 1] = name and place .. name
  end
end
table.sort(names)

local function run(command)
  local pipe <const> = io.popen(command .. " 2>&1")
  local text <const> = pipe:read "a"
  return text, pipe:close()
end

-- Runs a recipe by a command, and looks for its lines.
local function tells(name, command)
  t.needs("userns", table.unpack(recipes[name].needs or {}))
  local text <const>, ok <const> = run(command .. " scripts/" .. name .. ".lua")
  assert(ok, text)
  for _, line in ipairs(recipes[name][1]) do
    assert.matches(line, text)
  end
end

-- The driver as run by another user than root, who can read the build or not.
local function somebody()
  local command <const> =
    "setpriv --reuid 54321 --regid 54321 --clear-groups "
  t.needs "setpriv"
  if not os.execute(command .. "sh -c 'cd \"$PWD\" && " .. driver
                    .. " -e \"\"' 2>/dev/null") then
    pending "another user cannot read the build"
  end
  return command .. driver
end

describe("each recipe", function()
  it("has its claims checked here", function()
    for _, name in ipairs(names) do assert.is_table(recipes[name], name) end
  end)

  it("is a program for anybody who has farside", function()
    for _, name in ipairs(names) do
      local path = "scripts/" .. name .. ".lua"
      local file <close> = assert(io.open(path))
      assert.equal("#!/usr/bin/env farside", file:read())
      assert.matches("x..x..x$", lfs.attributes(path, "permissions"))
    end
  end)

  it("can be read in one breath", function()
    for _, name in ipairs(names) do
      local count = 0
      for _ in io.lines("scripts/" .. name .. ".lua") do count = count + 1 end
      assert(count <= 60, name)
    end
  end)

  -- Those of a starter that runs are somebody else's, who works here too.
  local function left_groups()
    local left <const> = {}
    for path, starter in run("find /sys/fs/cgroup -maxdepth 2 -name "
      .. "'farside-*'"):gmatch "(%S*farside%-(%d+)%S*)" do
      left[path] = not lfs.attributes("/proc/" .. starter) or nil
    end
    return left
  end

  it("leaves nothing where it has been", function()
    local before <const> = left_groups()
    for _, name in ipairs(names) do
      run(driver .. " scripts/" .. name .. ".lua")
    end
    for _, path in ipairs { "/moon", "/comet", "/mnt/low" } do
      assert.is_nil(lfs.attributes(path))
    end
    for path in pairs(left_groups()) do assert.is_true(before[path], path) end
  end)
end)

for _, name in ipairs(names) do
  describe("recipe " .. name, function()
    it("shows what it claims", function() tells(name, driver) end)

    if t.has "root" then
      it("does so for an ordinary user as well", function()
        tells(name, somebody())
      end)
    end

    it("does so under plain lua", function()
      if t.build:find "sanitize" then
        pending "lua5.4 has no sanitizers inside"
      end
      tells(name, ("LUA_PATH='lua/?.lua;lua/?/init.lua;;' "
        .. "LUA_CPATH='%s/lib/?.so;;' lua5.4"):format(t.build))
    end)
  end)
end

--- User-mode networking: a program that speaks for the container from the
-- caller's network namespace, by ordinary sockets. It is pasta, or where that
-- is not installed slirp4netns, which publishes no ports.
--
-- A keeper, a process of ours in a session of its own, starts the program and
-- sees to it that it ends with the container: some versions would not, and a
-- signal for the death of the driver is lost when the program takes on the
-- container's user namespace. The keeper waits for the container's first
-- process, so a driver that is killed makes no difference.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local fields <const> = require "farside.fields"
local keys <const> = require "farside.network.keys"
local program <const> = require "farside.program"

local M = {}

local PATIENCE <const> = "10s" -- for the program to be ready
local most <const> = 4096      -- bytes of a message

--- Where the container finds the name server of the host, when that listens
-- at a loopback address: both programs pass on what is sent there.
M.nameserver = { pasta = "169.254.1.1", slirp4netns = "10.0.2.3" }

---- command lines ----

-- Published ports as pasta wants them: "127.0.0.1/8080-8090:80-90".
local function forwards(args, option, entries, protocol)
  local none = true
  for _, entry in ipairs(entries) do
    if entry.protocol == protocol then
      local last = entry.count - 1
      local at = entry.at and entry.at:ip() .. "/" or ""
      local ports = ("%d:%d"):format(entry.port, entry.target)
      if last > 0 then
        ports = ("%d-%d:%d-%d"):format(entry.port, entry.port + last,
                                       entry.target, entry.target + last)
      end
      args[#args + 1], args[#args + 2] = option, at .. ports
      none = false
    end
  end
  if none then args[#args + 1], args[#args + 2] = option, "none" end
end

local commands <const> = {}

-- Nothing of the host's loopback leads in, and nothing inside leads to it,
-- but for what is published. It says its PID when all is done.
function commands.pasta(pid, want)
  local args = { "pasta", "--quiet", "--foreground", "--config-net",
                 "--no-map-gw", "--dns-forward", M.nameserver.pasta,
                 "--ns-ifname", want.name, "--pid", "/proc/self/fd/1" }
  if core.geteuid() == 0 then
    -- as nobody, which it would become, it could not enter
    table.move({ "--runas", "0:0" }, 1, 2, #args + 1, args)
  end
  if want.mtu then
    table.move({ "--mtu", tostring(want.mtu) }, 1, 2, #args + 1, args)
  end
  local entries <const> = want.publish or {}
  forwards(args, "--tcp-ports", entries, "tcp")
  forwards(args, "--udp-ports", entries, "udp")
  table.move({ "--tcp-ns", "none", "--udp-ns", "none", tostring(pid) }, 1, 5,
             #args + 1, args)
  return args
end

function commands.slirp4netns(pid, want)
  return { "slirp4netns", "--configure", "--disable-host-loopback",
           "--mtu=" .. (want.mtu or 65520), "--ready-fd=1", tostring(pid),
           want.name }
end

-- Which of the two.
local function choose(want)
  if program.find "pasta" or not program.find "slirp4netns" then
    return "pasta"
  elseif want.publish and #want.publish > 0 then
    errors.usage("network.user: to publish ports pasta is needed, and only "
      .. "slirp4netns is installed: Debian has pasta in the package passt")
  end
  return "slirp4netns"
end

---- the keeper ----

-- What the program said of a failure, on one line.
local function complaint(said)
  local size <const> = core.fstatat(said, "").size
  local text = size > 0 and core.read(said, math.min(size, most), 0) or ""
  local line = text:gsub("Failed to send %d+ bytes to syslog\n", "")
                   :gsub("%s+$", ""):gsub("%s*\n%s*", "; ")
  return line ~= "" and line or "it ended without a word"
end

-- Starts the program and waits until it is ready: answers its process, or nil
-- and what is wrong.
local function start(command)
  local said <close> = core.memfd_create "errors"
  local ready <close>, writer = core.pipe()
  command.stdout, command.stderr = writer, said
  local ok, process = pcall(program.start, command)
  writer:close()
  if not ok then return nil, tostring(process) end
  if #core.poll({ ready }, PATIENCE) == 0 then
    process:close()
    return nil, "it was not ready after " .. PATIENCE
  elseif core.read(ready, 64) == nil then
    process:close()
    return nil, complaint(said)
  end
  return process
end

-- Only the numbers given stay open; nothing may close one of them again.
local function keep_open(...)
  local numbers = {}
  for i, fd in ipairs { ... } do numbers[i] = fd:fileno() end
  table.sort(numbers)
  collectgarbage "stop"
  local next_number = 3
  for _, number in ipairs(numbers) do
    if number > next_number then core.close_range(next_number, number - 1) end
    next_number = math.max(next_number, number + 1)
  end
  core.close_range(next_number)
end

-- The standard streams of the caller are not the keeper's to hold open.
local function let_go()
  local null <close> = core.openat2(nil, "/dev/null", "rdwr")
  for number = 0, 2 do core.dup(null, number) end
end

-- Waits for the container's end, the program's, or a message to end. A driver
-- that has gone is no reason.
local function watch(target, process, channel)
  local list = { target, process, channel }
  while true do
    for _, ready in ipairs((core.poll(list))) do
      if ready ~= channel or core.recvmsg(channel, 1) then return end
      list[3] = nil
    end
  end
end

local function keep(target, command, channel)
  core.setsid()
  core.sigprocmask("block", "all")
  let_go()
  keep_open(target, channel)
  local process <close>, wrong = start(command)
  core.sendmsg(channel, process and "+" or wrong)
  if process then watch(target, process, channel) end
end

---- the container's side of it ----

local User = {}
User.__index = User

local user_fields <const> = fields.record {
  name = fields.string, mtu = fields.integer,
  publish = fields.list(keys.publication),
}

local function failed(call, reason)
  error(errors.remake { call = call, reason = reason }, 0)
end

-- The program's own words come too late to say what is missing.
local function check_tun(call)
  local path <const> = "/dev/net/tun"
  if core.faccessat(nil, path, "read,write") then return end
  local there <const> = pcall(core.fstatat, nil, path)
  core.raise(there and core.errno.EACCES or core.errno.ENOENT, call, path)
end

--- Starts the program for a process.
-- @param target a process object or container
-- @tparam table want `name` inside, `mtu`, `publish` (a list of "8080:80")
-- @treturn User to be closed
-- @raise ENOENT without one of the programs; EACCES for /dev/net/tun; what the
-- program says
function M.start(target, want)
  want = fields.check("network.user", user_fields, want)
  local name <const> = choose(want)
  if not program.find(name) then core.raise(core.errno.ENOENT, name) end
  check_tun(name)
  local mine, channel = core.socketpair "seqpacket"
  local command <const> = commands[name](target.pid, want)
  local keeper <const> = core.clone({}, function()
    mine:close()
    keep(target, command, channel)
  end)
  channel:close()
  local message = core.recvmsg(mine, most)
  if message ~= "+" then
    mine:close()
    keeper:wait()
    failed(name, message or "its keeper ended early")
  end
  return setmetatable({ program = name, keeper = keeper, channel = mine },
                      User)
end

--- Ends the program.
function User:close()
  if not self.keeper then return end
  local keeper <const> = self.keeper
  self.keeper = nil
  pcall(core.sendmsg, self.channel, "-") -- EPIPE: it has ended with the other
  self.channel:close()
  keeper:wait()
end

User.__close = User.close

function User:__tostring() return self.program end

return M

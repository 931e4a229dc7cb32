--- Checks: what keeps a program in its place.

local core <const> = require "farside.core"
local trial <const> = require "farside.doctor.trial"

local function no_new_privs()
  trial.child({}, function() core.prctl("no_new_privs", true) end)
end

local function capabilities()
  trial.within({}, function()
    core.capability.keep "net_bind_service"
  end)
end

local function keyring()
  trial.child({}, function() core.keyctl "join_session_keyring" end)
end

-- A filter that refuses one call, and shows it.
local function seccomp()
  trial.child({}, function()
    core.prctl("no_new_privs", true)
    core.seccomp.install(core.seccomp.compile("allow", {
      { "EXDEV", "sethostname" },
    }))
    local ok, err = pcall(core.sethostname, "moon")
    if ok or err.code ~= "EXDEV" then error("it does not filter", 0) end
  end)
end

local function landlock()
  return ("version %d"):format(core.landlock_abi())
end

local function terminal()
  local master, slave = core.tty.open()
  slave:close()
  master:close()
end

local function descriptors()
  local soft, hard = core.getrlimit "nofile"
  return ("%s, can be raised to %s"):format(soft, hard)
end

return function()
  return {
    { name = "no new privileges", needed = true, try = no_new_privs },
    { name = "fewer capabilities", needed = true, try = capabilities },
    { name = "keys of its own", needed = true, try = keyring,
      remedy = "the kernel needs CONFIG_KEYS, or a filter refuses keyctl" },
    { name = "filters of system calls", try = seccomp,
      remedy = "the kernel needs CONFIG_SECCOMP_FILTER" },
    { name = "filters that ask a program", try = function()
      core.seccomp_action "user_notif"
    end, remedy = "Linux 5.0 or later has them" },
    { name = "Landlock", try = landlock, remedy = "the kernel needs "
      .. "CONFIG_SECURITY_LANDLOCK, and landlock in lsm= at boot" },
    { name = "terminals of its own", try = terminal,
      remedy = "mount devpts on /dev/pts, and have /dev/ptmx" },
    { name = "files open at once", try = descriptors },
  }
end

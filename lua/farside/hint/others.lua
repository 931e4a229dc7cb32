--- Why what is neither a namespace nor a mount failed: devices, programs,
-- links, sockets.

local M = {}

local function row(calls, codes, check)
  M[#M + 1] = { calls = calls, codes = codes, check = check }
end

row("mknodat", "EPERM", function(_, sys)
  if sys:in_userns() then
    return "device nodes cannot be made in a user namespace: bind the "
        .. "host's node"
  end
end)

-- What changes a network namespace.
row("link.add link.set link.delete address.add address.replace address.delete "
  .. "route.add route.replace route.append route.delete", "EPERM",
function(_, sys)
  if sys.foreign "net" then
    return "the net namespace belongs to an outer user namespace: add \"net\""
  elseif not sys.capable "net_admin" then
    return "the network needs CAP_NET_ADMIN: unshare \"user\" and \"net\" first"
  end
end)

-- The interpreter that a script asks for.
local function interpreter(text)
  return text and text:match "^#![ \t]*([^ \t\n]+)"
end

row("execve posix_spawn", "ENOENT", function(err, sys)
  local text = err.path and sys.read(err.path)
  local program = interpreter(text)
  if program and not sys.owner(program) then
    return ("the script is there, its interpreter %s is not"):format(program)
  elseif text and text:sub(1, 4) == "\127ELF" then
    return "the program is there; the loader or interpreter that it names is "
        .. "not: it needs its libraries in this root"
  end
end)

row("execve posix_spawn", "EACCES", function(err, sys)
  local mount = err.path and err.path:sub(1, 1) == "/" and
                sys:mount_of(err.path)
  if mount and mount.options.noexec then
    return ("the mount %s is noexec"):format(mount.target)
  end
end)

row("seccomp.install", "EACCES", function(_, sys)
  if not sys.capable "sys_admin" then
    return "it needs no_new_privs, or CAP_SYS_ADMIN: prctl(\"no_new_privs\", "
        .. "true) before it"
  end
end)

row("setrlimit prlimit", "EPERM", function(_, sys)
  return "the hard limit is raised by who has CAP_SYS_RESOURCE in the first "
      .. "user namespace alone" .. (sys.ids() == 0 and not sys:in_userns()
      and ", which root has not got here" or "")
end)

row("setpriority nice", "EACCES EPERM", function(_, sys)
  if not sys.capable "sys_nice" or sys:in_userns() then
    return "a nice value is lowered by who has CAP_SYS_NICE in the first user "
        .. "namespace, or within the limit `nice`"
  end
end)

row("sched_setaffinity", "EINVAL", function(_, sys)
  local online = sys.read "/sys/devices/system/cpu/online"
  return online and ("the processors of this machine are %s, and the cgroup "
    .. "may have fewer"):format((online:gsub("%s+$", "")))
end)

row("write_oom_score_adj", "EACCES", function()
  return "it is lowered by who has CAP_SYS_RESOURCE in the first user "
      .. "namespace alone"
end)

row("confine", "EOPNOTSUPP", function(err)
  if err.landlock then
    return "`optional = true` does without what the kernel does not know"
  end
end)

row("confine", "EOPNOTSUPP ENOSYS", function()
  return "this kernel has no Landlock, or it is not among the lsm= that it was "
      .. "started with; `optional = true` does without"
end)

row("keyctl", "EDQUOT", function(_, sys)
  local most = sys:number "/proc/sys/kernel/keys/maxkeys"
  return most and ("kernel.keys.maxkeys allows %d for each user, and each "
    .. "container of one's own session has one"):format(most)
end)

-- A program's own sockets report through `raise`, with the port in `port`.
row("bind", "EACCES", function(err, sys)
  local first = sys:number "/proc/sys/net/ipv4/ip_unprivileged_port_start"
  if err.port and first and err.port < first and sys.foreign "net" then
    return ("ports below %d need CAP_NET_BIND_SERVICE, and the net namespace "
        .. "belongs to an outer user namespace: add \"net\""):format(first)
  end
end)

row("connect sendto", "ENETUNREACH", function(_, sys)
  if sys.up "lo" == false then
    return "lo is down, as in every new net namespace: link.set(\"lo\", "
        .. "{ up = true })"
  end
end)

return M

--- Why a namespace could not be made or joined.

local M = {}

local function row(calls, codes, check)
  M[#M + 1] = { calls = calls, codes = codes, check = check }
end

-- What of a list a call was about, as a set.
local function wanted(err)
  local set = {}
  for _, word in ipairs(err.namespaces or {}) do set[word] = true end
  return set
end

local apparmor <const> =
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"

local remedy <const> = "give the program a profile with \"userns,\", or set "
    .. "kernel.apparmor_restrict_unprivileged_userns to 0"

row("*", "EPERM EACCES", function(_, sys)
  local label = sys.read "/proc/self/attr/current" or ""
  if sys:number(apparmor) == 1 and label:find "unprivileged_userns" then
    return "AppArmor's profile unprivileged_userns takes all capabilities in "
        .. "this user namespace: " .. remedy
  end
end)

-- Ordered as the kernel checks.
local user_refused <const> = {
  function(_, sys)
    if sys:number "/proc/sys/kernel/unprivileged_userns_clone" == 0 and
       not sys.capable "sys_admin" then
      return "kernel.unprivileged_userns_clone is 0, which keeps user "
          .. "namespaces to root: set it to 1"
    end
  end,
  function(_, sys)
    if sys.mounted "/" == false then
      return "in a chroot no user namespace can be made: use pivot_root "
          .. "instead of chroot"
    end
  end,
  function(_, sys)
    local uid, gid = sys.ids()
    local which = sys:mapped("uid", uid) == false and "uid" or
                  sys:mapped("gid", gid) == false and "gid"
    if which then
      return ("%s %d is not mapped in this user namespace: write its %s_map "
          .. "first"):format(which, which == "uid" and uid or gid, which)
    end
  end,
  function(err, sys)
    if sys:number(apparmor) == 1 and sys.ids() ~= 0 and
       #(err.namespaces or {}) > 1 then
      return "AppArmor restricts user namespaces of ordinary users here: "
          .. remedy
    end
  end,
  function(_, sys)
    if sys:status "Seccomp" == "2" then
      return "a seccomp filter is active, which may refuse it, as those of "
          .. "container engines do: allow unshare, clone and setns there"
    end
  end,
}

row("unshare clone", "EPERM", function(err, sys)
  if not wanted(err).user then return nil end
  for _, check in ipairs(user_refused) do
    local advice = check(err, sys)
    if advice then return advice end
  end
end)

row("clone", "ENOSYS", function(_, sys)
  if sys:status "Seccomp" == "2" then
    return "a seccomp filter is active and hides clone3, as those of container "
        .. "engines do: allow clone3 there"
  end
end)

-- Capabilities go at an exec of who is not uid 0 inside.
local function lost(sys)
  return sys:in_userns() and tonumber(sys:status "CapEff" or "1", 16) == 0
         and sys.ids() ~= 0
end

row("*", "EPERM", function(err, sys)
  if err.call ~= "clone" and err.call ~= "unshare" and lost(sys) then
    return ("as uid %d, which is not 0 in this user namespace, capabilities "
        .. "end at an exec: map uid 0 before it"):format((sys.ids()))
  end
end)

row("unshare clone", "EPERM", function(err, sys)
  if not wanted(err).user and not sys.capable "sys_admin" then
    return ("%s needs CAP_SYS_ADMIN: add \"user\""):format(
      table.concat(err.namespaces, ","))
  end
end)

row("new", "EPERM", function(err, sys)
  if not wanted(err).user and not sys.capable "sys_admin" then
    return ("it needs CAP_SYS_ADMIN: have a user namespace own it, as in "
        .. "ns.new(\"%s\", { user = ns.new \"user\" })"):format(err.detail)
  end
end)

row("setns", "EPERM", function(err, sys)
  if not wanted(err).user and not sys.capable "sys_admin" then
    return "joining needs CAP_SYS_ADMIN in the user namespace that owns the "
        .. "namespace: join that first, with \"user\""
  end
end)

row("unshare clone", "EACCES", function(err, sys)
  if wanted(err).user and sys:number "/sys/fs/selinux/enforce" == 1 then
    return "SELinux is enforcing and may deny user_namespace create: see "
        .. "ausearch -m avc"
  end
end)

row("unshare clone", "ENOSPC EUSERS", function(err, sys)
  for _, kind in ipairs(err.namespaces or {}) do
    local limit = sys:number("/proc/sys/user/max_" .. kind .. "_namespaces")
    if limit == 0 then
      return ("user.max_%s_namespaces is 0: raise it"):format(kind)
    end
  end
  local nests = wanted(err).user or wanted(err).pid
  return "a limit user.max_*_namespaces is used up, here or in an outer user "
      .. "namespace" .. (nests and ", or they are nested deeper than 32" or "")
end)

row("unshare setns", "EINVAL", function(err, sys)
  local threads = tonumber(sys:status "Threads")
  local alone = wanted(err).user or err.call == "setns" and wanted(err).mnt
  if alone and threads and threads > 1 then
    return ("a process with %d threads cannot: do it in a child, as clone and "
        .. "inside do"):format(threads)
  end
end)

row("unshare", "EINVAL", function(err, sys)
  if wanted(err).pid and sys.waiting "pid" then
    return "a pid namespace is waiting for the first child already: fork "
        .. "before the next unshare"
  end
end)

-- The target is a namespace, or a process and its user namespace among those
-- that were asked for.
local function target(err, sys)
  local ok, kind, own = pcall(sys.namespace, err.fd)
  if ok then return kind, own, true end
  if wanted(err).user then return sys.namespace(err.fd, "user") end
end

row("setns", "EINVAL", function(err, sys)
  local kind, own, alone = target(err, sys)
  local word = err.namespaces[1]
  if alone and word and kind ~= word then
    return ("it is a namespace of kind %s, not %s"):format(kind, word)
  elseif own and kind == "user" then
    return "the process is in this user namespace already, and cannot join it "
        .. "again: leave \"user\" out"
  end
end)

row("clone", "ENOMEM", function(_, sys)
  if sys.waiting "pid" then
    return "the first process of the pid namespace for children has ended, "
        .. "and nothing can be added: start again from a new child"
  end
end)

row("setns", "ESRCH", function()
  return "the process has ended: open its namespaces while it lives"
end)

row("sethostname setdomainname", "EPERM", function(_, sys)
  if sys.foreign "uts" then
    return "the uts namespace belongs to an outer user namespace: add \"uts\""
  elseif not sys.capable "sys_admin" then
    return "it needs CAP_SYS_ADMIN: unshare \"user\" and \"uts\" first"
  end
end)

return M

--- Why a system call is not there: the kernel is older than it, or a filter of
-- system calls hides it.

-- What calls a binding's call is, and the kernel that has it first.
local calls <const> = {
  clone = { "clone3", 5, 3 },
  close_range = { "close_range", 5, 9 },
  fsconfig = { "fsconfig", 5, 2 },
  fsmount = { "fsmount", 5, 2 },
  fsopen = { "fsopen", 5, 2 },
  fspick = { "fspick", 5, 2 },
  mount_setattr = { "mount_setattr", 5, 12 },
  move_mount = { "move_mount", 5, 2 },
  open_tree = { "open_tree", 5, 2 },
  openat2 = { "openat2", 5, 6 },
  pidfd_getfd = { "pidfd_getfd", 5, 6 },
  pidfd_open = { "pidfd_open", 5, 3 },
  signal = { "pidfd_send_signal", 5, 1 },
}

local function check(err, sys)
  local name <const>, major <const>, minor <const> =
    table.unpack(calls[err.call])
  local release <const> = sys.read "/proc/sys/kernel/osrelease" or ""
  local a, b = release:match "^(%d+)%.(%d+)"
  a, b = tonumber(a), tonumber(b)
  if a and (a < major or a == major and b < minor) then
    return ("%s came with Linux %d.%d, and this is %s"):format(name, major,
      minor, release:gsub("%s+$", ""))
  elseif sys:status "Seccomp" == "2" then
    return ("a seccomp filter is active and hides %s, which Linux has since "
      .. "%d.%d: allow it there"):format(name, major, minor)
  end
end

local names <const> = {}
for call in pairs(calls) do names[#names + 1] = call end

return { { calls = table.concat(names, " "), codes = "ENOSYS",
           check = check } }

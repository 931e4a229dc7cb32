--- Filters of system calls: what a container's programs may ask of the kernel.
--
-- A filter is a list of rules, of which the first that is about a call decides.
-- Without rules of its own a container has those of this file: calls that it
-- may make, some of them only with a capability; calls that it may not, which
-- get EPERM; and the rest, which this list has never heard of and which gets
-- ENOSYS, so that programs do without, as on an older kernel.

local core <const> = require "farside.core"
local fields <const> = require "farside.fields"
local serial <const> = require "farside.serial"

local M = {}

-- What programs need to live with each other in a container. A call that
-- another architecture has, or a newer kernel, is left out where libseccomp
-- does not know it.
local usual <const> = [[
  read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2
  open openat openat2 creat close close_range dup dup2 dup3 lseek _llseek
  stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx
  access faccessat faccessat2 readlink readlinkat getdents getdents64
  mkdir mkdirat mknod mknodat rmdir link linkat symlink symlinkat unlink
  unlinkat rename renameat renameat2 chmod fchmod fchmodat fchmodat2
  chown chown32 fchown fchown32 lchown lchown32 fchownat umask chdir fchdir
  getcwd truncate truncate64 ftruncate ftruncate64 fallocate cachestat
  fsync fdatasync sync syncfs sync_file_range sync_file_range2
  arm_sync_file_range fadvise64 fadvise64_64 arm_fadvise64_64 readahead
  utime utimes utimensat utimensat_time64 futimesat statfs statfs64 fstatfs
  fstatfs64 flock fcntl fcntl64 ioctl sendfile sendfile64 splice tee vmsplice
  copy_file_range name_to_handle_at getxattr lgetxattr fgetxattr setxattr
  lsetxattr fsetxattr listxattr llistxattr flistxattr removexattr
  lremovexattr fremovexattr getxattrat setxattrat listxattrat removexattrat
  inotify_init inotify_init1 inotify_add_watch inotify_rm_watch
  fanotify_mark file_getattr file_setattr
  pipe pipe2 poll ppoll ppoll_time64 select _newselect pselect6
  pselect6_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
  epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2
  signalfd signalfd4 memfd_create memfd_secret
  io_setup io_submit io_cancel io_destroy io_getevents io_pgetevents
  io_pgetevents_time64

  mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2
  mlockall munlock munlockall brk remap_file_pages pkey_alloc pkey_free
  pkey_mprotect membarrier mseal map_shadow_stack process_mrelease
  ipc shmget shmat shmdt shmctl semget semop semctl semtimedop
  semtimedop_time64 msgget msgsnd msgrcv msgctl mq_open mq_unlink mq_notify
  mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64
  mq_getsetattr

  fork vfork clone execve execveat exit exit_group wait4 waitid waitpid
  getpid getppid gettid getpgid getpgrp setpgid getsid setsid kill tkill
  tgkill pidfd_open pidfd_send_signal ptrace process_vm_readv
  process_vm_writev rt_sigaction rt_sigpending rt_sigprocmask
  rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
  rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaction sigaltstack sigpending
  sigprocmask sigreturn sigsuspend signal pause restart_syscall
  sched_get_priority_max sched_get_priority_min sched_getaffinity
  sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
  sched_rr_get_interval_time64 sched_setaffinity sched_setattr
  sched_setparam sched_setscheduler sched_yield getpriority setpriority nice
  ioprio_get ioprio_set getcpu getrusage getrlimit ugetrlimit setrlimit
  prlimit64 times sysinfo uname prctl arch_prctl modify_ldt
  set_thread_area get_thread_area set_tid_address set_robust_list
  get_robust_list futex futex_time64 futex_waitv futex_wait futex_wake
  futex_requeue rseq seccomp landlock_create_ruleset landlock_add_rule
  landlock_restrict_self breakpoint cacheflush set_tls get_tls swapcontext
  riscv_flush_icache riscv_hwprobe

  getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32
  getresuid getresuid32 getresgid getresgid32 setuid setuid32 setgid
  setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32
  setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 getgroups
  getgroups32 setgroups setgroups32 capget capset

  time gettimeofday clock_gettime clock_gettime64 clock_getres
  clock_getres_time64 clock_nanosleep clock_nanosleep_time64 nanosleep
  adjtimex clock_adjtime clock_adjtime64 alarm getitimer setitimer
  timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64
  timer_settime timer_settime64 timerfd_create timerfd_gettime
  timerfd_gettime64 timerfd_settime timerfd_settime64 getrandom

  socket socketcall socketpair bind connect listen accept accept4
  getsockname getpeername send sendto sendmsg sendmmsg recv recvfrom recvmsg
  recvmmsg recvmmsg_time64 setsockopt getsockopt shutdown
]]

--- These calls, separated by white space.
M.usual = usual

-- What is for the machine and not for one of its containers: whole subsystems
-- that are seldom needed and often broken into, and what reaches beyond the
-- container. With the capability before it, a line is allowed.
local refused <const> = {
  { nil, "add_key keyctl request_key userfaultfd io_uring_setup " ..
    "io_uring_enter io_uring_register kexec_load kexec_file_load " ..
    "pivot_root swapon swapoff uselib ustat sysfs _sysctl nfsservctl " ..
    "vm86 vm86old migrate_pages move_pages create_module query_module " ..
    "get_kernel_syms" },
  { "sys_admin", "mount umount umount2 open_tree move_mount fsopen " ..
    "fsconfig fsmount fspick mount_setattr open_tree_attr statmount " ..
    "listmount setns unshare sethostname setdomainname fanotify_init " ..
    "quotactl quotactl_fd lookup_dcookie clone3 bpf perf_event_open syslog" },
  { "bpf", "bpf" },
  { "perfmon", "perf_event_open" },
  { "syslog", "syslog" },
  { "dac_read_search", "open_by_handle_at" },
  { "sys_boot", "reboot" },
  { "sys_chroot", "chroot" },
  { "sys_module", "init_module finit_module delete_module" },
  { "sys_nice", "get_mempolicy set_mempolicy set_mempolicy_home_node mbind" },
  { "sys_pacct", "acct" },
  { "sys_ptrace", "kcmp pidfd_getfd process_madvise" },
  { "sys_rawio", "iopl ioperm" },
  { "sys_time", "settimeofday stime clock_settime clock_settime64" },
  { "sys_tty_config", "vhangup" },
}

-- The kernel takes these arguments as int: the rest of the register is noise.
local function int(argument, value)
  return { argument, "&", value, 0xffffffff }
end

-- Always: keys put into another's terminal, also by way of a console; address
-- families that know no network namespace.
local always <const> = {
  { "deny", "ioctl", int(1, 0x5412) }, -- TIOCSTI
  { "deny", "ioctl", int(1, 0x541c) }, -- TIOCLINUX
  { "EAFNOSUPPORT", "socket", int(0, 38) }, -- AF_ALG
  { "EAFNOSUPPORT", "socket", int(0, 40) }, -- AF_VSOCK
}

-- Execution domains that programs ask for: Linux, with the layout of old or
-- the version of old, and the question which it is.
local domains <const> = { 0, 0x8, 0x20000, 0x20008, 0xffffffff }

local namespaces <const> = {
  0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000,
  0x40000000, -- mnt, cgroup, uts, ipc, user, pid, net
}

local function add(list, rules)
  return table.move(rules, 1, #rules, #list + 1, list)
end

-- No process in new namespaces. clone3 has its flags in memory, where no
-- filter can look; without it libc calls clone.
local function no_namespaces(rules)
  local at <const> = core.uname().machine:find "^s390" and 1 or 0
  for _, flag in ipairs(namespaces) do
    rules[#rules + 1] = { "deny", "clone", { at, "&", flag, flag } }
  end
  rules[#rules + 1] = { "ENOSYS", "clone3" }
end

local function own_rules(has)
  local rules = add({}, always)
  if not has.sys_admin then no_namespaces(rules) end
  for _, domain in ipairs(domains) do
    rules[#rules + 1] = { "allow", "personality", int(0, domain) }
  end
  -- what one capability allows, another line may refuse: allow first
  for _, line in ipairs(refused) do
    if has[line[1]] then
      rules[#rules + 1] = { "allow", line[2], optional = true }
    end
  end
  rules[#rules + 1] = { "allow", usual, optional = true }
  for _, line in ipairs(refused) do
    rules[#rules + 1] = { "deny", line[2], optional = true }
  end
  return rules
end

---- rules from a recipe ----

local actions <const> = {
  allow = true, log = true, deny = true, kill = true, kill_thread = true,
  trap = true,
}

local function action(value, at, fail)
  fields.string(value, at, fail)
  local errno <const> = value:find "^E[%u%d]+$"
  if not actions[value] and not errno then
    fail(at, "allow, deny, log, kill, kill_thread, trap or an errno such as "
         .. "ENOSYS expected, got '%s'", value)
  end
  if errno and not pcall(core.seccomp.compile, value, {}) then
    fail(at, "unknown errno '%s'", value)
  end
  return value
end

local function integer(text) return math.tointeger(tonumber(text)) end

-- "arg1 & 0xffffffff == 0x5412" → { 1, "&", 0x5412, 0xffffffff }
local function condition(text, at, fail)
  local number <const> = "%s*(%w+)%s*"
  local argument, mask, value =
    text:match("^arg([0-5])%s*&" .. number .. "==" .. number .. "$")
  local operator = "&"
  if not argument then
    argument, operator, value =
      text:match("^arg([0-5])%s*([=~<>]=?)" .. number .. "$")
  end
  local wrong = operator == "=" or operator == "~" or not integer(value or "")
    or mask and not integer(mask)
  if wrong then
    fail(at, "condition such as \"arg1 == 3\" or \"arg1 & 0xffffffff == 3\" "
         .. "expected, got '%s'", text)
  end
  return { integer(argument), operator, integer(value), integer(mask or "") }
end

-- { "deny", "ioctl", "arg1 == 3" } → { "deny", "ioctl", { 1, "==", 3 } }
local function rule(value, at, fail)
  local copy = fields.list(fields.string)(value, at, fail)
  local calls, conditions = {}, {}
  local checked = { action(copy[1] or "", at .. "[1]", fail) }
  for i = 2, #copy do
    local here <const> = ("%s[%d]"):format(at, i)
    if copy[i]:find "^arg" then
      conditions[#conditions + 1] = condition(copy[i], here, fail)
    elseif not copy[i]:find "^[%w_]+$" or not core.seccomp.known(copy[i]) then
      fail(here, "unknown system call '%s'", copy[i])
    else
      calls[#calls + 1] = copy[i]
    end
  end
  if #calls == 0 then fail(at, "name of a system call expected") end
  if #conditions > 6 then fail(at, "at most 6 conditions expected") end
  checked[2] = table.concat(calls, " ")
  return add(checked, conditions)
end

local rules <const> = fields.record({ otherwise = action }, rule)

--- Checks the key of a recipe: a boolean, or a list of rules { action, call…,
-- condition… } that come before Farside's own; with `otherwise`, an action,
-- they come instead. The init lives by them as well as the program, see init.
function M.check(value, at, fail)
  if type(value) == "boolean" then return value end
  return rules(value, at, fail)
end

--- What the init needs itself, which lives by the rules as well, and starts the
-- program under them.
M.init = "setsid setitimer chdir fchdir getcwd openat2 close close_range fcntl "
  .. "dup dup2 dup3 mmap munmap faccessat faccessat2 getpid pidfd_open poll "
  .. "ppoll rt_sigaction rt_sigprocmask rt_sigtimedwait sendto sendmsg clone "
  .. "clone3 execve wait4 write kill clock_gettime exit_group"

---- programs ----

local programs <const> = {} -- by what they were made from, as long as we live

local function compiled(otherwise, list)
  local key <const> = serial.encode(otherwise, list)
  programs[key] = programs[key] or core.seccomp.compile(otherwise, list)
  return programs[key]
end

-- With all capabilities nothing is refused for want of one.
local function capability_set(words)
  local everything = words == "all"
  local set = {}
  for _, word in ipairs(everything and core.capability.names() or words) do
    set[word:lower():gsub("^cap_", "")] = true
  end
  return set
end

local own <const> = {} -- those of this file's rules, by the capabilities

-- The same words make the same rules, so these are not even made again.
local function own_program(capabilities)
  local key <const> = require("farside.filter").key(capabilities)
  own[key] = own[key] or compiled("ENOSYS",
                                  own_rules(capability_set(capabilities)))
  return own[key]
end

--- The program for a container.
-- @tparam table|boolean|nil wanted from check
-- @tparam string|table capabilities the words of those that it has, or "all"
-- @treturn string|nil for core.seccomp.install; nil when none is wanted
function M.program(wanted, capabilities)
  if wanted == false then return nil end
  if type(wanted) ~= "table" then return own_program(capabilities) end
  local list <const> = add({}, wanted)
  if wanted.otherwise then
    return compiled(wanted.otherwise, list)
  end
  return compiled("ENOSYS", add(list, own_rules(capability_set(capabilities))))
end

return M

--- What somebody else's script says, without what it could do: it runs in a
-- child that may read files and compute, by a filter of system calls, and tells
-- its parent on a sheet (farside.child). Root's child is nobody besides, and so
-- reads what everybody may. What it writes to its standard streams is lost.

local child <const> = require "farside.child"
local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local seccomp <const> = core.seccomp

local M = {}

local NOBODY <const> = 65534
local SECONDS <const> = 2      -- of a processor
local SHEET <const> = 64 << 20 -- bytes that it may tell
local MEMORY <const> = 1 << 28 -- bytes beside what it begins with

--- The option that does without.
M.option = { name = "trust", help = "let the script do all that you may: "
  .. "otherwise it may read files, and nothing else" }

local hint <const> = "what is only looked at may read what everybody may, and "
  .. "nothing else; --trust lets it do all that you may"

---- the filter ----

-- Calls that change nothing but the process itself.
local harmless <const> = [[
  read readv pread64 preadv preadv2 lseek _llseek close
  stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx access
  faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd statfs
  statfs64 fstatfs fstatfs64
  mmap mmap2 munmap mremap mprotect madvise brk
  getpid getppid gettid getuid getuid32 geteuid geteuid32 getgid getgid32
  getegid getegid32 getresuid getresuid32 getresgid getresgid32 getgroups
  getgroups32 uname sysinfo getrlimit ugetrlimit getcpu sched_getaffinity
  time gettimeofday clock_gettime clock_gettime64 clock_getres nanosleep
  clock_nanosleep getrandom times getrusage
  rt_sigaction rt_sigprocmask rt_sigreturn sigreturn sigaltstack futex rseq
  restart_syscall pipe pipe2 exit exit_group
]]

local O_ACCMODE <const>, O_CREAT <const>, O_TRUNC <const> = 3, 0x40, 0x200
local F_DUPFD_CLOEXEC <const>, F_GETFD <const>, F_SETFD <const> = 1030, 1, 2

local function int(argument, value)
  return { argument, "&", value, 0xffffffff }
end

local function program(sheet)
  local reading <const> = O_ACCMODE | O_CREAT | O_TRUNC
  local rules <const> = {
    { "allow", harmless, optional = true },
    { "allow", "openat", { 2, "&", 0, reading } },
    { "allow", "open", { 1, "&", 0, reading }, optional = true },
    { "allow", "prlimit64", { 2, "==", 0 } },
  }
  for _, fd in ipairs { 1, 2, sheet:fileno() } do
    rules[#rules + 1] = { "allow", "write writev", int(0, fd) }
  end
  for _, what in ipairs { F_DUPFD_CLOEXEC, F_GETFD, F_SETFD } do
    rules[#rules + 1] = { "allow", "fcntl", int(1, what) }
  end
  return seccomp.compile("deny", rules)
end

---- the child ----

-- EPERM, of groups alone, and EINVAL: in this user namespace they cannot be
-- given up, or there is no such id, nor much to be had by root's.
local function be_nobody()
  if core.geteuid() ~= 0 then return end
  errors.unless("EPERM", core.setgroups, {})
  errors.unless("EINVAL", core.setresgid, NOBODY, NOBODY, NOBODY)
  errors.unless("EINVAL", core.setresuid, NOBODY, NOBODY, NOBODY)
end

local function memory()
  local file <close> = assert(io.open "/proc/self/status")
  local used <const> = file:read "a":match "VmData:%s*(%d+) kB"
  return math.tointeger(used) * 1024 + MEMORY
end

local function limit()
  for name, value in pairs { cpu = SECONDS, fsize = SHEET, core = 0,
                             data = memory() } do
    pcall(core.setrlimit, name, value, value) -- there may be a lower one
  end
end

local function leave_descriptors(sheet)
  local null <const> = core.openat2(nil, "/dev/null", "rdwr")
  for number = 0, 2 do core.dup(null, number) end
  local kept <const> = sheet:fileno()
  if kept > 3 then core.close_range(3, kept - 1) end
  core.close_range(kept + 1)
end

local function confine(sheet, caller)
  local filter <const> = program(sheet)
  limit()
  be_nobody()
  require("farside.join").live_with(caller)
  leave_descriptors(sheet)
  core.prctl("no_new_privs", true)
  seccomp.install(filter)
end

---- the parent ----

local function denied(text)
  return text:find "Operation not permitted" or text:find "Permission denied"
    or text:find "Function not implemented"
end

local function raise(err)
  if errors.is(err) then
    if denied(err.reason) then err.hint = hint end
    error(err, 0)
  end
  local text <const> = tostring(err):gsub("\nstack traceback.*", "")
  error(errors.visible(denied(text) and text .. "\nhint: " .. hint or text), 0)
end

local function answer(how, code, what, ...)
  if what == "values" then return ... end
  if what == "error" then raise((...)) end
  if how == "signal" and code == 9 then
    error(("the script takes more than %d seconds of a processor"):format(
      SECONDS), 0)
  end
  error(("the script ended without a word (%s %d)"):format(how, code), 0)
end

--- Runs a function in such a child.
-- @tparam function fn
-- @param ... its arguments
-- @return what it returns: as much as farside.serial can send
-- @raise what it raises, with a hint where something was refused
function M.look(fn, ...)
  local args <const> = table.pack(...)
  local sheet <close> = child.sheet()
  local caller <close> = core.pidfd_open(core.getpid())
  local process <close> = core.clone({}, function()
    child.attempt(sheet, confine, sheet, caller)
    child.attempt(sheet, function()
      child.write(sheet, "values", fn(table.unpack(args, 1, args.n)))
    end)
  end)
  local _, how, code = process:wait()
  return answer(how, code, child.read(sheet))
end

return M

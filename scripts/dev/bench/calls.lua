--- Which system calls a container takes, in Lua and in C: the same for all that
-- a container is. C forks and goes on in its copy; ours starts a program of its
-- own for that (csrc/walker.c), which takes some calls and saves others.
--
-- `build/farside scripts/dev/bench/calls.lua [readonly]`. Both workers are run
-- under strace(1) for a few containers and for many: the difference is what
-- one takes. Exits with 1 when a count differs and the reason is not known.

local here <const> = arg[0]:match "^(.*)/" or "."
local driver <const> = arg[-1]
local build <const> = driver:match "^(.*)/" or "."
local few <const>, many <const> = 2, 12

-- Calls of a worker and its children while it makes this many containers.
local function count(worker, containers)
  local name <const> = os.tmpname()
  local trace <const> = ("strace -f -c -U name,calls -o '%s' %s >/dev/null")
    :format(name, worker)
  local input <close> = assert(io.popen(trace, "w"))
  input:write(("\n"):rep(containers))
  assert(input:close(), trace)
  local calls = {}
  for line in io.lines(name) do
    local call, number = line:match "^(%l[%w_]*) +(%d+)$"
    if call then calls[call] = tonumber(number) end
  end
  os.remove(name)
  return calls
end

local function per_container(worker)
  local first <const>, last <const> = count(worker, few), count(worker, many)
  for call, number in pairs(last) do
    last[call] = (number - (first[call] or 0)) / (many - few)
  end
  return last
end

-- Why a count may differ.
local program <const> = "the walker is a program"
local message <const> = "the walker's first message comes without descriptors"
local reasons <const> = {
  brk = "Lua's heap grows and shrinks",
  capget = "capabilities survive the walker's exec",
  capset = "capabilities survive the walker's exec",
  close = program,
  close_range = "what the walker gets is chosen",
  clone = "of posix_spawn, which the filter has try again",
  clone3 = "of posix_spawn, which the filter has try again",
  execveat = program,
  fcntl = "what the walker gets is chosen; its program is sealed",
  madvise = "Lua's heap",
  memfd_create = program,
  mmap = "of posix_spawn, which the walker has not; Lua's heap",
  munmap = "of posix_spawn, which the walker has not; Lua's heap",
  ppoll = "Lua waits for the end before it asks",
  prctl = "capabilities survive the walker's exec; its name",
  read = "Lua reads its orders through a buffer, C one by one",
  recvfrom = message, recvmsg = message, sendmsg = message, sendto = message,
  rt_sigaction = "the walker leaves out KILL and STOP, of which there is none",
  rt_sigprocmask = "of posix_spawn, which the walker has not",
  unshare = "the walker makes most of its namespaces itself",
  write = program,
}

local lua <const> = per_container(("'%s' '%s/worker.lua' %s"):format(driver,
  here, arg[1] or ""))
local filter <const> = dofile(here .. "/filter.lua")
local c <const> = per_container(("'%s/bench/container' '%s' %s"):format(build,
  filter, arg[1] or ""))
os.remove(filter)

local names = {}
for call in pairs(lua) do names[#names + 1] = call end
for call in pairs(c) do
  if not lua[call] then names[#names + 1] = call end
end
table.sort(names)

-- Fractions are what a worker does only now and then.
local function same(a, b) return math.abs(a - b) < 0.5 end

local equal = true
print(("%-20s %8s %8s"):format("system calls", "Lua", "C"))
for _, call in ipairs(names) do
  local a <const>, b <const> = lua[call] or 0, c[call] or 0
  local why = ""
  if call ~= "total" and not same(a, b) then
    why = reasons[call] or "DIFFERS"
    equal = equal and reasons[call] ~= nil
  end
  print((("%-20s %8.1f %8.1f  %s"):format(call, a, b, why):gsub("%s+$", "")))
end
os.exit(equal)

--- The tour's second part: all kinds together as a container, beside a virtual
-- machine, what that does not do, and a container of the reader's own.

local ns <const> = require "farside"

local function content(path)
  local file <close> = io.open(path)
  return file and file:read "a"
end

-- Runs a container and answers what it wrote.
local function output(recipe)
  local file <close> = assert(io.tmpfile())
  recipe.stdout = file
  ns.run(recipe)
  file:seek "set"
  return file:read "a"
end

---- a container ----

local function hello(guide)
  guide:code [[
ns.run {
  "/bin/sh", "-c", "echo $(id -un) of $(uname -n), process $$",
  hostname = "moon",
}]]
  guide:shown(output {
    "/bin/sh", "-c", "echo $(id -un) of $(uname -n), process $$",
    hostname = "moon",
  })
end

local function plan(guide)
  local text <const> = tostring(ns.plan { "/bin/sh", hostname = "moon" })
  local lines, calls = {}, 0
  for line in text:gmatch "[^\n]+" do
    if line:find "^ *%d+  " then calls = calls + 1 end
    lines[#lines + 1] = #line > 70 and line:sub(1, 69) .. "…" or line
  end
  guide:text(("It is a list of %d calls, most of which you have met. "
    .. "`farside plan` prints it; it begins:"):format(calls))
  guide:shown(table.concat(lines, "\n", 1, 8))
end

---- against a virtual machine ----

-- Seconds that a function takes, the median of some runs.
local function median(runs, fn)
  local times = {}
  for i = 1, runs do
    local start <const> = ns.monotonic()
    fn()
    times[i] = ns.monotonic() - start
  end
  table.sort(times)
  return times[(runs + 1) // 2]
end

-- Kilobytes of memory that are a process's own.
local function memory(pid)
  local text <const> = content(("/proc/%d/smaps_rollup"):format(pid)) or ""
  return math.tointeger(tonumber(text:match "Pss: +(%d+)")) or 0
end

-- What the container's processes have: the init and the program. As its
-- starter sees them.
local function container_memory()
  local container <close> = ns.spawn { "/bin/sleep", "60" }
  local total = memory(container.pid)
  local path <const> = "/proc/%d/task/%d/children"
  local children = content(path:format(container.pid, container.pid)) or ""
  for pid in children:gmatch "%d+" do
    total = total + memory(math.tointeger(tonumber(pid)))
  end
  return total
end

local function kernel()
  for _, entry in ipairs(ns.readdir "/boot") do
    local path <const> = "/boot/" .. entry.name
    if entry.name:find "^vmlinuz" and ns.faccessat(nil, path, "read") then
      return path
    end
  end
end

-- Boots a kernel to where it finds no root file system and gives up. Answers
-- seconds, and kilobytes at their most; nil when it has not by then.
local function boot(image, accelerator, patience)
  local null <close> = ns.openat2(nil, "/dev/null", "rdwr")
  local start <const> = ns.monotonic()
  local qemu <close> = ns.posix_spawn {
    "qemu-system-x86_64", "-accel", accelerator, "-m", "256", "-nodefaults",
    "-display", "none", "-no-reboot", "-kernel", image,
    "-append", "quiet panic=-1", stdin = null, stdout = null, stderr = null,
  }
  local most = 0
  while select(2, qemu:wait "20ms") == "timeout" do
    if ns.monotonic() - start > patience then return nil end
    local size = (content(("/proc/%d/status"):format(qemu.pid)) or "")
      :match "VmHWM:%s+(%d+)"
    most = math.max(most, tonumber(size) or 0)
  end
  local _, how, code = qemu:wait()
  if how == "exit" and code == 0 then return ns.monotonic() - start, most end
end

-- With the processor's help where that works, else emulated; nil and why not.
local function machine(image)
  image = image or ns.faccessat(nil, "/boot", "read") and kernel()
  if not require("farside.program").find "qemu-system-x86_64" then
    return nil, "qemu is not installed here (Debian: qemu-system-x86)"
  elseif not image then
    return nil, "there is no kernel in /boot that you may read"
  end
  if ns.faccessat(nil, "/dev/kvm", "read,write") then
    local took, most = boot(image, "kvm", 10)
    if took then return took, most, "with KVM" end
  end
  local took, most = boot(image, "tcg", 60)
  if took then return took, most, "emulated" end
  return nil, "qemu did not boot the kernel within a minute"
end

local function beside(guide)
  local seconds <const> = median(9, function() ns.run { "/bin/true" } end)
  local kilobytes <const> = container_memory()
  local starts = { { "a container", seconds, ("%.1f ms"):format(seconds
                                                              * 1000) } }
  local sizes = { { "a container", kilobytes, ("%d KB"):format(kilobytes) } }
  local took, most, how = machine(guide.kernel)
  if not took then
    guide:text("From the call to the end of /bin/true, the median of nine, "
      .. "and the memory of a container that sleeps. No virtual machine is "
      .. "timed: " .. most .. ".")
  else
    starts[2] = { "a virtual machine", took, ("%.1f s"):format(took) }
    sizes[2] = { "a virtual machine", most, ("%d KB"):format(most // 1) }
    guide:text(("From the call to the end of /bin/true, the median of nine, "
      .. "beside a kernel in qemu (%s) until it looks for its files, without "
      .. "any program yet:"):format(how))
  end
  guide:bars(starts)
  guide:bars(sizes)
end

---- what they do not do ----

local function kernel_of()
  local u <const> = ns.uname()
  return ("%s %s"):format(u.sysname, u.release)
end

local function same(guide)
  local script <const> = "uname -sr; nproc; "
    .. "sed -n 's/^MemTotal: *//p' /proc/meminfo; "
    .. "cat /proc/sys/kernel/random/boot_id"
  local inside = {}
  for line in output { "/bin/sh", "-c", script }:gmatch "[^\n]+" do
    inside[#inside + 1] = line
  end
  local pipe <close> = assert(io.popen(script))
  local outside = {}
  for line in pipe:lines() do outside[#outside + 1] = line end
  guide:sides {
    { "which kernel?", kernel_of(), inside[1] },
    { "how many processors?", outside[2], inside[2] },
    { "how much memory?", outside[3], inside[3] },
    { "which boot?", outside[4], inside[4] },
  }
end

-- Twenty processes where ten are allowed.
local greedy <const> = [[
n=0
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  (exec sleep 5) 2>/dev/null & [ $? = 0 ] && n=$((n + 1))
done
sleep 0.2
echo $(ls -d /proc/[0-9]* | wc -l) processes]]

local function limited(guide)
  guide:code [[ns.run { "/bin/sh", "-c", greedy, limits = { pids = 10 } }]]
  local ok, result = pcall(output, { "/bin/sh", "-c", greedy,
                                     limits = { pids = 10 } })
  if ok then return guide:shown(result ~= "" and result or "stopped at 10") end
  guide:text("Not here, and Farside says why rather than going on without:")
  guide:shown(tostring(result))
end

---- the reader's own ----

local function own(guide)
  local name = guide:ask("What is it to be called?", "tranquility")
  local recipe <const> = {
    "/bin/sh", hostname = name,
    setup = function(c)
      c:write("/etc/motd", ("Welcome to %s. You are alone here.\n"):format(
        name))
    end,
  }
  guide:code(([[
#!/usr/bin/env farside
ns.run {
  "/bin/sh", hostname = %q,
  setup = function(c)
    c:write("/etc/motd", "Welcome to %s. You are alone here.\n")
  end,
}]]):format(name, name))
  if not guide.pauses then
    table.move({ "-c", "cat /etc/motd; hostname; exit" }, 1, 2, 2, recipe)
    return guide:shown(output(recipe))
  end
  guide:text("This is it. Look around (cat /etc/motd, ps, echo silver >/moon, "
    .. "which goes into a layer that is thrown away), and come back with "
    .. "exit.")
  print()
  recipe.tty = require("farside.outcome").interactive()
  ns.run(recipe)
end

return {
  { title = "All of them at once: a container",
    "A container is a process with a namespace of every kind, over a file "
    .. "system of its own. There is no such thing in the kernel: it is made "
    .. "of what you have seen.",
    hello, plan },
  { title = "Against a virtual machine",
    "A virtual machine starts a second kernel, which starts a system. A "
    .. "container starts a program.",
    beside },
  { title = "What namespaces do not do",
    "They isolate what is seen, not the hardware and not the kernel. Both "
    .. "sides call the same one, and a hole in it is a hole for all:",
    same,
    "Nor do they limit how much is used. That is what control groups are for; "
    .. "here a container that wants twenty processes and may have ten:",
    limited },
  { title = "Your own",
    "Ten lines in a file, and you have a container of your own.",
    own,
    "What next? `farside --help` lists the commands, `farside` alone is a "
    .. "prompt at which all you have seen can be typed, and help \"mount\" "
    .. "explains. namespaces(7) is the best manual page about it all." },
}

--- Where it was measured: { { fact, what it is }, … } about the machine and
-- the programs that Farside is compared to.

local ns <const> = require "farside"

local M = {}

local function first_line(path, pattern)
  local file <close> = io.open(path)
  return file and file:read "a":match(pattern) or "unknown"
end

-- The first line that a program says; nil where it is not installed.
local function said(command)
  local pipe <close> = assert(io.popen("{ " .. command .. "; } 2>&1"))
  local line <const> = pipe:read "l"
  return line and line:match "%d+%.[%w.+~-]*"
end

-- How each tells its version.
local peers <const> = {
  { "lua5.4", "lua5.4 -v" },
  { "unshare", "unshare --version" },
  { "lsns", "lsns --version" },
  { "bwrap", "bwrap --version" },
  { "crun", "crun --version" },
  { "runc", "runc --version" },
  { "systemd-nspawn", "systemd-nspawn --version | sed 's/.*(//; s/)$//'" },
  { "ip", "ip -V" },
  { "python", "/usr/bin/python3 --version" },
  { "pyroute2",
    "/usr/bin/python3 -c 'from importlib.metadata import version; "
      .. "print(version(\"pyroute2\"))'" },
  { "mininet", "mn --version" },
}

local function processors()
  local count = 0
  for line in io.lines "/proc/cpuinfo" do
    if line:find "^processor" then count = count + 1 end
  end
  return count
end

--- The facts.
-- @treturn table
function M.facts()
  local system <const> = ns.uname()
  local model <const> = first_line("/proc/cpuinfo", "model name%s*:%s*([^\n]*)")
  local facts <const> = {
    { "farside", farside._VERSION:match "%S+$" },
    { "kernel", system.sysname .. " " .. system.release },
    { "processor", ("%d × %s"):format(processors(), model) },
    { "memory", ("%d MiB"):format(first_line("/proc/meminfo",
                                             "MemTotal:%s*(%d+)") // 1024) },
    { "user", ns.geteuid() == 0 and "root" or "an ordinary user" },
    { "when", os.date "%Y-%m-%d %H:%M" },
  }
  for _, peer in ipairs(peers) do
    facts[#facts + 1] = { peer[1], said(peer[2]) or "not installed" }
  end
  return facts
end

--- The facts as lines for the terminal.
-- @tparam table facts
-- @treturn string
function M.text(facts)
  local lines <const> = {}
  for i, fact in ipairs(facts) do
    lines[i] = ("%-15s %s"):format(fact[1], fact[2])
  end
  return table.concat(lines, "\n") .. "\n"
end

return M

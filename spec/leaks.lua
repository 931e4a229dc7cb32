-- What a test left behind: everything that the process holds, as sentences,
-- before and after. Sentences that are new afterwards are leaks. What only
-- waits for the collector is none; neither is a process about to die.

local lfs <const> = require "lfs"

local M = {}

-- Where temporary directories are made. When TMPDIR is set it is taken for
-- the run's own, and whatever appears in it counts.
M.tmp = os.getenv "TMPDIR" or "/tmp"

local PATIENCE <const> = 1 -- seconds that a dying process gets

local function each(directory)
  local ok, iterate, state = pcall(lfs.dir, directory)
  return ok and iterate or function() end, state
end

local function read(path)
  local file <close> = io.open(path)
  return file and file:read "a" or ""
end

local looks <const> = {}

function looks.descriptors(see)
  for name in each "/proc/self/fd" do
    local to = lfs.symlinkattributes("/proc/self/fd/" .. name, "target")
    -- the directory that is being read is open, too
    if to and not to:find "^/proc/%d+/fd$" then
      see("descriptor %s -> %s", name, to)
    end
  end
end

function looks.mounts(see)
  local line <const> = "(%d+) %d+ %S+ %S+ (%S+)[^\n]* %- (%S+)[^\n]*"
  for id, at, kind in read("/proc/self/mountinfo"):gmatch(line) do
    see("mount %s of type %s (%s)", at, kind, id)
  end
end

function looks.processes(see)
  for pid in read("/proc/thread-self/children"):gmatch "%d+" do
    see("process %s", pid)
  end
end

function looks.namespaces(see)
  for name in each "/proc/self/ns" do
    local to = lfs.symlinkattributes("/proc/self/ns/" .. name, "target")
    if to then see("the runner in another namespace, %s %s", name, to) end
  end
end

function looks.place(see)
  see("the working directory %s", lfs.currentdir() or "(unreachable)")
  see("the host name %s", read("/proc/sys/kernel/hostname"):gsub("\n", ""))
end

function looks.credentials(see)
  local kept <const> = "Umask Uid Gid Groups SigBlk SigIgn CapEff NoNewPrivs "
  for key, value in read("/proc/self/status"):gmatch "(%w+):%s*([^\n]*)" do
    if kept:find(key .. " ", 1, true) then
      see("the runner with %s %s", key, value)
    end
  end
end

function looks.files(see)
  if not os.getenv "TMPDIR" then return end
  for name in each(M.tmp) do see("file %s/%s", M.tmp, name) end
end

--- A new directory that everyone may enter.
function M.directory(within)
  local template = (within or M.tmp) .. "/farside-spec.XXXXXXXX"
  local pipe <close> = assert(io.popen(
    "d=$(mktemp -d " .. template .. ") && chmod 755 $d && echo $d"))
  return assert(pipe:read "l", "mktemp failed")
end

--- The set of sentences that are true now.
function M.look()
  local seen = {}
  local function see(format, ...) seen[format:format(...)] = true end
  for _, look in pairs(looks) do look(see) end
  return seen
end

-- Sentences of `after` that `before` has not, in a steady order.
local function news(before, after)
  local new = {}
  for sentence in pairs(after) do
    if not before[sentence] then new[#new + 1] = sentence end
  end
  table.sort(new)
  return new
end

-- A process that was sent its end may take a moment to get there.
local function let_die(sentences)
  for _, sentence in ipairs(sentences) do
    local pid = math.tointeger(sentence:match "^process (%d+)$")
    if pid then
      local core <const> = require "farside.core"
      local fd <close> = core.pidfd_open(pid)
      core.poll({ fd }, PATIENCE)
    end
  end
end

local function described(sentence)
  local pid = sentence:match "^process (%d+)$"
  if not pid then return sentence end
  local name, state = read("/proc/" .. pid .. "/stat"):match "%((.*)%) (%a)"
  local zombie = state == "Z" and ", dead, and nobody waited for it" or ""
  return ("%s (%s%s)"):format(sentence, name or "?", zombie)
end

--- The leaks since `before`: a text, or nil when there are none.
function M.since(before)
  local new = news(before, M.look())
  if #new == 0 then return nil end
  let_die(new)
  collectgarbage() -- the first call finalises, the second frees
  collectgarbage()
  new = news(before, M.look())
  for i, sentence in ipairs(new) do new[i] = "  " .. described(sentence) end
  return #new > 0 and table.concat(new, "\n") or nil
end

return M

--- Every system call that a set-up makes is made to fail, each in turn: `make
-- faults`, or
--   build/farside scripts/dev/faults.lua [--errno E,E] [--every N] [--from-on]
--     [--only PROCESS.CALL] [--strict] [--log FILE] [SETUP]...
-- The set-ups are those of scripts/dev/fault/setups.lua. Each runs once as it
-- is, which tells its calls, and then once for each call and errno. That ends
-- well, if the call is one of those below whose failure does not matter or if
-- the walker's walk is made again in Lua; or with an error that names a call or
-- a step. It does not hang, no process dies of a bug, and nothing is left:
-- processes, mounts, links, cgroups, rules, files. All of it happens in
-- namespaces that are thrown away. With --from-on, all calls of that name fail
-- from the first in a process on, in it and in those that come after it.
-- With --strict no call is tolerated. --log has each run as a line; those that
-- are not as they should be are told in any case, and make the exit status 1.

local here <const> = ns.readlinkat(nil, "/proc/self/cwd") .. "/"
  .. (arg[0]:match "^(.*)/" or ".")

---- what is asked ----

local function split(text)
  local list = {}
  for word in text:gmatch "[^,]+" do list[#list + 1] = word end
  return list
end

local ask <const> = {
  errnos = { "EPERM", "ENOMEM", "EINVAL", "EIO", "ENOSYS", "EINTR" },
  every = 1, seconds = 8,
}

local options <const> = {}
options["--errno"] = function(value) ask.errnos = split(value) end
options["--every"] = function(value) ask.every = math.tointeger(value) end
options["--only"] = function(value) ask.only = value end
options["--log"] = function(value) ask.log = assert(io.open(value, "w")) end

local flags <const> = { ["--from-on"] = "from_on", ["--strict"] = "strict" }

local names = {}
do
  local i = 1
  while arg[i] do
    if flags[arg[i]] then
      ask[flags[arg[i]]] = true
    elseif options[arg[i]] then
      i = i + 1
      options[arg[i - 1]](arg[i])
    else
      names[#names + 1] = arg[i]
    end
    i = i + 1
  end
end
if #names == 0 then
  names = { "default", "code", "readonly", "layers", "archive", "network",
            "user", "tty", "limits", "group", "named", "detached", "exec",
            "enter", "inside", "lab" }
end

local room <const> = dofile(here .. "/fault/room.lua")
local driver <const> = room.build .. "/farside"
local inject <const> = room.build .. "/fault/inject"
local setups <const> = room.scripts .. "/fault/setups.lua"

---- one run ----

local report <const>, answer <const> = "/mnt/report", "/mnt/answer"
local complaints <const> = "/mnt/complaints"

-- The lines of a report by their first word, each a list of words.
local function parse(text)
  local found = setmetatable({}, { __index = function(t, k)
    t[k] = {}
    return t[k]
  end })
  for line in text:gmatch "[^\n]+" do
    local words = {}
    for word in line:gmatch "%S+" do words[#words + 1] = word end
    table.insert(found[words[1]], words)
  end
  return found
end

local function new_file(path)
  return ns.openat2(nil, path, "wronly,create,trunc", { mode = "0600" })
end

local function run(setup, fault)
  local out <close> = new_file(answer)
  local err <close> = new_file(complaints)
  local words = { inject, "-t", tostring(ask.seconds) }
  table.move(fault, 1, #fault, #words + 1, words)
  table.move({ report, driver, setups, setup }, 1, 4,
             #words + 1, words)
  words.stdout, words.stderr = out, err
  local child <close> = ns.posix_spawn(words)
  child:wait()
  return parse(room.read(report)), room.read(answer)
end

---- how it went ----

-- Calls that a set-up succeeds without, and why that is well. A key is the
-- call's name, or that and the number that says what is asked of it.
local tolerated <const> = dofile(here .. "/fault/tolerated.lua")

-- The word of a call's line that has that number.
local selector <const> = {
  prctl = 5, fcntl = 6, ioctl = 6, setsockopt = 7, getsockopt = 7, write = 7,
  pidfd_send_signal = 6, openat = 7, wait4 = 7,
}

local function key(call)
  local which <const> = selector[call[4]]
  return which and call[4] .. ":" .. call[which] or call[4]
end

local function is_tolerated(call, code)
  if ask.strict then return false end
  return tolerated[key(call)] or tolerated[call[4]]
    or tolerated[call[4] .. ":" .. code]
end

-- Whether the walk was made once more, or without a walker from the first.
local function again(found, normal)
  local now <const>, before <const> = found.processes[1], normal.processes[1]
  return math.tointeger(now[2]) > math.tointeger(before[2])
    or math.tointeger(now[3]) < math.tointeger(before[3])
end

-- Whether an error tells of a call's failure: by the call or the step that it
-- names, with the errno or with what it means. Of the failure of the call by
-- which a child tells it, only the child's end can tell.
local function tells(said, code, call)
  local call_told <const>, step <const>, text <const> =
    said:match "^error\t([^\t]*)\t[^\t]*\t([^\t]*)\t(.*)"
  return text and (text:find(code, 1, true)
    or call_told ~= "-" and step ~= "-"
    or code == "ENOMEM" and text:find("not enough memory", 1, true)
    or text:find("ended early", 1, true) and call[4]:find "^send"
    or text:find("exit 125", 1, true)
    or text:find("ended early (exit 127)", 1, true) -- before its own code
    or text:find("first process of the pid namespace", 1, true))
end

local function verdict(code, found, said, normal)
  local what <const> = found["end"][1]
  if #found.crash > 0 then return "crash" end
  if #found.hang > 0 then
    return found.fail[1] and tolerated["hang:" .. found.fail[1][4]]
      and "tolerated" or "hang"
  end
  if #found.left > 0 then return "left a process" end
  if #found.fail == 0 then return "not met" end
  if what[2] ~= "exit" then return "killed" end
  if said:find "^ok\n" then
    -- what a keeper could not record, the next command finds out: killed
    local kept <const> = #found.ending > 0 and found.fail[1][2] ~= "0"
    if again(found, normal) then return "again" end
    if kept and not ask.strict then return "tolerated" end
    return is_tolerated(found.fail[1], code) and "tolerated" or "unnoticed"
  elseif not said:find "^error\t" then
    return "no answer"
  end
  return tells(said, code, found.fail[1]) and "error" or "vague"
end

local fine <const> = { again = true, tolerated = true, error = true,
                       ["not met"] = true }

---- all of them ----

-- The calls of a good run that are made to fail. A descriptor is closed even if
-- close says that it failed, so one of a kind is enough.
local function chosen(calls)
  local list, seen = {}, {}
  for i, call in ipairs(calls) do
    local first <const> = call[2] .. call[4]
    if ask.only then
      if ask.only == call[2] .. "." .. call[3] then list[1] = call end
    elseif ask.from_on and not seen[first]
       or not ask.from_on and call[4] ~= "close"
          and (i - 1) % ask.every == 0 then
      list[#list + 1] = call
    end
    seen[first] = true
  end
  return list
end

local function tell(setup, call, code, how, said, left)
  local line <const> = ("%s\t%s.%s\t%s %s %s %s\t%s\t%s\t%s\t%s"):format(setup,
    call[2], call[3], call[4], call[5], call[6], call[7], code, how,
    said:gsub("%s+$", ""):gsub("[\t\n]", " "), left or "")
  if ask.log then
    ask.log:write(line, "\n")
    ask.log:flush()
  end
  -- the end's calls may fail, too: then it is told, and the next one does it
  local good <const> = fine[how] and (not left
    or how == "error" and left:find "^ending")
  if not good then io.stderr:write(line:sub(1, 400), "\n") end
  return good
end

local function try(setup, call, code, normal, before)
  local fault <const> = { ask.from_on and "-F" or "-f",
    ("%s.%s:%d"):format(call[2], call[3], ns.errno[code]) }
  local found <const>, said <const> = run(setup, fault)
  local how <const> = verdict(code, found, said, normal)
  local left = room.news(before, room.look(setup == "network"))
  if left then
    run(setup, {}) -- what the next one clears away is no loss
    local still <const> = room.news(before, room.look(setup == "network"))
    local when <const> = still and "for good: "
      or #found.ending > 0 and "ending: " or "until the next: "
    left = when .. (still or left)
  end
  return tell(setup, found.fail[1] or call, code, how, said, left), how, left
end

local function count(counts, word) counts[word] = (counts[word] or 0) + 1 end

local function all(setup)
  run(setup, {}) -- makes what is there for good
  local found <const>, said <const> = run(setup, { "-l" })
  if not said:find "^ok" then
    print(("%-10s not here: %s"):format(setup, said:gsub("\n.*", "")))
    return
  end
  local before = room.look(setup == "network")
  local counts <const>, runs, findings = {}, 0, 0
  for _, call in ipairs(chosen(found.call)) do
    for _, code in ipairs(ask.errnos) do
      local good, how, left = try(setup, call, code, found, before)
      runs, findings = runs + 1, findings + (good and 0 or 1)
      count(counts, how)
      if left then count(counts, "left " .. left:match "^[^:]+") end
      if left and left:find "^for good" then room.forget(before) end
    end
  end
  local parts = {}
  for word, n in pairs(counts) do parts[#parts + 1] = word .. " " .. n end
  table.sort(parts)
  print(("%-10s %4d calls, %5d runs, %d findings: %s"):format(setup,
    #found.call, runs, findings, table.concat(parts, ", ")))
  if findings > 0 then os.exit(1) end
end

local good = true
for _, setup in ipairs(names) do
  good = room.apart(function() all(setup) end) == true and good
end
os.exit(good)

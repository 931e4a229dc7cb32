--- Why an id map, setgroups or a clock's offset was refused. Errors about maps
-- carry `map` (the ranges that were written) and `target` (the PID).

local M = {}

local function row(calls, codes, check)
  M[#M + 1] = { calls = calls, codes = codes, check = check }
end

local maps <const> = "write_uid_map write_gid_map"

local function proc(err, name)
  return ("/proc/%d/%s"):format(err.target, name)
end

local function which(err)
  return err.call == "write_uid_map" and "uid" or "gid"
end

-- The files of a process that is not dumpable are root's; the directory of
-- them is not.
row(maps .. " set_setgroups", "EACCES", function(err, sys)
  local uid = (sys.read(proc(err, "status")) or ""):match
              "Uid:%s+%d+%s+(%d+)"
  local owner = sys.owner(proc(err, "uid_map"))
  if uid and owner and owner ~= math.tointeger(tonumber(uid)) then
    return ("process %d is not dumpable, since it changed its ids or ran a "
        .. "set-id program: write the map before that, or as root"):format(
      err.target)
  end
end)

row(maps, "EPERM", function(err, sys)
  local there = sys.read(proc(err, which(err) .. "_map"))
  if there and there:find "%d" then
    return "a map is written once: make a new user namespace"
  end
end)

local function own(err, sys)
  local uid, gid = sys.ids()
  return which(err) == "uid" and uid or gid
end

-- One's own id alone, in one range.
local function own_only(err, sys)
  local range = err.map[1]
  return #err.map == 1 and range[3] == 1 and range[2] == own(err, sys)
end

row("write_gid_map", "EPERM", function(err, sys)
  local word = sys.read(proc(err, "setgroups")) or ""
  if own_only(err, sys) and word:find "^allow" then
    return "without CAP_SETGID setgroups must be denied before: "
        .. "set_setgroups(target, \"deny\")"
  end
end)

-- What the helper programs need to do what the caller may not.
row(maps, "EPERM", function(err, sys)
  local program = "new" .. which(err) .. "map"
  if own_only(err, sys) or sys.capable("set" .. which(err)) then return nil end
  if sys:status "NoNewPrivs" == "1" then
    return ("no_new_privs is set, so %s gains no privilege: write the map "
        .. "before that"):format(program)
  end
  if sys.setuid("/usr/bin/" .. program) == false then
    return ("/usr/bin/%s is neither set-uid nor has file capabilities: "
        .. "install it again"):format(program)
  end
  if sys:mapped(which(err), own(err, sys)) == false then
    return "from inside only one's own id can be mapped: have a process "
        .. "outside write the map"
  end
end)

row(maps, "EPERM", function(err)
  local file = (err.detail or ""):match "(/etc/sub[ug]id) grants"
  if file then
    return ("map your own id alone, or have root add NAME:FIRST:COUNT to "
        .. "%s"):format(file)
  end
end)

row("set_setgroups", "EPERM", function(err, sys)
  if (sys.read(proc(err, "setgroups")) or ""):find "^deny" then
    return "what was denied stays denied in this user namespace and those "
        .. "inside it"
  elseif (sys.read(proc(err, "gid_map")) or ""):find "%d" then
    return "the group map is written already: deny setgroups before it"
  end
end)

---- becoming somebody ----

row("setresuid setresgid setgroups", "EINVAL", function(err, sys)
  local kind <const> = err.call == "setresuid" and "uid" or "gid"
  for id in (err.detail or ""):gmatch "%d+" do
    if sys:mapped(kind, math.tointeger(id)) == false then
      return ("%s %s is not mapped in this user namespace: give it more ids, "
          .. "as with uid_map = \"auto\""):format(kind, id)
    end
  end
end)

row("setgroups", "EPERM", function(_, sys)
  if (sys.read "/proc/self/setgroups" or ""):find "^deny" then
    return "setgroups is denied where an ordinary user maps his own group "
        .. "alone: map more, as with uid_map = \"auto\", or leave groups out"
  end
end)

---- the clocks of a time namespace ----

local offsets <const> = {
  EACCES = "offsets must be set before the time namespace has its first "
      .. "process, and not at all in one that clone made: unshare \"time\", "
      .. "write, then fork",
  ERANGE = "an offset may not take a clock below zero or beyond 146 years",
  EINVAL = "the clocks with offsets are monotonic and boottime: a line is "
      .. "CLOCK SECONDS NANOSECONDS",
}

row("write", "EACCES ERANGE EINVAL", function(err)
  local path = err.path or ""
  return path:find "/timens_offsets$" and offsets[err.code] or nil
end)

return M

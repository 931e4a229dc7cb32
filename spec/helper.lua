-- What every spec may use, as `local t = require "spec.helper"`: throw-away
-- children, reasons to be pending, temporary directories. Loaded by .busted
-- before the first spec, it also fails each test that leaves anything behind.

local build <const> = os.getenv "FARSIDE_BUILD" or "build"
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = build .. "/lib/?.so;" .. package.cpath

-- The driver's own is one for good; busted gives every file modules of its own.
if package.preload.farside then
  package.preload.farside = assert(loadfile "lua/farside/init.lua")
end

local busted <const> = require "busted"
local lfs <const> = require "lfs"
local leaks <const> = require "spec.leaks"

local M = {}
package.loaded["spec.helper"] = M

-- Where the build is, the interpreter that runs the specs, which can load the
-- core, and the command for another busted under it.
M.build = build
M.lua = arg[-1]
M.sanitized = build:find "sanitize" ~= nil
M.busted = ("%s %s --ignore-lua"):format(arg[-1], arg[0])

local function core() return require "farside.core" end

---- pending, with the reason ----

local function reads(path)
  local file <close> = io.open(path)
  return file and file:read "a"
end

local function program(name)
  local path <const> = (os.getenv "PATH" or "") .. ":/usr/sbin:/sbin"
  for directory in path:gmatch "[^:]+" do
    if lfs.attributes(directory .. "/" .. name, "mode") == "file" then
      return true
    end
  end
  return false, "needs the program " .. name
end

-- Runs in a child made with "user": root of the new namespace, which is the
-- caller outside. Whoever has no privilege must give up setgroups first.
local function become_root(uid, gid)
  local function put(name, text)
    local file <close> = assert(io.open("/proc/self/" .. name, "w"))
    assert(file:write(text))
  end
  put("setgroups", "deny")
  put("uid_map", ("0 %d 1"):format(uid))
  put("gid_map", ("0 %d 1"):format(gid))
end

local function in_userns(fn)
  local uid, gid = core().geteuid(), core().getegid()
  return function()
    become_root(uid, gid)
    fn()
  end
end

-- What a test may need → a function that answers true, or false and a reason.
local probes <const> = {}

function probes.root()
  return core().geteuid() == 0, "needs root"
end

-- Whether a file system lets root show its files with other ids; on Linux 6.1
-- tmpfs does not.
local function idmaps(fstype)
  if core().geteuid() ~= 0 then return true end
  local ns <const> = require "farside"
  local users <close> = ns.new("user", { uid_map = "0:1:1", gid_map = "0:1:1" })
  local context <close> = ns.fsopen(fstype)
  ns.fsconfig(context, "create")
  local mount <close> = ns.fsmount(context)
  return (pcall(ns.mount_setattr, mount, "", { userns = users }))
end

probes["idmapped tmpfs"] = function()
  return idmaps "tmpfs", "needs a tmpfs whose ids can be mapped"
end

-- Files of the temporary directories are a container's, if root makes it.
probes["idmapped files"] = function()
  local tmp <const> = core().statfs(os.getenv "TMPDIR" or "/tmp").type
  return tmp ~= "tmpfs" or idmaps "tmpfs",
    "needs temporary files whose ids can be mapped"
end

probes["ordinary user"] = function()
  return core().geteuid() ~= 0, "needs an ordinary user"
end

function probes.userns()
  local ok, child = pcall(core().clone, { "user", "mnt" }, in_userns(
    function() end))
  if not ok then return false, "needs user namespaces: " .. tostring(child) end
  return child:wait(), "needs user namespaces that one can be root of"
end

-- Root needs no grant to map a range; others need one in both files.
function probes.newuidmap()
  if not program "newuidmap" then
    return false, "needs the program newuidmap"
  elseif core().geteuid() == 0 then
    return true
  end
  local uid <const> = core().geteuid()
  local user = ("\n" .. reads "/etc/passwd"):match("\n([^:]*):[^:]*:" .. uid)
  for _, file in ipairs { "/etc/subuid", "/etc/subgid" } do
    local text = "\n" .. (reads(file) or "")
    local name = user and text:find("\n" .. user .. ":", 1, true)
    if not name and not text:find("\n" .. uid .. ":", 1, true) then
      return false, "needs a range of ids in " .. file
    end
  end
  return true
end

-- What the prompt loads.
probes["line editing"] = function()
  local found = io.popen "ldconfig -p 2>/dev/null || /sbin/ldconfig -p"
  local list <close> = assert(found)
  local text = list:read "a"
  return text:find "libreadline.so.8" or text:find "libedit.so",
    "needs libreadline or libedit"
end

function probes.cap_sys_resource()
  return core().capability.has "sys_resource", "needs CAP_SYS_RESOURCE"
end

-- Where specs may make cgroups: beside or below their own, as the kernel lets.
local function cgroup_base()
  local cgroup <const> = require "farside.cgroup"
  local ok, own = pcall(cgroup.own)
  if not ok then return nil end
  local root = not lfs.attributes(own .. "/cgroup.events")
  local base <const> = root and own or own:match "^(.*)/"
  if core().faccessat(nil, base, "write") and
     core().faccessat(nil, base .. "/cgroup.procs", "write") then
    return base
  end
end

function probes.landlock()
  return pcall(core().landlock_abi), "needs a kernel with Landlock"
end

function probes.cgroup()
  return cgroup_base(), "needs a cgroup of version 2 that is its own"
end

function probes.controllers()
  local base <const> = cgroup_base()
  local on = base and reads(base .. "/cgroup.subtree_control") or ""
  for _, name in ipairs { "memory", "pids", "cpu" } do
    if not on:find(name, 1, true) then
      return false, "needs cgroup v2 with the controller " .. name
    end
  end
  return true
end

-- That of check-vm, which is thrown away.
probes["a machine of its own"] = function()
  local words = reads "/proc/cmdline" or ""
  return words:find("scripts/dev/vm-inside", 1, true) and
    core().geteuid() == 0, "needs a machine of its own: make check-vm"
end

probes["terminal input"] = function()
  local legacy = reads "/proc/sys/dev/tty/legacy_tiocsti"
  return not (legacy and legacy:find "^0"), "needs dev.tty.legacy_tiocsti = 1"
end

-- "KIND NAME" → the same, given the name.
local kinds <const> = { program = program }

function kinds.filesystem(name)
  local known = reads("/proc/filesystems"):find("\t" .. name .. "\n", 1, true)
  return known, "needs the file system " .. name
end

function kinds.lua(name)
  return (pcall(require, name)), "needs the Lua module " .. name
end

function kinds.file(path)
  return lfs.attributes(path) ~= nil, "needs the file " .. path
end

function kinds.qdisc(name)
  local ok, child = pcall(core().clone, { "user", "mnt", "net" }, in_userns(
    function()
      local add <const> = require "farside".qdisc.add
      local added, err = pcall(add, { dev = "lo", kind = name })
      os.exit(added or err.code ~= "ENOENT") -- it may want more to be said
    end))
  return ok and child:wait() or false,
    "needs a kernel with the queueing discipline " .. name
end

function kinds.namespace(name)
  local there = lfs.symlinkattributes("/proc/self/ns/" .. name)
  return there, "needs a kernel with the namespace " .. name
end

local answers <const> = {}

--- Whether this machine and user have it; otherwise false and the reason.
-- @tparam string what "root", "ordinary user", "userns", "newuidmap",
-- "filesystem overlay", "namespace time", "lua cjson", or the name of a program
function M.has(what)
  if not answers[what] then
    local kind, name = what:match "^(%w+) (%S+)$"
    local probe = probes[what] or kinds[kind] or program
    if not probes[what] and kinds[kind] then
      answers[what] = { probe(name) }
    else
      answers[what] = { probe(what) }
    end
  end
  return answers[what][1], answers[what][2]
end

local running = nil -- the test, while there is one

--- Makes the test pending unless all of these are there.
function M.needs(...)
  assert(running, "t.needs belongs into a test")
  for _, what in ipairs { ... } do
    local ok, reason = M.has(what)
    if not ok then running.env.pending(reason) end
  end
end

---- what fails ----

--- What a function that fails says, without the place where it failed, and the
-- error itself.
function M.refusal(fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, "it did not fail")
  return (tostring(err):gsub("^%S+:%d+: ", "")), err
end

--- The same, the first line of it only: not what is known besides.
function M.message(fn, ...)
  local text <const>, err = M.refusal(fn, ...)
  return text:match "^[^\n]*", err
end

---- throw-away children ----

local PATIENCE <const> = 60 -- seconds until a child counts as stuck

-- What an error is to busted: "failure", "pending", or plainly an error.
local function outcome(err)
  local kind = (debug.getmetatable(err) or {}).__type
  if kind == "failure" or kind == "pending" then
    return kind .. "\n" .. tostring(err.message)
  end
  local trace = debug.traceback(tostring(err), 2)
  return "error\n" .. trace:gsub("\n%s*%[C%]: in function 'xpcall'.*", "")
end

-- The child tells how it went through a file that both have open: it works
-- from any namespace and root, and needs nothing that is being tested.
local function told(fn, file)
  return function()
    local ok, text = xpcall(fn, outcome)
    collectgarbage() -- a pipe to a program that nobody closed is closed
    file:write(ok and "success\n" or text)
    file:close()
    os.exit(ok)
  end
end

local function raise(kind, text)
  if kind == "failure" then busted.fail(text, 0) end
  if kind == "pending" then running.env.pending(text) end
  error(text, 0)
end

--- Runs a function in a child; its failure is the test's.
-- @tparam function fn must return: a child that execs or exits on its own
-- has not shown that its assertions hold
-- @tparam[opt] table options as of farside.core.clone
function M.child(fn, options)
  local file <close> = assert(io.tmpfile())
  local child <close> = core().clone(options or {}, told(fn, file))
  local _, how, code = child:wait(PATIENCE)
  file:seek "set"
  local kind, text = file:read "a":match "^(%l+)\n(.*)$"
  if not kind then
    local ending = ("%s %s"):format(how, code or "")
    error("the child ended without a result: " .. ending, 2)
  elseif kind ~= "success" then
    raise(kind, text)
  end
end

--- Runs a function as root of a new user namespace with a mount namespace
-- of its own, the caller being root or not.
-- @tparam function fn as in child
-- @tparam[opt] table options more namespaces: { "net", "uts" }
function M.userns(fn, options)
  M.needs "userns"
  local all = { "user", "mnt" }
  for key, value in pairs(options or {}) do
    all[math.type(key) == "integer" and #all + 1 or key] = value
  end
  M.child(in_userns(fn), all)
end

--- Runs a function in a child that is alone in a cgroup of its own.
-- @tparam function fn gets the group's directory
function M.cgroup(fn)
  M.needs "cgroup"
  local path <const> = ("%s/specs-%d"):format(cgroup_base(), core().getpid())
  assert(lfs.mkdir(path))
  local dir <close> = core().openat2(nil, path, "rdonly,directory")
  local ok, err = pcall(M.child, function() fn(path) end, { cgroup = dir })
  require("farside.cgroup").remove(path)
  if not ok then error(err, 0) end
end

--- Waits for orphans that a test made on purpose: the runner inherits them.
function M.reap()
  while pcall(core().waitpid) do end
end

---- temporary directories ----

-- One directory for all, which a child may use under whatever ids it has.
local base <const> = leaks.directory()
assert(os.execute("chmod 1777 " .. base))

--- A new directory, removed with all it has after the test, or after the
-- file when it was made outside of a test.
function M.tmpdir()
  return leaks.directory(base)
end

local function directories()
  local found = {}
  for name in lfs.dir(base) do found[name] = true end
  return found
end

local function remove_directories(kept)
  for name in lfs.dir(base) do
    local path = base .. "/" .. name
    if not kept[name] and not os.execute("rm -rf '" .. path .. "'") then
      error("cannot remove " .. path, 0)
    end
  end
end

---- the watch ----

-- Orphans come to the runner instead of PID 1, where it can see them.
local function adopt_orphans()
  local ok, prctl = pcall(function() return core().prctl end)
  if ok and prctl then prctl("child_subreaper", true) end
end

local none <const> = { ["."] = true, [".."] = true }
local kept -- directories that belong to the file, not to the test
local before_test, before_file

local function complain(element, before, who)
  local text = leaks.since(before)
  if not text then return end
  before_file = leaks.look() -- it has been said
  local at = element.trace
  local where = at and ("%s:%d: "):format(at.short_src, at.currentline) or ""
  error(("%s%s left behind:\n%s"):format(where, who, text), 0)
end

busted.subscribe({ "file", "start" }, function()
  adopt_orphans()
  before_file = leaks.look()
  return nil, true
end)

busted.subscribe({ "test", "start" }, function(element)
  running = element
  kept = directories()
  before_test = leaks.look()
  return nil, true
end)

-- Before the output handler, which would have counted the test as passed.
-- After a failure what is left is the failure's doing.
busted.subscribe({ "test", "end" }, function(element, _, status)
  running = nil
  remove_directories(kept)
  if status == "success" then
    complain(element, before_test, "the test")
  end
  return nil, true
end, { priority = 1 })

busted.subscribe({ "file", "end" }, function(element)
  remove_directories(none)
  complain(element, before_file, "the file, outside of its tests,")
  return nil, true
end, { priority = 1 })

busted.subscribe({ "suite", "end" }, function()
  lfs.rmdir(base)
  return nil, true
end)

return M

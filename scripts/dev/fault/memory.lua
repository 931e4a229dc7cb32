--- No memory in Lua, at each allocation of each of the core's functions:
--   build/farside scripts/dev/fault/memory.lua [NAME]...
-- calls each with plausible arguments, first with no memory at its first
-- allocation, then at its second, until it has all that it wants; once so that
-- memory is short for a moment, and once so that it stays short until the call
-- has failed. Each function has a process of its own, in namespaces that are
-- thrown away. It must not crash; no descriptor and no child is left; and with
-- memory it works as before. Prints a line for each function where something
-- is wrong, and the sum.

local core <const> = require "farside.core"
local driver <const> = core.readlinkat(nil, "/proc/self/exe")
package.cpath = driver:match "^(.*)/" .. "/fault/?.so"
local starvation <const> = require "starve"

---- the calls ----

-- What calls are about, made with memory at hand.
local function fixtures()
  local f = {}
  core.mount(nil, "/", nil, "rprivate")
  core.mount("tmpfs", "/mnt", "tmpfs")
  core.mkdirat(nil, "/mnt/d", "0755")
  core.mkdirat(nil, "/mnt/e", "0755")
  core.openat2(nil, "/mnt/f", "wronly,create", { mode = "0644" }):close()
  core.symlinkat("f", nil, "/mnt/l")
  f.dir = core.openat2(nil, "/mnt", "rdonly,directory")
  f.file = core.openat2(nil, "/mnt/f", "rdwr")
  f.reader, f.writer = core.pipe()
  f.one, f.other = core.socketpair "seqpacket"
  f.me = core.pidfd_open(core.getpid())
  f.net = core.open("self", "net")
  f.nl = core.netlink_socket()
  core.link.set("lo", { up = true })
  core.link.add { name = "v0", kind = "veth", peer = { name = "v1" } }
  core.link.add { name = "b0", kind = "bridge" }
  core.link.set("v0", { up = true })
  core.address.add("v0", "10.9.0.1/24")
  return f
end

local function path(name) return "/mnt/" .. name end

local function sleeper()
  return core.posix_spawn("/bin/sleep", { "sleep", "100" })
end

-- Functions that end the process, wait for what never comes, or are of the
-- driver's own affairs.
local excepted <const> = {
  _exit = true, execve = true, pause = true, raise = true, where = true,
  sources = true, sigtimedwait = true, onend = true,
  ["landlock.restrict_self"] = true, ["seccomp.install"] = true,
  ["tty.control"] = true, ["tty.foreground"] = true, ["tty.raw"] = true,
  ["netlink.close"] = true, ["namespace.close"] = true, setsid = true,
  ["namespace.init"] = true,
}

local calls <const> = {}

-- What takes nothing.
for name in ([[ getcwd getegid geteuid getgid getgroups getpgid getpid getppid
  getpriority getresgid getresuid getsid gettid getuid landlock_abi monotonic
  pipe processes sched_getaffinity uname capability.get
  capability.names capability.securebits capability.text link.list address.list
  route.list rule.list neighbour.list fdb.list qdisc.list
  netlink_socket ]]):gmatch "%S+" do
  calls[name] = function(_, call) call() end
end

-- What takes back what a call has done, so that it can be made again.
local undo <const> = {}

function calls.walker(f)
  local process, stack <const> = core.walker({ "user", "mnt" },
                                             { f.one, f.writer })
  process:close()
  stack:close()
end
function calls.forget_cmdline() core.forget_cmdline() end
function calls.network_namespace() core.network_namespace() end
function calls.chdir() core.chdir "/mnt" end
function calls.chroot() core.chroot "/" end
function calls.cloexec(f) core.cloexec(f.file, true) end
function calls.clone()
  local child <close> = core.clone({ "uts" }, function() end)
  child:wait()
end
function calls.close_range() core.close_range(900, 1000) end
function calls.dup(f) core.dup(f.file) end
function calls.duration() core.duration "5ms" end
function calls.faccessat() core.faccessat(nil, "/mnt", "read,write") end
function calls.fchmodat() core.fchmodat(nil, path "f", "0600") end
function calls.fchownat() core.fchownat(nil, path "f", 0, 0) end
function calls.fd(f)
  f.number = f.number or core.dup(f.dir):detach()
  core.fd(f.number):detach()
end
function calls.flock(f) core.flock(f.file, "exclusive,nonblock") end
function calls.fsopen()
  local context <close> = core.fsopen "tmpfs"
  core.fsconfig(context, "string", "size", "1M")
  core.fsconfig(context, "create")
  core.fsmount(context, "nosuid"):close()
end
calls.fsconfig, calls.fsmount = calls.fsopen, calls.fsopen
function calls.fspick() core.fspick(nil, "/mnt", "nofollow") end
function calls.fstatat() core.fstatat(nil, path "f", "nofollow") end
function calls.getrlimit() core.getrlimit "nofile" end
function calls.getxattr() core.getxattr(path "f", "security.none") end
function calls.inet_ntop() core.inet_ntop(core.inet_pton "10.0.0.1") end
function calls.inet_pton() core.inet_pton "fd00::1" end
function calls.keyctl() core.keyctl "join_session_keyring" end
function calls.kill() core.kill(core.getpid(), 0) end
function calls.linkat() core.linkat(nil, path "f", nil, path "f2") end
function undo.linkat() core.unlinkat(nil, path "f2") end
function calls.listxattr() core.listxattr(path "f") end
function calls.memfd_create() core.memfd_create("x", "allow_sealing") end
function calls.mkdirat(f) core.mkdirat(f.dir, "new", "0755") end
function undo.mkdirat(f) core.unlinkat(f.dir, "new", "removedir") end
function calls.mknodat(f) core.mknodat(f.dir, "n", "fifo", "0644") end
function undo.mknodat(f) core.unlinkat(f.dir, "n") end
function calls.mount() core.mount("tmpfs", path "d", "tmpfs", "size=1M") end
function undo.mount() core.umount(path "d", "detach") end
function calls.mount_setattr()
  core.mount_setattr(nil, "/mnt", { set = { "nosuid" } })
end
function calls.open_tree()
  local tree <close> = core.open_tree(nil, "/mnt", "clone")
  core.move_mount(tree, "", nil, path "d")
end
undo.open_tree = undo.mount
calls.move_mount, undo.move_mount = calls.open_tree, undo.mount
function calls.netlink_namespaces()
  for _, nl in ipairs(core.netlink_namespaces(3)) do nl:close() end
end
function calls.netlink_socket(f)
  local nl <close> = core.netlink_socket(f.net)
  nl:fileno()
  nl:namespace()
  nl.link.get "lo"
  local _events <close> = nl:events "link"
  local batch <close> = nl:requests()
  batch.link.set("lo", { up = true })
  batch.route.add { to = "10.78.0.0/16", dev = "lo" }
  batch.route.delete { to = "10.78.0.0/16", dev = "lo" }
  batch:send()
end
for _, method in ipairs { "events", "fileno", "namespace", "requests" } do
  calls["netlink." .. method] = calls.netlink_socket
end
function calls.nft_table() core.nft_table("inet", "none") end
function calls.nice() core.nice(0) end
function calls.open() core.open("self", "net") end
function calls.open_proc() core.open_proc(core.getpid()) end
function calls.openat2(f) core.openat2(f.dir, "f", "rdonly,nofollow") end
function calls.pidfd_open() core.pidfd_open(core.getpid()) end
function calls.pidfd_getfd(f) core.pidfd_getfd(f.me, 0) end
function calls.ping_sockets(f)
  for _, fd in ipairs(core.ping_sockets({ f.nl }, false)) do fd:close() end
end
function calls.ping(f)
  local list <const> = core.ping_sockets({ f.nl }, false)
  core.ping(list, { 1 }, { "127.0.0.1" }, "1s")
  for _, fd in ipairs(list) do fd:close() end
end
function calls.pivot_root() core.pivot_root("/mnt", "/mnt/d") end
function undo.pivot_root() core.pivot_root("/d", "/d/mnt") end
function calls.poll(f) core.poll({ f.reader, f.writer }, 0) end
function calls.posix_spawn(f)
  local child <close> = core.posix_spawn({ "/bin/none", "/bin/true" },
    { "true" }, { "A=B" }, { stdout = f.writer, session = true })
  child:wait()
end
function calls.prctl() core.prctl("name", "memory") end
function calls.prlimit() core.prlimit(core.getpid(), "nofile") end
function calls.process(f)
  local process <const> = core.process(core.getpid(), f.me)
  process:fileno()
  process:signal(0)
end
function calls.program(f)
  local append <const> = core.program(f.one, f.writer)
  append(1, 0, "chdir", "/")
  append()
end
function calls.write(f)
  core.write(f.writer, ("x"):rep(100))
  core.read(f.reader, 100)
end
calls.read = calls.write
function calls.signalfd()
  core.sigprocmask("block", "USR1")
  local fd <close> = core.signalfd "USR1"
  core.kill(core.getpid(), "USR1")
  core.read_signal(fd)
end
calls.read_signal = calls.signalfd
function calls.readdir() core.readdir "/mnt" end
function calls.readlinkat() core.readlinkat(nil, path "l") end
function calls.sendmsg(f)
  core.sendmsg(f.one, "hello", { f.file, f.dir })
  local _, fds = core.recvmsg(f.other, 100)
  for _, fd in ipairs(fds) do fd:close() end
end
calls.recvmsg = calls.sendmsg
function calls.setxattr()
  core.setxattr(path "f", "user.x", "y")
  core.getxattr(path "f", "user.x")
  core.listxattr(path "f")
  core.removexattr(path "f", "user.x")
end
calls.removexattr = calls.setxattr
function calls.renameat() core.renameat(nil, path "e", nil, path "e") end
function calls.sched_setaffinity()
  core.sched_setaffinity(core.sched_getaffinity())
end
function calls.seal() core.seal(core.memfd_create("x", "allow_sealing"),
                                "write") end
function calls.seccomp_action() core.seccomp_action "errno" end
calls["seccomp.compile"] = function()
  core.seccomp.compile("allow", { { "deny", "chmod fchmodat" } })
end
calls["seccomp.known"] = function() core.seccomp.known "chmod" end
function calls.setdomainname() core.setdomainname "moon" end
function calls.sethostname() core.sethostname "moon" end
function calls.setgroups() core.setgroups {} end
function calls.setitimer() core.setitimer(0) end
function calls.setns(f) core.setns(f.net) end
function calls.setpgid() core.setpgid() end
function calls.setpriority() core.setpriority(0) end
function calls.setresgid() core.setresgid(0, 0, 0) end
function calls.setresuid() core.setresuid(0, 0, 0) end
function calls.setrlimit() core.setrlimit("core", 0) end
function calls.shutdown(f) core.shutdown(f.one, "write") end
function calls.sigaction() core.sigaction("USR1", "ignore") end
function calls.sigprocmask() core.sigprocmask("block", { "USR1", "USR2" }) end
function calls.socket_namespace(f)
  core.socket_namespace(f.one)
end
function calls.socketpair() core.socketpair "stream" end
function calls.statfs() core.statfs "/mnt" end
function calls.symlinkat(f) core.symlinkat("f", f.dir, "l2") end
function undo.symlinkat(f) core.unlinkat(f.dir, "l2") end
function calls.umask() core.umask "022" end
function calls.umount()
  pcall(core.mount, "tmpfs", path "d", "tmpfs")
  core.umount(path "d", "detach")
end
function calls.unlinkat(f) core.unlinkat(f.dir, "n") end
function undo.unlinkat(f) core.mknodat(f.dir, "n", "fifo", "0644") end
function calls.unshare() core.unshare "uts" end
function calls.waitpid()
  local child = sleeper()
  child:signal "KILL"
  core.waitpid(child.pid)
end
calls["capability.drop"] = function() core.capability.drop("sys_time",
                                                           "bounding") end
calls["capability.has"] = function() core.capability.has "sys_admin" end
calls["capability.keep"] = function() core.capability.keep "sys_admin" end
calls["capability.parse"] = function()
  core.capability.parse "cap_net_admin=ep"
end
calls["capability.raise"] = function()
  core.capability.raise("net_raw", "effective")
end
calls["capability.set"] = function()
  core.capability.set { effective = "all", permitted = "all",
                        inheritable = {} }
end
calls["landlock.create_ruleset"] = function(f)
  local rules <close> = core.landlock.create_ruleset {
    files = "execute", ports = "bind_tcp",
  }
  core.landlock.allow_files(rules, "execute", f.dir)
  core.landlock.allow_port(rules, "bind_tcp", 80)
end
calls["landlock.allow_files"] = calls["landlock.create_ruleset"]
calls["landlock.allow_port"] = calls["landlock.create_ruleset"]
calls["namespace.keep"] = function(f) f.net:keep {} end
calls["namespace.parent"] = function()
  local pid <close> = core.open("self", "pid")
  pid:parent()
end
calls["namespace.user"] = function(f) f.net:user() end
calls["namespace.fileno"] = function(f) f.net:fileno() end
calls["tty.open"] = function()
  local master <close>, slave = core.tty.open()
  core.tty.isatty(master)
  core.tty.resize(master, 24, 80)
  core.tty.size(master)
  slave:close()
end
for _, name in ipairs { "isatty", "resize", "size" } do
  calls["tty." .. name] = calls["tty.open"]
end

---- calls over netlink ----

calls["link.add"] = function()
  core.link.add { name = "v2", kind = "veth", up = true, group = 7,
                  peer = { name = "v3", address = "02:00:00:00:00:01" } }
end
undo["link.add"] = function() core.link.delete "v2" end
calls["link.delete"] = function() core.link.delete "v2" end
undo["link.delete"] = calls["link.add"]
calls["link.get"] = function() core.link.get "lo" end
calls["link.set"] = function()
  core.link.set("v0", { mtu = 1400, alias = "x", master = "b0" })
end
calls["link.add_altname"] = function() core.link.add_altname("v0", "vv") end
undo["link.add_altname"] = function() core.link.delete_altname("v0", "vv") end
calls["link.delete_altname"] = function()
  core.link.delete_altname("v0", "vv")
end
undo["link.delete_altname"] = calls["link.add_altname"]
calls["address.add"] = function() core.address.add("v0", "10.9.1.1/24") end
undo["address.add"] = function() core.address.delete("v0", "10.9.1.1/24") end
calls["address.replace"] = function()
  core.address.replace("v0", "10.9.1.1/24")
end
calls["address.delete"] = function()
  core.address.delete("v0", "10.9.1.1/24")
end
undo["address.delete"] = calls["address.add"]
for _, verb in ipairs { "add", "append", "replace", "delete" } do
  calls["route." .. verb] = function()
    core.route[verb] { to = "10.77.0.0/16", dev = "lo" }
  end
end
local function no_route()
  core.route.delete { to = "10.77.0.0/16", dev = "lo" }
end
undo["route.add"], undo["route.append"] = no_route, no_route
undo["route.delete"] = calls["route.add"]
calls["route.get"] = function() core.route.get "127.0.0.1" end
for _, verb in ipairs { "add", "delete" } do
  calls["rule." .. verb] = function()
    core.rule[verb] { from = "10.1.0.0/16", table = 100, priority = 500 }
  end
end
undo["rule.add"], undo["rule.delete"] = calls["rule.delete"],
  calls["rule.add"]
for _, verb in ipairs { "add", "replace", "delete" } do
  calls["neighbour." .. verb] = function()
    core.neighbour[verb] { dev = "v0", to = "10.9.0.2",
                           lladdr = "02:00:00:00:00:02" }
  end
end
undo["neighbour.add"] = calls["neighbour.delete"]
undo["neighbour.delete"] = calls["neighbour.add"]
for _, verb in ipairs { "add", "append", "replace", "delete" } do
  calls["fdb." .. verb] = function()
    core.fdb[verb] { dev = "v0", mac = "02:00:00:00:00:03" }
  end
end
undo["fdb.add"], undo["fdb.append"] = calls["fdb.delete"], calls["fdb.delete"]
undo["fdb.delete"] = calls["fdb.add"]
calls["nsid.get"] = function(f) core.nsid.get(f.net) end
calls["nsid.set"] = calls["nsid.get"]
for _, verb in ipairs { "add", "change", "replace" } do
  calls["qdisc." .. verb] = function()
    core.qdisc[verb] { dev = "v0", kind = "tbf", rate = "1mbit",
                       burst = "32K", limit = "32K", root = true }
  end
end
calls["qdisc.delete"] = function() core.qdisc.delete { dev = "v0" } end
for _, verb in ipairs { "add", "replace", "delete" } do
  calls["class." .. verb] = function()
    pcall(core.qdisc.add, { dev = "v1", kind = "htb", handle = "1:",
                            root = true })
    core.class[verb] { dev = "v1", kind = "htb", classid = "1:1",
                       parent = "1:", rate = "1mbit" }
  end
end
undo["class.add"], undo["class.delete"] = calls["class.delete"],
  calls["class.add"]
undo["qdisc.change"], undo["qdisc.delete"] = calls["qdisc.add"],
  calls["qdisc.add"]
undo["qdisc.add"] = calls["qdisc.delete"]
calls["class.list"] = function() core.class.list { dev = "v0" } end

---- one of them ----

local function descriptors() return #core.readdir "/proc/self/fd" end

local function children()
  local file <close> = core.openat2(nil, "/proc/thread-self/children", "rdonly")
  return core.read(file, 4096) or ""
end

local function find(name)
  local value = core
  for part in name:gmatch "[^.]+" do value = value[part] end
  return value
end

local function collect()
  collectgarbage()
  collectgarbage()
end

-- Two failures, since Lua tries once more when it has collected garbage; or all
-- that come.
local modes <const> = { 2, 1 << 40 }
local MOST <const> = 2000 -- allocations of a call

-- Raises what is wrong; answers how many allocations failed.
local function starve(name, fixture)
  local call <const>, fn <const> = calls[name], find(name)
  collect()
  local function back() pcall(undo[name] or collect, fixture) end
  back()
  local ok, reason = pcall(call, fixture, fn)
  back()
  collect()
  local before <const>, tries = descriptors(), 0
  for _, failing in ipairs(modes) do
    for n = 0, MOST do
      starvation.arm(n, failing)
      pcall(call, fixture, fn)
      local failed <const> = starvation.disarm()
      back()
      collect()
      if failed == 0 then break end
      tries = tries + 1
      local now <const> = descriptors()
      if now ~= before then
        error(("allocation %d: %d descriptors left"):format(n, now - before), 0)
      elseif children() ~= "" then
        error(("allocation %d: a child is left"):format(n), 0)
      end
    end
  end
  local still, now = pcall(call, fixture, fn)
  if ok and not still then
    error("it works no more: " .. tostring(now), 0)
  end
  return tries, not ok and tostring(reason):gsub("\n.*", "") or ""
end

-- In a child with namespaces of its own: what it found, in a line.
local function look_at(name)
  local reader, writer <const> = core.pipe()
  local child <close> = require("farside").clone({
    "user", "mnt", "net", "uts", "ipc", "cgroup",
    uid_map = { { 0, core.getuid(), 1 } },
    gid_map = { { 0, core.getgid(), 1 } },
  }, function()
    reader:close()
    local ok, tries, note = pcall(starve, name, fixtures())
    core.write(writer, ("%s\t%s\t%s"):format(ok and "ok" or "bad", tries,
                                              note or ""))
    core._exit(0)
  end)
  writer:close()
  local said <const> = core.read(reader, 65536)
  reader:close()
  local _, how, code = child:wait()
  return said or ("bad\tended by %s %d\t"):format(how, code)
end

---- all ----

local function names_of(list, prefix, found)
  for key, value in pairs(list) do
    local name <const> = prefix .. tostring(key)
    if type(value) == "function" and not name:find "^__" then
      found[#found + 1] = name
    elseif type(value) == "table" and prefix == "" and key ~= "errno" then
      names_of(value, name .. ".", found)
    end
  end
  return found
end

local wanted, verbose = {}, arg[1] == "-v"
for i = verbose and 2 or 1, #arg do wanted[#wanted + 1] = arg[i] end
if #wanted == 0 then wanted = names_of(core, "", {}) end
table.sort(wanted)

local bad, functions, allocations = 0, 0, 0
for _, name in ipairs(wanted) do
  if calls[name] then
    local what, said, note = look_at(name):match "^(.-)\t(.-)\t(.*)$"
    functions = functions + 1
    allocations = allocations + (math.tointeger(tonumber(said)) or 0)
    if what == "bad" then
      bad = bad + 1
      print(name, said)
    elseif verbose then
      print(name, said, note)
    end
  elseif not excepted[name] then
    bad = bad + 1
    print(name, "there is no call of it here")
  end
end
print(("%d functions, %d allocations that failed, %d findings"):format(
  functions, allocations, bad))
os.exit(bad == 0)

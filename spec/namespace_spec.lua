-- Namespaces: handles, making them without a process, keeping them.

local t = require "spec.helper"
local ns = require "farside"

local kinds <const> = { "mnt", "uts", "ipc", "net", "pid", "user", "cgroup",
                        "time" }

local function message_of(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

local function has(text, part)
  if not text:find(part, 1, true) then
    error(("'%s' expected in: %s"):format(part, text), 2)
  end
end

local function id_in_proc(kind)
  local link = ns.readlinkat(nil, "/proc/self/ns/" .. kind)
  return math.tointeger(link:match "%[(%d+)%]")
end

-- A user namespace whose root is the caller.
local function own_user()
  t.needs "userns"
  return ns.new("user", { uid_map = { { 0, ns.geteuid(), 1 } },
                          gid_map = { { 0, ns.getegid(), 1 } } })
end

describe("a handle", function()
  for _, kind in ipairs(kinds) do
    it("knows what it is: " .. kind, function()
      t.needs("namespace " .. kind)
      local handle <close> = ns.open("self", kind)
      local id <const> = id_in_proc(kind)
      assert.same({ kind, kind, id }, { handle.kind, handle.type, handle.id })
      assert.equal(("%s:[%d]"):format(kind, id), tostring(handle))
      assert.equal(ns.fstatat(handle, "").ino, handle.id)
    end)
  end

  it("is the same by process, pidfd, path, handle and number", function()
    local handle <close> = ns.open(nil, "net")
    local child <close> = ns.clone({}, function() ns.sigtimedwait {} end)
    local pidfd <close> = ns.pidfd_open(child.pid)
    local number <close> = ns.openat2(nil, "/proc/self/ns/net", "rdonly")
    for _, target in ipairs { child, pidfd, child.pid, handle, number,
                              "/proc/self/ns/net" } do
      local other <close> = ns.open(target, "net")
      assert.is_true(handle == other)
      assert.are_not.equal(handle:fileno(), other:fileno())
    end
  end)

  it("is another one for another namespace", function()
    local net <close> = ns.open(nil, "net")
    local uts <close> = ns.open(nil, "uts")
    assert.is_false(net == uts)
    assert.is_false(net == 5)
  end)

  it("needs no kind where there is only one", function()
    local path <close> = ns.open "/proc/self/ns/uts"
    local copy <close> = ns.open(path)
    assert.same({ "uts", "uts" }, { path.kind, copy.kind })
  end)

  it("takes mount and network for mnt and net", function()
    for word, kind in pairs { mount = "mnt", network = "net" } do
      local handle <close> = ns.open(nil, word)
      assert.equal(kind, handle.kind)
    end
  end)

  it("keeps its identity when it is closed, and nothing else", function()
    local handle = ns.open(nil, "net")
    handle:close()
    handle:close()
    assert.equal(("net:[%d] (closed)"):format(id_in_proc "net"),
      tostring(handle))
    assert.is_nil(handle.owner)
    has(message_of(handle.fileno, handle), "namespace handle is closed")
  end)

  it("closes with it what it keeps", function()
    local closed = 0
    local handle = ns.open(nil, "net")
    handle:keep { close = function() closed = closed + 1 end }
    handle:close()
    handle:close()
    assert.equal(1, closed)
  end)

  it("has no parent when it is not of a tree", function()
    local handle <close> = ns.open(nil, "net")
    has(message_of(handle.parent, handle),
      ("parent of net:[%d]: Invalid argument (EINVAL)"):format(handle.id))
  end)

  it("of a pid namespace knows its PID 1, others have none", function()
    t.needs "userns"
    t.userns(function()
      local child <close> = ns.clone({ "pid" }, function()
        ns.sigtimedwait {}
      end)
      local pid <close> = ns.open(child, "pid")
      assert.equal(child.pid, pid:init())
      child:close()
      has(message_of(pid.init, pid), "No such process (ESRCH)")
      local net <close> = ns.open(nil, "net")
      has(message_of(net.init, net), ("init of net:[%d]: "):format(net.id))
    end)
  end)

  it("of a child's user namespace leads back to ours", function()
    local outer <close> = ns.open(nil, "user")
    local inner <close> = own_user()
    local parent <close> = inner:parent()
    local user <close> = inner:user()
    assert.is_true(outer == parent and outer == user)
    assert.equal(ns.geteuid(), inner.owner)
  end)

  it("has no parent and no owner that is out of sight", function()
    local inner <close> = own_user()
    local parent, owner = ns.inside(inner, function()
      local user <close> = ns.open(nil, "user")
      local net <close> = ns.open(nil, "net")
      return user:parent() == nil, net.owner == nil and net:user() == nil
    end)
    assert.same({ true, true }, { parent, owner })
  end)
end)

describe("opening a namespace", function()
  local pid <const> = ns.getpid()

  -- arguments → the message
  local wrong <const> = {
    { "/etc/passwd", nil, "open /etc/passwd (not a namespace): Invalid "
      .. "argument (EINVAL)" },
    { "/nowhere", nil, "open /nowhere: No such file or directory (ENOENT)" },
    { "/proc/self/ns/uts", "net", "the namespace is of kind uts, not net" },
    { "self", "nett", "unknown namespace 'nett' (expected mnt, uts, ipc, " },
    { "self", nil, "namespace expected" },
    { pid, nil, "namespace expected" },
    { pid, "net_for_children", "only pid and time have a namespace for "
      .. "children" },
    { 0, "net", "PID out of range" },
    { 1 << 40, "net", "PID out of range" },
    { 1.5, "net", "PID, process, path or namespace expected, got number" },
    { {}, "net", "PID, process, path or namespace expected, got table" },
  }
  for i, case in ipairs(wrong) do
    it(("says what was wrong (%d): %s"):format(i, case[3]), function()
      has(message_of(ns.open, case[1], case[2]), case[3])
    end)
  end

  it("of a process that is gone says so", function()
    local child <close> = ns.clone({}, function() end)
    child:wait()
    has(message_of(ns.open, child.pid, "net"), ("open net namespace of %d: No "
      .. "such process (ESRCH)"):format(child.pid))
    assert.equal(ns.errno.ESRCH, select(2, pcall(ns.open, child, "net")).errno)
  end)

  it("of what is neither namespace nor process says so", function()
    local null <close> = ns.openat2(nil, "/dev/null", "rdonly")
    has(message_of(ns.open, null, "net"), "Bad file descriptor (EBADF)")
  end)

  it("for the children to come is another thing than one's own", function()
    t.needs "userns"
    t.userns(function()
      ns.unshare("pid", "time")
      local first <close> = ns.clone({}, function() ns.sigtimedwait {} end)
      assert.is_true(first.pid > 0)
      for _, kind in ipairs { "pid", "time" } do
        local own <close> = ns.open(nil, kind)
        local next_ <close> = ns.open(ns.getpid(), kind .. "_for_children")
        assert.equal(kind, next_.kind)
        assert.is_false(own == next_)
      end
    end)
  end)
end)

describe("a process's directory in /proc", function()
  it("is opened as that process", function()
    local child <close> = ns.clone({}, function() ns.sigtimedwait {} end)
    local dir <close>, pid = ns.open_proc(child)
    assert.equal(child.pid, pid)
    child:close()
    assert.equal(ns.errno.ESRCH,
      select(2, pcall(ns.openat2, dir, "status", "rdonly")).errno)
  end)

  it("is not there for what is no process", function()
    local null <close> = ns.openat2(nil, "/dev/null", "rdonly")
    has(message_of(ns.open_proc, null), "Bad file descriptor (EBADF)")
    has(message_of(ns.open_proc, 0), "PID out of range")
  end)
end)

describe("a namespace without a process", function()
  for _, kind in ipairs(kinds) do
    it("is made and joined, owned by a new user namespace: " .. kind,
    function()
      t.needs("namespace " .. kind)
      local user <close> = own_user()
      local own <close> = ns.open(nil, kind)
      local made <close> = ns.new(kind, { user = user })
      local owner <close> = made:user()
      assert.is_true(owner == user and made ~= own)
      local id = ns.inside({ user, made }, id_in_proc, kind)
      assert.equal(made.id, id)
      made:close()
      t.reap()
    end)

    it("is made and joined by root: " .. kind, function()
      t.needs("root", "namespace " .. kind)
      local own <close> = ns.open(nil, kind)
      local made <close> = ns.new(kind)
      assert.is_true(made.kind == kind and made ~= own)
      assert.equal(made.id, ns.inside(made, id_in_proc, kind))
    end)
  end

  it("has the ids that it was given", function()
    local user <close> = own_user()
    assert.same({ 0, 0 }, { ns.inside(user, function()
      return ns.getuid(), ns.getgid()
    end) })
  end)

  it("has the clocks that it was given", function()
    local user <close> = own_user()
    local time <close> = ns.new("time", { user = user, monotonic = "1d",
                                          boottime = 3600 })
    local text = ns.inside({ user, time }, function()
      local file <close> = io.open "/proc/self/timens_offsets"
      return file:read "a"
    end)
    assert.matches("monotonic%s+86400%s+0\nboottime%s+3600%s+0", text)
  end)

  it("has mounts that nobody else sees, unless it is told", function()
    local user <close> = own_user()
    for _, word in ipairs { "private", "shared" } do
      local mnt <close> = ns.new("mnt", { user = user, propagation = word })
      for _, mount in ipairs(ns.inside({ user, mnt }, ns.mountinfo)) do
        assert.equal(word == "shared", mount.propagation.shared ~= nil)
      end
    end
  end)

  it("is not made without the right to", function()
    t.child(function()
      if ns.geteuid() == 0 then ns.setresuid(1000, 1000, 1000) end
      has(message_of(ns.new, "net"),
        "new net: Operation not permitted (EPERM)")
    end)
  end)

  -- arguments → the message
  local wrong <const> = {
    { "nett", nil, "new: unknown namespace 'nett' (expected mnt, uts, ipc, "
      .. "net, pid, user, cgroup, time)" },
    { "net", { uid_map = "0:0:1" }, "new: unknown key 'uid_map'" },
    { "net", { user = 5 }, "new: user: handle of a user namespace expected, "
      .. "got number" },
    { "mnt", { propagation = "rslave" },
      "new: propagation: private, slave, shared expected, got 'rslave'" },
    { "time", { boottime = "soon" }, "boottime: seconds or a time such as" },
    { "user", { uid_map = "0" }, "uid_map: bad range '0'" },
  }
  for _, case in ipairs(wrong) do
    it("is not made when that was wrong: " .. case[3], function()
      has(message_of(ns.new, case[1], case[2]), case[3])
    end)
  end
end)

-- Whether a process is reaped before a second is over, by who knows whom.
local function gone(pid)
  for _ = 1, 1000 do
    if not pcall(ns.kill, pid, 0) then return true end
    ns.poll({}, "1ms")
  end
  return false
end

describe("the PID 1 that holds a pid namespace", function()
  local function pid_namespace()
    local user = own_user()
    local made = ns.new("pid", { user = user })
    return made, user
  end

  it("reaps what is orphaned to it", function()
    local made <close>, user = pid_namespace()
    local reaped = ns.inside({ user, made }, function()
      local reader, writer = ns.pipe()
      ns.clone({}, function()
        local orphan = ns.clone({}, function() end)
        ns.write(writer, tostring(orphan.pid))
      end):wait()
      return gone(math.tointeger(tonumber(ns.read(reader))))
    end)
    assert.is_true(reaped)
    user:close()
    made:close()
    t.reap()
  end)

  it("cannot be ended from within", function()
    local made <close>, user = pid_namespace()
    local alive = ns.inside({ user, made }, function()
      for _, signal in ipairs { "TERM", "INT", "HUP", "KILL", "CHLD" } do
        ns.kill(1, signal)
      end
      ns.kill(1, 0)
      return ns.getpid() > 1
    end)
    assert.is_true(alive and ns.inside({ user, made }, ns.getpid) > 1)
    user:close()
    made:close()
    t.reap()
  end)

  it("has nothing of its owner's open", function()
    local made <close>, user = pid_namespace()
    local count = 0
    local pid <const> = made:init()
    ns.kill(pid, 0)
    for _ in pairs(ns.readdir(("/proc/%d/fd"):format(pid))) do
      count = count + 1
    end
    assert.is_true(count <= 4, "descriptors: " .. count)
    user:close()
    made:close()
    t.reap()
  end)

  it("ends with its owner", function()
    local reader, writer = ns.pipe()
    t.userns(function()
      local owner = ns.clone({}, function()
        local made = ns.new "pid"
        ns.write(writer, tostring(made:init()))
        os.exit(0)
      end)
      ns.prctl("child_subreaper", true)
      owner:wait()
      local pid = math.tointeger(tonumber(ns.read(reader)))
      assert.equal(pid, (ns.waitpid(pid)))
    end)
    reader:close()
    writer:close()
  end)
end)

-- Linux 6.18 numbers mount namespaces by the processor that makes them, and
-- takes the one with the smaller number for the older one.
local function one_processor()
  local status <close> = io.open "/proc/self/status"
  local first = status:read "a":match "Cpus_allowed_list:%s+(%d+)"
  assert(os.execute(("taskset -pc %s %d >/dev/null"):format(first,
    ns.getpid())))
end

-- Runs `fn` as root in a mount namespace with an empty directory of its own,
-- whose path it is given.
local function with_place(fn)
  t.needs("root", "taskset")
  t.child(function()
    ns.prctl("child_subreaper", true)
    one_processor()
    ns.unshare "mnt"
    ns.mount(nil, "/", nil, "rprivate")
    ns.mount("place", "/mnt", "tmpfs")
    fn "/mnt/kept"
  end)
end

describe("a namespace that is kept under a path", function()
  for _, kind in ipairs(kinds) do
    it("is joined again without its handle: " .. kind, function()
      t.needs("namespace " .. kind)
      with_place(function(path)
        local made = ns.new(kind)
        made:persist(path)
        made:close()
        assert.equal(made.id, ns.inside(path, id_in_proc, kind))
        local again <close> = ns.open(path, kind)
        assert.is_true(again == made)
        ns.unpersist(path)
      end)
    end)
  end

  it("is gone without a trace when it is no longer kept", function()
    with_place(function(path)
      for _, kind in ipairs(kinds) do
        local made <close> = ns.new(kind)
        made:persist(path)
        ns.unpersist(path)
        assert.is_nil(io.open(path))
        for _, mount in ipairs(ns.mountinfo()) do
          assert.are_not.equal("nsfs", mount.fstype)
        end
      end
      has(message_of(ns.waitpid), "No child processes (ECHILD)")
    end)
  end)

  it("needs no privilege where its user is root", function()
    t.needs "taskset"
    t.userns(function()
      one_processor()
      ns.unshare "mnt"
      ns.mount("place", "/mnt", "tmpfs")
      for _, kind in ipairs(kinds) do
        local made = ns.new(kind)
        made:persist "/mnt/kept"
        made:close()
        assert.equal(made.id, ns.open("/mnt/kept").id)
        ns.unpersist "/mnt/kept"
      end
    end)
  end)

  it("is what ip netns knows, and the other way", function()
    t.needs "ip"
    with_place(function()
      os.execute "mkdir -p /mnt/netns"
      ns.mount("/mnt", "/run", nil, "bind")
      local made <close> = ns.new "net"
      made:persist "/run/netns/blue"
      local pipe <close> = io.popen("ip netns exec blue "
        .. "readlink /proc/self/ns/net")
      assert.equal(tostring(made), pipe:read "l")
      assert(os.execute "ip netns delete blue && ip netns add red")
      assert.equal("net", ns.open("/run/netns/red").kind)
      ns.unpersist "/run/netns/red"
      ns.umount("/run/netns", "detach")
    end)
  end)

  it("may have a file that was there, if it is empty", function()
    with_place(function(path)
      local made <close> = ns.new "uts"
      io.open(path, "w"):close()
      made:persist(path)
      ns.unpersist(path)
      assert.is_nil(io.open(path))
    end)
  end)

  it("takes no path where something is", function()
    with_place(function(path)
      local made <close> = ns.new "uts"
      local said <const> = "persist %s: File exists (EEXIST)"
      has(message_of(made.persist, made, "/etc"), said:format "/etc")
      has(message_of(made.persist, made, "/etc/passwd"),
        said:format "/etc/passwd")
      ns.symlinkat("/etc/passwd", nil, path)
      has(message_of(made.persist, made, path), said:format(path))
      ns.unlinkat(nil, path)
      made:persist(path)
      has(message_of(made.persist, made, path), said:format(path))
    end)
  end)

  it("leaves the path as it was when it fails", function()
    with_place(function(path)
      local own <close> = ns.open(nil, "mnt")
      has(message_of(own.persist, own, path), "persist /mnt/kept (a mount "
        .. "namespace can be kept only outside of itself, in one that is older,"
        .. " and on a mount that is not shared with it): ")
      assert.is_nil(io.open(path))
      has(message_of(own.persist, own, "/mnt/no/where"),
        "persist /mnt/no/where: No such file or directory (ENOENT)")
    end)
  end)

  it("is no mount namespace that a shared mount leads back to", function()
    with_place(function(path)
      ns.mount(nil, "/mnt", nil, "shared")
      local made <close> = ns.new("mnt", { propagation = "slave" })
      has(message_of(made.persist, made, path), "Invalid argument (EINVAL)")
    end)
  end)

  it("may be a mount namespace on a shared mount that is not its own",
  function()
    with_place(function(path)
      ns.mount(nil, "/mnt", nil, "shared")
      local made <close> = ns.new "mnt"
      made:persist(path)
      assert.is_true(made == ns.open(path))
    end)
  end)

  it("is the only thing that unpersist ends", function()
    with_place(function(path)
      has(message_of(ns.unpersist, "/etc/passwd"), "unpersist /etc/passwd (no "
        .. "namespace is kept there): Invalid argument (EINVAL)")
      has(message_of(ns.unpersist, path),
        "unpersist /mnt/kept: No such file or directory (ENOENT)")
      assert.truthy(io.open "/etc/passwd")
    end)
  end)

  it("keeps its PID 1 when its owner ends, until it is kept no longer",
  function()
    with_place(function(path)
      ns.clone({}, function() ns.new "pid":persist(path) end):wait()
      local kept <close> = ns.open(path)
      local pid <const> = kept:init()
      assert.same({ 2, pid }, { ns.inside(path, ns.getpid), ns.getsid(pid) })
      ns.unpersist(path)
      assert.is_true(gone(pid))
      has(message_of(kept.init, kept), "No such process (ESRCH)")
    end)
  end)

  it("leaves a PID 1 alone that is none of ours", function()
    with_place(function(path)
      local child <close> = ns.clone({ "pid" }, function()
        ns.sigtimedwait {}
      end)
      local handle <close> = ns.open(child, "pid")
      handle:persist(path)
      ns.unpersist(path)
      assert.same({ nil, "timeout" }, { child:wait(0) })
    end)
  end)
end)

-- What a container keeps in: each attack that must fail, and where a default
-- is what stops it, that the attack works without that.

local t = require "spec.helper"
local ns = require "farside"

local function test(name, body)
  it(name, function()
    t.needs "userns"
    body()
  end)
end

-- A file that everybody may read.
local function file(text)
  local path <const> = t.tmpdir() .. "/file"
  local out <close> = assert(io.open(path, "w"))
  assert(out:write(text))
  assert(out:close())
  assert(os.execute("chmod 644 " .. path))
  return path
end

local function absolute(path)
  return path:find "^/" and path or ns.getcwd() .. "/" .. path
end

local function here(path)
  return { bind = absolute(path), at = "/farside/" .. path, "ro" }
end

-- The interpreter of these specs: a program in the path, or one of the build.
local function interpreter(mounts)
  if not t.lua:find "/" then return t.lua end
  table.insert(mounts, { bind = absolute(t.lua), at = "/farside/run", "ro" })
  return "/farside/run"
end

-- The program that an attacker runs: Lua with this library.
local preamble <const> = [[
  package.path = "/farside/lua/?.lua;/farside/lua/?/init.lua"
  package.cpath = "/farside/lib/?.so"
  ns = require "farside"
  -- "done", or the errno of what was tried
  function try(fn, ...)
    local ok, err = pcall(fn, ...)
    print(ok and "done" or type(err) == "table" and err.code or err)
  end
  function write(path, text)
    local fd <close> = ns.openat2(nil, path, "wronly")
    ns.write(fd, text)
  end
]]

-- What a container says.
local function said(recipe)
  local reader, writer <close> = ns.pipe()
  local _ <close> = reader
  recipe.stdout = writer
  local container <close> = ns.spawn(recipe)
  writer:close()
  local parts = {}
  for part in function() return ns.read(reader) end do
    parts[#parts + 1] = part
  end
  container:wait()
  return table.concat(parts)
end

local function attacker(program, recipe)
  recipe.mounts = {
    { bind = file(preamble .. program), at = "/attack" }, here "lua",
    { bind = absolute(t.build) .. "/lib", at = "/farside/lib", "ro" },
    table.unpack(recipe.mounts or {}),
  }
  recipe[1], recipe[2] = interpreter(recipe.mounts), "/attack"
  return recipe
end

-- The attacker's lines, as one.
local function attack(program, recipe)
  local lines <const> = said(attacker(program, recipe or {}))
  return (lines:gsub("\n$", ""):gsub("\n", " "))
end

local function perl(program, recipe)
  recipe = recipe or {}
  recipe[1], recipe[2], recipe[3] = "perl", "-e", program
  return said(recipe)
end

-- A terminal that is the calling process's own, and its other end, without
-- which it hangs up.
local function terminal()
  local master, slave = ns.tty.open()
  ns.sigaction("HUP", "ignore")
  ns.setsid()
  ns.tty.control(slave)
  return slave, master
end

-- Whether a program that wants to does outlive the container's starter.
local function outlives(init)
  local reader, writer <close> = ns.pipe()
  local _ <close> = reader
  local starter = ns.clone({}, function()
    local container = ns.spawn(attacker([[ns.prctl("pdeathsig", false)
      io.stdout:write "!":flush()
      ns.pause()]], { init = init, stdout = writer }))
    ns.write(writer, container.pid .. "\n")
    container:wait()
  end)
  local told = ""
  repeat told = told .. ns.read(reader) until told:find "!" and told:find "\n"
  local pid <const> = math.tointeger(told:match "%d+")
  local process <close> = ns.pidfd_open(pid)
  starter:close()
  local ended = #ns.poll({ process }, init and 10 or "50ms") == 1
  ns.kill(process, "KILL")
  ns.waitpid(pid) -- the specs' runner is a subreaper, and inherits it
  return not ended
end

-- Says how many INT it got before USR1.
local counter <const> = [[
  my $n = 0;
  $SIG{INT} = sub { $n++; syswrite STDOUT, "!" };
  $SIG{USR1} = sub { syswrite STDOUT, $n; exit };
  syswrite STDOUT, "!";
  sleep 1 while 1]]

describe("an attacker in a container", function()
  test("cannot keep the container alive after its payload", function()
    local container <close> = ns.spawn { "/bin/sh", "-c",
      "for i in 1 2 3 4 5 6 7 8; do setsid sleep 1000 & done; exit 5" }
    assert.same({ nil, "exit", 5 }, { container:wait(20) })
  end)

  test("cannot outlive the starter of the container, with an init", function()
    assert.is_false(outlives(true))
    assert.is_true(outlives(false))
  end)

  test("cannot uncover what is masked, nor write what is protected", function()
    local program <const> = [[
      try(ns.umount, "/proc/keys", "detach")
      try(ns.umount, "/proc/sys", "detach")
      try(ns.mount_setattr, nil, "/proc/irq", { clear = "ro" })]]
    assert.equal("EPERM EPERM EPERM", attack(program))
    assert.equal("done done done", attack(program, { capabilities = "all" }))
  end)

  test("cannot do so in namespaces of its own", function()
    assert.equal("EINVAL EINVAL EPERM EPERM EPERM EINVAL", attack([[
      ns.clone({ "user", "mnt", "pid", "net", uid_map = "0:0:1" }, function()
        try(ns.umount, "/proc/keys", "detach")
        try(ns.umount, "/dev", "detach")
        try(ns.mount_setattr, nil, "/proc/sys", { clear = "ro" })
        try(ns.mount, "proc", "/mnt", "proc")
        try(ns.mount, "sysfs", "/mnt", "sysfs")
        try(ns.mount, "/proc", "/mnt", nil, "bind")
      end):wait()]], { seccomp = false }))
  end)

  test("cannot write what changes the kernel", function()
    assert.equal("EACCES EACCES EACCES", attack [[
      try(write, "/proc/sys/kernel/core_pattern", "|/x")
      try(write, "/proc/sys/kernel/hostname", "x")
      try(write, "/proc/irq/default_smp_affinity", "1")]])
  end)

  test("cannot change its cgroup, also when that is the starter's", function()
    local refused <const> = { EACCES = true, EROFS = true }
    assert.is_true(refused[attack [[
      try(write, "/sys/fs/cgroup/cgroup.procs", "0")]] ])
  end)

  test("has no device nodes but those of /dev", function()
    assert.equal("EPERM EPERM", attack [[
      try(ns.mknodat, nil, "/root/a", "char", "0666", 1, 11)
      try(ns.mknodat, nil, "/dev/b", "block", "0666", 8, 0)]])
  end)

  test("cannot put words into the caller's terminal", function()
    t.needs("perl", "terminal input")
    t.child(function()
      local slave <const>, _ <close> = terminal()
      local type <const> = "print ioctl(STDIN, 0x5412, my $c = 'x') ? 1 : $!"
      assert.equal("Operation not permitted",
                   perl(type, { stdin = slave, seccomp = false }))
      assert.equal("1", perl(type, { stdin = slave, seccomp = false,
                                     session = false }))
    end)
  end)

  test("in the caller's session is told of a key once", function()
    t.needs "perl"
    t.child(function()
      local slave <const>, master <close> = terminal()
      local reader, writer <const> = ns.pipe()
      local caller <const> = ns.getpid()
      local _ <close> = ns.clone({}, function()
        ns.sigaction("INT", "ignore")
        ns.read(reader, 1)
        ns.write(master, "\3")
        ns.read(reader, 1)
        ns.kill(caller, "USR1")
      end)
      ns.run { "perl", "-e", counter, session = false, stdin = slave,
               stdout = writer }
      assert.equal("1", ns.read(reader))
    end)
  end)

  test("cannot type there from the caller's session, nor by a number that the "
    .. "kernel takes for the same", function()
    t.needs("perl", "terminal input")
    t.child(function()
      local slave <const>, _ <close> = terminal()
      for _, request in ipairs { "0x5412", "0x100005412", "0x541C" } do
        local type <const> = ("print ioctl(STDIN, %s, my $c = 'x') ? 1 "
          .. ": $!{EPERM} ? 'EPERM' : $!"):format(request)
        assert.equal("EPERM", perl(type, { stdin = slave, session = false }))
        assert.not_equal("EPERM", perl(type, { stdin = slave, session = false,
                                               seccomp = false }))
      end
    end)
  end)

  test("makes no namespaces, and finds none of the parts of the kernel that "
    .. "are broken into most often", function()
    t.needs "perl"
    if ns.uname().machine ~= "x86_64" then return pending "needs x86_64" end
    -- clone(CLONE_NEWUSER | SIGCHLD), unshare of that kind, clone3,
    -- io_uring_setup, userfaultfd, add_key, keyctl, an AF_ALG and an AF_VSOCK
    -- socket
    local program <const> = [[
      use POSIX;
      my @calls = ([56, 0x10000011], [272, 0x10000000], [435, 0, 0],
                   [425, 1, 0], [323, -1], [248, 0, 0, 0, 0, 0], [250, 99],
                   [41, 38, 5, 0], [41, 40, 1, 0]);
      for (@calls) {
        my ($n, @a) = @$_;
        my $r = syscall($n, map { $_ + 0 } @a);
        POSIX::_exit(0) if $r == 0 && $n == 56;
        print $r == -1 ? $! + 0 : "done", " ";
      }]]
    assert.equal("1 1 38 1 1 1 1 97 97 ", perl(program))
    for answer in perl(program, { seccomp = false }):gmatch "%S+" do
      assert.not_equal("1", answer)
    end
  end)

  test("does not have the caller's keys", function()
    t.needs "perl"
    local number <const> = ({ x86_64 = 250, aarch64 = 219 })[ns.uname().machine]
    if not number then return pending "no number of keyctl is known" end
    t.child(function()
      local mine <const> = ns.keyctl "join_session_keyring"
      local get <const> = ("print syscall(%d, 0, -3, 0)"):format(number)
      assert.not_equal(tostring(mine), perl(get, { seccomp = false }))
      assert.equal(tostring(mine), perl(get, { seccomp = false,
                                               session = false }))
    end)
  end)

  test("dumps no core, and cannot change that", function()
    local program <const> = [[ print(ns.getrlimit "core")
                               try(ns.setrlimit, "core", 1, 1) ]]
    assert.equal("0\t0 EPERM", attack(program))
    local soft, hard = ns.getrlimit "core"
    if soft == hard and soft ~= 0 then
      assert.equal(("%s\t%s done"):format(soft, hard),
        attack(program, { rlimits = { core = soft } }))
    end
  end)

  test("cannot leave by a chroot", function()
    assert.equal("true", attack [[
      local before = ns.fstatat(nil, "/").ino
      ns.chroot "/usr"
      for _ = 1, 50 do ns.chdir ".." end
      ns.chroot "."
      print(ns.fstatat(nil, ".").ino == before)]])
  end)
end)

describe("a hostile root", function()
  -- Starting it fails: inside the root, where all goes, there is no program,
  -- or the link leads to itself.
  for _, name in ipairs { "proc", "sys", "dev", "tmp" } do
    test("whose /" .. name .. " leads out of it has nothing mounted there",
      function()
        t.needs "idmapped files"
        local evil <const>, victim <const> = t.tmpdir(), t.tmpdir()
        ns.symlinkat(victim, nil, evil .. "/" .. name)
        assert.is_false((pcall(ns.spawn, { "/bin/true", root = evil })))
        assert.equal(0, #ns.readdir(victim))
      end)
  end
end)

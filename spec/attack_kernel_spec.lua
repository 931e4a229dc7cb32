-- Attacks on the kernel that all share, and on what it keeps for others. Each
-- must fail, and where it is a default that stops it, work without that. What
-- would change the machine is opened and not written.

local t <const> = require "spec.helper"
local ns <const> = require "farside"
local attacks <const> = require "spec.attacks"
local attack <const>, perl <const> = attacks.attack, attacks.perl

local function test(name, body)
  it(name, function()
    t.needs "userns"
    body()
  end)
end

-- None of these files of the machine is opened for writing in a container; by
-- the recipe, which lacks what keeps it from that, each is.
local function guarded(paths, recipe)
  local tries, count = "", 0
  for _, path in ipairs(paths) do
    if pcall(ns.fstatat, nil, path) then
      tries, count = ("%stry(writable, %q)\n"):format(tries, path), count + 1
    end
  end
  if count == 0 then return pending "needs a kernel with such a file" end
  local function all(word)
    return (word .. " "):rep(count):sub(1, -2)
  end
  assert.equal(all "", (attack(tries):gsub("EACCES", ""):gsub("EROFS", "")))
  t.needs "root" -- whose ids make the difference
  assert.equal(all "EROFS", attack(tries, { share = "user" }))
  assert.equal(all "done", attack(tries, recipe))
end

describe("an attacker in a container", function()
  test("opens nothing of /proc that changes the kernel", function()
    guarded({
      "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
      "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger",
      "/proc/irq/default_smp_affinity",
    }, { share = "user", mask = false })
  end)

  test("opens nothing of /sys that changes the kernel", function()
    guarded({
      "/sys/kernel/uevent_helper", "/sys/kernel/profiling",
      "/sys/kernel/mm/ksm/run", "/sys/kernel/rcu_expedited",
    }, { share = "user", sys = false, setup = function(c)
      c:mount("sysfs", "/sys")
    end })
  end)

  -- CVE-2022-0492: who mounts a cgroup of version 1 can name a program that the
  -- kernel runs as root outside of everything.
  test("cannot name a release agent", function()
    local program <const> = [[
      try(ns.mount, "cgroup", "/mnt", "cgroup", "none,name=farside-spec")
      try(writable, "/mnt/release_agent")]]
    assert.equal("EPERM ENOENT", attack(program))
    local own <const> = [[
      ns.clone({ "user", "mnt", "cgroup", uid_map = "0:0:1" }, function()
        ]] .. program .. [[
      end):wait()]]
    assert.matches("^E%u+ ENOENT$", attack(own, { seccomp = false }))
    t.needs "root"
    local words <const> = attack(program, { share = { "user", "cgroup" },
                                            capabilities = "all" })
    if words:find "^E" then return pending "needs cgroups of version 1" end
    assert.equal("done done", words)
  end)

  test("cannot change its cgroup, also when that is the starter's", function()
    local refused <const> = { EACCES = true, EROFS = true }
    assert.is_true(refused[attack [[
      try(writable, "/sys/fs/cgroup/cgroup.procs")]] ])
  end)

  test("finds none of the parts that are broken into most often", function()
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

  test("gets no capability by a user namespace of its own", function()
    local program <const> = [[
      try(ns.unshare, "user")
      print(ns.capability.has "sys_admin")]]
    assert.equal("EPERM false", attack(program))
    assert.equal("ENOSPC false", attack(program, { seccomp = false,
                                                   userns = false }))
    assert.equal("done true", attack(program, { seccomp = false }))
  end)

  test("does not have the caller's keys", function()
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
end)

---- what listens on the machine ----

-- Programs in Perl: one listens at an address, one says whether it is heard.
local listener <const> = [[use Socket; $| = 1; my $at = %s;
  socket(my $s, AF_UNIX, SOCK_STREAM, 0); bind($s, pack_sockaddr_un($at))
  or die $!; chmod 0777, $at if $at =~ m:^/:;
  listen($s, 9); print "up\n"; sleep 1000;]]
local caller <const> = [[use Socket; socket(my $s, AF_UNIX, SOCK_STREAM, 0);
  print connect($s, pack_sockaddr_un(%s)) ? "heard" : "not heard";]]

-- Whether a container hears what listens at the address, in a network that
-- stands for the machine's.
local function heard(address, bare, recipe)
  t.needs "perl"
  t.userns(function()
    ns.mount("tmpfs", "/run", "tmpfs", "mode=0755")
    local reader, writer <const> = ns.pipe()
    local service <close> = ns.posix_spawn { "perl", "-e",
      listener:format(address), stdout = writer }
    assert.equal("up\n", ns.read(reader, 3))
    assert.equal("not heard", perl(caller:format(address), bare))
    assert.equal("heard", perl(caller:format(address), recipe))
    assert.is_truthy(service.pid)
  end, { "net" })
end

describe("an attacker in a container", function()
  test("does not reach abstract sockets of the host", function()
    heard([["\0farside-spec"]], nil, { share = "net" })
  end)

  test("does not reach sockets in the host's /run", function()
    heard([["/run/service"]], nil, { mounts = {
      { bind = "/run", at = "/run" } } })
  end)

  -- In a network, and with mounts, that stand for the machine's.
  test("does not reach sockets on another disk of the host", function()
    t.needs "perl"
    local dir <const> = t.tmpdir()
    if not ns.statfs(dir).type:find "^ext" then
      return pending "needs temporary files on a disk"
    end
    local function body()
      ns.mount(nil, "/", nil, "rprivate")
      ns.mount(dir, "/srv", nil, "bind")
      local reader, writer <const> = ns.pipe()
      local service <close> = ns.posix_spawn { "perl", "-e",
        listener:format [["/srv/service"]], stdout = writer }
      assert.equal("up\n", ns.read(reader, 3))
      local call <const> = caller:format [["/srv/service"]]
      for _, readonly in ipairs { false, true } do
        assert.equal("service", attacks.sh("ls /srv", { readonly = readonly }))
        assert.equal("not heard", perl(call, { readonly = readonly }))
      end
      assert.equal("heard", perl(call, { mounts = {
        { bind = "/srv", at = "/srv", "ro" } } }))
      assert.is_truthy(service.pid)
    end
    if t.has "root" then
      t.child(body, { "mnt" })
      ns.unlinkat(nil, dir .. "/service")
    end
    t.userns(body)
  end)

  -- An overlay's sockets are not those below it.
  test("does not reach sockets among the host's files", function()
    t.needs "perl"
    local dir <const> = ns.getcwd() .. "/" .. t.build
    if dir:find "^/tmp/" or t.build:find "^/" then
      return pending "the build lies where containers have their own files"
    end
    local path <const> = ("%s/socket-%d"):format(dir, ns.getpid())
    local reader, writer <const> = ns.pipe()
    local service <close> = ns.posix_spawn { "perl", "-e",
      listener:format(("%q"):format(path)), stdout = writer }
    local ok, failure = pcall(function()
      assert.equal("up\n", ns.read(reader, 3))
      local call <const> = caller:format(("%q"):format(path))
      assert.equal("not heard", perl(call))
      assert.equal("not heard", perl(call, { readonly = true }))
      assert.equal("heard", perl(call, { mounts = {
        { bind = dir, at = dir, "ro" } } }))
      assert.is_truthy(service.pid)
    end)
    ns.unlinkat(nil, path)
    if not ok then error(failure, 0) end
  end)
end)

---- terminals ----

-- A terminal that is the calling process's own, and its other end, without
-- which it hangs up.
local function terminal()
  local master, slave = ns.tty.open()
  ns.sigaction("HUP", "ignore")
  ns.setsid()
  ns.tty.control(slave)
  return slave, master
end

-- Says how many INT it got before USR1.
local counter <const> = [[
  my $n = 0;
  $SIG{INT} = sub { $n++; syswrite STDOUT, "!" };
  $SIG{USR1} = sub { syswrite STDOUT, $n; exit };
  syswrite STDOUT, "!";
  sleep 1 while 1]]

describe("an attacker at the caller's terminal", function()
  test("cannot put words into it", function()
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

  test("cannot do so by a number that the kernel takes for the same", function()
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

  test("in the caller's session is told of a key once", function()
    t.needs "perl"
    t.child(function()
      local slave <const>, master <close> = terminal()
      local reader, writer <const> = ns.pipe()
      local starter <const> = ns.getpid()
      local _ <close> = ns.clone({}, function()
        ns.sigaction("INT", "ignore")
        ns.read(reader, 1)
        ns.write(master, "\3")
        ns.read(reader, 1)
        ns.kill(starter, "USR1")
      end)
      ns.run { "perl", "-e", counter, session = false, stdin = slave,
               stdout = writer }
      assert.equal("1", ns.read(reader))
    end)
  end)
end)

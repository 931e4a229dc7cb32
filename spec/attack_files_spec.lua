-- Attacks by way of files: links, names that change, mounts, archives. Each
-- must fail, and where it is a default that stops it, work without that.

local t <const> = require "spec.helper"
local ns <const> = require "farside"
local archives <const> = require "spec.archives"
local attacks <const> = require "spec.attacks"
local containers <const> = require "spec.containers"
local attack <const>, sh <const> = attacks.attack, attacks.sh
local host <const> = containers.host

local function test(name, body)
  it(name, function()
    t.needs "userns"
    body()
  end)
end

-- Runs a function while somebody swaps two names in a directory.
local function swapping(directory, one, other, fn)
  local caller <close> = ns.pidfd_open(ns.getpid())
  local swapper <close> = ns.clone({}, function()
    ns.prctl("pdeathsig", "KILL")
    if #ns.poll({ caller }, 0) > 0 then return end
    while true do
      ns.renameat(nil, directory .. one, nil, directory .. other, "exchange")
    end
  end)
  local _ = swapper
  fn()
end

-- A root with the directory `a` and, to be swapped with it, a link `b` to a
-- directory outside.
local function trap()
  local evil <const>, outside <const> = containers.tree "a", t.tmpdir()
  ns.symlinkat(outside, nil, evil .. "/b")
  return evil, outside
end

describe("a link that is swapped for a directory while a root is set up",
  function()
    test("leads nothing out of the root", function()
      local evil <const>, outside <const> = trap()
      t.userns(function()
        local root <close> = ns.root(evil)
        swapping(evil, "/a", "/b", function()
          for i = 1, 200 do
            pcall(root.write, root, "/a/file" .. i, "x")
            pcall(root.bind, root, "/usr", "/a/bind" .. i)
            pcall(root.mount, root, "tmpfs", "/a/tmpfs" .. i)
          end
        end)
        assert.equal(0, #ns.readdir(outside))
        for _, mount in ipairs(ns.mountinfo()) do
          assert.not_equal(outside, mount.target:sub(1, #outside))
        end
      end)
    end)

    test("leads no container's mounts out of it", function()
      local evil <const>, outside <const> = trap()
      swapping(evil, "/a", "/b", function()
        for i = 1, 12 do
          pcall(ns.run, { "true", root = evil, mounts = {
            { bind = "/usr", at = "/a/usr", "ro" }, { tmpfs = "/a/tmpfs" },
            { file = "/a/file", text = "x" },
          }, setup = i % 2 == 0 and function() end or nil })
        end
      end)
      assert.equal(0, #ns.readdir(outside))
    end)

    test("would lead out who went by the path alone", function()
      local evil <const>, outside <const> = trap()
      swapping(evil, "/a", "/b", function()
        local i = 0
        repeat
          i = i + 1
          pcall(ns.mkdirat, nil, ("%s/a/%d"):format(evil, i))
        until #ns.readdir(outside) > 0
      end)
      assert.is_true(#ns.readdir(outside) > 0)
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

  -- Whether the mounts of a /proc that is being renamed are write-protected.
  local protected <const> = [[
    mounts=$(cat /proc/self/mounts /q/self/mounts 2>/dev/null)
    test -n "$mounts" || exit
    echo "$mounts" | grep -q '/sys proc ro' && echo kept || echo lost]]

  test("has the masks of its /proc, though that is renamed meanwhile",
    function()
      local evil <const> = containers.tree("proc", "q")
      local seen <const> = {}
      swapping(evil, "/proc", "/q", function()
        for _ = 1, 12 do
          local ok, said = pcall(sh, protected, host { root = evil })
          seen[ok and said or "failed"] = true
        end
      end)
      assert.is_nil(seen.lost)
      assert.is_true(seen.kept)
      assert.equal("lost", sh(protected, host { root = evil, mask = false }))
    end)

  -- As a container was set up whose masks are found in the root.
  test("would have masks miss a /proc that was renamed before", function()
    local evil <const> = containers.tree("proc", "q")
    t.userns(function()
      local mine <const>, theirs <const> = ns.socketpair "seqpacket"
      local renamer <close> = ns.clone({ "mnt" }, function()
        while ns.recvmsg(theirs, 1) == "x" do
          ns.renameat(nil, evil .. "/proc", nil, evil .. "/q", "exchange")
          ns.sendmsg(theirs, "x")
        end
      end)
      local function rename()
        ns.sendmsg(mine, "x")
        assert.equal("x", ns.recvmsg(mine, 1))
      end
      local root <close> = ns.root(evil)
      root:mount("tmpfs", "/proc")
      root:write("/proc/keys", "of the host")
      rename()
      root:mask "/proc/keys"
      rename()
      assert.equal("of the host", root:read "/proc/keys")
      root:mask "/proc/keys"
      assert.equal("", root:read "/proc/keys")
      assert.is_truthy(renamer.pid)
    end)
  end)

  test("has masks of the host's /dev/null, not of its own", function()
    local evil <const> = containers.tree("dev", "proc")
    ns.symlinkat("/proc/self/status", nil, evil .. "/dev/null")
    local script <const> = "stat -c '%F %t:%T' /proc/interrupts"
    assert.equal("character special file 1:3",
                 sh(script, host { root = evil, dev = false }))
    assert.equal("regular empty file 0:0",
                 sh(script, host { root = evil, dev = false, mask = false }))
  end)

  test("is not started with a /dev/null that is something else", function()
    t.userns(function()
      ns.mount("tmpfs", "/dev", "tmpfs", "mode=0755")
      containers.write("/dev/null", "")
      local ok, err = pcall(ns.spawn, { "true" })
      assert.same({ false, "device", "ENODEV", "/dev/null" },
                  { ok, err.call, err.code, err.path })
    end)
  end)
end)

describe("an attacker in a container", function()
  test("cannot uncover what is masked, nor write what is protected", function()
    local program <const> = [[
      try(ns.umount, "/proc/keys", "detach")
      try(ns.umount, "/proc/sys", "detach")
      try(ns.mount_setattr, nil, "/proc/irq", { clear = "ro" })]]
    assert.equal("EPERM EPERM EPERM", attack(program))
    assert.equal("done done done", attack(program, { capabilities = "all" }))
  end)

  test("cannot write again to what was bound read-only", function()
    local file <const> = attacks.file("mine", "0666")
    local program <const> = [[
      try(writable, "/bound")
      try(ns.mount_setattr, nil, "/bound", { clear = "ro" })
      try(ns.mount, nil, "/bound", nil, "remount,bind,rw")
      try(writable, "/bound")]]
    local function mounts() return { { bind = file, at = "/bound", "ro" } } end
    assert.equal("EROFS EPERM EPERM EROFS",
                 attack(program, { mounts = mounts() }))
    assert.equal("EROFS done done done",
                 attack(program, { mounts = mounts(), capabilities = "all" }))
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

  -- Which leads out of what is a chroot and nothing more.
  test("cannot leave by a chroot", function()
    local program <const> = [[
      ns.chroot "usr"
      for _ = 1, 50 do ns.chdir ".." end
      ns.chroot "."]]
    assert.equal("true", attack("local top = ns.fstatat(nil, '/').ino\n"
      .. program .. "\nprint(ns.fstatat(nil, '.').ino == top)"))
    local jail <const> = containers.tree "usr"
    t.userns(function()
      local top <const> = ns.fstatat(nil, "/").ino
      ns.chdir(jail)
      ns.chroot "."
      assert(load(program, program, "t", { ns = ns }))()
      assert.equal(top, ns.fstatat(nil, ".").ino)
    end)
  end)

  test("has nothing of the old root", function()
    local lines <const> = sh "cut -d' ' -f4,5 /proc/self/mountinfo"
    assert.matches("^/ /\n", lines)
    assert.is_nil(lines:find(" /tmp/root", 1, true))
    assert.equal("", sh("ls -A " .. t.tmpdir() .. " 2>/dev/null"))
  end)

  -- A handle is a file's number: whoever may open it needs no path (the
  -- "shocker" of 2014). name_to_handle_at and open_by_handle_at, on x86_64.
  local handle <const> = [[
    my $h = pack("II", 128, 0) . "\0" x 128; my $m = pack("i", 0);
    my $p = $ARGV[0]; syscall(303, -100, $p, $h, $m, 0) == 0 or die "$!\n";
    print unpack("H*", $h)]]
  local shocker <const> = [[
    my $p = "/bound"; open(my $at, "<", $p) or die "$!\n";
    my $h = pack("H*", "%s"); my $fd = syscall(304, fileno($at), $h, 0);
    print "refused" if $fd < 0; exit if $fd < 0;
    open(my $f, "<&=", $fd); print <$f>]]

  test("opens no file by its handle", function()
    t.needs("root", "perl")
    if ns.uname().machine ~= "x86_64" then return pending "needs x86_64" end
    local secret <const> = attacks.file("secret", "0600")
    local pipe <close> = assert(io.popen(("perl -e '%s' %s 2>&1"):format(handle,
                                                                     secret)))
    local found <const> = pipe:read "a"
    if not found:find "^%x+$" then
      return pending "needs temporary files that have handles"
    end
    local program <const> = shocker:format(found)
    local function try(recipe)
      recipe.mounts = { { bind = t.tmpdir(), at = "/bound", "ro" } }
      return attacks.perl(program, recipe)
    end
    assert.equal("refused", try {})
    assert.equal("refused", try { seccomp = false })
    assert.equal("refused", try { share = "user" })
    assert.equal("secret", try { share = "user",
                                 capabilities = { "dac_read_search" } })
  end)

  test("has no device nodes but those of /dev", function()
    local program <const> = [[
      try(ns.mknodat, nil, "/root/a", "char", "0666", 1, 3)
      try(ns.openat2, nil, "/root/a", "rdonly")
      try(ns.mknodat, nil, "/dev/b", "block", "0666", 8, 0)]]
    assert.equal("EPERM ENOENT EPERM", attack(program))
    if not t.has "root" then return end
    assert.equal("done EACCES done", attack(program, {
      share = "user", capabilities = { "mknod" } }))
  end)

  -- Of those it has no owner and mode are changed, also by the host's root.
  test("leaves the host's devices as they are", function()
    t.needs "root"
    t.child(function()
      ns.unshare "mnt"
      ns.mount(nil, "/", nil, "rprivate")
      ns.mount("tmpfs", "/mnt", "tmpfs", "mode=0755")
      ns.mknodat(nil, "/mnt/null", "char", "0666", 1, 3)
      local script <const> = "chmod 600 %s 2>&1; chown 1 %s 2>&1"
      local function try(path, mount)
        return sh(script:format(path, path), { share = "user",
                                               mounts = { mount } })
      end
      local refused <const> = "chmod: changing permissions of '%s': Read-only "
        .. "file system\nchown: changing ownership of '%s': Read-only file "
        .. "system"
      for path, mount in pairs {
        ["/dev/null"] = false,
        ["/n"] = { device = "/mnt/null", at = "/n" },
      } do
        assert.equal(refused:format(path, path), try(path, mount or nil))
      end
      assert.equal("", try("/n", { bind = "/mnt/null", at = "/n" }))
      assert.equal("0600", ns.fstatat(nil, "/mnt/null").mode)
    end)
  end)
end)

describe("a hostile archive", function()
  test("moves no cursor by the message that refuses it", function()
    t.needs "tar"
    local path <const> = t.tmpdir() .. "/layer.tar"
    containers.write(path, archives.archive {
      name = "../\27[2J\194\155x", data = "x" })
    local _, err = pcall(ns.unpack, path)
    assert.is_truthy(tostring(err):find(
      "(../\\x1b[2J\\xc2\\x9bx: a name that goes up)", 1, true), err)
  end)

  test("is unpacked nowhere but in its layer", function()
    t.needs "tar"
    local outside <const>, dir <const> = t.tmpdir(), t.tmpdir()
    local path <const> = dir .. "/layer.tar"
    local name <const> = ("../"):rep(20) .. outside:sub(2) .. "/f"
    containers.write(path, archives.archive(
      { name = "pax", type = "x", data = archives.record("path", name) },
      { name = "short", data = "x" }))
    local ok, err = pcall(ns.unpack, path)
    assert.same({ false, "unpack", "EINVAL" }, { ok, err.call, err.code })
    assert.equal(0, #ns.readdir(outside))
    assert(os.execute(("tar -C %s -xPf %s"):format(dir, path)))
    assert.equal("x", containers.read(outside .. "/f"))
  end)
end)

describe("a record of a container", function()
  test("has nothing called that undoes nothing", function()
    local registry <const> = require "farside.registry"
    local before <const> = ns.getcwd()
    local dir <close> = ns.openat2(nil, t.tmpdir(), "rdonly,directory")
    local gone <const> = registry.identity(ns.getpid())
    gone.start = "0" -- it is somebody else's by now
    local record <const> = registry.settle(dir, {
      name = "x", status = "running", supervisor = gone,
      undo = { { "chdir", "/" } },
    })
    assert.equal("'chdir' undoes nothing", record.failure)
    assert.equal(before, ns.getcwd())
  end)
end)

local t <const> = require "spec.helper"
local ns <const> = require "farside"

local in_root <const> = { resolve = "in_root,no_magiclinks" }

-- A directory of this test alone, as a descriptor, and its path.
local function directory()
  local path = t.tmpdir()
  return ns.openat2(nil, path, "path,directory"), path
end

local message <const> = t.message

local function code(fn, ...)
  return select(2, message(fn, ...)).code
end

-- What stands in the parentheses of "bad argument #2 to 'f' (…)".
local function complaint(...)
  return message(...):match "%((.*)%)$"
end

local function write(dir, path, text)
  local file <close> = ns.openat2(dir, path, "wronly,create,excl")
  return ns.write(file, text)
end

local function read(...)
  local file <close> = ns.openat2(...)
  return file:read()
end

describe("openat2", function()
  it("closes on exec", function()
    local file <close> = ns.openat2(nil, "/", "path")
    local info = read(nil, "/proc/self/fdinfo/" .. file:fileno(), "rdonly")
    local flags = tonumber(info:match "flags:%s*(%d+)", 8)
    assert.not_equal(0, flags & tonumber("2000000", 8))
  end)

  it("makes files with a mode that the umask narrows", function()
    t.child(function()
      local dir <close> = directory()
      ns.umask "0022"
      write(dir, "plain", "")
      ns.openat2(dir, "given", "wronly,create", { mode = "0777" }):close()
      assert.equal("0644", ns.fstatat(dir, "plain").mode)
      assert.equal("0755", ns.fstatat(dir, "given").mode)
    end)
  end)

  it("makes files without a name", function()
    local _, path = directory()
    local file <close> = ns.openat2(nil, path, "tmpfile,rdwr")
    assert.equal(0, ns.fstatat(file, "").nlink)
  end)

  it("says what it could not open", function()
    assert.equal("openat2 /no/such: No such file or directory (ENOENT)",
                 (message(ns.openat2, nil, "/no/such", "rdonly")))
  end)

  it("refuses words that contradict each other or that nobody knows",
    function()
      assert.equal("'wronly' contradicts 'rdwr' (say 'rdwr')",
                   complaint(ns.openat2, nil, "/", "wronly,rdwr"))
      assert.matches("^unknown open flag 'creat' %(expected rdonly, wronly, ",
                     complaint(ns.openat2, nil, "/", "creat"))
      assert.equal("unknown field 'resolv'",
                   complaint(ns.openat2, nil, "/", "path", { resolv = "" }))
      assert.equal("unknown resolve flag 'inroot' (expected in_root, beneath, "
                   .. "no_magiclinks, no_symlinks, no_xdev, cached)",
                   complaint(ns.openat2, nil, "/", "path",
                             { resolve = "inroot" }))
      assert.matches("^bad argument #4 to ",
                     (message(ns.openat2, nil, "/", "path", { mode = "x" })))
      assert.equal("zero byte in a path",
                   complaint(ns.openat2, nil, "/etc\0/x", "path"))
    end)
end)

describe("a path inside a root", function()
  it("never leads above it", function()
    local root <close> = directory()
    ns.mkdirat(root, "etc")
    write(root, "etc/passwd", "inside")
    for _, path in ipairs { "/etc/passwd", "../../etc/passwd",
                            "etc/../../../etc/passwd" } do
      assert.equal("inside", read(root, path, "rdonly", in_root))
    end
  end)

  it("follows links as if the root were /", function()
    local root <close> = directory()
    ns.mkdirat(root, "etc")
    write(root, "etc/passwd", "inside")
    ns.symlinkat("/etc/passwd", root, "absolute")
    ns.symlinkat("../../../etc/passwd", root, "upward")
    ns.symlinkat("/etc", root, "directory")
    for _, path in ipairs { "absolute", "upward", "directory/passwd" } do
      assert.equal("inside", read(root, path, "rdonly", in_root))
    end
  end)

  it("takes no magic link out of it", function()
    local root <close> = ns.openat2(nil, "/proc", "path,directory")
    assert.equal("openat2 self/root/etc: Too many levels of symbolic links "
                 .. "(ELOOP)",
                 (message(ns.openat2, root, "self/root/etc", "path", in_root)))
  end)

  it("is refused on the way out when it has to stay beneath", function()
    local root <close> = directory()
    ns.symlinkat("/etc", root, "link")
    local beneath <const> = { resolve = "beneath" }
    for _, path in ipairs { "..", "/etc", "link/passwd" } do
      assert.equal("EXDEV", code(ns.openat2, root, path, "path", beneath))
    end
  end)

  it("may be without any link, or on one mount", function()
    local root <close> = directory()
    ns.symlinkat(".", root, "link")
    assert.equal("ELOOP", code(ns.openat2, root, "link/x", "path",
                               { resolve = "no_symlinks" }))
    assert.equal("EXDEV", code(ns.openat2, nil, "/proc/self", "path",
                               { resolve = "no_xdev" }))
  end)

  it("is resolved though renames run beside", function()
    local root <close>, path = directory()
    for _, name in ipairs { "a", "a/b", "a/b/c" } do ns.mkdirat(root, name) end
    local child <close> = ns.clone({}, function()
      while true do
        ns.renameat(nil, path .. "/a/b", nil, path .. "/b")
        ns.renameat(nil, path .. "/b", nil, path .. "/a/b")
      end
    end)
    assert.is_true(child.pid > 0)
    for _ = 1, 500 do
      local ok, err = pcall(ns.openat2, root, "a/../a/../a", "path", in_root)
      assert.is_true(ok, tostring(err))
      err:close()
    end
  end)
end)

describe("names in a directory", function()
  it("are made, linked, moved and removed", function()
    local dir <close> = directory()
    ns.mkdirat(dir, "sub", "0700")
    write(dir, "file", "text")
    ns.linkat(dir, "file", dir, "sub/again")
    ns.symlinkat("sub/again", dir, "link")
    assert.equal("sub/again", ns.readlinkat(dir, "link"))
    assert.equal("text", read(dir, "link", "rdonly"))
    ns.renameat(dir, "sub/again", dir, "moved")
    ns.unlinkat(dir, "link")
    ns.unlinkat(dir, "sub", "removedir")
    assert.equal(2, #ns.readdir(dir))
  end)

  it("are not overwritten when they shall not be", function()
    local dir <close> = directory()
    write(dir, "a", "")
    write(dir, "b", "")
    assert.equal("renameat a to b: File exists (EEXIST)",
                 (message(ns.renameat, dir, "a", dir, "b", "noreplace")))
    assert.equal("linkat a to b: File exists (EEXIST)",
                 (message(ns.linkat, dir, "a", dir, "b")))
    assert.equal("mkdirat a: File exists (EEXIST)",
                 (message(ns.mkdirat, dir, "a")))
  end)

  it("are listed with their types", function()
    local dir <close>, path = directory()
    ns.mkdirat(dir, "directory")
    ns.symlinkat("/", dir, "symlink")
    for _, kind in ipairs { "file", "fifo", "socket" } do
      ns.mknodat(dir, kind, kind)
    end
    for _, of in ipairs { dir, path } do
      local list = ns.readdir(of)
      assert.equal(5, #list)
      for _, entry in ipairs(list) do assert.equal(entry.name, entry.type) end
    end
  end)

  it("are listed however many there are", function()
    local dir <close> = directory()
    for i = 1, 2000 do ns.symlinkat("x", dir, ("n"):rep(100) .. i) end
    assert.equal(2000, #ns.readdir(dir))
    assert.equal(2000, #ns.readdir(dir))
  end)

  it("are listed as far as is asked for", function()
    local dir <close> = directory()
    assert.equal(0, #ns.readdir(dir, 1))
    for _, name in ipairs { "a", "b", "c" } do write(dir, name, "") end
    assert.equal(1, #ns.readdir(dir, 1))
    assert.equal(3, #ns.readdir(dir, 3))
    assert.equal(3, #ns.readdir(dir, 4))
  end)

  it("can be used in some ways and not in others", function()
    local dir <close> = directory()
    write(dir, "file", "")
    assert.is_true(ns.faccessat(dir, "file", "read,write"))
    assert.is_false(ns.faccessat(dir, "file", "execute"))
    assert.is_false(ns.faccessat(dir, "missing", "read"))
    local _, text = pcall(ns.faccessat, dir, "file", "append")
    assert.matches("unknown access 'append'", text, 1, true)
  end)

  it("are devices only for root outside of user namespaces", function()
    t.userns(function()
      ns.mount(nil, "/mnt", "tmpfs")
      assert.equal("mknodat /mnt/null: Operation not permitted (EPERM)",
                   (message(ns.mknodat, nil, "/mnt/null", "char", "0666", 1,
                            3)))
      ns.mknodat(nil, "/mnt/whiteout", "char", "0600", 0, 0)
    end)
    assert.equal("minor out of range",
                 complaint(ns.mknodat, nil, "x", "char", "0666", 1, 1 << 20))
    assert.equal("unknown node type 'pipe' (expected file, fifo, char, block, "
                 .. "socket)", complaint(ns.mknodat, nil, "x", "pipe"))
  end)
end)

describe("fstatat", function()
  it("tells what a file is, by name and by descriptor", function()
    local dir <close> = directory()
    local before = os.time()
    write(dir, "file", "12345")
    local file <close> = ns.openat2(dir, "file", "path")
    local stat = ns.fstatat(dir, "file")
    assert.same(stat, ns.fstatat(file, ""))
    assert.equal("file", stat.type)
    assert.equal(5, stat.size)
    assert.equal(ns.geteuid(), stat.uid)
    assert.is_true(stat.mtime >= before - 1 and stat.mtime < before + 60)
  end)

  it("follows a link unless told not to", function()
    local dir <close> = directory()
    ns.symlinkat("/", dir, "link")
    assert.equal("directory", ns.fstatat(dir, "link").type)
    assert.equal("symlink", ns.fstatat(dir, "link", "nofollow").type)
  end)

  it("tells a device's numbers", function()
    local stat = ns.fstatat(nil, "/dev/null")
    assert.equal("char 1:3", ("%s %d:%d"):format(stat.type, stat.major,
                                                 stat.minor))
  end)

  it("knows the root of a mount", function()
    local proc = ns.fstatat(nil, "/proc")
    assert.is_true(proc.mount_root)
    assert.is_false(ns.fstatat(nil, "/proc/self").mount_root)
    local ids = {}
    for _, mount in ipairs(ns.mountinfo()) do ids[mount.id] = mount end
    assert.equal("/proc", ids[proc.mount_id].target)
  end)
end)

describe("statfs", function()
  it("tells type, sizes in bytes and flags", function()
    t.userns(function()
      ns.mount(nil, "/mnt", "tmpfs", "size=1M,noexec,nosuid")
      local fs = ns.statfs "/mnt"
      assert.equal("tmpfs", fs.type)
      assert.equal(1 << 20, fs.size)
      assert.is_true(fs.flags.noexec and fs.flags.nosuid)
      assert.is_nil(fs.flags.ro)
      local dir <close> = ns.openat2(nil, "/mnt", "path")
      assert.same(fs, ns.statfs(dir))
    end)
    assert.equal("proc", ns.statfs "/proc".type)
    assert.equal("nsfs", ns.statfs "/proc/self/ns/mnt".type)
  end)
end)

describe("owner and mode", function()
  it("are set by name and by descriptor", function()
    local dir <close> = directory()
    write(dir, "file", "")
    ns.fchmodat(dir, "file", "4751")
    assert.equal("4751", ns.fstatat(dir, "file").mode)
    local file <close> = ns.openat2(dir, "file", "rdonly")
    ns.fchmodat(file, "", "0600")
    ns.fchownat(file, "", nil, ns.getegid())
    assert.equal("0600", ns.fstatat(dir, "file").mode)
  end)

  it("are not set through a link that shall not be followed", function()
    local dir <close> = directory()
    write(dir, "file", "")
    ns.symlinkat("file", dir, "link")
    assert.equal("EOPNOTSUPP", code(ns.fchmodat, dir, "link", "0600",
                                    "nofollow"))
    ns.fchownat(dir, "link", ns.geteuid(), nil, "nofollow")
  end)

  it("are checked", function()
    assert.equal("id out of range", complaint(ns.fchownat, nil, "x", -1, nil))
    assert.equal('bad mode \'rwx\' (expected octal digits, such as "0755")',
                 complaint(ns.fchmodat, nil, "x", "rwx"))
  end)

  it("cannot be an id that is not mapped", function()
    t.userns(function()
      ns.mount(nil, "/mnt", "tmpfs")
      assert.equal("fchownat /mnt: Invalid argument (EINVAL)",
                   (message(ns.fchownat, nil, "/mnt", 4242, nil)))
    end)
  end)
end)

describe("read and write", function()
  it("go through a pipe until its other end is closed", function()
    local r <close>, w = ns.pipe()
    assert.equal(5, w:write "he\0lo")
    assert.equal("he", r:read(2))
    w:close()
    assert.equal("\0lo", ns.read(r))
    assert.is_nil(r:read())
    assert.equal("", r:read(0))
  end)

  it("write all of a long string", function()
    local r, w = ns.pipe()
    local child <close> = ns.clone({}, function()
      w:close()
      local n = 0
      for part in function() return r:read() end do n = n + #part end
      os.exit(n == 1000000 and 0 or 1)
    end)
    r:close()
    assert.equal(1000000, w:write(("x"):rep(1000000)))
    w:close()
    assert.is_true(child:wait(60))
  end)

  it("tell how much went before an error", function()
    local r, w = ns.pipe()
    local path <const> = "/proc/self/fd/" .. w:fileno()
    local again <close> = ns.openat2(nil, path, "wronly,nonblock")
    local text, err = message(ns.write, again, ("x"):rep(1 << 20))
    assert.equal("write: Resource temporarily unavailable (EAGAIN)", text)
    assert.equal(err.written, #r:read(1 << 20))
    r:close()
    w:close()
  end)

  it("refuse a closed descriptor", function()
    local r, w = ns.pipe()
    r:close()
    w:close()
    assert.matches("descriptor is closed", (message(r.read, r)))
  end)
end)

describe("dup", function()
  it("is the same open file under another number", function()
    local r, w = ns.pipe()
    local other <close> = ns.dup(w)
    assert.not_equal(w:fileno(), other:fileno())
    other:write "x"
    assert.equal("x", r:read())
    r:close()
    w:close()
  end)

  it("takes a number, and keeps standard ones open over exec", function()
    t.child(function()
      local r <close>, w = ns.pipe()
      assert.equal(1, ns.dup(w, 1))
      w:close()
      os.execute "echo from outside"
      assert.equal("from outside\n", r:read())
    end)
  end)
end)

describe("the working directory", function()
  it("is changed by path and by descriptor", function()
    t.child(function()
      ns.chdir "/proc"
      assert.equal("/proc", ns.getcwd())
      local root <close> = ns.openat2(nil, "/", "path")
      ns.chdir(root)
      assert.equal("/", ns.getcwd())
      assert.equal("chdir /no: No such file or directory (ENOENT)",
                   (message(ns.chdir, "/no")))
    end)
  end)
end)

describe("umask", function()
  it("answers what it was", function()
    t.child(function()
      ns.umask "0077"
      assert.equal("0077", ns.umask "0022")
      assert.equal("0022", ns.umask(0))
    end)
  end)
end)

describe("memfd_create", function()
  it("is a file in memory", function()
    local file <close> = ns.memfd_create("farside", "allow_sealing")
    file:write "text"
    assert.equal(4, ns.fstatat(file, "").size)
    assert.matches("memfd:farside", ns.readlinkat(nil, "/proc/self/fd/"
                                                  .. file:fileno()))
  end)
end)

local t <const> = require "spec.helper"
local ns <const> = require "farside"

-- Runs as root of new user and mount namespaces, with a tmpfs at /mnt that
-- has the directories a and b.
local function throw_away(fn)
  t.userns(function()
    ns.mount("tmpfs", "/mnt", "tmpfs", "nosuid,nodev,size=16M")
    ns.mkdirat(nil, "/mnt/a")
    ns.mkdirat(nil, "/mnt/b")
    fn()
  end)
end

-- The topmost mount at a path.
local function at(path)
  local found
  for _, mount in ipairs(ns.mountinfo()) do
    if mount.target == path then found = mount end
  end
  return found
end

-- The first line of the error that a call raises, without where.
local message <const> = t.message

local function refuses(expected, ...)
  local text = message(ns.mount, ...)
  assert.equal(expected, text:match "%((.*)%)$")
end

local function writable(path)
  return (pcall(ns.mknodat, nil, path .. "/probe", "file"))
end

describe("mount", function()
  it("hands words that are no flags to the file system", function()
    throw_away(function()
      local mount = at "/mnt"
      assert.equal("tmpfs", mount.fstype)
      assert.equal("16384k", mount.super_options.size)
      assert.is_true(mount.options.nosuid and mount.options.nodev)
    end)
  end)

  it("takes options as strings and tables, as many as wanted", function()
    throw_away(function()
      ns.mount(nil, "/mnt/a", "tmpfs", { "ro", "size=1M" }, "noexec", nil)
      local mount = at "/mnt/a"
      assert.is_true(mount.options.ro and mount.options.noexec)
      assert.equal("1024k", mount.super_options.size)
      assert.equal("none", mount.source)
    end)
  end)

  it("binds what is mounted below only with rbind", function()
    throw_away(function()
      ns.mkdirat(nil, "/mnt/a/sub")
      ns.mount(nil, "/mnt/a/sub", "tmpfs")
      ns.mount("/mnt/a", "/mnt/b", nil, "bind")
      assert.is_nil(at "/mnt/b/sub")
      ns.umount "/mnt/b"
      ns.mount("/mnt/a", "/mnt/b", nil, "rbind")
      assert.equal("tmpfs", at "/mnt/b/sub".fstype)
    end)
  end)

  it("makes a read-only bind read-only, and only the bind", function()
    throw_away(function()
      ns.mount("/mnt/a", "/mnt/b", nil, "bind,ro")
      assert.is_false(writable "/mnt/b")
      assert.is_true(writable "/mnt/a")
    end)
  end)

  it("keeps the source's flags on a bind where none is named", function()
    throw_away(function()
      ns.mount("/mnt/a", "/mnt/b", nil, "bind,noexec,noatime")
      local options = at "/mnt/b".options
      assert.is_true(options.nosuid and options.nodev)
      assert.is_true(options.noexec and options.noatime)
    end)
  end)

  it("gives flags of an rbind to every mount in it", function()
    throw_away(function()
      ns.mkdirat(nil, "/mnt/a/sub")
      ns.mount(nil, "/mnt/a/sub", "tmpfs")
      ns.mount("/mnt/a", "/mnt/b", nil, "rbind,ro")
      assert.is_false(writable "/mnt/b/sub")
      assert.is_true(writable "/mnt/a/sub")
    end)
  end)

  it("leaves nothing behind when a bind with flags fails", function()
    throw_away(function()
      local before = #ns.mountinfo()
      assert.is_false(pcall(ns.mount, "/mnt/a", "/mnt/no", nil, "bind,ro"))
      assert.equal(before, #ns.mountinfo())
    end)
  end)

  it("sets a bind's propagation where the target is shared", function()
    throw_away(function()
      ns.mount(nil, "/mnt", nil, "shared")
      ns.mount("/mnt/a", "/mnt/b", nil, "bind,private")
      assert.is_number(at "/mnt".propagation.shared)
      assert.same({}, at "/mnt/b".propagation)
    end)
  end)

  it("sets propagation on a tree, in either spelling", function()
    throw_away(function()
      ns.mount(nil, "/mnt/a", "tmpfs")
      ns.mount("none", "/mnt", nil, "make-rshared")
      assert.is_number(at "/mnt/a".propagation.shared)
      ns.mount(nil, "/mnt", "", "rslave")
      ns.mount(nil, "/mnt", nil, "runbindable")
      assert.is_true(at "/mnt/a".propagation.unbindable)
    end)
  end)

  it("keeps the flags that a remount does not name", function()
    throw_away(function()
      ns.mount(nil, "/mnt/a", "tmpfs", "nosuid,noexec,strictatime")
      ns.mount(nil, "/mnt/a", nil, "remount,ro,size=2M")
      local mount = at "/mnt/a"
      assert.is_true(mount.options.nosuid and mount.options.noexec)
      assert.is_nil(mount.options.relatime)
      assert.is_true(mount.super_options.ro)
      assert.equal("2048k", mount.super_options.size)
    end)
  end)

  it("changes one mount of a file system with remount and bind", function()
    throw_away(function()
      ns.mount("/mnt/a", "/mnt/b", nil, "bind")
      ns.mount(nil, "/mnt/b", nil, "remount,bind,ro")
      assert.is_true(at "/mnt/b".options.nosuid)
      assert.is_false(writable "/mnt/b")
      ns.mount(nil, "/mnt/b", nil, "remount,bind,rw")
      assert.is_true(writable "/mnt/b")
    end)
  end)

  it("moves a mount", function()
    throw_away(function()
      ns.mount("one", "/mnt/a", "tmpfs")
      ns.mount("/mnt/a", "/mnt/b", nil, "move")
      assert.is_nil(at "/mnt/a")
      assert.equal("one", at "/mnt/b".source)
    end)
  end)

  it("hands a comma after a backslash on within its word", function()
    throw_away(function()
      for _, name in ipairs { "x,y", "upper", "work" } do
        ns.mkdirat(nil, "/mnt/a/" .. name)
      end
      ns.mount("overlay", "/mnt/b", "overlay", "lowerdir=/mnt/a/x\\,y",
               "upperdir=/mnt/a/upper,workdir=/mnt/a/work,userxattr")
      assert.equal("overlay", ns.statfs "/mnt/b".type)
    end)
  end)

  it("does not open what an outer user namespace has locked", function()
    throw_away(function()
      ns.mount(nil, "/mnt", nil, "remount,bind,ro")
      t.userns(function()
        ns.mount(nil, "/mnt", nil, "remount,bind,noexec")
        assert.equal("remount /mnt: Operation not permitted (EPERM)",
                     (message(ns.mount, nil, "/mnt", nil, "remount,bind,rw")))
      end)
    end)
  end)
end)

describe("mount options", function()
  it("are refused when they contradict each other", function()
    local pairs_of_words <const> = {
      { "ro", "rw" }, { "nosuid", "suid" }, { "bind", "rbind" },
      { "bind", "move" }, { "shared", "private" }, { "slave", "rslave" },
      { "noatime", "strictatime" }, { "sync", "async" },
      { "lazytime", "nolazytime" },
    }
    for _, words in ipairs(pairs_of_words) do
      refuses(("'%s' contradicts '%s'"):format(words[2], words[1]), "/a", "/b",
              nil, words)
    end
  end)

  it("may say the same thing twice", function()
    throw_away(function()
      ns.mount("/mnt/a", "/mnt/b", nil, "bind,ro,ro,bind,relatime,atime")
    end)
  end)

  it("are refused where the kernel would ignore them", function()
    refuses("'ro' means nothing with 'move'", "/a", "/b", nil, "move,ro")
    refuses("'ro' means nothing with 'rslave'", nil, "/b", nil, "rslave,ro")
    refuses("'sync' means nothing with 'bind'", "/a", "/b", nil, "bind,sync")
    refuses("'rbind' means nothing with 'remount'", nil, "/b", nil,
            "remount,rbind")
    refuses("'slave' means nothing with 'remount'", nil, "/b", nil,
            "remount,slave")
    refuses("unknown option 'rp' with 'bind'", "/a", "/b", nil, "bind,rp")
  end)

  it("leave the propagation of a new mount to a call of its own", function()
    refuses("'rslave' of a new mount is a call of its own: "
            .. 'mount(nil, target, nil, "rslave")', "tmpfs", "/b", "tmpfs",
            "rslave")
  end)

  it("decide which of source and type are needed", function()
    refuses("file system type expected, or an option such as 'bind'", "a", "b")
    refuses("source expected with 'bind'", nil, "/b", nil, "bind")
    refuses("no source expected with 'remount'", "/a", "/b", nil, "remount")
    refuses("no file system type expected with 'move'", "/a", "/b", "tmpfs",
            "move")
  end)

  it("are never cut short", function()
    refuses("options longer than the 4095 bytes that mount(2) takes "
            .. "(see fsconfig)", nil, "/b", "tmpfs", ("x"):rep(4096))
    refuses("zero byte in an option", nil, "/b", "tmpfs", "mode=0\0")
    refuses("unknown field 'size'", nil, "/b", "tmpfs", { size = "1M" })
    refuses("mount option expected, got number", nil, "/b", "tmpfs", 4096)
  end)
end)

describe("a failed mount", function()
  it("tells what was tried on what", function()
    local cases <const> = {
      ["mount proc on /no"] = { "proc", "/no", "proc" },
      ["bind /no on /b"] = { "/no", "/b", nil, "bind" },
      ["rbind /no on /b"] = { "/no", "/b", nil, "rbind,ro" },
      ["move /no to /b"] = { "/no", "/b", nil, "move" },
      ["remount /no"] = { nil, "/no", nil, "remount,ro" },
      ["make /no rslave"] = { nil, "/no", nil, "rslave" },
    }
    throw_away(function()
      for text, arguments in pairs(cases) do
        assert.equal(text .. ": No such file or directory (ENOENT)",
                     message(ns.mount, table.unpack(arguments, 1, 4)))
      end
    end)
  end)

  it("has its arguments as fields", function()
    throw_away(function()
      local _, err = message(ns.mount, "x", "/no", "tmpfs", "ro", { "size=1" })
      assert.equal("mount x /no tmpfs ro,size=1 /no", table.concat({
        err.call, err.source, err.target, err.fstype, err.options, err.path,
      }, " "))
    end)
  end)

  it("is EPERM for whoever has no right to", function()
    t.needs "ordinary user"
    assert.equal("mount tmpfs on /mnt: Operation not permitted (EPERM)",
                 (message(ns.mount, nil, "/mnt", "tmpfs")))
  end)
end)

describe("umount", function()
  it("refuses what is in use until it may detach", function()
    throw_away(function()
      ns.mount(nil, "/mnt/a", "tmpfs")
      local file <close> = ns.openat2(nil, "/mnt/a", "directory")
      assert.equal("umount /mnt/a: Device or resource busy (EBUSY)",
                   (message(ns.umount, "/mnt/a")))
      ns.umount("/mnt/a", "detach", "nofollow")
      assert.is_nil(at "/mnt/a")
      assert.same({}, ns.readdir(file))
    end)
  end)

  it("refuses a mount that was inherited", function()
    t.userns(function()
      local _, err = message(ns.umount, "/proc")
      assert.equal("EINVAL", err.code)
    end)
  end)

  it("knows its flags", function()
    assert.equal("unknown umount flag 'lazy' (expected detach, force, expire, "
                 .. "nofollow)", message(ns.umount, "/", "lazy"):match
                 "%((.*)%)$")
  end)
end)

describe("a new root", function()
  it("takes over, and the old one goes", function()
    throw_away(function()
      ns.mount("/mnt", "/mnt", nil, "bind")
      ns.chdir "/mnt"
      ns.pivot_root(".", ".")
      ns.umount(".", "detach")
      ns.chdir "/"
      assert.equal("/", ns.getcwd())
      assert.same("directory", ns.fstatat(nil, "/a").type)
      assert.is_false(pcall(ns.fstatat, nil, "/usr"))
    end)
  end)

  it("must be a mount", function()
    throw_away(function()
      assert.equal("pivot_root to /mnt/a, old root at /mnt/a/old: "
                   .. "No such file or directory (ENOENT)",
                   (message(ns.pivot_root, "/mnt/a", "/mnt/a/old")))
      local _, err = message(ns.pivot_root, "/mnt/a", "/mnt/a")
      assert.matches("^E", err.code)
      assert.is_true(err.code == "EINVAL" or err.code == "EBUSY")
    end)
  end)

  it("of a chroot leaves the working directory outside", function()
    throw_away(function()
      ns.chdir "/mnt"
      ns.chroot "/mnt/a"
      assert.equal("(unreachable)/mnt", ns.getcwd())
    end)
  end)
end)

local t <const> = require "spec.helper"
local ns <const> = require "farside"

-- Runs as root of new user and mount namespaces, with a tmpfs at /mnt that
-- has the directories a and b.
local function throw_away(fn)
  t.userns(function()
    ns.mount("tmpfs", "/mnt", "tmpfs")
    ns.mkdirat(nil, "/mnt/a")
    ns.mkdirat(nil, "/mnt/b")
    fn()
  end)
end

local function at(path)
  local found
  for _, mount in ipairs(ns.mountinfo()) do
    if mount.target == path then found = mount end
  end
  return found
end

local message <const> = t.message

-- What stands in the parentheses of "bad argument #2 to 'f' (…)".
local function complaint(...)
  return message(...):match "%((.*)%)$"
end

-- A detached tmpfs.
local function tmpfs(size, ...)
  local context <close> = ns.fsopen "tmpfs"
  ns.fsconfig(context, "string", "size", size)
  ns.fsconfig(context, "create")
  return ns.fsmount(context, ...)
end

describe("a detached mount", function()
  it("is made, configured and attached by descriptor", function()
    throw_away(function()
      local mount <close> = tmpfs("1M", "nosuid,noexec", { "nodev" })
      ns.mkdirat(mount, "inside")
      assert.is_nil(at "/mnt/a")
      ns.move_mount(mount, "", nil, "/mnt/a")
      local found = at "/mnt/a"
      assert.equal("1024k", found.super_options.size)
      assert.is_true(found.options.noexec and found.options.nodev)
      assert.equal("directory", ns.fstatat(nil, "/mnt/a/inside").type)
    end)
  end)

  it("is attached at a directory that is open", function()
    throw_away(function()
      local place <close> = ns.openat2(nil, "/mnt/b", "path,directory")
      local mount <close> = tmpfs "1M"
      ns.move_mount(mount, "", place, "")
      assert.equal("tmpfs", at "/mnt/b".fstype)
    end)
  end)

  it("vanishes with its descriptor when nobody attached it", function()
    throw_away(function()
      local before = #ns.mountinfo()
      local mount = tmpfs "1M"
      local inside <close> = ns.openat2(mount, ".", "path")
      mount:close()
      assert.equal(before, #ns.mountinfo())
      assert.equal("EINVAL",
                   select(2, message(ns.move_mount, inside, "", nil,
                                     "/mnt/a")).code)
    end)
  end)

  it("is a copy of a tree, with what is below when asked for", function()
    throw_away(function()
      ns.mount(nil, "/mnt/a", "tmpfs")
      ns.mkdirat(nil, "/mnt/a/sub")
      ns.mount("deep", "/mnt/a/sub", "tmpfs")
      local tree <close> = ns.open_tree(nil, "/mnt/a", "clone,recursive")
      ns.umount("/mnt/a", "detach")
      ns.move_mount(tree, "", nil, "/mnt/b")
      assert.equal("deep", at "/mnt/b/sub".source)
    end)
  end)

  it("cannot have only the top of a tree with locked mounts", function()
    t.userns(function()
      assert.equal("open_tree /: Invalid argument (EINVAL)",
                   (message(ns.open_tree, nil, "/", "clone")))
    end)
  end)

  it("names both ends when it cannot be attached", function()
    throw_away(function()
      local mount <close> = tmpfs "1M"
      assert.equal(
        ("move_mount descriptor %d to /no: No such file or directory (ENOENT)")
          :format(mount:fileno()), (message(ns.move_mount, mount, "", nil,
                                            "/no")))
    end)
  end)
end)

describe("mount_setattr", function()
  it("makes a whole tree read-only", function()
    throw_away(function()
      ns.mount(nil, "/mnt/a", "tmpfs")
      ns.mount_setattr(nil, "/mnt", { set = "ro,nosuid", recursive = true })
      for _, path in ipairs { "/mnt", "/mnt/a" } do
        assert.is_true(at(path).options.ro and at(path).options.nosuid)
        local _, err = message(ns.mkdirat, nil, path .. "/new")
        assert.equal("EROFS", err.code)
      end
    end)
  end)

  it("does all of it or nothing", function()
    throw_away(function()
      ns.mount(nil, "/mnt/a", "tmpfs", "nosuid")
      t.userns(function()
        local _, err = message(ns.mount_setattr, nil, "/mnt",
          { set = "noexec", clear = "nosuid", recursive = true })
        assert.equal("EPERM", err.code)
        assert.is_nil(at "/mnt".options.noexec)
      end)
    end)
  end)

  it("sets and clears what is named and nothing else", function()
    throw_away(function()
      ns.mount(nil, "/mnt/a", "tmpfs", "ro,nosuid,noatime")
      ns.mount_setattr(nil, "/mnt/a", { clear = "ro", set = "nodev" })
      local options = at "/mnt/a".options
      assert.is_true(options.rw and options.nosuid and options.nodev)
      assert.is_true(options.noatime)
    end)
  end)

  it("changes how access times are kept", function()
    throw_away(function()
      local function now() return at "/mnt".options end
      ns.mount_setattr(nil, "/mnt", { set = { "noatime", "nodiratime" } })
      assert.is_true(now().noatime and now().nodiratime)
      ns.mount_setattr(nil, "/mnt", { set = "strictatime" })
      assert.is_nil(now().noatime or now().relatime)
      ns.mount_setattr(nil, "/mnt", { set = "relatime", clear = "nodiratime" })
      assert.is_true(now().relatime)
      assert.is_nil(now().nodiratime)
    end)
  end)

  it("sets the propagation", function()
    throw_away(function()
      ns.mount_setattr(nil, "/mnt", { propagation = "shared" })
      assert.is_number(at "/mnt".propagation.shared)
    end)
  end)

  it("shows other ids on an idmapped copy", function()
    t.needs("root", "userns", "idmapped tmpfs")
    local users <close> = assert(ns.new("user", {
      uid_map = "0:100000:65536", gid_map = "0:100000:65536",
    }))
    t.child(function()
      ns.mount(nil, "/", nil, "rprivate")
      ns.mount(nil, "/mnt", "tmpfs")
      ns.mkdirat(nil, "/mnt/a")
      local tree <close> = ns.open_tree(nil, "/mnt", "clone")
      ns.mount_setattr(tree, "", { userns = users })
      assert.equal(100000, ns.fstatat(tree, "a").uid)
      assert.equal(0, ns.fstatat(nil, "/mnt/a").uid)
    end, { "mnt" })
  end)

  it("refuses words that contradict each other", function()
    local function refuses(expected, change)
      assert.equal(expected, complaint(ns.mount_setattr, nil, "/", change))
    end
    refuses("'ro' is both set and cleared",
            { set = "ro,nodev", clear = "nodev,ro" })
    refuses("'noatime', 'strictatime' and 'relatime' contradict each other",
            { set = "relatime,noatime" })
    refuses("'idmap' needs a userns", { set = "idmap" })
    refuses("userns: namespace handle or descriptor object expected",
            { userns = 1 })
    refuses("unknown field 'recursiv'", { recursiv = true })
  end)

  it("knows its words", function()
    assert.equal("unknown mount attribute 'rw' (expected ro, nosuid, nodev, "
                 .. "noexec, noatime, strictatime, relatime, nodiratime, "
                 .. "nosymfollow, idmap)",
                 complaint(ns.mount_setattr, nil, "/", { set = "rw" }))
    assert.matches("^bad argument #3 to ",
                   (message(ns.mount_setattr, nil, "/", { set = "rw" })))
    assert.equal("unknown propagation 'rslave' (expected shared, slave, "
                 .. "private, unbindable)",
                 complaint(ns.mount_setattr, nil, "/",
                           { propagation = "rslave" }))
  end)
end)

describe("a file system context", function()
  it("tells in the kernel's words what is wrong", function()
    throw_away(function()
      local context <close> = ns.fsopen "tmpfs"
      local text, err = message(ns.fsconfig, context, "string", "size", "1x")
      assert.equal("fsconfig size=1x: Invalid argument (EINVAL): "
                   .. "tmpfs: Bad value for 'size'", text)
      assert.equal("tmpfs: Bad value for 'size'", err.log)
      assert.equal("fsconfig siez: Invalid argument (EINVAL): "
                   .. "tmpfs: Unknown parameter 'siez'",
                   (message(ns.fsconfig, context, "flag", "siez")))
    end)
  end)

  it("says nothing where the kernel has nothing to say", function()
    throw_away(function()
      local context <close> = ns.fsopen "tmpfs"
      local text, err = message(ns.fsconfig, context, "reconfigure")
      assert.matches("^fsconfig reconfigure: .* %(E%u+%)$", text)
      assert.is_nil(err.log)
    end)
  end)

  it("configures a file system anew", function()
    throw_away(function()
      local context <close> = ns.fspick(nil, "/mnt")
      ns.fsconfig(context, "string", "size", "3M")
      ns.fsconfig(context, "reconfigure")
      assert.equal("3072k", at "/mnt".super_options.size)
    end)
  end)

  it("takes a value with commas, and layers by descriptor", function()
    t.needs "filesystem overlay"
    throw_away(function()
      for _, name in ipairs { "x,y", "z" } do
        ns.mkdirat(nil, "/mnt/a/" .. name)
        ns.mknodat(nil, "/mnt/a/" .. name .. "/of " .. name, "file")
      end
      local context <close> = ns.fsopen "overlay"
      local ok, err = pcall(ns.fsconfig, context, "string", "lowerdir",
                            "/mnt/a/x\\,y:/mnt/a/z")
      if not ok and err.log:find "Legacy" then
        return pending "needs an overlay that knows file system contexts"
      end
      ns.fsconfig(context, "create")
      local mount <close> = ns.fsmount(context)
      assert.equal("file", ns.fstatat(mount, "of x,y").type)
    end)
  end)

  it("is of a type that the kernel has", function()
    throw_away(function()
      assert.equal("fsopen nofs: No such device (ENODEV)",
                   (message(ns.fsopen, "nofs")))
    end)
  end)

  it("refuses arguments that a command does not take", function()
    local file <close> = ns.openat2(nil, "/", "path")
    assert.equal("unexpected argument",
                 complaint(ns.fsconfig, file, "create", "size"))
    assert.equal("unexpected argument",
                 complaint(ns.fsconfig, file, "flag", "ro", "yes"))
    assert.matches("^unknown fsconfig command 'set' %(expected flag, ",
                   complaint(ns.fsconfig, file, "set", "ro"))
    assert.equal("fsconfig command out of range",
                 complaint(ns.fsconfig, file, 99))
    assert.equal("'idmap' is for mount_setattr",
                 complaint(ns.fsmount, file, "ro", "idmap"))
  end)
end)

local t <const> = require "spec.helper"
local hints <const> = require "spec.hints"
local ns <const> = require "farside"

local hint_of <const>, inside <const>, says <const> =
  hints.hint_of, hints.inside, hints.says
local deeper <const> = hints.deeper

describe("for file systems", function()
  it("some file systems show no other ids", function()
    t.needs "root"
    t.child(function()
      ns.unshare "mnt"
      ns.mount(nil, "/", nil, "rprivate")
      ns.mount("tmpfs", "/mnt", "tmpfs")
      ns.mkdirat(nil, "/mnt/u")
      ns.mkdirat(nil, "/mnt/w")
      ns.mkdirat(nil, "/mnt/m")
      ns.mount("overlay", "/mnt/m", "overlay",
               "lowerdir=/usr,upperdir=/mnt/u,workdir=/mnt/w")
      local tree <close> = ns.open_tree(nil, "/mnt/m", "clone")
      local ids <close> = ns.new("user", { uid_map = "0:1:1" })
      assert.equal("overlay cannot show its files with other ids: without an "
        .. "idmap those that are not mapped are nobody's",
        hint_of(ns.mount_setattr, tree, "", { set = "idmap", userns = ids }))
    end)
  end)

  it("that show a namespace which is not ours, it is told", function()
    inside(function()
      for fs, kind in pairs { proc = "pid", sysfs = "net", mqueue = "ipc",
                              cgroup2 = "cgroup" } do
        assert.equal(("%s needs its own %s namespace: add \"%s\""):format(fs,
          kind, kind), hint_of(ns.mount, fs, "/mnt/a", fs))
      end
    end)
  end)

  it("proc before the first child is told", function()
    inside(function()
      ns.unshare "pid"
      assert.equal("proc shows the pid namespace of the process that mounts "
        .. "it, and the new one begins with the next child: mount it there",
        hint_of(ns.mount, "proc", "/mnt/a", "proc"))
    end)
  end)

  -- In a pid namespace of our own.
  local function proc(advice)
    t.child(function()
      assert.equal(advice, hint_of(ns.mount, "proc", "/mnt/a", "proc"))
    end, { "user", "mnt", "pid" })
  end

  it("a covered part of /proc is told", function()
    inside(function()
      ns.mount("tmpfs", "/proc/bus", "tmpfs")
      proc("/proc/bus is covered, as in an engine's container, and the kernel "
        .. "refuses a new proc that would show it: bind /proc instead, or run "
        .. "the outer container with /proc unmasked")
    end)
  end)

  it("a place without any proc is told", function()
    says("no proc is mounted here, and the kernel allows a new one only beside "
      .. "one that is: mount it before the old one goes",
      { call = "mount", code = "EPERM", fstype = "proc" },
      { ["/proc/self/uid_map"] = "0 1000 1\n",
        ["/proc/self/mountinfo"] = "1 1 0:2 / / rw - tmpfs none rw\n" },
      { capable = function() return true end })
  end)

  it("a read-only /proc is told", function()
    inside(function()
      ns.mount(nil, "/proc", nil, "remount,bind,ro")
      proc("the proc on /proc is read-only, and a new one must be, too: add "
        .. "\"ro\"")
    end)
  end)

  it("that a user namespace cannot mount, this is told", function()
    inside(function()
      assert.equal("a user namespace cannot mount ext4: mount it outside, and "
        .. "bind it", hint_of(ns.mount, "/dev/null", "/mnt/a", "ext4"))
    end)
  end)

  it("a terminal's group without a map is told", function()
    inside(function()
      assert.equal("gid 5 is not mapped in this user namespace: leave gid= out",
        hint_of(ns.mount, "devpts", "/mnt/a", "devpts", "newinstance,gid=5"))
    end)
  end)

  it("device nodes are told to be bound", function()
    inside(function()
      assert.equal("device nodes cannot be made in a user namespace: bind the "
        .. "host's node", hint_of(ns.mknodat, nil, "/mnt/null", "char", "0666",
        1, 3))
    end)
  end)
end)

describe("for an overlay", function()
  local function overlay(advice, layers)
    inside(function()
      assert.equal(advice, hint_of(ns.mount, "overlay", "/mnt/a", "overlay",
        layers))
    end)
  end

  it("upper and work that are one are told", function()
    overlay("workdir is upperdir: give it an empty directory beside it",
      "lowerdir=/mnt/b,upperdir=/mnt/upper,workdir=/mnt/upper")
  end)

  it("a missing workdir is told", function()
    overlay("upperdir needs a workdir: an empty directory beside it",
      "lowerdir=/mnt/b,upperdir=/mnt/upper")
  end)

  it("a single lower layer is told", function()
    overlay("one lower layer needs an upperdir, or a second lowerdir",
      "lowerdir=/mnt/b")
  end)

  it("upper and work on two mounts are told", function()
    overlay("upperdir is on the mount /mnt, workdir on /proc: both must be on "
      .. "one", "lowerdir=/mnt/b,upperdir=/mnt/upper,workdir=/proc/self")
  end)

  it("upper and work in each other are told", function()
    overlay("workdir and upperdir lie in each other: put them side by side",
      "lowerdir=/mnt/b,upperdir=/mnt,workdir=/mnt/work")
  end)

  it("locked mounts in a lower layer are told", function()
    inside(function()
      ns.mkdirat(nil, "/mnt/b/c")
      ns.mount("tmpfs", "/mnt/b/c", "tmpfs")
      deeper(function()
        assert.equal("lowerdir /mnt/b has mounts below it (/mnt/b/c), and "
          .. "those from an outer user namespace are locked to it: use "
          .. "directories without", hint_of(ns.mount, "overlay", "/mnt/a",
          "overlay", "lowerdir=/mnt/b,upperdir=/mnt/upper,workdir=/mnt/work"))
      end)
    end)
  end)
end)

describe("for a mount that is there", function()
  it("the missing namespace or privilege is told", function()
    t.needs "userns"
    inside(function()
      ns.capability.keep ""
      assert.equal("mounts need CAP_SYS_ADMIN: unshare \"user\" and \"mnt\" "
        .. "first", hint_of(ns.umount, "/mnt"))
    end)
    t.child(function()
      ns.unshare "user"
      assert.equal("the mount namespace belongs to an outer user namespace: "
        .. "add \"mnt\"", hint_of(ns.umount, "/proc"))
    end)
  end)

  it("a bind without what is locked below is told", function()
    inside(function()
      ns.mount("tmpfs", "/mnt/b", "tmpfs")
      deeper(function()
        assert.equal("/mnt has mounts below it (/mnt/b), and those from an "
          .. "outer user namespace are locked to it: use \"rbind\"",
          hint_of(ns.mount, "/mnt", "/mnt/a", nil, "bind"))
      end)
    end)
  end)

  it("a file system that is an outer one's is told", function()
    inside(function()
      assert.equal("the file system belongs to an outer user namespace, only "
        .. "the mount can be changed: add \"bind\"",
        hint_of(ns.mount, nil, "/", nil, "remount,ro"))
    end)
  end)

  it("a locked flag is told", function()
    inside(function()
      ns.mount("tmpfs", "/mnt/b", "tmpfs", "nosuid")
      deeper(function()
        assert.equal("nosuid is locked on /mnt/b, where an outer user "
          .. "namespace set it: leave \"suid\" out",
          hint_of(ns.mount, nil, "/mnt/b", nil, "remount,bind,suid"))
      end)
    end)
  end)

  it("what is no mount, or a locked one, is told", function()
    inside(function()
      assert.equal("nothing is mounted there", hint_of(ns.umount, "/mnt/a"))
      assert.equal("the mount came from an outer user namespace and is locked: "
        .. "mount over it, or unmount the whole tree that came with it",
        hint_of(ns.umount, "/proc"))
    end)
  end)

  it("what is in use is told", function()
    inside(function()
      ns.chdir "/mnt"
      assert.equal("something is still used there, a working directory or an "
        .. "open file: use \"detach\"", hint_of(ns.umount, "/mnt"))
    end)
  end)

  it("a new root that is no mount, or the root, is told", function()
    inside(function()
      assert.equal("the new root is no mount: bind it on itself first",
        hint_of(ns.pivot_root, "/mnt/a", "/mnt/a"))
      assert.equal("the new root is the root already",
        hint_of(ns.pivot_root, "/", "/"))
    end)
  end)

  it("a shared mount is told to who pivots", function()
    inside(function()
      ns.mount(nil, "/mnt", nil, "shared")
      assert.equal("the mount /mnt is shared: make the mounts private first, "
        .. "with mount(nil, \"/\", nil, \"rprivate\")",
        hint_of(ns.pivot_root, "/mnt", "/mnt"))
    end)
  end)

  it("the initial RAM file system is told to who pivots", function()
    says("the root is the initial RAM file system, which cannot be left: use "
      .. "chroot, or move the new root over it",
      { call = "pivot_root", code = "EINVAL", path = "/mnt" },
      { ["/proc/self/mountinfo"] = "1 1 0:2 / / rw - rootfs none rw\n"
          .. "2 1 0:3 / /mnt rw - tmpfs none rw\n" })
  end)
end)

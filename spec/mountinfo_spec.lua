local t <const> = require "spec.helper"
local ns <const> = require "farside"

local function one(line)
  local mounts = ns.mountinfo(line)
  assert.equal(1, #mounts)
  return mounts[1]
end

describe("mountinfo", function()
  it("has every field of a line", function()
    assert.same({
      id = 36, parent = 35, major = 98, minor = 0,
      root = "/mnt1", target = "/mnt2",
      options = { "rw", "noatime", rw = true, noatime = true },
      propagation = { master = 1, shared = 7 },
      fstype = "ext3", source = "/dev/root",
      super_options = {
        "rw", "errors=continue", rw = true, errors = "continue",
      },
    }, one("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 "
           .. "/dev/root rw,errors=continue\n"))
  end)

  it("reads propagation in all its forms", function()
    local line <const> = "1 0 0:1 / / rw %s- tmpfs x rw"
    assert.same({}, one(line:format "").propagation)
    assert.same({ unbindable = true }, one(line:format "unbindable ")
                .propagation)
    assert.same({ shared = 3, master = 2, propagate_from = 1 },
                one(line:format "shared:3 master:2 propagate_from:1 ")
                .propagation)
  end)

  it("decodes blanks, tabs, line ends, hashes and backslashes", function()
    local mount = one("1 0 0:1 /a\\040b /c\\011d\\012e\\134f rw - fuse.x "
                      .. "\\043src rw,lowerdir=/x\\040y")
    assert.equal("/a b", mount.root)
    assert.equal("/c\td\ne\\f", mount.target)
    assert.equal("#src", mount.source)
    assert.equal("/x y", mount.super_options.lowerdir)
  end)

  it("decodes no text twice", function()
    assert.equal("/a\\040", one("1 0 0:1 / /a\\134040 rw - x y rw").target)
  end)

  it("keeps an empty source and options with blanks", function()
    local mount = one "1 0 0:1 / /- rw - tmpfs  rw,a=b c"
    assert.equal("/-", mount.target)
    assert.equal("", mount.source)
    assert.equal("b c", mount.super_options.a)
    assert.equal("none", one "1 0 0:1 / / rw - tmpfs none ".source)
  end)

  it("leaves out lines of no known form", function()
    assert.same({}, ns.mountinfo "")
    assert.same({}, ns.mountinfo "nonsense\n36 35 98:0 / / rw ext3\n\n")
    assert.equal(2, #ns.mountinfo("1 0 0:1 / / rw - a b rw\nodd\n"
                                  .. "2 1 0:2 / /x rw - a b rw"))
  end)

  it("has a mount for each line of the kernel's file", function()
    local mounts, lines = ns.mountinfo(), 0
    for _ in io.lines "/proc/self/mountinfo" do lines = lines + 1 end
    assert.equal(lines, #mounts)
    assert.equal("integer", math.type(mounts[1].id))
  end)

  it("takes a pid, a path and a process alike", function()
    local mine = ns.mountinfo()
    assert.same(mine, ns.mountinfo(ns.getpid()))
    assert.same(mine, ns.mountinfo "/proc/self/mountinfo")
    assert.same(mine, ns.mountinfo { pid = ns.getpid() })
  end)

  it("finds a mount point with odd characters again", function()
    t.userns(function()
      ns.mount(nil, "/mnt", "tmpfs")
      ns.mkdirat(nil, "/mnt/a b\n\\c")
      ns.mount("my source", "/mnt/a b\n\\c", "tmpfs")
      local mounts = ns.mountinfo()
      assert.equal("/mnt/a b\n\\c", mounts[#mounts].target)
      assert.equal("my source", mounts[#mounts].source)
    end)
  end)

  it("refuses what names no process", function()
    local ok, err = pcall(ns.mountinfo, false)
    assert.is_false(ok)
    assert.matches("mountinfo: process, pid, path or text expected, got "
                   .. "boolean$", err)
  end)
end)

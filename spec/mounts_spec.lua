-- What a recipe's mounts put into a container, and where.

local t = require "spec.helper"
local ns = require "farside"
local containers <const> = require "spec.containers"
local read <const>, write <const> = containers.read, containers.write
local host <const>, sh <const> = containers.host, containers.sh
local tree <const>, failure <const> = containers.tree, containers.failure

local root <const> = ns.geteuid() == 0

local function test(name, body)
  it(name, function()
    t.needs "userns"
    body()
  end)
end

describe("among a container's mounts", function()
  test("each new file system is of its kind", function()
    local kinds <const> = { tmpfs = "/a", proc = "/b", sysfs = "/c",
                            mqueue = "/d", devpts = "/e" }
    local mounts, wanted = {}, {}
    for kind, at in pairs(kinds) do
      mounts[#mounts + 1] = { [kind] = at }
      wanted[#wanted + 1] = at .. " " .. kind
    end
    table.sort(wanted)
    assert.equal(table.concat(wanted, "\n"), sh(
      "cut -d' ' -f2,3 /proc/mounts | grep '^/[abcde] ' | sort",
      { mounts = mounts }))
  end)

  test("another proc is masked as the first", function()
    assert.equal("0", sh("cat /b/keys /b/interrupts | wc -c",
                         { mounts = { { proc = "/b" } } }))
    assert.is_truthy(sh("echo x 2>&1 > /b/sysrq-trigger; echo $?",
                        { mounts = { { proc = "/b" } } }):find "[1-9]$")
  end)

  test("a file, a directory and a link are as they are described", function()
    assert.equal("hello 600|1777|usr/bin", sh(
      "echo $(cat /x/y/f) $(stat -c %a /x/y/f)'|'$(stat -c %a /d/e)'|'$("
      .. "readlink /l)", { mounts = {
        { file = "/x/y/f", text = "hello\n", mode = "0600" },
        { directory = "/d/e", mode = "1777" },
        { symlink = "/l", to = "usr/bin" },
      } }))
  end)

  test("directories on the way are everybody's to enter", function()
    assert.equal("755", sh("stat -c %a /x", {
      mounts = { { file = "/x/y", text = "" } } }))
  end)

  test("a device is one of the host's, and works", function()
    assert.equal("0", sh("head -c 10 /null2 | wc -c",
      { mounts = { { device = "/dev/null", at = "/null2" } } }))
  end)

  test("a device must be one", function()
    local message, err = failure { mounts = { { device = "/etc/passwd" } } }
    assert.equal("bind_tree /etc/passwd (device expected, it is a file): "
                 .. "No such device (ENODEV)", message)
    assert.equal("take /etc/passwd as a mount of our own", err.step)
  end)

  test("later ones lie over earlier ones", function()
    local directory <const> = t.tmpdir()
    write(directory .. "/f", "1\n")
    assert.equal("f 0", sh("echo $(ls /a) $(ls /b | wc -l)", { mounts = {
      { tmpfs = "/a" }, { bind = directory, at = "/a", "ro" },
      { bind = directory, at = "/b" }, { tmpfs = "/b" },
    } }))
  end)

  test("one that is optional is left out when its source is not there",
    function()
      local mounts <const> = {
        { bind = "/no/such/place", at = "/a", optional = true,
          idmap = root or nil },
        { device = "/dev/no-such", optional = true },
        { bind = "/usr", at = "/b", optional = true },
      }
      assert.equal("b", sh("ls -d /a /dev/no-such 2>/dev/null; "
                           .. "ls / | grep -x b", { mounts = mounts }))
      mounts[1].optional = nil
      assert.equal("open_tree /no/such/place: No such file or directory "
                   .. "(ENOENT)", (failure { mounts = mounts }))
    end)

  test("one may be of a descriptor", function()
    local directory <const> = t.tmpdir()
    write(directory .. "/f", "shown\n")
    local fd <close> = ns.openat2(nil, directory, "path,directory")
    assert.equal("shown", sh("cat /a/f",
                             { mounts = { { bind = fd, at = "/a" } } }))
  end)

  test("a descriptor must be found again under its name", function()
    local directory <const> = t.tmpdir()
    ns.mkdirat(nil, directory .. "/a")
    local fd <close> = ns.openat2(nil, directory .. "/a", "path,directory")
    ns.renameat(nil, directory .. "/a", nil, directory .. "/b")
    t.userns(function()
      ns.bind_tree(fd):close() -- by its new name
      ns.unlinkat(nil, directory .. "/b", "removedir")
      ns.mkdirat(nil, directory .. "/b (deleted)")
      local ok, err = pcall(ns.bind_tree, fd)
      assert.same({ false, "ENOENT" }, { ok, err.code })
      assert.equal(directory .. "/b (deleted) (something else by now)",
                   err.detail)
    end)
  end)

  test("a bind is read-only with all that is mounted below", function()
    t.userns(function()
      ns.mount("tmpfs", "/mnt", "tmpfs")
      ns.mkdirat(nil, "/mnt/below")
      ns.mount("tmpfs", "/mnt/below", "tmpfs", "nosuid,noexec")
      assert.equal("2 ro,nosuid,nodev,noexec", sh(
        "a=$(touch /a/x /a/below/x 2>&1 | grep -c Read-only); "
        .. "echo $a $(grep ' /a/below ' /proc/mounts | cut -d' ' -f4 | "
        .. "cut -d, -f1-4)",
        { mounts = { { bind = "/mnt", at = "/a", "ro" } } }))
    end)
  end)

  test("a bind shows files of root as the container's with idmap", function()
    t.needs("root", "idmapped files")
    local directory <const> = t.tmpdir()
    write(directory .. "/f", "")
    assert.equal("65534 0", sh("stat -c %u /a/f /b/f | xargs", { mounts = {
      { bind = directory, at = "/a" },
      { bind = directory, at = "/b", idmap = true },
    } }))
  end)

  test("ids are shown otherwise for root alone", function()
    local who <const> = { share = root and "user" or nil }
    who.idmap = true
    assert.equal("idmap: only root can have files shown with other ids, in a "
      .. "user namespace of the container's own", (failure(who)))
    who.idmap, who.mounts = nil, { { bind = "/", at = "/a", idmap = true } }
    assert.equal("mounts[1].idmap: only root can have files shown with other "
      .. "ids, in a user namespace of the container's own", (failure(who)))
  end)

  test("an overlay has its layers, and keeps or throws away", function()
    local low, high, kept = tree(), tree(), tree()
    write(low .. "/a", "low\n")
    write(low .. "/b", "low\n")
    write(high .. "/b", "high\n")
    local function mount(upper)
      return { mounts = { { overlay = "/o", layers = { low, high },
                            upper = upper } } }
    end
    assert.equal("low high x", sh("cd /o; x=$(cat a b); echo x > a; echo $x $("
                                  .. "cat a)", mount()))
    assert.equal("low", sh("cat /o/a; echo kept > /o/a", mount(kept)))
    assert.equal("kept", sh("cat /o/a", mount(kept)))
    assert.equal("low\n", read(low .. "/a"))
    local readonly = mount()
    readonly.mounts[1][1] = "ro"
    assert.equal("1", sh("touch /o/x 2>&1 | grep -c Read-only", readonly))
  end)

  test("there may be more than descriptors in a process", function()
    local mounts <const> = {}
    for i = 1, 200 do mounts[i] = { bind = "/usr", at = "/tmp/" .. i } end
    t.child(function()
      local _, hard = ns.getrlimit "nofile"
      ns.setrlimit("nofile", 100, hard)
      assert.equal("200 100", sh("echo $(ls /tmp | wc -l) $(ulimit -Sn)",
                                 { mounts = mounts }))
      assert.equal(100, (ns.getrlimit "nofile"))
      ns.setrlimit("nofile", 100, 200)
      assert.equal("open_tree /usr: Too many open files (EMFILE)",
                   (failure { mounts = mounts }))
    end)
  end)

  test("names are taken as they are, whatever is in them", function()
    local names <const> = { "a:b", "a,b", "a\\b", "a b", "a\\:b,lowerdir=/" }
    local directory <const>, kept <const> = tree(table.unpack(names)),
                                            tree(table.unpack(names))
    local mounts, layers, wanted = {}, {}, {}
    for i, name in ipairs(names) do
      write(("%s/%s/%d"):format(directory, name, i), "")
      layers[i] = directory .. "/" .. name
      mounts[#mounts + 1] = { bind = layers[i], at = "/" .. name }
      wanted[i] = tostring(i)
    end
    mounts[#mounts + 1] = { overlay = "/o", layers = layers,
                            upper = kept .. "/a:b" }
    wanted = table.concat(wanted, " ")
    assert.equal(wanted .. " " .. wanted, sh(
      "echo $(ls /a:b /a,b '/a\\b' '/a b' '/a\\:b,lowerdir=/' | grep '^[0-9]' "
      .. "| sort) $(ls /o | grep '^[0-9]')", { mounts = mounts }))
    assert.equal("5", sh("ls / | grep -c '^[12345]'", host {
      root = { layers = layers, upper = kept .. "/a\\:b,lowerdir=/" } }))
  end)
end)

describe("the place of a mount", function()
  test("is inside the root, whatever links lie there", function()
    local directory, outside <const> = tree "etc", t.tmpdir()
    ns.symlinkat("../../../.." .. outside .. "/new", nil,
                 directory .. "/etc/file")
    ns.symlinkat(outside .. "/deep", nil, directory .. "/etc/dir")
    ns.symlinkat("/etc/dir", nil, directory .. "/etc/again")
    local said <const> = sh("cat /etc/file /etc/again/x/y", host {
      root = directory, tmp = false, mounts = {
        { bind = "/etc/hostname", at = "/etc/file" },
        { bind = "/etc/hostname", at = "/etc/again/x/y" },
      } })
    local name <const> = read "/etc/hostname"
    assert.equal(name .. name, said .. "\n")
    assert.equal(0, #ns.readdir(outside))
    local made <const> = ns.fstatat(nil, directory .. outside .. "/new")
    assert.equal("file", made.type)
  end)

  test("cannot be a link that leads to itself", function()
    local directory <const> = tree()
    ns.symlinkat("/loop", nil, directory .. "/loop")
    local _, err = failure(host { root = directory,
                                  mounts = { { tmpfs = "/loop/x" } } })
    assert.same({ "ELOOP", "/loop/x" }, { err.code, err.path })
  end)

  test("is of the type of what is bound there", function()
    local function bind(what, at)
      return (failure { mounts = { { bind = what, at = at } } })
    end
    assert.equal("move_mount /usr (a file cannot cover a directory): "
                 .. "Is a directory (EISDIR)", bind("/etc/passwd", "/usr"))
    assert.equal("move_mount /etc/passwd (a directory cannot cover a file): "
                 .. "Not a directory (ENOTDIR)", bind("/usr", "/etc/passwd"))
  end)

  test("of a proc may be a link, and its parts are hidden all the same",
    function()
      local dirs <const> = tree "d"
      assert.equal("0", sh("wc -c </d/interrupts", host {
        root = dirs, mounts = { { symlink = "/link", to = "d" },
                                { proc = "/link" } },
      }))
    end)
end)

describe("a root", function()
  test("is a directory and nothing else", function()
    local message, err = failure { root = "/etc/passwd" }
    assert.equal("bind_tree /etc/passwd (directory expected, it is a file): "
                 .. "Not a directory (ENOTDIR)", message)
    assert.equal("take /etc/passwd as a mount of our own", err.step)
    assert.equal("ENOTDIR", select(2, failure {
      root = { layers = { "/dev/null" } } }).code)
  end)

  test("whose ids cannot be mapped names the part and the choices", function()
    t.needs "root"
    t.child(function()
      ns.unshare "mnt"
      ns.mount(nil, "/", nil, "rprivate")
      ns.mount("tmpfs", "/mnt", "tmpfs")
      for _, name in ipairs { "u", "w", "r", "r/sub" } do
        ns.mkdirat(nil, "/mnt/" .. name)
      end
      ns.mount("overlay", "/mnt/r/sub", "overlay",
               "lowerdir=/usr,upperdir=/mnt/u,workdir=/mnt/w")
      local message, err = failure { root = "/mnt/r/sub" }
      assert.equal("mount_setattr /mnt/r/sub: Invalid argument (EINVAL)",
                   message)
      assert.equal("overlay cannot show its files with other ids; choose: "
        .. "idmap = false shows them as they are owned, where those that are "
        .. "not mapped are nobody's; or put them on ext4, xfs, btrfs or, since "
        .. "Linux 6.3, tmpfs; or give the files to the mapped ids", err.hint)
      if t.has "idmapped tmpfs" then
        assert.equal("mount_setattr /mnt/r/sub: Invalid argument (EINVAL)",
                     (failure { root = "/mnt/r" }))
      end
    end)
  end)

  test("of layers has nothing that can be written, when asked", function()
    local low <const>, high <const> = tree(), tree()
    write(low .. "/a", "low\n")
    assert.equal("low\n2", sh(
      "cat /a; touch /a /b 2>&1 | grep -c Read-only",
      host { root = { layers = { low, high } }, readonly = true }))
    assert.equal("low\n", read(low .. "/a"))
  end)

  test("that is kept is for nobody else out here", function()
    local low, upper = tree(), tree()
    sh("echo x > /x; chmod 4755 /x", host {
      root = { layers = { low }, upper = upper } })
    assert.equal(root and "0700" or "0755", ns.fstatat(nil, upper).mode)
    assert.equal(ns.geteuid(), ns.fstatat(nil, upper .. "/upper/x").uid)
  end)
end)

-- Who a container's processes are: its ranges of ids, and the program's user.

local t = require "spec.helper"
local ns = require "farside"
local containers <const> = require "spec.containers"
local sh <const>, tree <const> = containers.sh, containers.tree
local failure <const> = containers.failure
local write <const>, read <const> = containers.write, containers.read

local root <const> = ns.geteuid() == 0

local function test(name, body)
  it(name, function()
    t.needs "userns"
    body()
  end)
end

-- A recipe with more ids than one, for whoever starts it.
local function ids(recipe)
  if not root then
    t.needs "newuidmap"
    recipe.uid_map = "auto"
  end
  return recipe
end

-- Files of users that a recipe mounts.
local function users(recipe)
  recipe.mounts = {
    { file = "/etc/passwd", text = "root:x:0:0::/root:/bin/sh\n"
        .. "ada:x:1000:1001::/home/ada:/bin/sh\nbad line\n" },
    { file = "/etc/group", text = "root:x:0:\nada:x:1001:\n"
        .. "math:x:7:eve,ada\nadams:x:8:adams\nart:x:9:ada\n" },
  }
  return recipe
end

describe("the user of a container", function()
  local function is(who, script)
    return sh(script or "id -u; id -g; id -G; echo $HOME", ids(users(who))
             ):gsub("\n", " ")
  end

  test("is one of its own /etc/passwd, with the groups of that", function()
    assert.equal("1000 1001 1001 7 9 /home/ada", (is { user = "ada" }))
  end)

  test("may be a number, which is never taken for a name", function()
    assert.equal("1000 1001 1001 7 9 /home/ada", (is { user = 1000 }))
    assert.equal("77 0 0 /", (is { user = "77" }))
  end)

  test("may have another group, and other groups", function()
    assert.equal("1000 7 7 9", (is({ user = "ada", group = "math",
                                     groups = { "art" } },
                                   "id -u; id -g; id -G")))
    assert.equal("1000 8 8", (is({ user = "ada:adams", groups = {} },
                                 "id -u; id -g; id -G")))
    assert.equal("5 6 6 1234", (is({ user = "5:6", groups = { 1234 } },
                                   "id -u; id -g; id -G")))
  end)

  test("is told when it is not there", function()
    assert.equal("account user 'eve' (not in /etc/passwd of the container): "
                 .. "No such file or directory (ENOENT)",
                 (failure(ids(users { user = "eve" }))))
    local message, err = failure(ids(users { user = "ada", group = "arts" }))
    assert.equal("account group 'arts' (not in /etc/group of the container): "
                 .. "No such file or directory (ENOENT)", message)
    assert.equal("who that is, in the container's own files", err.step)
  end)

  test("is told when its id is not mapped", function()
    local _, err = failure { user = "70000:" .. (root and 0 or 70000) }
    local call <const> = root and "setresuid" or "setresgid"
    local kind <const> = root and "uid" or "gid"
    assert.same({ call, "EINVAL", kind .. " 70000 is not mapped in this user "
      .. "namespace: give it more ids, as with uid_map = \"auto\"" },
      { err.call, err.code, err.hint })
  end)

  test("has no powers, and no way back to them", function()
    local said <const> = sh("grep '^Cap' /proc/self/status",
                            ids { user = 1000 })
    for _, set in ipairs { "Inh", "Prm", "Eff", "Amb" } do
      assert.matches("Cap" .. set .. ":\t0000000000000000", said)
    end
  end)

  test("has those that are asked for", function()
    assert.matches("CapEff:\t0000000000000400", sh(
      "grep '^CapEff' /proc/self/status",
      ids { user = 1000, capabilities = { "net_bind_service" } }))
  end)

  test("has the terminal", function()
    local container <close> = ns.spawn(ids { "/bin/sh", "-c",
      "stat -c %u $(tty)", user = 1000, tty = true })
    local said = ""
    repeat
      local ok, part = pcall(ns.read, container.terminal) -- EIO: the end
      said = ok and said .. part or said
    until not ok
    assert.equal("1000\r\n", said)
  end)

  test("ends with its starter all the same", function()
    local line <const> = sh("cat /proc/1/status", ids { user = 1000 })
    assert.matches("Uid:\t1000", line)
    local reader, writer = ns.pipe()
    local starter = ns.clone({}, function()
      local container = ns.spawn(ids { "/bin/sleep", "1000", user = 1000 })
      ns.write(writer, tostring(container.pid))
      container:wait()
    end)
    local pid <const> = math.tointeger(ns.read(reader, 20))
    reader:close()
    writer:close()
    local pidfd <close> = ns.pidfd_open(pid)
    starter:close()
    assert.equal(1, #ns.poll({ pidfd }, 10))
    t.reap()
  end)

  test("is not looked for in what is no file", function()
    local recipe <const> = ids { user = "ada", setup = function(c)
      c:remove "/etc/passwd"
      local etc <close> = c:open("/etc", "path,directory")
      ns.mknodat(etc, "passwd", "fifo")
    end }
    assert.equal("account /etc/passwd (no file of users or groups): Invalid "
                 .. "argument (EINVAL)", (failure(recipe)))
  end)

  test("is what more programs in there run as", function()
    local container <close> = ns.spawn(ids { "/bin/sleep", "1000",
                                             user = 1000 })
    local reader, writer <close> = ns.pipe()
    local _ <close> = reader
    assert(container:exec { "/bin/sh", "-c", "id -u", stdout = writer })
    assert.equal("1000\n", ns.read(reader))
  end)
end)

describe("another user for one more program", function()
  local script <const> = "id -u; id -g; id -G; echo $HOME"

  -- What a program says that joins a container as somebody.
  local function joined(container, who, what)
    local reader, writer <close> = ns.pipe()
    local _ <close> = reader
    local command <const> = { "/bin/sh", "-c", what or script, stdout = writer }
    for key, value in pairs(who) do command[key] = value end
    assert(container:exec(command))
    return (ns.read(reader):gsub("\n", " "))
  end

  local function start(recipe)
    recipe[1], recipe[2] = "/bin/sleep", "1000"
    return ns.spawn(ids(users(recipe)))
  end

  test("is found in the container's own files", function()
    local container <close> = start {}
    assert.equal("1000 1001 1001 7 9 /home/ada ",
                 joined(container, { user = "ada" }))
    assert.equal("1000 7 7 8 /home/ada ",
      joined(container, { user = 1000, group = "math", groups = { 8 } }))
    assert.equal("1000 8 8 7 9 /home/ada ",
                 joined(container, { user = "ada:adams" }))
    assert.equal("0 0 0 /root ", joined(container, {}))
  end)

  test("is what the recipe would have made of him", function()
    local container <close> = start { user = "ada", env = { HOME = "/h" },
      capabilities = { "net_bind_service" } }
    local powers <const> = "grep CapEff /proc/self/status; " .. script
    assert.equal("CapEff:\t0000000000000400 77 7 7 /h ",
                 joined(container, { user = "77:math" }, powers))
    assert.equal("CapEff:\t0000000000000400 0 0 0 /h ",
                 joined(container, { user = "root" }, powers))
    local plain <const> = start {}
    local _ <close> = plain
    assert.equal("CapEff:\t0000000000000000 1000 1001 1001 7 9 /home/ada ",
                 joined(plain, { user = "ada" }, powers))
  end)

  test("is told of when he cannot be", function()
    local container <close> = start {}
    for message, who in pairs {
      ["account user 'eve' (not in /etc/passwd of the container): No such file "
        .. "or directory (ENOENT)\nstep: who that is, in the container's own "
        .. "files"] = { user = "eve" },
      ["exec: group: it goes with a user"] = { group = "math" },
      ["exec: groups: they go with a user"] = { groups = {} },
      ["exec: user: name or number expected, got 'a/b'"] = { user = "a/b" },
      ["exec: groups[1]: id from 0 to 4294967294 expected"] = {
        user = "ada", groups = { -1 } },
    } do
      who[1] = "/bin/true"
      local ok, err = pcall(container.exec, container, who)
      assert.same({ false, message },
                  { ok, (tostring(err):gsub("^%S+:%d+: ", "")) })
    end
  end)
end)

describe("userns = false", function()
  test("forbids further user namespaces, to all inside", function()
    local try <const> = "unshare -U true 2>&1; echo $?"
    assert.equal("0", sh(try, { seccomp = false }))
    assert.matches("No space left on device",
                   sh(try, { seccomp = false, userns = false }))
    assert.matches("[1-9]$", sh("echo 5 2>&1 > "
      .. "/proc/sys/user/max_user_namespaces; echo $?", { userns = false }))
  end)

  for recipe, message in pairs {
    [{ share = "user" }] = "would forbid them to the host with share = "
      .. "\"user\"",
    [{ capabilities = "all" }] = "sys_resource among the capabilities would "
      .. "undo that",
    [{ capabilities = { "sys_resource" } }] = "sys_resource among the "
      .. "capabilities would undo that",
  } do
    it("is refused: " .. message, function()
      recipe.userns = false
      assert.equal("spawn: userns: " .. message, (failure(recipe)))
    end)
  end
end)

describe("a limit of namespaces", function()
  test("is of the caller's user namespace", function()
    t.userns(function()
      ns.max_namespaces("uts", 0)
      local ok, err = pcall(ns.unshare, "uts")
      assert.same({ false, "ENOSPC" }, { ok, err.code })
    end)
  end)

  it("is a number for a kind", function()
    assert.error_matches(function() ns.max_namespaces("uid", 0) end,
                         "max_namespaces: unknown namespace 'uid'")
    assert.error_matches(function() ns.max_namespaces("user", -1) end,
                         "max_namespaces: a number of namespaces expected")
  end)
end)

describe("with uid_map = \"auto\" an ordinary user", function()
  test("has himself as root and all that he is granted below", function()
    t.needs("ordinary user", "newuidmap")
    local lines, inside = { ("0 %d 1"):format(ns.geteuid()) }, 1
    for _, range in ipairs(ns.subids "uid") do
      lines[#lines + 1] = ("%d %d %d"):format(inside, range.first, range.count)
      inside = inside + range.count
    end
    assert.equal(table.concat(lines, "\n"),
      sh("sed 's/  */ /g; s/^ //' /proc/self/uid_map", { uid_map = "auto" }))
  end)

  test("writes files of his own, and of those that he is granted", function()
    t.needs("ordinary user", "newuidmap")
    local directory <const> = t.tmpdir()
    sh("touch /d/a /d/b; chown 5:6 /d/b",
       { uid_map = "auto", mounts = { { bind = directory, at = "/d" } } })
    local a <const> = ns.fstatat(nil, directory .. "/a")
    local b <const> = ns.fstatat(nil, directory .. "/b")
    assert.equal(ns.geteuid(), a.uid)
    assert.equal(ns.subids("uid")[1].first + 4, b.uid)
    assert.equal(ns.subids("gid")[1].first + 5, b.gid)
  end)

  test("may have somebody else as root, however it is set up", function()
    t.needs("ordinary user", "newuidmap")
    local function map(kind)
      local range <const> = ns.subids(kind)[1]
      return { { 0, range.first, range.count } }
    end
    local recipe <const> = { uid_map = map "uid", gid_map = map "gid" }
    assert.equal("0", sh("id -u", recipe))
    recipe.setup = function() end -- then nobody but Lua can set it up
    assert.equal("0", sh("id -u", recipe))
  end)

  test("is told when he is granted nothing", function()
    t.userns(function()
      assert.equal("uid_map: \"auto\" needs a range of ids, and /etc/subuid "
        .. "grants root nothing", (failure { uid_map = "auto" }))
    end)
  end)
end)

describe("a range of ids of a container's own", function()
  -- Runs with a /run of its own, and other files of grants.
  local function alone(fn, grants)
    t.needs "root"
    t.child(function()
      ns.mount(nil, "/", nil, "rprivate")
      ns.mount("tmpfs", "/run", "tmpfs")
      for _, name in ipairs { "subuid", "subgid" } do
        write("/run/" .. name, grants or "")
        ns.mount("/run/" .. name, "/etc/" .. name, nil, "bind")
      end
      fn()
    end, { "mnt" })
  end

  local function first_of(lease) return lease.map[1][2] end

  it("is no other's while it lives, and free afterwards", function()
    alone(function()
      local one <close>, other = ns.lease_ids(), ns.lease_ids()
      assert.same({ { 0, 524288, 65536 } }, one.map)
      assert.same({ { 0, 589824, 65536 } }, other.map)
      other:close()
      other:close() -- means nothing
      local again <close> = ns.lease_ids()
      assert.equal(589824, first_of(again))
      assert.equal(2, #ns.readdir "/run/farside/ids")
    end)
  end)

  it("is given to each of many who ask at once", function()
    alone(function()
      local reader, writer = ns.pipe()
      local one <close>, gate = ns.pipe()
      local askers = {}
      for i = 1, 12 do
        askers[i] = ns.clone({}, function()
          gate:close()
          local lease = ns.lease_ids()
          ns.write(writer, first_of(lease) .. "\n")
          ns.read(one)
          lease:close()
        end)
      end
      local seen, text = {}, ""
      repeat
        text = text .. ns.read(reader)
      until select(2, text:gsub("\n", "")) == 12
      for first in text:gmatch "%d+" do
        assert.is_nil(seen[first])
        seen[first] = true
      end
      gate:close()
      for _, asker in ipairs(askers) do assert.is_true(asker:wait()) end
      assert.equal(0, #ns.readdir "/run/farside/ids")
      reader:close()
      writer:close()
    end)
  end)

  it("is free after a crash, once nobody has an id of it", function()
    alone(function()
      local crash <close> = ns.clone({}, function()
        ns.lease_ids()
        ns._exit(0)
      end)
      crash:wait()
      local left <close> = ns.clone({}, function()
        ns.setresuid(524299, 524299, 524299)
        ns.pause()
      end)
      while not read(("/proc/%d/status"):format(left.pid)):find "524299" do end
      local other = ns.lease_ids()
      assert.equal(589824, first_of(other))
      other:close()
      left:close()
      local again <close> = ns.lease_ids()
      assert.equal(524288, first_of(again))
    end)
  end)

  it("overlaps none that is granted to a user", function()
    alone(function()
      local lease <close> = ns.lease_ids()
      assert.equal(600001, first_of(lease))
    end, "ada:500000:100001\n")
  end)

  it("is one that is granted to farside, when any is", function()
    alone(function()
      local one <close> = ns.lease_ids(1000)
      local other <close> = ns.lease_ids(1000)
      assert.same({ 7000, 8000 }, { first_of(one), first_of(other) })
      local ok, err = pcall(ns.lease_ids, 1000)
      assert.is_false(ok)
      assert.matches("lease_ids a range of 1000 ids: Resource temporarily "
                     .. "unavailable %(EAGAIN%)", tostring(err))
    end, "farside:7000:2500\n")
  end)

  it("is held for a detached container by who looks after it", function()
    t.needs("root", "userns")
    alone(function()
      local container = ns.spawn { "/bin/sleep", "1000", uid_map = "auto",
                                   name = "held", detach = true }
      local other <close> = ns.lease_ids()
      assert.equal(589824, first_of(other))
      container:stop "0s"
      container:remove()
      assert.equal(1, #ns.readdir "/run/farside/ids")
    end)
    t.reap()
  end)

  it("is asked for as a number of ids", function()
    assert.error_matches(function() ns.lease_ids(0) end,
                         "lease_ids: a number of ids expected")
  end)

  it("is that of a container, and its files are shown so", function()
    t.needs("root", "userns")
    local directory <const> = tree()
    write(directory .. "/f", "")
    alone(function()
      local one = ns.spawn { "/bin/sleep", "1000", uid_map = "auto" }
      local two <close> = ns.spawn(containers.host { "/bin/sleep", "1000",
        uid_map = "auto", root = directory })
      local function outside(container)
        return read(("/proc/%d/status"):format(container.pid))
          :match "Uid:\t(%d+)"
      end
      assert.same({ "524288", "589824" }, { outside(one), outside(two) })
      assert.equal(0, ns.inside(two, function()
        return ns.fstatat(nil, "/f").uid
      end))
      assert.equal(0, ns.fstatat(nil, directory .. "/f").uid)
      one:close()
      assert.equal(1, #ns.readdir "/run/farside/ids")
    end)
  end)
end)

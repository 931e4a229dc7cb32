-- Control groups: where they are made, what they limit, what is left. Those
-- with limits need a kernel whose controllers cgroup v1 has not got: make
-- check-vm has one.

local t = require "spec.helper"
local ns = require "farside"
local cgroup = require "farside.cgroup"

local function mount(root, target, fstype)
  return { root = root, target = target, fstype = fstype or "cgroup2" }
end

describe("the caller's cgroup", function()
  it("is found where version 2 is mounted", function()
    local mounts <const> = { mount("/", "/sys", "sysfs"),
                             mount("/", "/sys/fs/cgroup") }
    assert.equal("/sys/fs/cgroup/a/b", cgroup.locate("0::/a/b\n", mounts))
    assert.equal("/sys/fs/cgroup", cgroup.locate("0::/\n", mounts))
    assert.equal("/sys/fs/cgroup/c", cgroup.locate(
      "2:memory:/x\n1:name=systemd:/y\n0::/c\n", mounts))
  end)

  it("is found where a part of it is mounted", function()
    local mounts <const> = { mount("/a", "/mnt") }
    assert.equal("/mnt/b", cgroup.locate("0::/a/b\n", mounts))
    assert.equal("/mnt", cgroup.locate("0::/a\n", mounts))
    assert.is_nil(cgroup.locate("0::/ab\n", mounts))
  end)

  it("is not found where there is none of version 2, or not in sight",
    function()
      local mounts <const> = { mount("/", "/sys/fs/cgroup") }
      assert.is_nil(cgroup.locate("2:memory:/x\n", mounts))
      assert.is_nil(cgroup.locate("0::/../x\n", mounts))
      assert.is_nil(cgroup.locate("0::/x\n", {}))
    end)
end)

-- A directory that looks like a cgroup, as the caller's own.
local function pretend(files, path)
  path = path or t.tmpdir()
  for name, text in pairs(files) do
    local file <close> = assert(io.open(path .. "/" .. name, "w"))
    assert(file:write(text))
  end
  local own <const> = cgroup.own
  cgroup.own = function() return path end
  finally(function() cgroup.own = own end)
  return path
end

local function failure(limits)
  local ok, err = pcall(ns.cgroup.make, limits)
  assert.is_false(ok)
  return err
end

local advice <const> = "have a cgroup handed over: systemd-run --user --scope "
  .. "-p Delegate=yes -- farside … (as root without --user)"

describe("a cgroup that cannot be made", function()
  it("for want of a controller tells which, and where it is", function()
    local path <const> = pretend {
      ["cgroup.controllers"] = "cpu pids\n", ["cgroup.subtree_control"] = "\n",
      ["cgroup.procs"] = "", ["cgroup.events"] = "" }
    local err <const> = failure { memory = 1,
                                  io = { ["8:0"] = { rbps = 1 } } }
    assert.matches("^[^\n]*: cgroup.make " .. path:gsub("%p", "%%%0")
      .. ": no controller memory, io here %(it has cpu pids%) "
      .. "%(EOPNOTSUPP%)\nhint: ", tostring(err))
    local v1 <const> = "cgroup v1 holds memory, io: boot with "
      .. "systemd.unified_cgroup_hierarchy=1, or without the mounts of v1"
    assert.is_true(err.hint == v1 or err.hint == advice, err.hint)
  end)

  it("since it is systemd's tells how to have one", function()
    local path <const> = t.tmpdir() .. "/x.scope"
    t.userns(function()
      ns.mount("tmpfs", "/run", "tmpfs", "mode=0755")
      ns.mkdirat(nil, "/run/systemd")
      ns.mkdirat(nil, "/run/systemd/system")
      ns.mkdirat(nil, path)
      ns.mkdirat(nil, path .. "/below")
      pretend({ ["cgroup.controllers"] = "memory\n",
                ["cgroup.subtree_control"] = "\n", ["cgroup.procs"] = "1\n",
                ["cgroup.events"] = "" }, path .. "/below")
      local err <const> = failure { memory = 1 }
      assert.equal("EPERM", err.code)
      assert.equal("it is systemd's", err.reason)
      assert.equal(advice, err.hint)
      ns.setxattr(path, "user.delegate", "1")
      assert.equal("EBUSY", failure { memory = 1 }.code)
    end)
  end)

  it("because of other processes tells how to have one", function()
    pretend { ["cgroup.controllers"] = "memory\n",
              ["cgroup.subtree_control"] = "\n", ["cgroup.events"] = "",
              ["cgroup.procs"] = ("1\n%d\n2\n"):format(ns.getpid()) }
    if t.has "root" and io.open "/run/systemd/system" then
      return pending "systemd holds all cgroups here"
    end
    local err <const> = failure { memory = 1 }
    assert.equal("2 other processes are in it, which a cgroup with limits "
      .. "below cannot have", err.reason)
    assert.equal("EBUSY", err.code)
    assert.equal(advice, err.hint)
  end)

  it("since the caller's is not its own tells so", function()
    t.userns(function()
      local path <const> = pretend { ["cgroup.controllers"] = "",
                                     ["cgroup.subtree_control"] = "" }
      ns.mount(path, path, nil, "bind")
      ns.mount(nil, path, nil, "remount,bind,ro")
      local err <const> = failure {}
      assert.equal("EROFS", err.code)
      assert.equal(advice, err.hint)
    end)
  end)

  it("without version 2 tells so", function()
    local locate <const> = cgroup.locate
    cgroup.locate = function() end
    finally(function() cgroup.locate = locate end)
    local err <const> = failure {}
    assert.matches(": cgroup.make: no cgroup of version 2 shows this process "
      .. "%(ENOENT%)\nhint: limits need cgroup v2, mounted where this process "
      .. "finds itself; with systemd boot with "
      .. "systemd.unified_cgroup_hierarchy=1$", tostring(err))
  end)
end)

-- A test in a cgroup of its own, whose directory it gets.
local function test(name, body, ...)
  local needs <const> = { "cgroup", ... }
  it(name, function()
    t.needs(table.unpack(needs))
    t.cgroup(body)
  end)
end

local function groups(path)
  local found = {}
  for _, entry in ipairs(ns.readdir(path)) do
    if entry.name:find "^farside%-" then found[#found + 1] = entry.name end
  end
  return found
end

local function first_line(path)
  local file <close> = assert(io.open(path))
  return file:read "l"
end

describe("a cgroup", function()
  test("is made below the caller's and removed when it is closed",
    function(path)
      local group = ns.cgroup.make {}
      assert.equal(path, group.path:match "^(.*)/")
      assert.equal(1, #groups(path))
      assert.equal("cgroup " .. group.path, tostring(group))
      group:close()
      group:close()
      assert.equal(0, #groups(path))
    end)

  test("ends what is in it, groups below included", function(path)
    local group = ns.cgroup.make {}
    ns.mkdirat(nil, group.path .. "/a")
    ns.mkdirat(nil, group.path .. "/a/b")
    local below <close> = ns.openat2(nil, group.path .. "/a/b", "path")
    local child <close> = ns.clone({ cgroup = below }, ns.pause)
    group:close()
    assert.same({ nil, "signal", 9 }, { child:wait() })
    assert.equal(0, #groups(path))
  end)

  test("stops its processes and lets them go on", function()
    local group <close> = ns.cgroup.make {}
    local child <close> = ns.clone({ cgroup = group }, ns.pause)
    group:freeze(true)
    assert.equal("1", first_line(group.path .. "/cgroup.freeze"))
    child:signal "TERM"
    assert.is_nil(child:wait "20ms")
    group:freeze(false)
    assert.same({ nil, "signal", 15 }, { child:wait() })
  end)

  test("whose maker was killed is removed by the next who makes one",
    function(path)
      local reader, writer = ns.pipe()
      local maker <close> = ns.clone({}, function()
        ns.cgroup.make {}
        ns.write(writer, "!")
        ns.pause()
      end)
      ns.read(reader, 1)
      assert.equal(0, ns.cgroup.prune(path)) -- it is still there
      maker:signal "KILL"
      maker:wait()
      assert.equal(1, #groups(path))
      local group <close> = ns.cgroup.make {}
      assert.same({ group.path:match "[^/]+$" }, groups(path))
      reader:close()
      writer:close()
    end)

  test("can be removed by its name, and more than once", function(path)
    local group <close> = ns.cgroup.make {}
    local call <const> = group:undo()
    assert.same({ "cgroup.remove", group.path }, call)
    ns.cgroup.remove(group.path)
    ns.cgroup.remove(group.path)
    assert.equal(0, #groups(path))
  end)

  test("has numbers of what it uses", function()
    local group <close> = ns.cgroup.make {}
    local child <close> = ns.clone({ cgroup = group }, ns.pause)
    local stats <const> = group:stats()
    assert.equal(1, stats.processes)
    assert.is_true(stats.cpu.usage >= 0)
    local some <const> = stats.pressure.cpu and stats.pressure.cpu.some
    assert.is_true(not some or some.total >= 0 and some.avg10 >= 0)
    child:signal "KILL"
  end)
end)

describe("a container with limits", function()
  test("is in a cgroup of its own from the start, and sees it as the top",
    function(path)
      local reader, writer = ns.pipe()
      local container <close> = ns.spawn { "/bin/sh", "-c",
        "cat /proc/self/cgroup; cat /sys/fs/cgroup/cgroup.procs; read x",
        limits = {}, stdout = writer }
      writer:close()
      local text = ""
      repeat
        text = text .. (ns.read(reader) or "")
      until text:find "\n1\n"
      assert.matches("0::/\n", text, 1, true)
      assert.equal(1, #groups(path))
      container:close()
      assert.equal(0, #groups(path))
      reader:close()
    end)

  test("is paused and resumed", function()
    local container <close> = ns.spawn { "sleep", "100", limits = {} }
    container:pause()
    container:signal "TERM"
    assert.same({ nil, "timeout" }, { container:wait "20ms" })
    assert.equal(2, container:stats().processes)
    container:resume()
    assert.same({ nil, "signal", 15 }, { container:wait() })
  end)

  test("has no more time than its limit, paused or not", function()
    local container <close> = ns.spawn { "sleep", "100", limits = {},
                                         timeout = "300ms" }
    container:pause()
    container:resume()
    container:pause()
    assert.same({ nil, "signal", 9, "timeout" }, { container:wait(20) })
  end)

  test("is paused without a word about time when it has no limit of it",
    function()
      local container <close> = ns.spawn { "sleep", "100", limits = {},
                                           timeout = "1h" }
      container:pause()
      container:signal "KILL"
      assert.same({ nil, "signal", 9 }, { container:wait(20) })
    end)

  test("leaves no cgroup when it cannot be started", function(path)
    assert.is_false(pcall(ns.run, { "/no/such/program", limits = {} }))
    assert.equal(0, #groups(path))
  end)

  test("leaves none when its starter is killed, once there is a next",
    function(path)
      ns.prctl("child_subreaper", true)
      local reader, writer = ns.pipe()
      local starter <close> = ns.clone({}, function()
        ns.spawn { "sleep", "100", limits = {} }
        ns.write(writer, "!")
        ns.pause()
      end)
      ns.read(reader, 1)
      starter:signal "KILL"
      starter:wait()
      t.reap() -- the container, which ends with it
      assert.equal(1, #groups(path))
      ns.run { "true", limits = {} }
      assert.equal(0, #groups(path))
      reader:close()
      writer:close()
    end)

  test("has those that are asked for", function(path)
    local container <close> = ns.spawn { "sleep", "100", limits = {
      memory = "64M", memory_high = "60M", memory_low = "1M", pids = 7,
      cpu = 0.5, weight = 50, cpuset = "0",
    } }
    local group <const> = container.values.cgroup.path
    local function value(name) return first_line(group .. "/" .. name) end
    assert.equal(tostring(64 << 20), value "memory.max")
    assert.equal(tostring(60 << 20), value "memory.high")
    assert.equal(tostring(1 << 20), value "memory.low")
    assert.equal("7", value "pids.max")
    assert.equal("50000 100000", value "cpu.max")
    assert.equal("50", value "cpu.weight")
    assert.equal("0", value "cpuset.cpus")
    local stats <const> = container:stats()
    assert.equal(64 << 20, stats.memory.limit)
    assert.is_true(stats.memory.current > 0)
    assert.is_true(stats.memory.peak >= stats.memory.current // 2)
    assert.equal(2, stats.pids.current)
    assert.equal(7, stats.pids.limit)
    -- the starter has gone into a leaf
    assert.equal(path .. "/farside.starter", ns.cgroup.own())
    local another <close> = ns.spawn { "sleep", "100",
                                       limits = { memory = "max", pids = 9 } }
    assert.equal(2, #groups(path))
    assert.equal("max", first_line(another.values.cgroup.path
      .. "/memory.max"))
  end, "controllers")

  test("has rates of disks, and huge pages, where there are some", function()
    t.needs "controllers"
    local ok, disk = pcall(ns.fstatat, nil, "/dev/vda")
    local sizes <const> = ns.faccessat(nil, "/sys/kernel/mm/hugepages", "")
    if not (ok and disk.type == "block" and sizes) then
      return pending "needs a disk and huge pages"
    end
    local container <close> = ns.spawn { "sleep", "100", limits = {
      io = { ["/dev/vda"] = { rbps = "1M", wiops = 7 } },
      hugetlb = { ["2M"] = "4M" } } }
    local path <const> = container.values.cgroup.path
    assert.equal(("%d:%d rbps=1048576 wbps=max riops=max wiops=7"):format(
      disk.major, disk.minor), first_line(path .. "/io.max"))
    assert.equal(tostring(4 << 20), first_line(path .. "/hugetlb.2MB.max"))
    assert.is_true(container:stats().io.rbytes >= 0)
  end)

  test("is killed when its memory runs out, and this is told", function()
    local container <close> = ns.spawn { "perl", "-e",
      "my $x = 'x' x (200 << 20); print length $x",
      limits = { memory = "24M", swap = 0 } }
    assert.same({ nil, "signal", 9, "memory" }, { container:wait() })
    assert.same({ nil, "exit", 3, "memory" }, { ns.run {
      "/bin/sh", "-c", "perl -e 'my $x = \"x\" x (200 << 20)'; exit 3",
      limits = { memory = "24M" } } })
    assert.same({ nil, "signal", 9 }, { ns.run {
      "/bin/sh", "-c", "kill -9 $$", limits = { memory = "24M" } } })
  end, "controllers", "perl")

  test("can have so many processes and no more", function()
    local reader, writer = ns.pipe()
    local container <close> = ns.spawn { "perl", "-e", [[
      my $n = 0;
      while (defined(my $pid = fork)) { if (!$pid) { sleep 100 } $n++ }
      syswrite STDOUT, "$n\n"; sleep 100]],
      limits = { pids = 20 }, stdout = writer }
    assert.equal("18\n", ns.read(reader)) -- and itself, and the init
    local pids <const> = container:stats().pids
    assert.equal(20, pids.current)
    assert.is_true(pids.refused >= 1)
    reader:close()
    writer:close()
  end, "controllers", "perl")

  test("gets as much of a processor as it may", function()
    local container <close> = ns.spawn { "/bin/sh", "-c",
      "while :; do :; done", limits = { cpu = 0.5 } }
    local start <const> = ns.monotonic()
    local before <const> = container:stats().cpu.usage
    container:wait "1s"
    local used <const> = container:stats().cpu.usage - before
    local share <const> = used / (ns.monotonic() - start)
    assert.is_true(share < 0.65, tostring(share))
    assert.is_true(container:stats().cpu.throttled > 0)
  end, "controllers")

  test("tells of a limit that the kernel does not take", function()
    local ok, err = pcall(ns.run, { "true", limits = { cpuset = "4000" } })
    assert.is_false(ok)
    assert.matches("^cgroup.make cpuset.cpus to 4000: [^\n]+\n"
      .. "step: a cgroup of its own, which has its limits", (tostring(err)
      :gsub("^[^\n]-: cgroup", "cgroup", 1)))
  end, "controllers")

  it("is asked for in words", function()
    local container <const> = require "farside.container_options"
    local options <const> = require "farside.options"
    local recipe <const> = container.fill("run", options.parse("run",
      container.specs, { "--limits", "memory=1M", "--limits=cpu=0.5" }), {})
    assert.same({ limits = { memory = "1M", cpu = "0.5" } }, recipe)
    recipe[1] = "x"
    assert.matches("ns.cgroup.make({ cpu = 0.5, memory = 1048576 })",
                   tostring(ns.plan(recipe)), 1, true)
  end)

  it("may be of one of several things, in words", function()
    local container <const> = require "farside.container_options"
    local options <const> = require "farside.options"
    local recipe <const> = container.fill("run", options.parse("run",
      container.specs, { "--limits", "hugetlb=2M:64M", "--limits",
                         "io=8:0:rbps=1M", "--limits", "io=8:0:wiops=9" }), {})
    assert.same({ hugetlb = { ["2M"] = "64M" },
                  io = { ["8:0"] = { rbps = "1M", wiops = "9" } } },
                recipe.limits)
    recipe[1] = "x"
    assert.matches("{ hugetlb = { 2M = 67108864 }, io = { 8:0 = { "
      .. "rbps = 1048576, wiops = 9 } } }", tostring(ns.plan(recipe)), 1, true)
  end)
end)

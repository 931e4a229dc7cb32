-- The walker: the small program that takes the child's steps. What a container
-- is must not depend on who walks its plan, and a failure must name its step.

local t = require "spec.helper"
local ns = require "farside"
local core = require "farside.core"

local function test(name, body)
  it(name, function()
    t.needs "userns"
    if ns.uname().machine ~= "x86_64" then
      return pending "there is a walker for x86-64 only"
    end
    body()
  end)
end

-- What a container's payload says when its plan is walked so.
local function said(recipe, walker)
  local reader, writer = ns.pipe()
  recipe.stdout = writer
  local plan = ns.plan(recipe)
  plan.walker = walker
  local container <close> = ns.spawn(plan)
  writer:close()
  local parts = {}
  repeat
    local part = ns.read(reader, 65536)
    parts[#parts + 1] = part
  until not part or part == ""
  reader:close()
  assert(container:wait())
  return table.concat(parts)
end

-- All that a process can see of where it is and what it may do; numbers that
-- are new each time are left out.
local look <const> = [[
  id; pwd; umask; hostname; ulimit -a; env | sort
  grep -E '^(Cap|NoNew|Seccomp|Cpus_allowed:|SigBlk|SigCgt|Uid|Gid|NS)' \
    /proc/self/status
  cut -d' ' -f5- /proc/self/mountinfo | sed 's/lowerdir.*//; s/[0-9]*[0-9]$//'
  ls -l /dev /dev/pts /dev/shm | sed 's/[A-Z][a-z][a-z] .*[0-9]:[0-9][0-9]//'
  stat -c '%n %a %u %g' /* /dev/* /run /tmp /proc/kcore /proc/sys 2>/dev/null
  echo $(cat /proc/self/oom_score_adj) $(cut -d' ' -f5-7 /proc/$$/stat) $(nice)
  set -- /proc/$$/fd/*; echo $#; set -- /proc/[0-9]*; echo $#
  cat /proc/sys/kernel/hostname; cat /sys/class/net/lo/flags 2>&1
  echo $(($(cut -d. -f1 /proc/uptime) / 86400)) days
  cat /proc/self/timens_offsets
]]

local examples <const> = {
  ["the default"] = {},
  ["a read-only one"] = { readonly = true },
  ["one without an init"] = { init = false },
  ["one in the caller's session"] = { session = false },
  ["one with bounds"] = { nice = 3, affinity = { ns.sched_getaffinity()[1] },
                          timeout = 100, rlimits = { nofile = 100 },
                          oom_score_adj = 800,
                          seccomp = { { "deny", "chmod" } } },
  ["one with little"] = { sys = false, tmp = false, mask = false },
  ["one with shares"] = { share = { "net", "ipc", "time" } },
  ["one with all capabilities"] = { capabilities = "all",
                                    no_new_privs = false },
  ["one with more"] = {
    hostname = "moon", domainname = "far", cwd = "/usr", boottime = "30d",
    env = { A = "1" }, rlimits = { nofile = 64 },
    mounts = { { bind = "/usr", at = "/data/usr", "ro" },
               { bind = "/etc/passwd", at = "/data/new/file" },
               { tmpfs = "/scratch", size = "1M" } },
  },
}

local function with(example, ...)
  local recipe = { ... }
  for key, value in pairs(example) do recipe[key] = value end
  return recipe
end

describe("a container that a walker makes", function()
  for name, example in pairs(examples) do
    test("is what it is when Lua makes it: " .. name, function()
      local function recipe() return with(example, "/bin/sh", "-c", look) end
      assert.equal(said(recipe(), false), said(recipe()))
    end)
  end

  test("has a first process that is nobody's copy", function()
    local script <const> = "cat /proc/1/comm; grep VmPeak /proc/1/status"
    local name, size = said({ "/bin/sh", "-c", script })
      :match "^(%S+)\nVmPeak:%s+(%d+) kB"
    assert.equal("farside-init", name)
    assert.is_true(tonumber(size) < 512)
  end)

  test("starts its program with no signal ignored", function()
    -- posix_spawn(3) leaves two alone that libc keeps to itself
    local ignored = said { "/bin/grep", "SigIgn", "/proc/self/status" }
    assert.equal("SigIgn:\t0000000000000000\n", ignored)
  end)

  test("is made in Lua when it has code of the recipe's", function()
    local name = said { "/bin/cat", "/proc/1/comm", setup = function() end }
    assert.not_equal("farside-init\n", name)
  end)

  test("has a first process whose program cannot be changed", function()
    local script <const> = "(: >/proc/1/exe) 2>/dev/null; echo $?; "
      .. "cp /proc/1/exe /tmp/x 2>/dev/null; echo x >>/tmp/x; echo done"
    assert.matches("^[1-9]\n.*done\n$",
                   said { "/bin/sh", "-c", script, capabilities = "all" })
  end)

  test("hands on the descriptors that are asked for, under their numbers",
       function()
    local reader, writer = ns.pipe()
    local script <const> = "echo kept >&%d; echo out; ls /proc/$$/fd"
    local text = said { "/bin/sh", "-c", script:format(writer:fileno()),
                        keep = { writer } }
    writer:close()
    assert.equal("kept\n", ns.read(reader, 100))
    reader:close()
    assert.matches("^out\n0\n1\n2\n%d+\n$", text)
  end)

  test("lets standard streams change places", function()
    local reader, writer = ns.pipe()
    local container <close> = ns.spawn {
      "/bin/sh", "-c", "echo one; echo two >&2", stdout = writer,
      stderr = writer }
    writer:close()
    assert.equal("one\ntwo\n", ns.read(reader, 4) .. ns.read(reader, 100))
    reader:close()
    assert(container:wait())
  end)

  test("finds its program as exec does", function()
    assert.equal("found\n", said { "sh", "-c", "echo found",
                                   env = { PATH = "/nowhere:/etc:/bin" } })
  end)

  -- The failure of a step, whoever walks, as far as it is the same each time.
  local function failure(index, walker)
    local plan = ns.plan(with(examples["one with more"], "/bin/true"))
    plan[index].fail, plan.walker = "EIO", walker
    local ok, err = pcall(ns.spawn, plan)
    assert.is_false(ok)
    return tostring(err)
  end

  test("fails at any step as in Lua", function()
    local plan <const> = ns.plan(with(examples["one with more"], "/bin/true"))
    for i, step in ipairs(plan) do
      local text = failure(i)
      assert.matches("\nstep: " .. step.label, text, 1, true)
      assert.equal(failure(i, false), text)
    end
  end)
end)

describe("where there can be no walker", function()
  -- A container made under a filter, by a child of ours.
  local function under(rule)
    t.child(function()
      ns.prctl("no_new_privs", true)
      ns.seccomp.install(core.seccomp.compile("allow", { rule }))
      for _ = 1, 10 do assert(ns.run { "/bin/true" }) end
    end)
  end

  for _, rule in ipairs { { "deny", "memfd_create" }, { "ENOSYS", "execveat" },
                          { "kill", "execveat" } } do
    test(("containers are made in Lua: %s %s"):format(rule[1], rule[2]),
         function() under(rule) end)
  end
end)

describe("a first process ahead of its plan", function()
  local early <const> = require "farside.early"

  -- Who are children of this process.
  local function children()
    return ns.read(ns.openat2(nil, "/proc/self/task/" .. ns.getpid()
      .. "/children", "rdonly"), 4096) or ""
  end

  test("is the container's first process", function()
    local first <close> = early.start { "/bin/true" }
    local pid <const> = first.process.pid
    local plan <const> = ns.plan { "/bin/true", mounts = {
      { bind = "/etc", at = "/tmp/etc", "ro" } } }
    local container <close> = require("farside.spawn").launch(plan, first)
    assert.equal(pid, container.pid)
    assert(container:wait())
  end)

  test("is ended when another is wanted", function()
    local before <const> = children()
    local first <close> = early.start { "/bin/true" }
    local pid <const> = first.process.pid
    local plan <const> = ns.plan { "/bin/true", share = { "net" } }
    local container <close> = require("farside.spawn").launch(plan, first)
    assert.not_equal(pid, container.pid)
    assert(container:wait())
    container:close()
    assert.equal(before, children())
  end)

  test("is ended when its descriptors are too many", function()
    local mounts <const> = {}
    for i = 1, 40 do mounts[i] = { bind = "/usr", at = "/tmp/" .. i } end
    local plan <const> = ns.plan { "/bin/true", mounts = mounts }
    local first <close> = early.start { "/bin/true" }
    local container <close> = require("farside.spawn").launch(plan, first)
    assert(container:wait())
  end)

  test("is ended when a copy of the caller is wanted", function()
    local plan <const> = ns.plan { "/bin/true", setup = function() end }
    local first <close> = early.start { "/bin/true" }
    local container <close> = require("farside.spawn").launch(plan, first)
    assert(container:wait())
  end)

  test("is ended when the recipe is refused", function()
    local before <const> = children()
    assert.has_error(function() ns.run { "/bin/true", colour = "red" } end)
    assert.has_error(function() ns.spawn { "/bin/true", colour = "red" } end)
    assert.equal(before, children())
  end)

  test("is none where the keys of a recipe speak against it", function()
    assert.is_nil(early.start { "/bin/true", network = "host" })
    assert.is_nil(early.start { "/bin/true", setup = print })
    assert.is_nil(early.start { "/bin/true", root = { layers = { "/" } } })
    assert.is_nil(early.start(ns.plan { "/bin/true" }))
    assert.is_nil(early.start "/bin/true")
  end)

  -- Where the caller has a terminal the command gets one of its own.
  local terminal <const> = core.tty.isatty(0) and core.tty.isatty(1)

  test("is none where options speak against it", function()
    for _, word in ipairs { "--network", "--tmp=no", "--no-tty", "--layer",
                            "--share=net", "-d", "recipe.lua" } do
      local first <close> = early.for_options { word, "true" }
      local wanted <const> = word == "--tmp=no" or word == "--no-tty"
      assert.equal(wanted and not terminal, first ~= nil, word)
    end
  end)

  test("does not mind what is the command's", function()
    local first <close> = early.for_options { "--readonly", "--", "ls", "-d" }
    assert.equal(not terminal, first ~= nil)
  end)
end)

describe("a walker", function()
  -- Has one walk these calls; answers the message that comes back.
  local function walk(calls)
    local mine, channel = ns.socketpair "seqpacket"
    local reader, writer = ns.pipe()
    local add <const> = core.program(channel, writer)
    for i, call in ipairs(calls) do add(i, 0, table.unpack(call)) end
    local process <close>, memory = core.walker({ "user", "mnt" },
                                                { channel, writer })
    channel:close()
    writer:close()
    ns.sendmsg(mine, add())
    local message <const> = ns.recvmsg(mine, 16)
    memory:close()
    local _, how, code = process:wait()
    mine:close()
    reader:close()
    return message, how, code
  end

  local function failed(...)
    local message, how, code = walk { ... }
    assert.same({ "exit", 125 }, { how, code })
    return string.unpack("=I4i4", message)
  end

  test("tells the step that failed and why", function()
    local step, errno = failed({ "umask", "0022" }, { "chdir", "/no/such" })
    assert.same({ 2, core.errno.ENOENT }, { step, errno })
  end)

  test("fails where it is told to", function()
    local step, errno = failed({ "umask", "0022" }, { "fail", 28 })
    assert.same({ 2, core.errno.ENOSPC }, { step, errno })
  end)

  test("ends when nobody is there any more", function()
    local mine, channel = ns.socketpair "seqpacket"
    local process <close>, memory = core.walker({ "user" }, { channel })
    channel:close()
    mine:close()
    assert.same({ nil, "exit", 125 }, { process:wait() })
    memory:close()
  end)

  test("takes one program after the other", function()
    local mine, channel = ns.socketpair "seqpacket"
    local process <close>, memory = core.walker({ "user" }, { channel })
    for step, call in ipairs { { "umask", "0022" }, { "fail", 28 } } do
      local add <const> = core.program(channel, channel)
      add(step, 0, table.unpack(call))
      ns.sendmsg(mine, add())
    end
    channel:close()
    local step, errno = string.unpack("=I4i4", (ns.recvmsg(mine, 16)))
    assert.same({ 2, core.errno.ENOSPC }, { step, errno })
    assert.same({ nil, "exit", 125 }, { process:wait() })
    memory:close()
    mine:close()
  end)

  test("is told nothing that it does not know", function()
    local mine, channel = ns.socketpair "seqpacket"
    local add <const> = core.program(channel, channel)
    assert.has_error(function() add(1, 0, "reboot") end,
      "bad argument #3 to 'add' (no call of a walker: 'reboot')")
    assert.has_error(function()
      for i = 1, 3000 do add(i, 0, "umask", "0022") end
    end, "program too long for a walker")
    mine:close()
    channel:close()
  end)

  test("has a user namespace of its own", function()
    assert.has_error(function() core.walker({ "mnt" }, { 0 }) end,
      "bad argument #1 to 'walker' (a user namespace expected)")
  end)
end)

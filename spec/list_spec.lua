-- What namespaces there are: the same that lsns shows, those that it misses,
-- and what was asked for of them.
local t <const> = require "spec.helper"
local core <const> = require "farside.core"
local json <const> = require "farside.json"
local ns <const> = require "farside"

local driver <const> = t.build .. "/farside"

local function refused(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

-- A process that stays in namespaces of its own, once it is ready.
local function stay(kinds, prepare)
  local mine <close>, theirs = core.socketpair "seqpacket"
  local child = core.clone(kinds, function()
    if prepare then prepare() end
    core.sendmsg(theirs, "ready")
    core.poll {}
  end)
  theirs:close()
  assert.equal("ready", core.recvmsg(mine, 9))
  return child
end

local function find(list, id)
  for _, row in ipairs(list) do
    if row.id == id then return row end
  end
end

-- The identity of a namespace that a handle then lets go.
local function id_of(target, kind)
  local handle <close> = core.open(target, kind)
  return handle.id
end

-- A program's output, started without a shell, which would be one more process.
local function output(command)
  local reader <close>, writer = core.pipe()
  command.stdout = writer
  local process <close> = ns.posix_spawn(command)
  writer:close()
  local parts = {}
  for part in function() return core.read(reader) end do
    parts[#parts + 1] = part
  end
  assert.is_true(process:wait())
  return table.concat(parts)
end

-- Runs a function as the first process of a pid namespace with a /proc of its
-- own: there is nobody else, and nobody comes or goes.
local function alone(fn, kinds)
  local all = { "pid" }
  table.move(kinds or {}, 1, #(kinds or {}), 2, all)
  t.userns(function()
    core.mount("proc", "/proc", "proc")
    fn()
  end, all)
end

---- beside lsns ----

local compared <const> = "NS,TYPE,PATH,NPROCS,PID,PPID,COMMAND,UID,USER,"
  .. "NETNSID,PNS,ONS"

local nothing <const> = { [0] = true, unassigned = true }

-- Rows by number, what is not there being nil in both.
local function rows_of(text)
  local rows = {}
  for _, row in ipairs(json.decode(text).namespaces) do
    for key, value in pairs(row) do
      if value == json.null or nothing[value] and key ~= "uid" then
        row[key] = nil
      end
    end
    rows[row.ns] = row
  end
  return rows
end

describe("list, beside lsns,", function()
  it("has the same namespaces with the same values", function()
    t.needs("lsns", "lua cjson")
    alone(function()
      local others = {}
      for i, kinds in ipairs { { "uts" }, { "net", "ipc" }, { "mnt" },
                               { "user", "time" }, { "cgroup" } } do
        others[i] = stay(kinds)
      end
      others[6] = stay({ "pid" }, function() stay {} end)
      local theirs = rows_of(output { "lsns", "-lJo", compared })
      local ours = rows_of(output { driver, "ls", "-lJo", compared })
      local count = 0
      for id, row in pairs(theirs) do
        assert.same(row, ours[id]) -- each counts itself
        count = count + 1
      end
      assert.is_true(count >= 14)
      for id in pairs(ours) do assert.is_table(theirs[id]) end
      for _, child in ipairs(others) do child:close() end
    end)
  end)
end)

describe("list", function()
  it("tells of a process's namespaces who is in them", function()
    t.needs "userns"
    local there <close> = stay { "user", "uts" }
    local uts = find(ns.list { type = "uts" }, id_of(there, "uts"))
    assert.same({ "uts", 1, { there.pid }, there.pid, core.getpid() },
      { uts.type, uts.nprocs, uts.processes, uts.pid, uts.ppid })
    assert.equal(1, uts.command:find(t.lua, 1, true))
    assert.matches(" spec/run.lua", uts.command, 1, true)
    assert.equal(id_of(there, "user"), uts.owner)
    assert.equal(("/proc/%d/ns/uts"):format(there.pid), uts.path)
    assert.same({}, uts.holders)
  end)

  it("finds what only a descriptor holds", function()
    t.userns(function()
      local net <close> = ns.new "net"
      local row = find(ns.list(), net.id)
      assert.same({ "net", 0, core.getpid() },
        { row.type, row.nprocs, row.holders[1].pid })
      assert.same({ "descriptor", net:fileno() },
        { row.holders[1].how, row.holders[1].fd })
      assert.equal(id_of(nil, "user"), row.owner)
      assert.is_nil(row.command)
    end)
  end)

  it("finds what only a mount holds, here and in other mounts", function()
    t.userns(function()
      core.mount("tmpfs", "/mnt", "tmpfs")
      local function keep(kind, path)
        local handle <close> = ns.new(kind)
        handle:persist(path)
        return handle.id
      end
      local blue = keep("net", "/mnt/blue")
      local there <close> = stay({ "mnt" }, function()
        keep("uts", "/mnt/green")
      end)
      core.umount "/mnt/blue" -- here; the other process has it still
      local list = ns.list()
      local row = find(list, blue)
      assert.same({ { how = "mount", path = "/mnt/blue", pid = there.pid } },
        row.holders)
      assert.same({}, row.nsfs)
      assert.is_not_nil(row.owner) -- it could be opened, over there
      local green = 0
      for _, n in ipairs(list) do
        local holder = n.holders[1]
        if holder and holder.path == "/mnt/green" then green = green + 1 end
      end
      assert.equal(1, green)
    end)
  end)

  it("tells where a namespace is kept, and its number", function()
    t.needs "ip"
    t.userns(function()
      core.mount("tmpfs", "/run", "tmpfs")
      core.mkdirat(nil, "/run/netns", "0755")
      assert(os.execute "ip netns add blue && ip netns set blue 7")
      local row = ns.list { type = "net", filter = "netnsid == 7" }[1]
      assert.same({ "/run/netns/blue" }, row.nsfs)
      assert.equal("/run/netns/blue", row.path)
    end, { "net" })
  end)

  it("finds what only a socket holds", function()
    t.userns(function()
      local mine <close>, theirs = core.socketpair "seqpacket"
      local home <close> = core.open(nil, "net")
      local there <close> = core.clone({}, function()
        core.unshare "net"
        local one, other = core.socketpair "stream"
        core.sendmsg(theirs, tostring(id_of(nil, "net")))
        core.setns(home)
        core.sendmsg(theirs, "left")
        core.poll { one, other }
      end)
      theirs:close()
      local id = math.tointeger(tonumber((core.recvmsg(mine, 32))))
      assert.equal("left", (core.recvmsg(mine, 32)))
      local row = find(ns.list(), id)
      assert.same({ "net", 0, 2 }, { row.type, row.nprocs, #row.holders })
      assert.same({ "socket", there.pid },
        { row.holders[1].how, row.holders[1].pid })
      assert.equal(id_of(nil, "user"), row.owner)
    end, { "net" })
  end)

  it("finds what is only for a process's children", function()
    t.userns(function()
      local there <close> = stay({}, function() core.unshare "time" end)
      local row = find(ns.list(), id_of(there, "time_for_children"))
      assert.same({ "time", { { how = "children", pid = there.pid } } },
        { row.type, row.holders })
    end)
  end)

  it("finds what only a thread is in", function()
    t.needs "cc"
    t.userns(function()
      local program = t.tmpdir() .. "/thread"
      assert(os.execute("cc -o " .. program .. " spec/thread.c -lpthread"))
      local reader <close>, writer = core.pipe()
      local process <close> = ns.posix_spawn { program, stdout = writer }
      writer:close()
      local tid = math.tointeger(tonumber(core.read(reader)))
      local id = id_of(("/proc/%d/task/%d/ns/uts"):format(process.pid, tid))
      assert.same({ { how = "thread", pid = process.pid, tid = tid } },
        find(ns.list(), id).holders)
    end)
  end)

  it("finds user namespaces that only own others", function()
    t.userns(function()
      local function owned()
        local user <close> = ns.new "user"
        return ns.new("uts", { user = user }), user.id
      end
      local uts <close>, owner = owned()
      local row = find(ns.list(), owner)
      assert.same({ "user", 0, { { how = "owner", id = uts.id } } },
        { row.type, row.nprocs, row.holders })
      assert.equal(id_of(nil, "user"), row.parent)
    end)
  end)

  it("says how much it could not look at", function()
    alone(function()
      assert.same({}, ns.list().unseen)
      local there <close> = stay({}, function()
        core.prctl("dumpable", false) -- the capability for that is not in here
      end)
      assert.same({ processes = 1 }, ns.list().unseen)
      local err = refused(ns.list, { pid = there.pid })
      assert.matches("list namespaces of process 2: Permission denied "
        .. "%(EACCES%)", tostring(err))
    end)
  end)

  it("says so when /proc hides the processes of others", function()
    alone(function()
      core.mount("proc", "/proc", "proc", "hidepid=2")
      assert.is_nil(ns.list().unseen.hidden) -- but not from this one
      core.capability.drop("sys_ptrace", "effective")
      assert.is_true(ns.list().unseen.hidden)
    end)
    assert.equal("without permission to look at 2 processes, what /proc hides "
      .. "(hidepid)", require("farside.list.words").unseen {
        processes = 2, hidden = true })
  end)

  it("is right while processes come and go", function()
    alone(function()
      local own <const> = id_of(nil, "user")
      local busy <close> = core.clone({}, function()
        while true do
          local child <close> = core.clone({ "uts" }, function() end)
          child:wait()
        end
      end)
      for _ = 1, 20 do
        local row = find(ns.list(), own)
        assert.is_true(row.nprocs >= 2)
        for _, n in ipairs(ns.list { type = "uts" }) do
          assert.is_true(n.nprocs > 0 or #n.holders > 0)
        end
      end
      assert.is_not_nil(busy.pid)
    end)
  end)
end)

describe("list takes", function()
  it("kinds as a word, as words, and as a list", function()
    for _, kinds in ipairs { "net,network,user", { "net", "user" } } do
      for _, n in ipairs(ns.list { type = kinds }) do
        assert.is_true(n.type == "net" or n.type == "user")
      end
    end
    assert.is_true(#ns.list { type = "mount" } > 0)
  end)

  it("a process", function()
    local seen = {}
    for i, n in ipairs(ns.list { pid = core.getpid() }) do
      seen[i] = n.id
      assert.equal(id_of(nil, n.type), n.id)
    end
    assert.equal(8, #seen)
  end)

  it("a user, by name or number", function()
    local uid <const> = core.geteuid()
    local name = require("farside.users").find(uid)
    for _, user in ipairs { uid, name } do
      local list = ns.list { user = user, type = "uts" }
      assert.is_not_nil(find(list, id_of(nil, "uts")))
    end
    assert.equal(0, #ns.list { user = 4294967293 })
  end)

  it("a function, and an expression of the fields", function()
    local own <const> = id_of(nil, "uts")
    assert.equal(1, #ns.list { filter = function(n) return n.id == own end })
    for _, text in ipairs { ("id == %d"):format(own),
      ("ns == %d and nprocs > 0 and pns == 0 and nsfs == ''"):format(own) } do
      assert.equal(own, ns.list { filter = text }[1].id)
    end
  end)

  it("a relation, for a tree", function()
    t.needs "userns"
    local there <close> = stay { "user", "uts" }
    local owner, uts = id_of(there, "user"), id_of(there, "uts")
    local list = ns.list { tree = "owner" }
    local row = find(list, owner)
    assert.equal(uts, row.children[1].id)
    assert.equal(row.level + 1, find(list, uts).level)
    assert.is_true(ns.list { tree = "parent", type = "user" }[1].level == 1)
  end)

  it("the processes as a tree, by the nearest above that leads any", function()
    alone(function()
      local between <close> = stay({}, function() stay { "net" } end)
      local list = ns.list { tree = "process" }
      assert.equal(1, list[1].level)
      local net = ns.list { type = "net", filter = "nprocs == 1" }[1]
      assert.equal(between.pid, net.ppid)
      assert.equal(2, find(list, net.id).level)
    end)
  end)

  local wrong <const> = {
    ["list: unknown key 'typ' (did you mean 'type'?)"] = { typ = "net" },
    ["list: type: unknown namespace 'nett' (did you mean 'net'?)"] =
      { type = "nett" },
    ["list: pid: integer expected, got string"] = { pid = "1" },
    ["list: user: no user 'nobody here' in /etc/passwd"] =
      { user = "nobody here" },
    ["list: tree: parent, owner, process expected, got 'up'"] = { tree = "up" },
    ["list: filter: unknown name 'nproc' (did you mean 'nprocs'?)"] =
      { filter = "nproc > 1" },
    ["list: filter: unexpected symbol near <eof>"] = { filter = "nprocs >" },
    ["list namespaces of process 67108863: No such process (ESRCH)"] =
      { pid = 0x3ffffff },
    ["list: table expected, got string"] = "net",
  }
  for message, options in pairs(wrong) do
    it("nothing else: " .. message, function()
      local said = tostring(refused(function() ns.list(options) end))
      assert.equal(message, said:match "^spec/list_spec.lua:%d+: (.*)$")
    end)
  end
end)

-- Id maps: their spellings, and writing them.

local t = require "spec.helper"
local ns = require "farside"
local idmap = require "farside.idmap"
local subid = require "farside.subid"

local function message_of(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

local function has(text, part)
  if not text:find(part, 1, true) then
    error(("'%s' expected in: %s"):format(part, text), 2)
  end
end

describe("a map of ids", function()
  it("has one meaning in all its spellings", function()
    local map <const> = { { 0, 1000, 1 }, { 1, 100000, 65535 } }
    for _, spelling in ipairs {
      "0:1000:1,1:100000:65535", "0:1000:1 1:100000:65535",
      "0:1000:1\n1:100000:65535\n", "0 1000 1\n1 100000 65535\n",
      " 0  1000  1,1 100000 65535", { "0:1000:1", { 1, 100000, 65535 } },
      { "0:1000:1", { inside = 1, outside = 100000, count = 65535 } }, map,
    } do
      assert.same(map, idmap.parse(spelling))
    end
  end)

  it("reads the same after it was written", function()
    local text <const> = "0 1000 1\n1 100000 65535\n"
    assert.equal(text, idmap.format(idmap.parse(text)))
  end)

  it("may have every id but the last", function()
    assert.same({ { 0, 0, 4294967295 } }, idmap.parse "0:0:4294967295")
    assert.same({ { 4294967294, 0, 1 } }, idmap.parse "4294967294:0:1")
  end)

  -- what is wrong → the message
  local wrong <const> = {
    { "", "m: empty map" },
    { {}, "m: empty map" },
    { "0:1", "m: bad range '0:1' (expected INSIDE:OUTSIDE:COUNT)" },
    { "0:1:1,", "m: bad range ''" },
    { "0:1:1:1", "m: bad range '0:1:1:1'" },
    { "0:-1:1", "m: bad range '0:-1:1'" },
    { "0x0:1:1", "m: bad range '0x0:1:1'" },
    { "0:1:1e3", "m: bad range '0:1:1e3'" },
    { "all", "m: bad range 'all'" },
    { "0:1:0", "m: 0:1:0: a count of 1 or more expected" },
    { { { 0, 1, -1 } }, "m: 0:1:-1: a count of 1 or more expected" },
    { "0:0:4294967296", "m: 0:0:4294967296 leaves the ids from 0 to "
      .. "4294967294" },
    { "4294967290:0:10", "m: 4294967290:0:10 leaves the ids" },
    { "0:4294967295:1", "m: 0:4294967295:1 leaves the ids" },
    { "18446744073709551616:0:1", "leaves the ids" },
    { { { -1, 0, 1 } }, "m: -1:0:1 leaves the ids" },
    { { { 0, 1, math.maxinteger } }, "leaves the ids" },
    { "0:1000:10,9:2000:1", "m: 0:1000:10 and 9:2000:1 overlap inside" },
    { "0:1000:10,50:1005:9", "m: 0:1000:10 and 50:1005:9 overlap outside" },
    { { { 0, 1 } }, "m[1]: inside, outside and count expected" },
    { { "0:0:1", { 0, 1, 1.0 } }, "m[2]: integers expected, got float" },
    { { { 0, 1, "1" } }, "m[1]: integers expected, got string" },
    { { { 0, 1, 1, 1 } }, "m[1]: unknown key '4'" },
    { { { 0, 1, 1, inside = 0 } }, "m[1]: unknown key " },
    { { { 0, 1, 1 }, size = 1 }, "m: unknown key 'size'" },
    { { 0, 1, 1 }, "m[1]: range expected, got number" },
    { 5, "m: string or table expected, got number" },
  }
  for _, case in ipairs(wrong) do
    it("is refused: " .. case[2], function()
      has(message_of(idmap.parse, case[1], "m"), case[2])
    end)
  end

  local function many(count, first)
    local map = {}
    for i = 1, count do map[i] = { first + i, first + i, 1 } end
    return map
  end

  it("has at most 340 ranges", function()
    assert.equal(340, #idmap.parse(many(340, 0)))
    has(message_of(idmap.parse, many(341, 0), "m"),
      "m: 341 ranges (the kernel takes 340)")
  end)

  it("is less than a page of text", function()
    has(message_of(idmap.parse, many(340, 10000), "m"),
      "m: 4760 bytes of text (the kernel takes 4095)")
  end)
end)

-- A child in a user namespace of its own, waiting to be ended.
local function sleeper()
  t.needs "userns"
  return ns.clone({ "user" }, function() ns.sigtimedwait {} end)
end

local function own(id) return { { 0, id, 1 } } end

describe("writing a map", function()
  it("needs no right for the caller's own ids alone", function()
    local child <close> = sleeper()
    ns.write_uid_map(child, own(ns.geteuid()))
    ns.write_gid_map(child, own(ns.getegid()))
    assert.same(own(ns.geteuid()), ns.read_uid_map(child))
    assert.same(own(ns.getegid()), ns.read_gid_map(child))
  end)

  it("works by PID, by pidfd, and for oneself", function()
    local child <close> = sleeper()
    ns.write_uid_map(child.pid, own(ns.geteuid()))
    local pidfd <close> = ns.pidfd_open(child.pid)
    ns.write_gid_map(pidfd, own(ns.getegid()))
    local uid, gid = ns.geteuid(), ns.getegid()
    t.child(function()
      ns.unshare "user"
      ns.write_uid_map(nil, own(uid))
      ns.write_gid_map(nil, own(gid))
      assert.same({ 0, 0 }, { ns.getuid(), ns.getgid() })
    end)
  end)

  it("gives up setgroups only when there is no other way", function()
    local child <close> = sleeper()
    ns.write_gid_map(child, own(ns.getegid()))
    local file <close> = io.open(("/proc/%d/setgroups"):format(child.pid))
    assert.equal(ns.geteuid() == 0 and "allow" or "deny", file:read "l")
  end)

  it("takes what root gives", function()
    t.needs "root"
    local child <close> = sleeper()
    ns.write_uid_map(child, "0:100000:65536,70000:5:1")
    assert.same({ { 0, 100000, 65536 }, { 70000, 5, 1 } },
      ns.read_uid_map(child))
  end)

  it("is done once", function()
    local child <close> = sleeper()
    local map <const> = own(ns.geteuid())
    ns.write_uid_map(child, map)
    local ok, err = pcall(ns.write_uid_map, child, map)
    assert.is_false(ok)
    assert.same({ "write_uid_map", "EPERM", child.pid },
      { err.call, err.code, err.target })
    has(tostring(err), ("write_uid_map 0:%d:1 of process %d (it has the map "
      .. "0:%d:1): Operation not permitted (EPERM)"):format(ns.geteuid(),
      child.pid, ns.geteuid()))
  end)

  it("to a process that is gone says so", function()
    local child <close> = sleeper()
    local pid <const> = child.pid
    child:close()
    has(message_of(ns.write_uid_map, pid, "0:0:1"), ("open_proc of %d: No such "
      .. "process (ESRCH)"):format(pid))
  end)

  it("is not done when the map is wrong", function()
    has(message_of(ns.write_gid_map, nil, "0:1"), "gid_map: bad range '0:1'")
  end)
end)

describe("setgroups", function()
  it("that was denied stays denied", function()
    local child <close> = sleeper()
    ns.set_setgroups(child, false)
    ns.set_setgroups(child, "deny")
    has(message_of(ns.set_setgroups, child, "allow"), ("set_setgroups allow of "
      .. "process %d: Operation not permitted (EPERM)"):format(child.pid))
  end)

  it("is allowed or denied, nothing else", function()
    has(message_of(ns.set_setgroups, nil, "maybe"),
      "set_setgroups: allow or deny expected, got 'maybe'")
  end)
end)

local passwd <const> = "root:x:0:0::/root:/bin/sh\n"
                       .. "someone:x:1000:1000::/:/bin/sh\n"

-- Runs `fn` as uid 1000, who has a name, where the administrator has granted
-- these ranges.
local function granted(ranges, fn)
  t.needs("root", "newuidmap")
  t.child(function()
    ns.mount(nil, "/", nil, "rprivate")
    ns.mount("grants", "/mnt", "tmpfs")
    local texts <const> = { subuid = ranges, subgid = ranges,
                            passwd = passwd }
    for name, text in pairs(texts) do
      local file <close> = assert(io.open("/mnt/" .. name, "w"))
      file:write(text)
      file:close()
      ns.mount("/mnt/" .. name, "/etc/" .. name, nil, "bind")
    end
    ns.setgroups {}
    ns.setresgid(1000, 1000, 1000)
    ns.setresuid(1000, 1000, 1000)
    ns.prctl("dumpable", true) -- lost with root's ids
    fn()
  end, { "mnt" })
end

describe("a grant in /etc/subuid", function()
  local range <const> = { { 0, 1000, 1 }, { 1, 300000, 1000 } }

  it("is used through newuidmap and newgidmap", function()
    granted("1000:300000:1000\n", function()
      local child <close> = sleeper()
      ns.write_uid_map(child, range)
      ns.write_gid_map(child, range)
      assert.same(range, ns.read_uid_map(child))
      assert.same(range, ns.read_gid_map(child))
    end)
  end)

  it("of numbers that no id has is none", function()
    granted("1000:99999999999999999999:1\n1000:5:99999999999\n", function()
      assert.same({}, ns.subids "uid")
      assert.equal("/etc/subuid grants someone nothing", subid.granted "uid")
    end)
  end)

  it("is found by uid and by name", function()
    granted("root:5:6\n0:7:8\nother:9:9\nroot:x:1\n1000:10:11\n", function()
      assert.same({ { first = 5, count = 6 }, { first = 7, count = 8 } },
        subid.subids("uid", "root"))
      assert.same(subid.subids("gid", "root"), subid.subids("gid", 0))
      assert.same({ { first = 10, count = 11 } }, ns.subids "uid")
    end)
  end)

  it("is named when it is not enough", function()
    granted("1000:300000:1000\n1000:500000:1\n", function()
      local child <close> = sleeper()
      local said = message_of(ns.write_uid_map, child, "0:300000:1001")
      has(said, "newuidmap: uid range [0-1001) -> [300000-301001) not allowed")
      has(said, "; /etc/subuid grants ")
      has(said, " 300000-300999, 500000-500000): Operation not permitted "
        .. "(EPERM)")
    end)
  end)

  it("is missed by name when there is none", function()
    granted("", function()
      local child <close> = sleeper()
      local said = message_of(ns.write_gid_map, child, "0:100000:10")
      assert.matches("; /etc/subgid grants %S+ nothing%)", said)
    end)
  end)

  it("needs newuidmap, which the package uidmap has", function()
    granted("1000:300000:1000\n", function()
      local child <close> = sleeper()
      local getenv <const> = os.getenv
      os.getenv = function(name) -- luacheck: ignore
        return name == "PATH" and "/nowhere" or getenv(name)
      end
      has(message_of(ns.write_uid_map, child, range), "(newuidmap is not "
        .. "installed: Debian has it in the package uidmap): Operation")
    end)
  end)
end)

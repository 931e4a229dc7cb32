-- What the doctor finds: on this machine, and where something is wrong.
local t <const> = require "spec.helper"
local core <const> = require "farside.core"
local json <const> = require "farside.json"
local ns <const> = require "farside"

local driver <const> = t.build .. "/farside"

local function doctor(arguments, before)
  local pipe <close> = assert(io.popen((before or "") .. driver .. " doctor "
    .. arguments .. " 2>&1 </dev/null; echo $?"))
  return (pipe:read "a":gsub("\n$", ""))
end

local function answer(report, area, name)
  for _, one in ipairs(report) do
    if one.area == area and one.name == name then return one end
  end
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

local function content(path)
  local file <close> = io.open(path)
  return file and file:read "a" or ""
end

describe("the doctor", function()
  local report
  before_each(function() report = report or ns.doctor() end)

  it("says of each thing whether it works, or why not and what to do",
    function()
      assert.is_true(#report > 30)
      for _, one in ipairs(report) do
        assert.is_string(one.area .. one.name)
        assert.equal("boolean", type(one.needed))
        if one.ok then
          assert.is_nil(one.reason or one.remedy)
        else
          assert.is_string(one.reason, one.name)
          assert.is_string(one.remedy, one.name)
          assert.not_matches("stack traceback", one.reason)
        end
      end
    end)

  it("finds each kind of namespace where they can be made", function()
    t.needs "userns"
    for _, kind in ipairs { "user", "mnt", "uts", "ipc", "net", "pid" } do
      assert.is_true(answer(report, "namespaces", kind).ok)
    end
  end)

  it("agrees with a container that is really started", function()
    local started = pcall(ns.run, { "true" })
    assert.equal(started, answer(report, "container",
      "a default container").ok)
    if started then assert.is_true(report.ok) end
  end)

  it("says which module a kind of link needs", function()
    for _, one in ipairs(report) do
      local kind = one.area == "network" and one.name:match "^link (%S+)"
      if kind and not one.ok then
        assert.matches("^link%.add made: .*EOPNOTSUPP", one.reason)
        local module = kind == "vlan" and "8021q" or kind
        assert.equal(("the kernel needs the module %s: have root run modprobe "
          .. "%s"):format(module, module), one.remedy)
      end
    end
    t.needs "userns"
    for _, kind in ipairs { "veth", "bridge" } do
      assert.is_true(answer(report, "network", "link " .. kind).ok)
    end
  end)

  it("names the controllers that version 1 holds", function()
    if not content "/proc/self/cgroup":find ":memory:" then
      pending "needs cgroups of version 1"
    elseif not content "/proc/self/mountinfo":find " - cgroup2 " then
      pending "needs cgroup2 mounted beside them"
    end
    local memory = answer(report, "cgroups", "controller memory")
    assert.equal("version 1 holds it", memory.reason)
    assert.equal("boot with cgroup_no_v1=all, or with "
      .. "systemd.unified_cgroup_hierarchy=1", memory.remedy)
  end)

  it("is told as text and as JSON", function()
    local text = tostring(report)
    assert.matches("^Farside %S+ on Linux %S+, uid " .. core.geteuid() .. "\n",
      text)
    assert.matches("\nnamespaces\n  %l+ +user", text)
    local said, code = doctor "--json":match "^(.*)\n(%d)$"
    assert.equal(report.ok and "0" or "1", code)
    t.needs "lua cjson"
    local read = json.decode(said)
    assert.equal(#report, #read.checks)
    assert.same({ report.ok, report.kernel, core.geteuid() },
      { read.ok, read.kernel, math.tointeger(read.uid) })
  end)

  it("says what is missing, and ends with 1", function()
    t.userns(function()
      write("/proc/sys/user/max_user_namespaces", "0")
      local said = doctor ""
      assert.matches("\nnamespaces\n  no   user\n       why: clone .-user.-: "
        .. "No space left on device %(ENOSPC%)\n"
        .. "       do:  user.max_user_namespaces is 0: raise it\n", said)
      assert.matches("\nA default container lacks: user; mnt; .*\n1$", said)
    end)
  end)

  it("names the packages of programs that are not there", function()
    t.userns(function()
      core.mount("tmpfs", "/usr/sbin", "tmpfs")
      core.mount("tmpfs", "/sbin", "tmpfs")
      local said = doctor("", "PATH=/nowhere ")
      assert.matches("  no   nft\n       why: [^\n]*"
        .. "No such file or directory %(ENOENT%)\n"
        .. "       do:  for published ports and address translation: Debian "
        .. "has it in the\n            package nftables; with", said)
      assert.matches("  no   newuidmap\n       why: it is not there\n"
        .. "       do:  Debian has it in the package uidmap\n", said)
    end)
  end)

  it("says what to grant to somebody without ids", function()
    local checks = require "farside.doctor.ids" { root = false,
                                                  uid = 4294000000 }
    local ok, no = pcall(checks[2].try)
    assert.same({ false, "/etc/subuid grants nothing to 4294000000",
      "have root add 4294000000:100000:65536 to /etc/subuid and /etc/subgid, "
      .. "with numbers that nobody else has there" },
      { ok, no.reason, no.remedy })
  end)

  it("gives up on what does not end", function()
    local trial <const> = require "farside.doctor.trial"
    local ok, message = pcall(trial.child, {}, function()
      core.kill(core.getpid(), "KILL")
    end)
    assert.same({ false, "it was ended by signal 9" }, { ok, message })
  end)

  it("takes no words", function()
    assert.equal("farside doctor: unexpected 'x'\nfarside: `farside doctor "
      .. "--help` lists what it takes\n125", doctor "x")
  end)
end)

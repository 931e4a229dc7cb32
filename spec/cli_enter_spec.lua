-- farside enter: what nsenter does, for processes, containers and paths.

local t = require "spec.helper"
local ns = require "farside"

local root <const> = ns.geteuid() == 0

local function run(arguments)
  local pipe <close> = io.popen(("timeout 60 %s/farside enter %s 2>&1 "
    .. "</dev/null; echo $?"):format(t.build, arguments))
  return (pipe:read "a":gsub("\n$", ""))
end

-- A process in namespaces of its own that may be looked into.
local function moon(options)
  local list = { "user", "uts", "mnt", "pid", "ipc",
                 uid_map = { { 0, ns.geteuid(), 1 } },
                 gid_map = { { 0, ns.getegid(), 1 } } }
  for key, value in pairs(options or {}) do list[key] = value end
  local reader, writer = ns.pipe()
  local start <const> = ns.posix_spawn -- its file is named from here
  local process <const> = ns.clone(list, function()
    ns.sethostname "moon"
    ns.chdir "/usr"
    ns.write(writer, "+")
    start("sleep", "1000"):wait()
  end)
  ns.read(reader, 1)
  return process
end

local function test(name, body)
  it(name, function()
    t.needs "userns"
    body()
  end)
end

describe("farside enter", function()
  test("runs a command in all namespaces of a process, as root", function()
    local process <close> = moon()
    assert.equal("moon 0\n0", run(process.pid
      .. [[ -- sh -c 'echo $(hostname) $(id -u)']]))
    assert.equal("7", run(process.pid .. " -- sh -c 'exit 7'"))
    assert.equal("137", run(process.pid .. " -- sh -c 'kill -9 $$'"))
  end)

  test("joins those that are named, as words or as nsenter's options",
    function()
      local process <close> = moon()
      local mine <const> = ns.readlinkat(nil, "/proc/self/ns/ipc")
      local look = " -- sh -c 'hostname; readlink /proc/self/ns/ipc'"
      for _, way in ipairs { "%d user uts", "%d user,uts", "-U -u -t %d",
                             "--user --uts --target %d", "-U -u -t%d",
                             "%d -U -u" } do
        assert.equal("moon\n" .. mine .. "\n0",
                     run(way:format(process.pid) .. look), way)
      end
    end)

  test("joins what is kept at a path", function()
    local process <close> = moon()
    local path <const> = "/proc/" .. process.pid .. "/ns/"
    assert.equal("moon\n0", run("--user=" .. path .. "user --uts=" .. path
                                .. "uts hostname"))
  end)

  test("starts where the target is, or where it is told", function()
    local process <close> = moon()
    assert.equal("/usr\n0", run("--wd " .. process.pid .. " -- pwd"))
    assert.equal("/etc\n0", run("--wd=/etc " .. process.pid .. " -- pwd"))
    assert.equal("/tmp\n0", run("--wdns /tmp " .. process.pid .. " -- pwd"))
    assert.equal("/\n0", run(process.pid .. " -- pwd"))
  end)

  test("takes another root, the target's environment", function()
    local process <close> = moon()
    assert.equal("0", run("--root=/ " .. process.pid .. " -- /bin/true"))
    assert.is_truthy(run("--root=" .. t.tmpdir() .. " " .. process.pid
      .. " -- /bin/true"):find "exec /bin/true: .*ENOENT.*\n127$")
    assert.equal("0", run("--root " .. process.pid .. " -- /bin/true"))
    assert.is_truthy(run("--env " .. process.pid .. " -- env")
                     :find("PATH=", 1, true))
  end)

  test("is who it is told to be", function()
    local process <close> = moon()
    assert.equal("0\n0", run("-S 0 -G 0 " .. process.pid .. " -- id -u"))
    if not root then return end
    assert.equal("5 6 6\n0", run("-u -S 5 -G 6 -t " .. process.pid
      .. [[ sh -c 'echo $(id -u) $(id -g) $(id -G)']]))
  end)

  test("keeps its ids when asked", function()
    local process <close> = moon { uid_map = { { 5, ns.geteuid(), 1 } } }
    assert.equal("5\n0", run("--preserve-credentials " .. process.pid
                             .. " -- id -u"))
  end)

  test("stays out of the pid namespace with --no-fork", function()
    local process <close> = moon()
    local line = "-F " .. process.pid .. " -- sh -c 'test $$ -gt 2; echo $?'"
    assert.equal("0\n0", run(line))
  end)

  test("is in the target's control group when asked", function()
    t.needs "cgroup"
    local group <close> = require("farside.cgroup").make {}
    local process <close> = moon { cgroup = group.path }
    local look = " %d user uts -- tail -n 1 /proc/self/cgroup"
    local name <const> = "/" .. group.path:match "[^/]*$" .. "\n0"
    assert.equal(name, run("-c" .. look:format(process.pid)):sub(-#name))
    assert.not_equal(name, run(look:format(process.pid)):sub(-#name))
  end)

  test("runs a shell when there is no command", function()
    local process <close> = moon()
    local pipe <close> = io.popen(("echo 'hostname; exit 4' | SHELL=/bin/sh "
      .. "%s/farside enter %d; echo $?"):format(t.build, process.pid))
    assert.equal("moon\n4\n", pipe:read "a")
  end)

  test("says what it does not understand", function()
    local usage <const> = "\nfarside: `farside enter --help` lists what it "
      .. "takes\n125"
    local own <const> = tostring(ns.getpid())
    for arguments, message in pairs {
      [""] = "PID, NAME or PATH expected",
      ["0"] = "PID: number from 1 expected, got '0'",
      [own .. " nett"] = "unknown namespace 'nett' (did you mean 'net'?)",
      [own .. " -S root"] = "--setuid: number expected, got 'root'",
      ["--net=/proc/self/ns/net --wd true"] =
        "--wd needs a process as the target",
      [own .. " --nett"] = "unknown option '--nett' (did you mean '--net'?)",
    } do
      assert.equal("farside enter: " .. message .. usage, run(arguments))
    end
  end)

  test("says what is not there", function()
    assert.equal("farside: pidfd_open process 4194304: No such process (ESRCH)"
                 .. "\n125", run "4194304")
    assert.is_truthy(run(ns.getpid() .. " -- nosuch")
                     :find "^farside: exec nosuch in .*ENOENT.*\n127$")
  end)
end)

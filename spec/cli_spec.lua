-- The command line: what `farside run` and `farside plan` take, say and answer.

local t = require "spec.helper"
local ns = require "farside"

local driver <const> = t.build .. "/farside"

-- What a shell says of a command line; its exit code at the end.
local function shell(line)
  local pipe <close> = assert(io.popen(line .. "; echo $?"))
  return (pipe:read "a":gsub("\n$", ""))
end

local function farside(arguments)
  return shell(driver .. " " .. arguments .. " 2>&1 </dev/null")
end

local function run(arguments)
  t.needs "userns"
  return farside("run " .. arguments)
end

local function file(text)
  local path <const> = t.tmpdir() .. "/recipe.lua"
  local out <close> = assert(io.open(path, "w"))
  assert(out:write(text))
  return path
end

describe("farside run", function()
  it("ends with the program's own exit code", function()
    assert.equal("0", run "true")
    assert.equal("7", run "-- sh -c 'exit 7'")
  end)

  it("ends with 128+n when signal n ended the program", function()
    assert.equal("137", run "-- sh -c 'kill -9 $$'")
  end)

  it("ends with 127 when the program is not found", function()
    local said = run "-- nosuch"
    assert.is_truthy(said:find("farside: exec nosuch in /usr", 1, true))
    assert.is_truthy(said:find("No such file or directory (ENOENT)", 1, true))
    assert.is_truthy(said:find "\n127$")
  end)

  it("ends with 126 when the program cannot be executed", function()
    assert.is_truthy(run "-- /etc/passwd":find "EACCES.*\n126$")
  end)

  it("ends with 125 when the set-up fails", function()
    assert.equal("farside: open_tree /no/such: No such file or directory "
      .. "(ENOENT)\nstep: take /no/such as a mount of our own\n125",
      run "--root /no/such -- true")
  end)

  local wrong <const> = {
    [""] = "a command is expected",
    ["--nope -- true"] = "unknown option '--nope' (did you mean '--name'?)",
    ["--hostname"] = "option '--hostname' needs NAME",
    ["--readonly=yes -- true"] = "option '--readonly' takes no value",
    ["--bind /x -- true"] = "--bind: SRC:DST[:ro] expected, got '/x'",
    ["--mount nfs:/x -- true"] =
      "--mount: proc, sysfs, mqueue, devpts, tmpfs expected, got 'nfs'",
    ["--ro-bind /x -- true"] = "--ro-bind: SRC:DST expected, got '/x'",
    ["--rlimits nofile -- true"] =
      "--rlimits: NAME=VALUE expected, got 'nofile'",
  }
  for arguments, message in pairs(wrong) do
    it(("says of '%s': %s"):format(arguments, message), function()
      assert.equal("farside run: " .. message
        .. "\nfarside: `farside run --help` lists what it takes\n125",
        farside("run " .. arguments))
    end)
  end

  it("says what is wrong with a value as the key's check does", function()
    assert.equal("farside: run: uid_map: bad range '0:x:1' (expected "
      .. "INSIDE:OUTSIDE:COUNT)\n125", farside "run --uid-map 0:x:1 -- true")
  end)

  it("has every key of a recipe as an option", function()
    assert.equal("moon\n/usr\n1\n64\n0", run(
      "--hostname moon --cwd=/usr --env A=1 --rlimits nofile=64 -- "
      .. "sh -c 'hostname; pwd; echo $A; ulimit -n'"))
    assert.equal("1024\nread-only\n0", run(
      "--tmpfs /scratch:size=1M --bind /usr:/data/usr:ro -- sh -c '"
      .. "df -k --output=size /scratch | tail -1 | tr -d \" \"; "
      .. "touch /data/usr/x 2>/dev/null || echo read-only'"))
  end)

  it("has every mount of a recipe as an option", function()
    assert.equal("hi\nusr\n700\nread-only\nproc mqueue\n1:2\n0", run(
      "--symlink usr:/l --dir /d:mode=0700 --ro-bind /usr:/data "
      .. "--bind /no/such:/b:ro,optional --mount proc:/p --device /dev/null:/n "
      .. "--mount mqueue:/q --bind-fd 0:/fd --overlay /usr:/etc:/o "
      .. "--tmpfs '/1\\:2' --file " .. file "hi\n" .. ":/hi -- sh -c '"
      .. "cat /hi; readlink /l; stat -c %a /d; test -c /n && "
      .. "touch /data/x 2>/dev/null || echo read-only; "
      .. "echo $(stat -fc %T /p /q); ls / | grep 1:; test -e /o/passwd' "
      .. "</dev/null"))
  end)

  it("takes a recipe from a file, and options over it", function()
    local recipe = file "return { 'hostname', hostname = 'moon' }"
    assert.equal("moon\n0", run(recipe))
    assert.equal("luna\n0", run("--hostname luna " .. recipe))
    assert.equal("x\n0", run(recipe .. " -- echo x"))
  end)

  it("says that a recipe must return a table", function()
    local path <const> = file "local _ = 1"
    assert.equal(("farside: %s: a recipe returns a table, this returned nil "
      .. "(a script is run with `farside %s`)\n125"):format(path, path),
      run(path))
  end)

  it("lists its options", function()
    local help = farside "run --help"
    for _, option in ipairs { "--root DIR", "--uid-map IN:OUT:COUNT",
                              "--no-init", "--bind SRC:DST[:ro]" } do
      assert.is_truthy(help:find(option, 1, true), option)
    end
  end)

  it("passes TERM on to the program", function()
    t.needs "userns"
    local reader, writer = ns.pipe()
    local command <close> = ns.posix_spawn {
      driver, "run", "--", "sh", "-c",
      "trap 'echo got TERM; exit 5' TERM; echo ready; "
      .. "while :; do sleep 1; done",
      stdout = writer }
    writer:close()
    assert.equal("ready\n", ns.read(reader))
    command:signal "TERM"
    assert.equal("got TERM\n", ns.read(reader))
    assert.same({ nil, "exit", 5 }, { command:wait() })
    reader:close()
  end)
end)

describe("farside plan", function()
  it("prints what run would do and does nothing", function()
    local said = farside "plan --hostname moon -- touch /tmp/never"
    assert.is_truthy(said:find('ns.sethostname("moon")', 1, true))
    assert.is_truthy(said:find("ns.pivot_root", 1, true))
  end)

  it("is a list of records for programs", function()
    local said <const> = farside "plan --json --hostname moon -- true"
    assert.matches('"call": "sethostname",\n *"code": '
      .. '"ns.sethostname%(\\"moon\\"%)",\n *"label": "its name",\n *'
      .. '"where": "child"', said)
    assert.matches("farside plan: either --json or --trace expected, not both",
                   farside "plan -J --trace -- true", 1, true)
  end)

  it("shows the first container that a script would start", function()
    local said = farside("plan " .. file [[
      local ns = require "farside"
      ns.run { "sh", hostname = "luna" }
      error "not reached"]])
    assert.is_truthy(said:find('ns.sethostname("luna")', 1, true))
    assert.is_truthy(said:find "\n0$")
  end)

  it("says so when a script starts none", function()
    local path <const> = file "local _ = 1"
    assert.equal("farside: " .. path .. ": starts no container and returns no "
                 .. "recipe\n125", farside("plan " .. path))
  end)
end)

describe("farside net", function()
  local function net(arguments)
    t.needs "userns"
    return shell("unshare -Urn " .. driver .. " net " .. arguments .. " 2>&1")
  end

  it("lists nothing and clears nothing where there is nothing", function()
    assert.equal("BRIDGE PID LINK ADDRESS NAT PUBLISH\n0", net "ls")
    assert.equal("0", net "prune")
    assert.equal("0", net "ls --no-headings":gsub("^\n", ""))
  end)

  it("says which words it knows", function()
    assert.matches("farside net: ls or prune expected, got 'prun'", net "prun",
                   1, true)
    assert.matches("farside net: ls or prune expected, got nothing", net "", 1,
                   true)
  end)
end)

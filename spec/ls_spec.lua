-- The command `farside ls`, and how lists are shown: columns, trees, widths.
local t <const> = require "spec.helper"
local columns <const> = require "farside.columns"
local core <const> = require "farside.core"
local options <const> = require "farside.options"

local driver <const> = t.build .. "/farside"

local function ls(arguments, streams)
  local pipe <close> = assert(io.popen(driver .. " ls " .. arguments
    .. " </dev/null " .. (streams or "2>&1") .. "; echo $?"))
  return (pipe:read "a":gsub("\n$", ""))
end

-- Those who may not look into everything are told so, on stderr.
local function seen(arguments)
  return ls(arguments, "2>/dev/null")
end

local uts <const> = core.readlinkat(nil, "/proc/self/ns/uts"):match "%d+"

describe("farside ls", function()
  it("lists namespaces in columns", function()
    local said = seen "--type uts --list"
    assert.matches("^ *NS TYPE NPROCS +PID USER +COMMAND\n", said)
    assert.matches("\n" .. uts .. " uts +%d+ +%d+ ", said)
    assert.matches("\n0$", said)
  end)

  it("shows the columns that are asked for, without headings", function()
    assert.matches("^" .. uts .. " uts\n", seen(
      "-nl -o ns,TYPE -Q 'ns == " .. uts .. "'"))
    assert.matches("^NS TYPE PATH NPROCS PID PPID COMMAND UID USER NETNSID "
      .. "NSFS PNS ONS HOLDERS\n", seen "-r --output-all")
    assert.matches("^ *NS TYPE NPROCS +PID USER +NETNSID NSFS COMMAND\n",
      seen "-t net")
  end)

  it("puts single blanks between raw columns", function()
    local own = ("-p %d -t uts"):format(core.getpid())
    assert.matches("^NS NSFS COMMAND\n" .. uts .. " %- %S+\n0$",
      seen(own .. " -r -o NS,NSFS,COMMAND"))
  end)

  it("speaks JSON", function()
    assert.matches('^{\n  "namespaces": %[\n    {\n      "ns": ' .. uts
      .. ',\n      "nsfs": %[%],\n      "netnsid": null\n    }\n  %],\n'
      .. '  "unseen": {.*}\n}\n0$',
      ls("-J -o ns,nsfs,netnsid -Q 'ns == " .. uts .. "'"))
  end)

  it("draws trees by owner, parent and process", function()
    t.needs "userns"
    t.userns(function()
      local said = ls("-T owner -o NS -n -Q 'type == \"user\" or ns == "
        .. core.open(nil, "mnt").id .. "'")
      local user = core.open(nil, "user")
      assert.matches(user.id .. "\n.-[`└].-" .. core.open(nil, "mnt").id,
        said)
    end)
  end)

  it("lists the processes in a namespace", function()
    local said = seen(uts)
    assert.matches("^ *PID +PPID USER +COMMAND\n", said)
    assert.matches("\n *" .. core.getpid() .. " +" .. core.getppid(), said)
  end)

  it("lists while processes come and go", function()
    local busy = core.clone({}, function()
      while true do
        local child <close> = core.clone({}, function() end)
        child:wait()
      end
    end)
    for _ = 1, 10 do assert.matches("\n0$", seen(uts)) end
    busy:close()
    t.reap()
  end)

  it("says what it had no permission for", function()
    t.needs "userns"
    t.userns(function()
      core.mount("proc", "/proc", "proc")
      local child <close> = core.clone({}, function()
        core.prctl("dumpable", false)
        core.poll {}
      end)
      repeat local list = require("farside").list()
      until list.unseen.processes
      assert.equal("farside ls: without permission to look at 1 process\n0",
        ls("-t uts", "2>&1 >/dev/null"))
      assert.matches('"unseen": {\n    "processes": 1\n  }', ls "-J -t uts")
      assert.is_not_nil(child)
    end, { "pid" })
  end)

  it("shows what holds a namespace that no process is in", function()
    t.userns(function()
      local net <close> = require("farside").new "net"
      assert.matches(("%d net +0 +unassigned +%%(descriptor %d of %d%%)\n")
        :format(net.id, net:fileno(), core.getpid()),
        ls "-t net --list --no-headings")
    end)
  end)

  local wrong <const> = {
    ["--jsom"] = "unknown option '--jsom' (did you mean '--json'?)",
    ["-X"] = "unknown option '-X'",
    ["-t"] = "option '-t' needs KIND",
    ["--json=1"] = "option '--json' takes no value",
    ["-p x"] = "--pid: PID expected, got 'x'",
    ["blue"] = "namespace number expected, got 'blue'",
    ["1 2"] = "unexpected '2'",
    ["-o ns,tpye"] = "unknown column 'TPYE' (did you mean 'TYPE'?)",
    ["-o ,"] = "column names expected",
  }
  for arguments, message in pairs(wrong) do
    it(("says of '%s': %s"):format(arguments, message), function()
      assert.equal("farside ls: " .. message
        .. "\nfarside: `farside ls --help` lists what it takes\n125",
        ls(arguments))
    end)
  end

  it("says so when nobody is in a namespace", function()
    assert.equal("farside: ls: no process that can be seen is in a namespace "
      .. "12\n125", ls "12")
  end)
end)

describe("columns", function()
  local named <const> = {
    { name = "ID", right = true, value = function(r) return r.id end },
    { name = "WHAT", cut = true, value = function(r) return r.what end },
  }
  local rows <const> = {
    { id = 1, what = "first", level = 1 },
    { id = 20, what = "2\27[2J", level = 2 },
    { id = 3, what = "a\xffé", level = 3 }, { id = 4, level = 2 },
    { id = 5, what = "last one", level = 1 },
  }

  it("stand under their names, numbers to the right", function()
    assert.equal("ID WHAT\n 1 first\n20 2\\x1b[2J\n 3 a\\xffé\n 4\n"
      .. " 5 last one", columns.format(rows, named))
  end)

  it("fit a width", function()
    assert.equal("20 2\\x1b[2J\n 5 last one",
      columns.format({ rows[2], rows[5] }, named,
        { headings = false, width = 11 }))
    assert.equal("20 aaaaaaa…\n20 aaaaaaaa", columns.format(
      { { id = 20, what = ("a"):rep(9) } }, named,
      { headings = false, width = 11, unicode = true }) .. "\n"
      .. columns.format({ { id = 20, what = ("a"):rep(9) } }, named,
        { headings = false, width = 11 }))
  end)

  it("hang on the branches of a tree", function()
    assert.equal("1    first\n├─20 2\\x1b[2J", columns.format({ rows[1],
      rows[2] }, named, { headings = false, tree = "ID", unicode = true })
      :gsub("└", "├"))
    assert.same({ "", "├─", "│ └─", "└─", "" }, columns.branches(rows, true))
    assert.same({ "", "|-", "| `-", "`-", "" }, columns.branches(rows))
  end)
end)

describe("options", function()
  local specs <const> = { { name = "all", short = "a" },
    { name = "size", short = "s", option = "N" }, { name = "no_tea" } }

  it("are long, short, and put together", function()
    for _, line in ipairs { "x -as5 --no-tea y", "--all -s 5 x y --no-tea",
                            "--size=5 -a --no-tea x y" } do
      local words = {}
      for word in line:gmatch "%S+" do words[#words + 1] = word end
      assert.same({ { all = true, size = "5", no_tea = true }, { "x", "y" } },
        { options.read("tea", specs, words) })
    end
  end)

  it("end at two dashes", function()
    assert.same({ { all = true }, { "x", "-a", "--", "y" } },
      { options.read("tea", specs, { "-a", "x", "--", "-a", "--", "y" }) })
  end)
end)

-- What the screen is to a program with these variables.
local function look(env, terminal)
  local program = "local s = require 'farside.screen'.of(1) "
    .. "print(s.terminal, s.colour, s.unicode, s.width)"
  local reader, writer
  if terminal then
    reader, writer = core.tty.open()
    core.tty.resize(writer, 24, 77)
  else
    reader, writer = core.pipe()
  end
  local process <close> = require("farside").posix_spawn { driver, "-e",
    program, env = env, stdout = writer }
  assert.is_true(process:wait())
  local said = core.read(reader)
  reader:close()
  writer:close()
  return (said:gsub("%s+", " "))
end

describe("the screen", function()
  local utf8 <const> = { LANG = "en_GB.UTF-8" }

  it("has colour, Unicode and a width where it can", function()
    assert.equal("true true true 77 ", look(utf8, true))
    assert.equal("true true false 77 ", look({ LANG = "C" }, true))
    assert.equal("true true false 77 ", look({}, true))
    assert.equal("false false true nil ", look(utf8, false))
  end)

  it("does as the environment says", function()
    assert.equal("true false true 77 ",
      look({ NO_COLOR = "1", LC_CTYPE = "C.utf8", LANG = "C" }, true))
    assert.equal("true true false 77 ",
      look({ LC_ALL = "C", LANG = "C.UTF-8" }, true))
    assert.equal("true false false 77 ",
      look({ TERM = "dumb", LANG = "C.UTF-8" }, true))
  end)
end)

-- Becoming another program.
local t <const> = require "spec.helper"
local core <const> = require "farside.core"
local ns <const> = require "farside"

local function descriptors()
  collectgarbage()
  return #core.readdir "/proc/self/fd"
end

local function refused(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

-- What a program writes to its standard output.
local function output(fn)
  local reader <close>, writer = core.pipe()
  local child <close> = ns.clone({}, function()
    core.dup(writer, 1)
    fn()
  end)
  writer:close()
  local text = ""
  for piece in function() return reader:read() end do text = text .. piece end
  assert.is_true(child:wait())
  return text
end

-- A file that may be executed, with this in it.
local function program(name, text, mode)
  local directory = t.tmpdir()
  local file <close> = assert(io.open(directory .. "/" .. name, "w"))
  file:write(text)
  core.fchmodat(nil, directory .. "/" .. name, mode or "0755")
  return directory
end

describe("exec", function()
  it("becomes a program with its arguments", function()
    for expected, words in pairs {
      ["a b  c\n"] = { "echo", "a", "b  c" }, ["a 1\n"] = { "echo", "a", 1 },
    } do
      assert.equal(expected, output(function() ns.exec(words) end))
      assert.equal(expected, output(function()
        ns.exec(table.unpack(words))
      end))
    end
  end)

  it("flushes what was written before", function()
    assert.equal("first then\n", output(function()
      io.stdout:setvbuf "full"
      io.write "first "
      ns.exec("echo", "then")
    end))
  end)

  it("gives the environment that was asked for, and no other", function()
    for _, env in ipairs { { A = "1", B = "x=y" }, { "A=1", "B=x=y" },
      { "B=x=y", A = 1 } } do
      assert.equal("A=1\nB=x=y\n", output(function()
        ns.exec { "env", env = env }
      end))
    end
    assert.equal("", output(function() ns.exec { "env", env = {} } end))
  end)

  it("takes a variable from the caller, or none, when asked to", function()
    assert.equal("PATH=" .. os.getenv "PATH" .. "\n", output(function()
      ns.exec { "env", env = { PATH = true, HOME = false, NOWHERE = true } }
    end))
  end)

  it("starts in the directory that was asked for", function()
    assert.equal("/proc\n", output(function()
      ns.exec { "pwd", cwd = "/proc" }
    end))
  end)

  it("tells the program another name", function()
    assert.equal("moon\n", output(function()
      ns.exec { "sh", "-c", "echo $0", argv0 = "moon" }
    end))
  end)

  it("leaves no descriptor open but those to keep", function()
    local extra <close> = assert(io.open "/dev/null")
    local kept <close> = core.openat2(nil, "/dev/zero", {})
    local text = output(function()
      core.dup(extra, 77)
      core.cloexec(77, false)
      ns.exec { "sh", "-c", "ls /proc/$$/fd; true", keep = { kept } }
    end)
    assert.equal("0 1 2 " .. kept:fileno() .. " ", (text:gsub("\n", " ")))
  end)

  it("starts a program without keeping a copy of its streams", function()
    local reader <close>, writer = core.pipe()
    collectgarbage "stop" -- which would close a forgotten copy some day
    local process <close> = ns.posix_spawn { "echo", "x", stdout = writer }
    writer:close()
    assert.is_true(process:wait())
    assert.equal("x\n", core.read(reader))
    local _, events = core.poll({ reader }, "2s")
    collectgarbage "restart"
    assert.same({ { hup = true } }, events)
  end)

  it("lets no signal be blocked or ignored", function()
    local text = output(function()
      core.sigaction("PIPE", "ignore")
      core.sigaction("USR1", "ignore")
      core.sigprocmask("block", { "TERM", "HUP" })
      ns.exec("cat", "/proc/self/status")
    end)
    assert.matches("SigBlk:%s+0+\n", text)
    assert.matches("SigIgn:%s+0+\n", text)
  end)

  it("finds a program in the path of its table, environment or caller",
    function()
      local directory = program("moonshot", "#!/bin/sh\necho found\n")
      local env = { PATH = directory }
      for _, how in ipairs { { path = "/nowhere:" .. directory },
        { env = env }, { path = directory, env = { PATH = "/nowhere" } } } do
        how[1] = "moonshot"
        assert.equal("found\n", output(function() ns.exec(how) end))
      end
    end)

  it("finds a program in the working directory by an empty element",
    function()
      local directory = program("moonshot", "#!/bin/sh\necho here\n")
      assert.equal("here\n", output(function()
        ns.exec { "moonshot", cwd = directory, path = "/bin:" }
      end))
    end)

  it("goes on after a file that may not be executed", function()
    local first = program("moonshot", "", "0644")
    local second = program("moonshot", "#!/bin/sh\necho second\n")
    assert.equal("second\n", output(function()
      ns.exec { "moonshot", path = first .. ":" .. second }
    end))
  end)

  it("tells that a program is nowhere", function()
    local err = refused(ns.exec, { "moonshot", path = "/bin:/sbin" })
    assert.equal("ENOENT", err.code)
    assert.matches("exec moonshot in /bin:/sbin: "
      .. "No such file or directory (ENOENT)", tostring(err), 1, true)
  end)

  it("tells that a program may not be executed", function()
    local directory = program("moonshot", "", "0644")
    local err = refused(ns.exec, { "moonshot", path = directory .. ":/bin" })
    assert.equal("EACCES", err.code)
    assert.matches(("exec %s/moonshot: Permission denied (EACCES)"):format(
      directory), tostring(err), 1, true)
  end)

  it("tells of a program whose interpreter is missing, not of another",
    function()
      local first = program("moonshot", "#!/nowhere/sh\n")
      local second = program("moonshot", "#!/bin/sh\n")
      local err = refused(ns.exec, { "moonshot",
        path = first .. ":" .. second })
      assert.equal("ENOENT", err.code)
      assert.equal(first .. "/moonshot", err.path)
    end)

  it("tells of a file that is no program", function()
    local directory = program("moonshot", "no program\n")
    assert.equal("ENOEXEC",
      refused(ns.exec, directory .. "/moonshot").code)
  end)

  it("leaves the process as it was when it fails", function()
    t.child(function()
      core.chdir "/proc"
      core.sigaction("USR1", "ignore")
      core.sigprocmask("block", { "TERM" })
      local kept = core.openat2(nil, "/dev/null", {})
      local before = descriptors()
      refused(ns.exec, { "/nowhere", cwd = "/", keep = { kept } })
      assert.equal("/proc", core.getcwd())
      assert.equal("ignore", core.sigaction "USR1")
      assert.same({ "TERM" }, core.sigprocmask())
      assert.equal(before, descriptors())
    end)
  end)

  it("refuses options that it does not know or cannot take", function()
    for message, options in pairs {
      ["exec: unknown key 'evn'"] = { "ls", evn = {} },
      ["exec: command expected"] = {},
      ["exec: [2]: string expected, got table"] = { "ls", {} },
      ["exec: env[1]: NAME=VALUE expected, got 'A'"] = { "ls", env = { "A" } },
      ["exec: env[A=]: bad name of a variable"] = { "ls",
        env = { ["A="] = "1" } },
      ["exec: env[A]: string expected, got table"] = { "ls",
        env = { A = {} } },
      ["exec: keep[1]: descriptor expected, got string"] = { "ls",
        keep = { "3" } },
      ["exec: cwd: string expected, got float"] = { "ls", cwd = 1.5 },
    } do
      t.child(function()
        local err = refused(ns.exec, options)
        assert.matches("exec_spec.lua:%d+: ", err)
        assert.matches(message, err, 1, true)
      end)
    end
  end)
end)

describe("execve", function()
  it("executes a file by its descriptor", function()
    assert.equal("by number\n", output(function()
      local file = core.openat2(nil, "/bin/echo", "path")
      core.execve(file, { "echo", "by number" })
    end))
  end)

  it("keeps ignored signals and the mask unless told otherwise", function()
    local text = output(function()
      core.sigprocmask("block", { "HUP" })
      core.execve("/bin/cat", { "cat", "/proc/self/status" })
    end)
    assert.matches("SigBlk:%s+0+1\n", text)
  end)

  it("refuses strings that C would cut short", function()
    assert.matches("argument 2 contains a zero byte",
      refused(core.execve, "/bin/true", { "true", "a\0b" }), 1, true)
    assert.matches("argument 2: string expected, got boolean",
      refused(core.execve, "/bin/true", { "true", true }), 1, true)
    assert.matches("empty list", refused(core.execve, "/bin/true", {}))
  end)
end)

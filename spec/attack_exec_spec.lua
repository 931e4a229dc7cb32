-- Attacks on what joins a container or starts it: each must fail, and where it
-- is a default that stops it, work without that, or the spec shows nothing.

local t <const> = require "spec.helper"
local ns <const> = require "farside"
local attacks <const> = require "spec.attacks"
local enter <const> = require "farside.enter"
local attack <const>, attacker <const> = attacks.attack, attacks.attacker
local said <const>, sleeper <const> = attacks.said, attacks.sleeper

local function test(name, body)
  it(name, function()
    t.needs "userns"
    body()
  end)
end

local root <const> = ns.geteuid() == 0

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function write(path, text, mode)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
  assert(file:close())
  ns.fchmodat(nil, path, mode or "0644")
end

---- the program that joins ----

-- Namespaces in which somebody else is root: root's specs give them to ids that
-- are nobody's, others can only have their own.
local function territory(kinds, uids, gids)
  local mine, theirs <const> = ns.socketpair "seqpacket"
  kinds.uid_map = uids or { { 0, root and 100000 or ns.getuid(), 1 } }
  kinds.gid_map = gids == nil and { { 0, root and 100000 or ns.getgid(), 1 } }
    or gids or nil
  local process <const> = ns.clone(kinds, function()
    local user <const> = kinds.uid_map[1][1]
    ns.setresuid(user, user, user)
    ns.prctl("pdeathsig", "KILL")
    if kinds[3] == "pid" then ns.mount("proc", "/proc", "proc") end
    ns.sendmsg(theirs, "ready")
    ns.pause()
  end)
  ns.recvmsg(mine, 9)
  mine:close()
  theirs:close()
  return process
end

-- A driver that whoever is in there could write, and what they have laid out
-- instead of a program: a script that is run by what runs it. It keeps a way to
-- the driver's file, and writes there once the driver has ended.
local overwriter <const> = [[#!/proc/self/exe
  print(ns.readlinkat(nil, "/proc/self/exe"))
  local exe = ns.openat2(nil, "/proc/self/exe", "rdonly")
  local null = ns.openat2(nil, "/dev/null", "rdwr")
  ns.exec { "setsid", "-f", "sh", "-c", ("read go <go; "
              .. "{ echo overwritten >/proc/self/fd/%d; } 2>told"):format(
              exe:fileno()),
            cwd = arg[0]:match "(.*)/", keep = { exe }, stdout = null,
            stderr = null }]]

local joiner <const> = [[
  local target, command, trusted = table.unpack(arg)
  print(require("farside.enter").spawn(math.tointeger(target), { command },
    { trusted = trusted == "true" }):wait())]]

-- Joins a hostile territory; what the driver's file is afterwards, and what was
-- said on the way.
local function join_with_driver(trusted)
  local dir <const> = t.tmpdir()
  local driver <const>, evil <const> = dir .. "/driver", dir .. "/evil"
  assert(os.execute(("cp %s/farside %s; mkfifo -m 666 %s/go %s/told")
    :format(t.build, driver, dir, dir)))
  write(evil, overwriter, "0755")
  write(dir .. "/script.lua", joiner)
  if root then ns.fchownat(nil, driver, 100000, 100000) end
  local place <close> = territory { "user", "mnt", "pid" }
  local pipe <close> = io.popen(("timeout 60 %s %s/script.lua %d %s %s 2>&1")
    :format(driver, dir, place.pid, evil, trusted))
  local lines <const> = pipe:read "a"
  pipe:close()
  write(dir .. "/go", "\n", "0666")
  local told <const> = read(dir .. "/told")
  return read(driver):sub(1, 12), lines .. told
end

describe("a program that joins others", function()
  test("is not overwritten by way of /proc/self/exe", function()
    t.needs "setsid"
    local now, lines = join_with_driver(false)
    assert.equal("\127ELF", now:sub(1, 4), lines)
    assert.is_truthy(lines:find("/memfd:farside (deleted)", 1, true), lines)
    assert.is_truthy(lines:find("Operation not permitted", 1, true)
                     or lines:find("Permission denied", 1, true), lines)
    now, lines = join_with_driver(true)
    assert.not_equal("\127ELF", now:sub(1, 4), lines)
  end)

  test("refuses where it could be, and cannot be copied", function()
    if not root then return pending "the interpreter is not the user's own" end
    local container <close> = sleeper { share = "user" }
    local ok, message = pcall(container.exec, container, "true")
    if ok then return pending "the specs run in the driver" end
    assert.is_truthy(message:find("exec: the container could write this "
      .. "program, ", 1, true))
    assert.is_truthy(message:find(", by way of the process that joins it: let "
      .. "the program belong to somebody who is not in the container, or use "
      .. "the driver, farside", 1, true))
  end)

  -- Waits, before it executes the program that it is to be, for somebody who
  -- looks into it.
  test("is not looked into before its privileges are gone", function()
    local container <close> = sleeper { capabilities = "all" }
    local script <const> = [[
      while :; do for p in /proc/[0-9]*; do
        read -r _ _ _ parent _ 2>/dev/null <$p/stat || continue
        test $parent = 0 -a $p != /proc/1 -a $p != /proc/$$ && break 2
      done; done
      until readlink $p/exe >/dev/null && echo open; do
        test %s = insist || { echo hidden; break; }
      done
      ls $p/fd 2>/dev/null | grep -c .; tr -d '\0' <$p/cmdline]]
    -- with steps that the program takes before; it insists until all is open
    local function look(insist, ...)
      local reader <const>, writer <close> = ns.pipe()
      local steps <const> = { ... }
      steps[#steps + 1] = { call = "read", label = "wait",
                            args = table.pack(reader, 1) }
      local starter <close> = ns.clone({}, function()
        enter.spawn(container, { "true" }, { steps = steps }):wait()
      end)
      local out <const>, mine <close> = ns.pipe()
      container:exec { "/bin/sh", "-c", script:format(insist), stdout = mine }
      ns.write(writer, "x")
      assert.is_true(starter:wait())
      local words <const> = ns.read(out, 4096)
      out:close()
      reader:close()
      return words
    end
    assert.equal("hidden\n0\n", look "once")
    assert.matches("^open\n[1-9]", look("insist", {
      call = "prctl", label = "dumpable", args = table.pack("dumpable", true),
    }))
  end)

  test("is not looked into while it runs a function", function()
    -- until it has found one; when it insists, one that is open
    local function look(fn, insist)
      local reader <const>, writer <close> = ns.pipe()
      local recipe <const> = attacker([[
        local function look()
          for _, file in ipairs(ns.readdir "/proc") do
            local pid = math.tointeger(file.name)
            if pid and pid > ns.getpid() then
              local ok, err = pcall(ns.readlinkat, nil, "/proc/" .. pid
                                    .. "/exe")
              if ok or not arg[1] then return ok and "open" or err.code end
            end
          end
        end
        local found
        repeat found = look() until found
        io.stdout:write(found, "\n"):flush()
        ns.pause()]], { stdout = writer, capabilities = "all" })
      recipe[3] = insist
      local container <close> = ns.spawn(recipe)
      local heard <const> = ns.inside(container, fn, reader)
      reader:close()
      return heard
    end
    assert.equal("EACCES\n", look(ns.read))
    assert.equal("open\n", look(function(reader)
      ns.prctl("dumpable", true)
      return ns.read(reader)
    end, "insist"))
  end)

  test("passes no descriptor on to a program", function()
    local stray <close> = assert(io.open "/") -- is not closed on exec
    local _ = stray
    local container <close> = sleeper()
    assert.equal("0 1 2 3", ns.inside(container, function()
      return io.popen "echo $(ls /proc/self/fd)":read "l"
    end))
    local reader, writer = ns.pipe()
    container:exec { "sh", "-c", "echo $(ls /proc/self/fd)", stdout = writer }
    assert.equal("0 1 2 3\n", ns.read(reader))
    reader:close()
    writer:close()
  end)

  -- Whoever made a user namespace without a root would otherwise have a program
  -- of theirs run with the id of the host's.
  test("is not the host's root where nobody is root", function()
    t.needs "root"
    local secret <const> = attacks.file("secret", "0600")
    local place <close> = territory({ "user", "mnt" }, { { 5, 100000, 1 } },
                                    { { 5, 100000, 1 } })
    local reader, writer = ns.pipe()
    local function join(options)
      options.trusted = true -- this program is root's
      local program <close> = enter.spawn(place.pid, { "cat", secret,
        stdout = writer, stderr = writer }, options)
      program:wait()
      return ns.read(reader, 1000)
    end
    local ok, err = pcall(join, {})
    assert.same({ false, "setresuid", "EINVAL" }, { ok, err.call, err.code })
    assert.equal("in the user namespace that was joined nobody is root, and "
      .. "the caller is nobody there: `farside enter` takes --setuid, a user "
      .. "to be", err.hint)
    assert.matches("Permission denied", join { steps = {
      { call = "setresuid", label = "", args = table.pack(5, 5, 5) } } })
    assert.equal("secret", join { preserve = true })
    reader:close()
    writer:close()
  end)

  test("leaves its groups behind, though they cannot be given up in there",
    function()
      t.needs "root"
      local place <close> = territory({ "user" }, nil, false)
      ns.write(ns.openat2(nil, ("/proc/%d/setgroups"):format(place.pid),
                          "wronly"), "deny")
      ns.write_gid_map(place, { { 0, 100000, 1 } })
      local secret <const> = attacks.file("secret", "0640")
      ns.fchownat(nil, secret, 0, 4242)
      t.child(function()
        ns.setgroups { 4242 }
        local reader, writer <const> = ns.pipe()
        local function join(options)
          options.trusted = true
          enter.spawn(place.pid, { "cat", secret, stdout = writer,
                                   stderr = writer }, options):wait()
          return ns.read(reader, 1000)
        end
        assert.matches("Permission denied", join {})
        assert.equal("secret", join { preserve = true })
      end)
    end)
end)

---- what starts a container ----

describe("an attacker in a container", function()
  test("cannot look into its init", function()
    assert.equal(("EACCES "):rep(7) .. "EPERM", attack [[
      for _, what in ipairs { "root", "cwd", "exe", "fd/1" } do
        try(ns.readlinkat, nil, "/proc/1/" .. what)
      end
      for _, what in ipairs { "environ", "mem", "maps" } do
        try(ns.openat2, nil, "/proc/1/" .. what, "rdonly")
      end
      try(ns.pidfd_getfd, ns.pidfd_open(1), 3)]])
  end)

  test("cannot read the starter's command line", function()
    local script <const> = "tr -d '\\0' </proc/1/cmdline"
    assert.matches("^farside%-init", attacks.sh(script))
    assert.equal("", attacks.sh(script, { setup = function() end }))
    t.child(function() -- as any copy of the starter has it
      assert.is_truthy(read "/proc/self/cmdline":find "run.lua")
      ns.forget_cmdline()
      assert.is_nil(read "/proc/self/cmdline":find "[^%z]")
    end)
  end)

  test("finds no way out by what was left open", function()
    local secret <const> = attacks.file "secret"
    local stray <close> = ns.openat2(nil, "/", "rdonly,directory")
    ns.cloexec(stray, false)
    local script <const> = ("cat /proc/self/fd/%d%s 2>&1; echo $(ls "
      .. "/proc/self/fd)"):format(stray:fileno(), secret)
    assert.matches("No such file or directory\n0 1 2 3$", attacks.sh(script))
    assert.matches("No such file or directory\n0 1 2 3$",
                   attacks.sh(script, { setup = function() end }))
    assert.matches("^secret0 1 2 ", attacks.sh(script, { keep = { stray } }))
  end)

  test("does not start in a directory that was left open", function()
    local open <close> = ns.openat2(nil, "/", "rdonly,directory")
    local stray <close> = require("farside.core").fd(ns.dup(open, 200))
    ns.cloexec(stray, false)
    local cwd <const> = "/proc/self/fd/200"
    local container <close> = sleeper()
    for _, start in ipairs {
      function() ns.run { "true", cwd = cwd } end,
      function() ns.run { "true", cwd = cwd, setup = function() end } end,
      function() container:exec { "true", cwd = cwd } end,
    } do
      local ok, err = pcall(start)
      assert.same({ false, "chdir", "ENOENT" }, { ok, err.call, err.code })
    end
  end)

  test("gets nothing for a standard stream that the starter has not", function()
    local out <const> = t.tmpdir()
    ns.fchmodat(nil, out, "0777")
    local program <const> = [[
      local found = {}
      for fd = 0, 2 do
        local ok, name = pcall(ns.readlinkat, nil, "/proc/self/fd/" .. fd)
        found[#found + 1] = ok and name or "none"
      end
      io.open(arg[1], "w"):write(table.concat(found, " "))]]
    local function streams(name, setup)
      local recipe <const> = attacker(program, {
        setup = setup, mounts = { { bind = out, at = "/out" } } })
      recipe[3] = "/out/" .. name
      t.child(function()
        ns.close_range(0, 2)
        ns.run(recipe)
      end)
      return read(out .. "/" .. name)
    end
    -- with the sanitizers the program is the driver, which opens them
    local nothing <const> = t.sanitized and "/dev/null /dev/null /dev/null"
      or "none none none"
    assert.equal(nothing, streams "walker")
    assert.equal(nothing, streams("lua", function() end))
    assert(os.execute(("%s/farside run --bind %s:/out -- sh -c 'readlink "
      .. "/proc/$$/fd/[012] >/out/driver' <&- >&- 2>&-"):format(t.build, out)))
    assert.equal("/dev/null\n/out/driver\n/dev/null\n", read(out .. "/driver"))
  end)

  -- By its words, as others print them.
  test("moves no cursor of those who list it", function()
    t.needs "perl"
    local reader, writer <const> = ns.pipe()
    local container <close> = ns.spawn { "perl", "-e",
      [[$0 = "\e[2Jx"; syswrite STDOUT, "x"; sleep 1000]], stdout = writer,
      init = false }
    ns.read(reader, 1)
    for _, command in ipairs { "ls", "tree", "tree --dot" } do
      local pipe <close> = io.popen(t.build .. "/farside " .. command)
      local text <const> = pipe:read "a"
      assert.is_nil(text:find "\27")
      assert.is_truthy(text:find("\\x1b[2Jx", 1, true)
                       or text:find("\\\\x1b[2Jx", 1, true), text)
    end
    assert.matches("^\27%[2Jx", read(("/proc/%d/cmdline"):format(
      container.pid)))
  end)

  test("cannot end or stop its init", function()
    assert.equal("1", attack [[
      ns.kill(1, "KILL")
      ns.kill(1, "STOP")
      print(ns.getppid())]])
  end)

  -- The five sets of a program that runs in there.
  local sets <const> = "grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status "
    .. "| cut -f2 | tr '\\n' ' '"

  test("gets back no capability by executing a program", function()
    local chown <const>, none <const> = "0000000000000001", ("0"):rep(16)
    local kept <const> = { none, chown, chown, chown, none, "" }
    for words, wanted in pairs {
      chown = kept, none = { none, none, none, none, none, "" } } do
      local recipe <const> = {
        "/bin/sh", "-c", sets,
        capabilities = words == "none" and words or { words },
      }
      assert.equal(table.concat(wanted, " "), said(recipe))
      recipe[3], recipe.stdout = "sleep 100", nil
      local container <close> = ns.spawn(recipe)
      local reader, writer = ns.pipe()
      container:exec { "/bin/sh", "-c", sets, stdout = writer }
      assert.equal(table.concat(wanted, " "), ns.read(reader))
      reader:close()
      writer:close()
    end
  end)

  -- A program whose file inherits one: the starter has all of them inheritable,
  -- as a careless engine has.
  test("inherits none of the starter's capabilities", function()
    local program <const> = [[
      os.execute "cp $(command -v grep) /inherits"
      local file = ns.openat2(nil, "/inherits", "rdonly")
      -- version 2: none permitted, chown inheritable
      ns.setxattr(file, "security.capability",
                  ("<I4I4I4I4I4"):pack(0x02000000, 0, 1, 0, 0))
      if arg[1] then ns.capability.raise({ "chown" }, "inheritable") end
      ns.capability.securebits "no_setuid_fixup"
      ns.setresuid(0, 0, 0)
      os.execute("setpriv --reuid 1 --clear-groups /inherits CapPrm: " ..
        "/proc/self/status")]]
    t.needs("root", "setpriv")
    local function try(word)
      local recipe <const> = attacker(program, { no_new_privs = false })
      recipe[3], recipe.stderr = word, 2
      return said(recipe)
    end
    t.child(function()
      ns.capability.raise({ "chown" }, "inheritable")
      assert.equal("CapPrm:\t0000000000000000\n", try())
      assert.equal("CapPrm:\t0000000000000001\n", try "inheritable")
    end)
  end)

  test("gets none back by a set-user-id program", function()
    t.needs("root", "setpriv")
    local script <const> = "cp $(command -v grep) /suid && chmod 4755 /suid && "
      .. "exec setpriv --reuid 1000 --clear-groups /suid CapPrm: "
      .. "/proc/self/status"
    local list <const> = { "chown", "setuid", "setgid", "fowner" }
    assert.equal("CapPrm:\t" .. ("0"):rep(16) .. "\n", said {
      "/bin/sh", "-c", script, capabilities = list })
    assert.equal("CapPrm:\t00000000000000c9\n", said {
      "/bin/sh", "-c", script, capabilities = list, no_new_privs = false })
  end)
end)

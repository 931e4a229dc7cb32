-- Filters of system calls. They cannot be taken off, so each is installed in a
-- child.

local t = require "spec.helper"
local ns = require "farside"
local core = require "farside.core"

-- Runs a function under a filter.
local function under(otherwise, rules, fn)
  local program <const> = core.seccomp.compile(otherwise, rules)
  t.child(function()
    ns.prctl("no_new_privs", true)
    ns.seccomp.install(program)
    fn()
  end)
end

-- "done", or the errno of a call.
local function try(fn, ...)
  local ok, err = pcall(fn, ...)
  return ok and "done" or err.code
end

local function complaint(...)
  local ok, message = pcall(core.seccomp.compile, ...)
  assert.is_false(ok)
  return (message:gsub("^bad argument #%d to '[^']*' ", ""))
end

describe("a filter", function()
  it("answers with what its first rule about a call says", function()
    under("allow", {
      { "deny", "chdir" }, { "ESRCH", "chdir umask" }, { "log", "getcwd" },
    }, function()
      assert.equal("EPERM", try(ns.chdir, "/"))
      assert.equal("done", try(ns.getcwd))
      assert.equal("done", try(ns.uname))
    end)
  end)

  it("answers for all other calls as it was told", function()
    if t.sanitized then pending "sanitizers make more calls than these" end
    under("ENOSYS", {
      { "allow", "exit_group write lseek brk mmap munmap uname" },
    }, function()
      assert.equal("ENOSYS", try(ns.chdir, "/"))
      assert.equal("done", try(ns.uname))
    end)
  end)

  it("kills with SIGSYS", function()
    local program <const> = core.seccomp.compile("allow", { { "kill",
                                                              "chdir" } })
    local child <close> = ns.clone({}, function()
      ns.setrlimit("core", 0, 0)
      ns.prctl("no_new_privs", true)
      ns.seccomp.install(program)
      ns.chdir "/"
    end)
    assert.same({ nil, "signal", 31 }, { child:wait() })
  end)

  it("lets children and programs not escape", function()
    under("allow", { { "deny", "chdir" } }, function()
      assert.is_nil(os.execute "cd / 2>/dev/null")
    end)
  end)

  it("is added to those that are there", function()
    under("allow", { { "deny", "chdir" } }, function()
      ns.seccomp.install(core.seccomp.compile("allow", { { "deny", "umask" },
                                                     { "allow", "chdir" } }))
      assert.equal("EPERM", try(ns.chdir, "/"))
    end)
  end)

  it("can have very many rules", function()
    local rules <const> = {}
    for i = 1, 300 do
      rules[i] = { "deny", "lseek", { 1, "==", i } }
    end
    under("allow", rules, function()
      local stream <close> = assert(io.tmpfile())
      assert.is_nil(stream:seek("set", 1))
      assert.is_nil(stream:seek("set", 300))
      assert.equal(301, stream:seek("set", 301))
    end)
    for i = 301, 1000 do rules[i] = { "deny", "lseek", { 1, "==", i } } end
    local ok, err = pcall(core.seccomp.compile, "allow", rules)
    assert.is_false(ok)
    assert.equal("seccomp.compile: Argument list too long (E2BIG)",
                 tostring(err):gsub("^.-: ", "", 1))
  end)

  it("needs no_new_privs, or power", function()
    t.userns(function()
      local program <const> = core.seccomp.compile("allow", {})
      ns.capability.drop("all", "effective", "permitted")
      local _, err = pcall(ns.seccomp.install, program)
      assert.equal("EACCES", err.code)
      assert.equal("it needs no_new_privs, or CAP_SYS_ADMIN: "
        .. "prctl(\"no_new_privs\", true) before it", err.hint)
      ns.prctl("no_new_privs", true)
      assert.equal("done", try(ns.seccomp.install, program))
    end)
  end)
end)

-- A program in machine code: makes one call and exits with its errno, or 0.
local function machine_code(call)
  local code <const> = call .. "\xf7\xd8\x89\xc7\xb8\x3c\0\0\0\x0f\x05"
  local base <const>, header <const> = 0x400000, 64 + 56
  return "\x7fELF\2\1\1" .. ("\0"):rep(9) .. string.pack("<I2I2I4I8I8I8",
    2, 62, 1, base + header, 64, 0) .. string.pack("<I4I2I2I2I2I2I2",
    0, 64, 56, 1, 0, 0, 0) .. string.pack("<I4I4I8I8I8I8I8I8", 1, 5, 0, base,
    base, header + #code, header + #code, 4096) .. code
end

local function file(bytes)
  local path <const> = t.tmpdir() .. "/program"
  local out <close> = assert(io.open(path, "w"))
  assert(out:write(bytes))
  assert(out:close())
  assert(os.execute("chmod 755 " .. path))
  return path
end

-- mov eax, number, and one of the two ways into the kernel
local function by_syscall(number)
  return file(machine_code("\xb8" .. string.pack("<I4", number) .. "\x0f\x05"))
end

local function by_interrupt(number)
  return file(machine_code("\xb8" .. string.pack("<I4", number) .. "\xcd\x80"))
end

describe("on a kernel of many architectures a filter", function()
  local yield <const>, yield_i386 <const> = 24, 158
  local denied <const> = { { "ESRCH", "sched_yield" } }

  local function exits(rules, path)
    local code
    local reader, writer = ns.pipe()
    under("allow", rules, function()
      local _, _, status = os.execute(path)
      ns.write(writer, string.char(status))
    end)
    code = ns.read(reader, 1):byte()
    reader:close()
    writer:close()
    return code
  end

  local function machine()
    if ns.uname().machine ~= "x86_64" then pending "needs x86_64" end
  end

  it("is about the call of that name in each", function()
    machine()
    assert.equal(3, exits(denied, by_syscall(yield)))
    assert.equal(0, exits({}, by_syscall(yield)))
    local path <const> = by_interrupt(yield_i386)
    if not os.execute(path) then pending "needs a kernel that runs i386" end
    assert.equal(3, exits(denied, path))
    assert.equal(0, exits({}, path))
  end)

  it("refuses those that it does not know, x32 among them", function()
    machine()
    local enosys <const> = 38
    assert.equal(enosys, exits({}, by_syscall(0x40000000 + yield)))
  end)
end)

describe("a condition", function()
  -- Whether a rule with this condition is about a call with this argument:
  -- the place in a file that is sought, 64 bits without a sign.
  local function holds(condition, value)
    local held
    local reader, writer = ns.pipe()
    local program <const> = core.seccomp.compile("allow", {
      { "EXDEV", "sched_get_priority_max", condition } })
    t.child(function()
      ns.prctl("no_new_privs", true)
      ns.seccomp.install(program)
      local path <const> = "perl -e 'my $r = syscall(146, %d); "
        .. "exit($!{EXDEV} ? 1 : 0)'"
      local _, _, status = os.execute(path:format(value))
      ns.write(writer, tostring(status))
    end)
    held = ns.read(reader, 8) == "1"
    reader:close()
    writer:close()
    return held
  end

  local big <const> = 1 << 32
  local rows <const> = {
    { { 0, "==", 3 }, { [3] = true, [4] = false, [big + 3] = false } },
    { { 0, "~=", 3 }, { [3] = false, [4] = true, [big + 3] = true } },
    { { 0, "<", big + 3 }, { [0] = true, [big + 2] = true, [big + 3] = false,
                             [2 * big] = false } },
    { { 0, "<=", big + 3 }, { [7] = true, [big + 3] = true, [big + 4] = false,
                              [2 * big] = false } },
    { { 0, ">", big + 3 }, { [7] = false, [big + 3] = false, [big + 4] = true,
                             [2 * big] = true } },
    { { 0, ">=", big + 3 }, { [7] = false, [big + 2] = false,
                              [big + 3] = true, [2 * big] = true } },
    { { 0, "&", 3, 0xffffffff }, { [3] = true, [big + 3] = true,
                                   [7] = false } },
    { { 0, "&", big, big | 1 }, { [big] = true, [big + 2] = true, [1] = false,
                                  [big + 1] = false } },
    { { 0, "&", 4, 4 }, { [4] = true, [7] = true, [3] = false } },
  }

  for _, row in ipairs(rows) do
    local condition <const> = row[1]
    it(("with %s %s compares 64 bits"):format(condition[2], condition[3]),
      function()
        t.needs "perl"
        if ns.uname().machine ~= "x86_64" then return pending "x86_64" end
        for value, held in pairs(row[2]) do
          assert.equal(held, holds(condition, value), tostring(value))
        end
      end)
  end

  it("is one of several that must all hold", function()
    local both <const> = { "EXDEV", "fchownat", { 2, "==", 7 },
                           { 3, "==", 8 } }
    under("allow", { both }, function()
      local fd <close> = ns.memfd_create "x"
      assert.equal("EXDEV", try(ns.fchownat, fd, "", 7, 8))
    end)
  end)
end)

describe("rules", function()
  it("name calls, actions and conditions that there are", function()
    assert.equal("(unknown system call 'reed')",
                 complaint("allow", { { "deny", "read reed" } }))
    assert.equal("(unknown action 'no' (expected allow, log, deny, kill, "
      .. "kill_thread, trap))", complaint("no", {}))
    assert.equal("(argument from 0 to 5 expected)",
                 complaint("allow", { { "deny", "read", { 6, "==", 1 } } }))
    assert.equal("(unknown operator '=' (expected ==, ~=, <, <=, >, >=, &))",
                 complaint("allow", { { "deny", "read", { 0, "=", 1 } } }))
    assert.equal("(condition { argument, operator, value [, mask] } expected)",
                 complaint("allow", { { "deny", "read", { 0, "&", 1 } } }))
    assert.equal("(rules { action, calls [, condition...] } expected)",
                 complaint("allow", { { "deny" } }))
  end)

  it("may be about calls that only other machines have", function()
    assert.is_true(core.seccomp.known "socketcall")
    assert.is_false(core.seccomp.known "no_such_call")
    assert.is_string(core.seccomp.compile("allow", {
      { "deny", "no_such_call", optional = true } }))
  end)

  it("are no program of another kind", function()
    local ok, message = pcall(core.seccomp.install, "abc")
    assert.is_false(ok)
    assert.matches("program of seccomp.compile expected", message, 1, true)
  end)
end)

describe("the filter of a container", function()
  -- What a container's shell answers.
  local function code(script, recipe)
    recipe[1], recipe[2], recipe[3] = "/bin/sh", "-c", script
    return select(3, ns.run(recipe))
  end

  local function plan(recipe)
    recipe[1] = "x"
    return tostring(ns.plan(recipe))
  end

  it("is there unless it is switched off", function()
    assert.matches("seccomp.install", plan {}, 1, true)
    assert.matches("seccomp.install", plan { seccomp = true }, 1, true)
    assert.is_nil(plan { seccomp = false }:find("seccomp", 1, true))
  end)

  it("takes rules before its own", function()
    t.needs "userns"
    local script <const> = "mkdir /tmp/a 2>/dev/null && exit 3; exit 4"
    assert.equal(3, code(script, {}))
    assert.equal(4, code(script, { seccomp = { { "deny", "mkdir",
                                                 "mkdirat" } } }))
    assert.equal(0, code("unshare -U true", { seccomp = {
      { "allow", "unshare" } } }))
  end)

  it("takes them instead of its own", function()
    t.needs "userns"
    assert.equal(0, code("unshare -U true", { seccomp = {
      otherwise = "allow" } }))
  end)

  it("refuses argument by argument", function()
    t.needs "userns"
    local kill <const> = "kill -%s $$ 2>/dev/null; exit 3"
    local rules <const> = { { "deny", "kill", "arg1 & 0xffffffff == 1" } }
    assert.equal(3, code(kill:format "HUP", { seccomp = rules }))
    assert.is_equal(1, code(kill:format "HUP", {}))
    assert.is_equal(15, code(kill:format "TERM", { seccomp = rules }))
  end)

  it("works without no_new_privs", function()
    t.needs "userns"
    assert.equal(2, code("exit $(grep Seccomp: /proc/self/status | cut -f2)",
                         { no_new_privs = false }))
  end)

  it("lets be done what a capability is for", function()
    t.needs("userns", "mount")
    local script <const> = "mount -t tmpfs x /mnt 2>/dev/null"
    assert.equal(0, code(script, { capabilities = { "sys_admin" } }))
    assert.not_equal(0, code(script, { capabilities = { "sys_admin" },
      seccomp = { { "deny", "mount" } } }))
  end)

  it("is the init's as well, which says what it needs", function()
    t.needs "userns"
    local rule = { "allow" }
    local recipe <const> = { "/bin/true", seccomp = { rule,
                                                      otherwise = "kill" } }
    rule[2] = "read"
    local ok, err = pcall(ns.run, recipe)
    assert.is_false(ok)
    assert.equal("spawn: the child ended early (signal 31)\nhint: the init "
      .. "lives by the rules of `seccomp`, too, and needs: "
      .. require("farside.seccomp").init, tostring(err))
    if ns.uname().machine ~= "x86_64" then return end
    local needed <const> = require("farside.seccomp").init .. " read openat "
      .. "newfstatat mprotect brk pread64 arch_prctl set_tid_address access "
      .. "set_robust_list rseq prlimit64 getrandom"
    for name in needed:gmatch "%S+" do rule[#rule + 1] = name end
    assert.is_true(ns.run(recipe))
    local in_lua <const> = ns.plan(recipe)
    in_lua.walker = false
    assert.is_true(ns.run(in_lua))
  end)

  it("is made once for all that want the same", function()
    local seccomp <const> = require "farside.seccomp"
    local program <const> = seccomp.program(nil, { "chown" })
    local compile <const> = core.seccomp.compile
    core.seccomp.compile = nil
    finally(function() core.seccomp.compile = compile end)
    assert.equal(program, seccomp.program(nil, { "chown" }))
  end)

  it("is asked for in words", function()
    local container <const> = require "farside.container_options"
    local options <const> = require "farside.options"
    local recipe <const> = container.fill("run", options.parse("run",
      container.specs, { "--seccomp", "deny:chmod,fchmod,arg1 == 3",
                         "--seccomp=otherwise:log" }), {})
    assert.same({ seccomp = { { "deny", "chmod", "fchmod", "arg1 == 3" },
                              otherwise = "log" } }, recipe)
    assert.is_false(container.fill("run", options.parse("run",
      container.specs, { "--no-seccomp" }), {}).seccomp)
  end)
end)

describe("the driver", function()
  it("has the filter of most containers, and it is the same", function()
    if t.build:find "sanitize" then
      return pending "a core with sanitizers is not loaded for this"
    end
    local script <const> = [[
      local usual = require("farside.plan.payload").capabilities
      local key = require("farside.filter").key(usual)
      local ready = require("farside.filters")[key]
      print(ready == require("farside.seccomp").program(nil, usual))]]
    local pipe <close> = io.popen(("%s/farside -e '%s'"):format(t.build,
                                                               script))
    assert.equal("true\n", pipe:read "a")
  end)
end)

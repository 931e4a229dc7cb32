-- Landlock: what a process has given up it cannot have back, so each test is a
-- child's.

local t = require "spec.helper"
local ns = require "farside"
local core = require "farside.core"
local landlock = require "farside.landlock"

-- "done", or the errno of a call.
local function try(fn, ...)
  local ok, err = pcall(fn, ...)
  return ok and "done" or err.code
end

local function read(path) ns.openat2(nil, path, "rdonly"):close() end

local function write(path)
  ns.openat2(nil, path, "wronly,create", { mode = "0644" }):close()
end

local function version() return core.landlock_abi() end

-- Runs a function in a child that lives by these rules.
local function under(rules, fn)
  t.needs "landlock"
  t.child(function()
    ns.prctl("no_new_privs", true)
    rules.optional = true
    ns.confine(rules)
    fn()
  end)
end

describe("a process that has given up files", function()
  it("reads and executes some, and uses others as it likes", function()
    local directory <const> = t.tmpdir()
    local closed <const> = t.tmpdir()
    write(closed .. "/there")
    under({ ro = { "/usr", "/bin", "/lib", "/lib64", "/etc/passwd" },
            rw = { directory } }, function()
      assert.equal("done", try(read, "/etc/passwd"))
      assert.equal("EACCES", try(write, "/etc/passwd"))
      assert.equal("EACCES", try(read, closed .. "/there"))
      assert.equal("EACCES", try(write, closed .. "/new"))
      assert.equal("done", try(write, directory .. "/new"))
      assert.equal("done", try(ns.mkdirat, nil, directory .. "/below"))
      assert.is_true(os.execute("cp /etc/passwd " .. directory))
      assert.is_nil(os.execute(("cp /etc/passwd %s 2>/dev/null"):format(
        closed)))
    end)
    assert.equal("done", try(read, closed .. "/there"))
  end)

  it("mounts nothing any more", function()
    t.needs "landlock"
    t.userns(function()
      ns.confine { rw = { "/" }, optional = true }
      assert.equal("EPERM", try(ns.mount, "tmpfs", "/mnt", "tmpfs"))
    end)
  end)

  it("is told of a path that is not there", function()
    t.needs "landlock"
    t.child(function()
      ns.prctl("no_new_privs", true)
      assert.equal("ENOENT", try(ns.confine, { ro = { "/no/such" },
                                               optional = true }))
    end)
  end)
end)

describe("a process that has given up ports", function()
  it("listens and connects at those that are named", function()
    t.needs "landlock"
    if version() < 4 then return pending "needs Landlock 4" end
    t.needs "perl"
    t.userns(function()
      ns.link.set("lo", { up = true })
      ns.confine { bind = { 8001 }, connect = { 8002 } }
      local program <const> = [[use IO::Socket::INET;
        for (8001, 8002) {
          my $s = IO::Socket::INET->new(Listen => 1, LocalPort => $_);
          print $s ? "done" : $!{EACCES} ? "EACCES" : $!, " ";
        }
        for (8003, 8002) {
          my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$_");
          print $!{EACCES} ? "EACCES" : $!{ECONNREFUSED} ? "refused" : $!, " ";
        }]]
      local pipe <close> = assert(io.popen("perl -e '" .. program .. "'"))
      assert.equal("done EACCES EACCES refused ", pipe:read "a")
    end, { "net" })
  end)
end)

describe("a process that keeps to its like", function()
  it("sends no signals to others", function()
    t.needs "landlock"
    if version() < 6 then return pending "needs Landlock 6" end
    local other <close> = ns.clone({}, ns.pause)
    under({ scoped = { "signal" } }, function()
      assert.equal("EPERM", try(ns.kill, other, "TERM"))
      local own <close> = ns.clone({}, ns.pause)
      assert.equal("done", try(ns.kill, own, "KILL"))
      own:wait()
    end)
  end)
end)

describe("what the kernel's Landlock does not know", function()
  -- Runs in a child, as on a kernel with this version of it.
  local function pretend(abi, fn)
    t.child(function()
      core.landlock_abi = type(abi) == "function" and abi
        or function() return abi end
      fn()
    end)
  end

  local function none() core.raise(core.errno.EOPNOTSUPP, "landlock_abi") end

  it("is an error that names it", function()
    pretend(2, function()
      local ok, err = pcall(ns.confine, { ro = { "/" }, connect = { 1 },
                                          scoped = { "signal" } })
      assert.is_false(ok)
      assert.matches(": confine by connect_tcp, ioctl_dev, signal, truncate, "
        .. "which Landlock 2 does not know: Operation not supported "
        .. "(EOPNOTSUPP)\nhint: `optional = true` does without what the kernel "
        .. "does not know", tostring(err), 1, true)
    end)
  end)

  it("is all of it where there is none", function()
    pretend(none, function()
      local ok, err = pcall(ns.confine, { ro = { "/" } })
      assert.is_false(ok)
      assert.matches(": confine: Operation not supported (EOPNOTSUPP)\nhint: "
        .. "this kernel has no Landlock, or it is not among the lsm= that it "
        .. "was started with; `optional = true` does without", tostring(err),
        1, true)
    end)
  end)

  it("is done without when that is allowed", function()
    pretend(none, function()
      ns.confine { ro = { "/usr" }, optional = true }
      assert.equal("done", try(read, "/etc/passwd"))
    end)
  end)
end)

describe("a ruleset", function()
  it("says what is wrong with it", function()
    local function complaint(fn, ...)
      local ok, message = pcall(fn, ...)
      assert.is_false(ok)
      return tostring(message)
    end
    assert.matches("unknown right 'reed' (expected execute, write_file,",
      complaint(core.landlock.create_ruleset, { files = "reed" }), 1, true)
    assert.matches("unknown field 'file'",
      complaint(core.landlock.create_ruleset, { file = "read_file" }), 1, true)
    assert.matches("unknown scope 'all' (expected abstract_unix_socket, signal",
      complaint(core.landlock.create_ruleset, { scoped = "all" }), 1, true)
    t.needs "landlock"
    local ruleset <close> = core.landlock.create_ruleset {
      files = "read_file,read_dir" }
    local root <close> = ns.openat2(nil, "/", "path")
    assert.equal("EINVAL", try(core.landlock.allow_files, ruleset, "execute",
                               root))
    assert.matches("port expected", complaint(core.landlock.allow_port, ruleset,
                                              "bind_tcp", 70000), 1, true)
  end)
end)

describe("a container", function()
  local function code(script, recipe)
    recipe[1], recipe[2], recipe[3] = "/bin/sh", "-c", script
    return select(3, ns.run(recipe))
  end

  local usual <const> = { "/usr", "/bin", "/lib", "/lib64", "/dev", "/proc" }

  it("uses the files that are allowed and no others", function()
    t.needs("userns", "landlock")
    local script <const> = "cat /etc/passwd >/dev/null 2>&1 && exit 3; "
      .. "echo x >/tmp/x && exit 4; exit 5"
    assert.equal(3, code(script, {}))
    assert.equal(4, code(script, { landlock = {
      ro = usual, rw = { "/tmp", "/dev" }, optional = true } }))
  end)

  it("gives what is added to it no more", function()
    t.needs("userns", "landlock")
    local container <close> = ns.spawn { "sleep", "100", landlock = {
      ro = usual, rw = { "/dev" }, optional = true } }
    assert.same({ nil, "exit", 1 }, { container:exec {
      "sh", "-c", "cat /etc/passwd 2>/dev/null" } })
  end)

  it("is asked for in words", function()
    local container <const> = require "farside.container_options"
    local options <const> = require "farside.options"
    local recipe <const> = container.fill("run", options.parse("run",
      container.specs, { "--landlock", "ro:/usr,/etc", "--landlock=bind:80",
                         "--landlock=optional" }), {})
    assert.same({ landlock = { ro = { "/usr", "/etc" }, bind = { 80 },
                               optional = true } }, recipe)
    assert.same(recipe.landlock, landlock.check(recipe.landlock, "", error))
  end)
end)

-- Each hint is provoked, or, where this kernel or this user cannot, its check
-- reads a made-up system.

local t <const> = require "spec.helper"
local hint <const> = require "farside.hint"
local hints <const> = require "spec.hints"
local ns <const> = require "farside"

local hint_of <const>, inside <const>, says <const> =
  hints.hint_of, hints.inside, hints.says

describe("for a user namespace", function()
  local refused <const> = { call = "unshare", code = "EPERM",
                            namespaces = { "user" } }
  local mapped <const> = "0 0 4294967295\n"

  it("AppArmor's profile is told by its label", function()
    says("AppArmor's profile unprivileged_userns takes all capabilities in "
      .. "this user namespace: give the program a profile with \"userns,\", or "
      .. "set kernel.apparmor_restrict_unprivileged_userns to 0",
      { call = "sethostname", code = "EPERM" }, {
        ["/proc/sys/kernel/apparmor_restrict_unprivileged_userns"] = "1\n",
        ["/proc/self/attr/current"] = "unprivileged_userns (enforce)\n",
      })
  end)

  it("AppArmor's restriction is told before it has taken hold", function()
    says("AppArmor restricts user namespaces of ordinary users here: give the "
      .. "program a profile with \"userns,\", or set "
      .. "kernel.apparmor_restrict_unprivileged_userns to 0",
      { call = "clone", code = "EPERM", namespaces = { "user", "net" } },
      { ["/proc/sys/kernel/apparmor_restrict_unprivileged_userns"] = "1\n" })
  end)

  it("Debian's switch is told", function()
    says("kernel.unprivileged_userns_clone is 0, which keeps user namespaces "
      .. "to root: set it to 1", refused,
      { ["/proc/sys/kernel/unprivileged_userns_clone"] = "0\n" })
  end)

  it("a chroot is told", function()
    inside(function()
      ns.chroot "/mnt/a"
      assert.equal("in a chroot no user namespace can be made: use pivot_root "
        .. "instead of chroot", hint_of(ns.unshare, "user"))
    end)
  end)

  it("an id without a map is told", function()
    inside(function()
      ns.unshare "user"
      assert.equal(("uid %d is not mapped in this user namespace: write its "
        .. "uid_map first"):format(ns.geteuid()), hint_of(ns.unshare, "user"))
    end)
  end)

  it("a seccomp filter is told as what may be", function()
    says("a seccomp filter is active, which may refuse it, as those of "
      .. "container engines do: allow unshare, clone and setns there", refused,
      { ["/proc/self/status"] = "Name:\tlua\nSeccomp:\t2\n",
        ["/proc/self/uid_map"] = mapped, ["/proc/self/gid_map"] = mapped })
  end)

  it("a filter that hides a call is told", function()
    says("a seccomp filter is active and hides clone3, as those of container "
      .. "engines do: allow clone3 there",
      { call = "clone", code = "ENOSYS", namespaces = { "user" } },
      { ["/proc/self/status"] = "Name:\tlua\nSeccomp:\t2\n" })
  end)

  it("SELinux is told as what may be", function()
    says("SELinux is enforcing and may deny user_namespace create: see "
      .. "ausearch -m avc",
      { call = "unshare", code = "EACCES", namespaces = { "user" } },
      { ["/sys/fs/selinux/enforce"] = "1" })
  end)

  it("nothing is told when nothing is found", function()
    says(nil, refused, { ["/proc/self/uid_map"] = mapped,
                         ["/proc/self/gid_map"] = mapped })
  end)

  it("a limit of 0 is told", function()
    inside(function()
      local file <close> = assert(io.open(
        "/proc/sys/user/max_uts_namespaces", "w"))
      assert(file:write "0")
      assert(file:close())
      assert.equal("user.max_uts_namespaces is 0: raise it",
        hint_of(ns.unshare, "uts"))
    end)
  end)

  it("the depth is told among the limits", function()
    inside(function()
      local ok, err
      repeat
        ok, err = pcall(ns.unshare, "user")
        if ok then
          ns.write_uid_map(nil, "0:0:1")
          ns.write_gid_map(nil, "0:0:1")
        end
      until not ok
      assert.equal("a limit user.max_*_namespaces is used up, here or in an "
        .. "outer user namespace, or they are nested deeper than 32", err.hint)
    end)
  end)

  it("a second thread is told", function()
    says("a process with 2 threads cannot: do it in a child, as clone and "
      .. "inside do",
      { call = "unshare", code = "EINVAL", namespaces = { "user" } },
      { ["/proc/self/status"] = "Threads:\t2\n" })
  end)

  it("that the process is in, this is told", function()
    inside(function()
      local advice <const> = "the process is in this user namespace already, "
        .. "and cannot join it again: leave \"user\" out"
      assert.equal(advice, hint_of(ns.setns, "/proc/self/ns/user", "user"))
      assert.equal(advice, hint_of(ns.setns, ns.getpid(), "user", "net"))
    end)
  end)
end)

describe("for the other namespaces", function()
  it("the missing privilege is told", function()
    inside(function()
      ns.capability.keep ""
      assert.equal("uts,net needs CAP_SYS_ADMIN: add \"user\"",
        hint_of(ns.unshare, "uts", "net"))
      assert.equal("joining needs CAP_SYS_ADMIN in the user namespace that "
        .. "owns the namespace: join that first, with \"user\"",
        hint_of(ns.setns, "/proc/self/ns/net", "net"))
    end)
  end)

  it("one of another kind is told by both", function()
    inside(function()
      assert.equal("it is a namespace of kind net, not uts",
        hint_of(ns.setns, "/proc/self/ns/net", "uts"))
    end)
  end)

  it("a process that has ended is told", function()
    inside(function()
      local child <close> = ns.clone({}, function() end)
      child:wait()
      assert.equal("the process has ended: open its namespaces while it lives",
        hint_of(ns.setns, child, "net"))
    end)
  end)

  it("a pid namespace that waits for its first child is told", function()
    inside(function()
      ns.unshare "pid"
      assert.equal("a pid namespace is waiting for the first child already: "
        .. "fork before the next unshare", hint_of(ns.unshare, "pid"))
    end)
  end)

  it("a pid namespace whose first process has ended is told", function()
    inside(function()
      ns.unshare "pid"
      ns.clone({}, function() end):wait()
      assert.equal("the first process of the pid namespace for children has "
        .. "ended, and nothing can be added: start again from a new child",
        hint_of(ns.clone, {}, function() end))
    end)
  end)

  it("capabilities that went at an exec are told", function()
    says("as uid 1000, which is not 0 in this user namespace, capabilities end "
      .. "at an exec: map uid 0 before it",
      { call = "mount", code = "EPERM" },
      { ["/proc/self/uid_map"] = "1000 1000 1\n",
        ["/proc/self/status"] = "CapEff:\t0000000000000000\n" })
  end)

  it("a host name that is not ours to set is told", function()
    inside(function()
      assert.equal("the uts namespace belongs to an outer user namespace: add "
        .. "\"uts\"", hint_of(ns.sethostname, "moon"))
      ns.unshare "uts"
      ns.capability.keep ""
      assert.equal("it needs CAP_SYS_ADMIN: unshare \"user\" and \"uts\" first",
        hint_of(ns.sethostname, "moon"))
    end)
  end)

  it("links that are not ours to change are told", function()
    inside(function()
      assert.equal("the net namespace belongs to an outer user namespace: add "
        .. "\"net\"", hint_of(ns.link.set, "lo", { up = true }))
      ns.unshare "net"
      ns.capability.keep ""
      assert.equal("the network needs CAP_NET_ADMIN: unshare \"user\" and "
        .. "\"net\" first", hint_of(ns.link.set, "lo", { up = true }))
    end)
  end)
end)

describe("for ids", function()
  -- A child that has just made its user namespace, and waits.
  local function with_child(fn)
    inside(function()
      local child <close> = ns.clone({ "user" }, function() ns.poll {} end)
      fn(child)
    end)
  end

  it("a map that is there is told", function()
    with_child(function(child)
      ns.write_uid_map(child, "0:0:1")
      assert.equal("a map is written once: make a new user namespace",
        hint_of(ns.write_uid_map, child, "0:0:1"))
    end)
  end)

  it("setgroups that is not denied is told", function()
    says("without CAP_SETGID setgroups must be denied before: "
      .. "set_setgroups(target, \"deny\")",
      { call = "write_gid_map", code = "EPERM", target = 7,
        map = { { 0, 1000, 1 } } }, { ["/proc/7/setgroups"] = "allow\n" })
  end)

  it("setgroups that cannot change is told", function()
    with_child(function(child)
      ns.set_setgroups(child, "deny")
      assert.equal("what was denied stays denied in this user namespace and "
        .. "those inside it", hint_of(ns.set_setgroups, child, "allow"))
    end)
    says("the group map is written already: deny setgroups before it",
      { call = "set_setgroups", code = "EPERM", target = 7 },
      { ["/proc/7/gid_map"] = "0 1000 1\n" })
  end)

  it("a process that is not dumpable is told", function()
    says("process 7 is not dumpable, since it changed its ids or ran a set-id "
      .. "program: write the map before that, or as root",
      { call = "write_uid_map", code = "EACCES", target = 7 },
      { ["/proc/7/status"] = "Uid:\t1000\t1000\t1000\t1000\n" })
  end)

  local range <const> = { call = "write_uid_map", code = "EPERM", target = 7,
                          map = { { 0, 100000, 65536 } } }

  it("a helper that gains no privilege is told", function()
    says("no_new_privs is set, so newuidmap gains no privilege: write the map "
      .. "before that", range, { ["/proc/self/status"] = "NoNewPrivs:\t1\n" })
    says("/usr/bin/newuidmap is neither set-uid nor has file capabilities: "
      .. "install it again", range, {}, {
        setuid = function() return false end })
  end)

  it("a writer on the inside is told", function()
    says("from inside only one's own id can be mapped: have a process outside "
      .. "write the map", range, { ["/proc/self/uid_map"] = "" })
  end)
end)

describe("for clocks", function()
  -- In a time namespace that has no process yet.
  local function offset(text)
    local advice
    inside(function()
      ns.unshare "time"
      local path <const> = "/proc/self/timens_offsets"
      local file <close> = ns.openat2(nil, path, "wronly")
      local ok, err = pcall(ns.write, file, text)
      assert.is_false(ok)
      err.path = path
      advice = require("farside.error").explain(err).hint
      assert.is_string(advice)
      error(advice, 0)
    end)
  end

  local function tells(advice, text)
    local _, err = pcall(offset, text)
    assert.matches(advice, err, 1, true)
  end

  it("an offset below zero is told", function()
    t.needs "namespace time"
    tells("an offset may not take a clock below zero or beyond 146 years",
      "boottime -5000000000 0\n")
  end)

  it("a clock that has none is told", function()
    t.needs "namespace time"
    tells("the clocks with offsets are monotonic and boottime: a line is "
      .. "CLOCK SECONDS NANOSECONDS", "realtime 5 0\n")
  end)

  it("an offset that comes too late is told", function()
    says("offsets must be set before the time namespace has its first process, "
      .. "and not at all in one that clone made: unshare \"time\", write, then "
      .. "fork", { call = "write", code = "EACCES",
        path = "/proc/self/timens_offsets" }, {})
  end)
end)

describe("for programs and sockets", function()
  it("a script's missing interpreter is told", function()
    inside(function()
      local file <close> = assert(io.open("/mnt/script", "w"))
      assert(file:write "#!/moon/lua\n")
      assert(file:close())
      ns.fchmodat(nil, "/mnt/script", "0755")
      assert.equal("the script is there, its interpreter /moon/lua is not",
        hint_of(ns.execve, "/mnt/script", { "script" }, {}))
    end)
  end)

  it("a program's missing loader is told", function()
    says("the program is there; the loader or interpreter that it names is "
      .. "not: it needs its libraries in this root",
      { call = "execve", code = "ENOENT", path = "/bin/moon" },
      { ["/bin/moon"] = "\127ELF\2" })
  end)

  it("a mount without programs is told", function()
    inside(function()
      ns.mount("tmpfs", "/mnt/a", "tmpfs", "noexec")
      ns.mknodat(nil, "/mnt/a/program", "file", "0755")
      assert.equal("the mount /mnt/a is noexec",
        hint_of(ns.execve, "/mnt/a/program", { "program" }, {}))
    end)
  end)

  it("of two mounts at one place the upper counts", function()
    inside(function()
      ns.mount("tmpfs", "/mnt", "tmpfs", "noexec")
      ns.mknodat(nil, "/mnt/program", "file", "0755")
      assert.equal("the mount /mnt is noexec",
        hint_of(ns.execve, "/mnt/program", { "program" }, {}))
      ns.mount("tmpfs", "/mnt", "tmpfs")
      ns.mknodat(nil, "/mnt/program", "file", "0644")
      assert.not_equal("the mount /mnt is noexec",
        hint_of(ns.execve, "/mnt/program", { "program" }, {}))
    end)
  end)

  it("a low port in an outer namespace is told", function()
    says("ports below 1024 need CAP_NET_BIND_SERVICE, and the net namespace "
      .. "belongs to an outer user namespace: add \"net\"",
      { call = "bind", code = "EACCES", port = 81 },
      { ["/proc/sys/net/ipv4/ip_unprivileged_port_start"] = "1024\n" },
      { foreign = function() return true end })
  end)

  it("too many keyrings are told", function()
    says("kernel.keys.maxkeys allows 200 for each user, and each container "
      .. "of one's own session has one",
      { call = "keyctl", code = "EDQUOT" },
      { ["/proc/sys/kernel/keys/maxkeys"] = "200\n" })
  end)

  it("lo that is down is told to who connects", function()
    inside(function()
      assert.equal("lo is down, as in every new net namespace: "
        .. "link.set(\"lo\", { up = true })",
        hint_of(ns.raise, ns.errno.ENETUNREACH or 101, "connect"))
    end, { "net" })
  end)
end)

describe("what an ordinary user meets", function()
  it("a new namespace wants an owner", function()
    says("it needs CAP_SYS_ADMIN: have a user namespace own it, as in "
      .. "ns.new(\"net\", { user = ns.new \"user\" })",
      { call = "new", code = "EPERM", detail = "net" })
  end)

  it("ranges of ids are granted in a file", function()
    says("map your own id alone, or have root add NAME:FIRST:COUNT to "
      .. "/etc/subuid",
      { call = "write_uid_map", code = "EPERM", target = 1,
        map = { { 0, 100000, 65536 } },
        detail = "0:100000:65536 of process 1 (newuidmap: no; /etc/subuid "
          .. "grants alice nothing)" })
  end)
end)

describe("a strange system", function()
  it("never makes a hint fail", function()
    local strange <const> = setmetatable({}, {
      __index = function() error "nothing can be read" end })
    for _, call in ipairs { "mount", "unshare", "setns", "umount", "execve" } do
      for _, code in ipairs { "EPERM", "EINVAL", "EACCES", "ENOENT" } do
        local err <const> = { call = call, code = code }
        assert.is_true((pcall(hint.find, err, strange)))
      end
    end
  end)
end)

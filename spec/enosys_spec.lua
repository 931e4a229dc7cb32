-- System calls that an older kernel or a filter does not have: either there is
-- another way, or the error says which call it was, and who has it.

local t <const> = require "spec.helper"
local hints <const> = require "spec.hints"
local core <const> = require "farside.core"
local ns <const> = require "farside"

local program <const> = [[
  local ok, err = pcall(function()
    local container <close> = ns.spawn { "/bin/sleep", "1000" }
    assert(container:exec "true")
    container:stop(0)
  end)
  io.write(ok and "ok" or tostring(err):gsub("^%S+ line%S* ", ""))
]]

-- What the driver says where a call is not there.
local function without(call)
  local reader <close>, writer <const> = ns.pipe()
  local child <close> = ns.clone({}, function()
    ns.prctl("no_new_privs", true)
    core.seccomp.install(core.seccomp.compile("allow", {
      { "ENOSYS", call },
    }))
    ns.dup(writer, 1)
    core.execve(t.build .. "/farside", { "farside", "-e", program })
  end)
  writer:close()
  local said = ""
  for part in function() return ns.read(reader) end do said = said .. part end
  assert.is_true(child:wait(60))
  t.reap() -- what could not be ended
  return said
end

local function test(name, body)
  it(name, function()
    t.needs "userns"
    body()
  end)
end

local hidden <const> = "\nhint: a seccomp filter is active and hides %s, "
  .. "which Linux has since %s: allow it there"

describe("without the system call", function()
  test("memfd_create there is another way, but to a sealed copy", function()
    local exposed <const> = ns.geteuid() ~= 0 -- who is in there, too
      and core.faccessat(nil, t.build .. "/farside", "write")
    assert.equal(exposed and "memfd_create farside: Function not implemented "
      .. "(ENOSYS)" or "ok", without "memfd_create")
  end)

  for _, call in ipairs {
    "statx", "faccessat2", "execveat", "fchmodat2",
    "pidfd_getfd", "epoll_pwait2", "keyctl", "landlock_create_ruleset",
  } do
    test(call .. " there is another way", function()
      assert.equal("ok", without(call))
    end)
  end

  local told <const> = {
    { "mount_setattr", "5.12" }, { "open_tree", "5.2" },
    { "move_mount", "5.2" }, { "fsopen", "5.2" }, { "fsconfig", "5.2" },
    { "fsmount", "5.2" }, { "openat2", "5.6" }, { "pidfd_open", "5.3" },
    { "close_range", "5.9" }, { "pidfd_send_signal", "5.1" },
  }
  for _, row in ipairs(told) do
    test(row[1] .. " the error says so", function()
      local said <const> = without(row[1])
      assert.matches("Function not implemented %(ENOSYS%)", said)
      local hint <const> = hidden:format(row[1], row[2])
      assert.is_truthy(said:find(hint, 1, true), said)
    end)
  end

  test("clone3 the error says who hides it", function()
    assert.equal("clone mnt,uts,ipc,net,pid,user,cgroup: Function not "
      .. "implemented (ENOSYS)\nstep: a child in namespaces of its own\n"
      .. "hint: a seccomp filter is active and hides clone3, as those of "
      .. "container engines do: allow clone3 there",
      (without "clone3":gsub("^%(command line%):%d+: ", "")))
  end)
end)

describe("a system call that the kernel is too old for", function()
  local function old(call, expected)
    it("is named with the kernel that has it: " .. call, function()
      hints.says(expected, { call = call, code = "ENOSYS" }, {
        ["/proc/sys/kernel/osrelease"] = "5.0.21-generic\n",
        ["/proc/self/status"] = "Seccomp:\t0\n",
      })
    end)
  end
  old("clone", "clone3 came with Linux 5.3, and this is 5.0.21-generic")
  old("close_range",
      "close_range came with Linux 5.9, and this is 5.0.21-generic")
  old("signal",
      "pidfd_send_signal came with Linux 5.1, and this is 5.0.21-generic")
end)

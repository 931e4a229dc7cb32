--- Steps: names, the recipe's own code, the new root taking over,
-- what power is left, and the program.

local filters <const> = require "farside.filter"
local ref <const> = require("farside.plan.steps").ref
local resources <const> = require "farside.plan.resources"

local M = {}

function M.names(plan, recipe)
  if recipe.hostname then
    plan:add("child", "its name", "sethostname", recipe.hostname)
  end
  if recipe.domainname then
    plan:add("child", "its domain", "setdomainname", recipe.domainname)
  end
end

function M.setup(plan, recipe)
  if recipe.setup then
    plan:add("child", "the recipe's own code", "setup", recipe.setup,
        ref "root")
  end
end

function M.enter(plan, recipe)
  if recipe.readonly then
    plan:add("child", "nobody writes here any more", "mount_setattr",
        ref "root", "", { set = "ro" })
  end
  plan:add("child", "stand in the new root", "chdir", ref "root")
  plan:add("child", "it takes over, the old one lies on top", "pivot_root",
      ".", ".")
  plan:add("child", "take the old one away", "umount", ".", "detach")
  plan:add("child", "the top of the new root", "chdir", "/")
end

-- What Docker leaves to root in a container, less what needs a device.
M.capabilities = {
  "audit_write", "chown", "dac_override", "fowner", "fsetid", "kill",
  "net_bind_service", "net_raw", "setfcap", "setgid", "setpcap", "setuid",
  "sys_chroot",
}

local function confine(plan, recipe)
  if recipe.landlock then
    plan:add("child", "it does with files and ports what is allowed here",
             "confine", recipe.landlock)
  end
end

local function filter(plan, recipe, words)
  local program <const> = filters.program(recipe.seccomp, words)
  if program then
    plan:add("child", "system calls that no program in here needs are refused",
             "seccomp.install", program)
  end
end

local function give_up(plan, recipe, words)
  confine(plan, recipe)
  filter(plan, recipe, words)
end

-- Filters are installed, and files given up, by whoever gives up new
-- privileges, or still has the power to.
function M.privileges(plan, recipe, facts)
  resources.of_each(plan, recipe, facts)
  local words = recipe.capabilities or M.capabilities
  if not recipe.no_new_privs then give_up(plan, recipe, words) end
  if words ~= "all" then
    plan:add("child", "of root's powers inside, these are left",
        "capability.keep", words)
  end
  if recipe.no_new_privs then
    plan:add("child", "and no program gives more", "prctl", "no_new_privs",
        true)
    give_up(plan, recipe, words)
  end
end

local path <const> =
  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

-- A short list, what the recipe sets, and what it passes on.
local function environment(recipe)
  local env = { PATH = path, HOME = "/root", container = "farside",
                TERM = true, LANG = true }
  if recipe.user then env.HOME = ref("who", "home") end
  for name, value in pairs(recipe.env or {}) do env[name] = value end
  return env
end

function M.payload(plan, recipe)
  local command = table.move(recipe.command, 1, #recipe.command, 1, {
    env = environment(recipe), cwd = recipe.cwd or "/", keep = recipe.keep,
    session = recipe.session, stdin = recipe.stdin, stdout = recipe.stdout,
    stderr = recipe.stderr, terminal = recipe.tty and "/dev/pts/0" or nil,
  })
  if recipe.tty then
    plan:add("child", "its terminal, whose other end goes to the parent",
             "tty.open", "/dev/pts/ptmx", 0).as = "terminal"
  end
  if recipe.init then
    if recipe.session then
      plan:add("child", "keys at the caller's terminal are not for PID 1",
               "setsid")
    end
    resources.time(plan, recipe)
    plan:add("child", "the program; PID 1 stays to reap and to pass signals on",
             "posix_spawn", command).as = "payload"
  else
    plan:add("child", "the program takes over", "exec", command)
  end
end

return M

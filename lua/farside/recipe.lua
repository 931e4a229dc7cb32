--- What may be asked of a container: the keys of a recipe, how each is
-- checked, and how each is spelled on the command line.

local core <const> = require "farside.core"
local fields <const> = require "farside.fields"
local identity <const> = require "farside.recipe.identity"
local root <const> = require "farside.recipe.root"

local M = {}

local list <const> = fields.list
local text <const>, path <const> = fields.string, fields.path

local kinds <const> = fields.word("mnt", "mount", "uts", "ipc", "net",
                                  "network", "pid", "user", "cgroup", "time")
local aliases <const> = { mount = "mnt", network = "net" }

-- One word, "net,uts", or a list of them; answers the set.
local function share(value, where, fail)
  if type(value) == "string" then
    local words = {}
    for word in value:gmatch "[^,]+" do words[#words + 1] = word end
    value = words
  end
  local set = {}
  for _, word in ipairs(list(kinds)(value, where, fail)) do
    set[aliases[word] or word] = true
  end
  return set
end

-- A variable's value; true passes the caller's own on, false takes it away.
local function variable(value, at, fail, name)
  if not name:find "^[^=%z]+$" then
    fail(at:sub(1, -#name - 2), "name of a variable expected, got '%s'", name)
  end
  if type(value) == "boolean" then return value end
  if fields.text(value, at, fail):find("\0", 1, true) then
    fail(at, "string without zero bytes expected")
  end
  return value
end

local function capability(value, where, fail)
  text(value, where, fail)
  local capabilities <const> = core.capability
  fields.known("capability", value, capabilities.has, capabilities.names,
               where, fail)
  return value
end

-- A list of words or one of "all" and "none".
local function capabilities(value, where, fail)
  if value == "all" then return value end
  if value == "none" then return {} end
  if type(value) == "string" then
    fail(where, "\"all\", \"none\" or a list expected, got '%s'", value)
  end
  return list(capability)(value, where, fail)
end

local function container_name(value, where, fail)
  return require("farside.registry").name(value, where, fail)
end

local log_size <const> =
  fields.bytes("size of at least 4K, such as \"16M\",", 4096)

-- What is checked by a module of its own is loaded when it is asked for.
local function checked_by(module)
  return function(...) return require(module).check(...) end
end

local function offset(...)
  return require("farside.clock").offset(...)
end

local seccomp <const> = checked_by "farside.seccomp"
local landlock <const> = checked_by "farside.landlock"
local mounts <const> = checked_by "farside.recipe.mounts"
local network <const> = checked_by "farside.network.keys"
local resources <const> = setmetatable({}, { __index = function(_, key)
  return function(...)
    return require("farside.recipe.resources")[key](...)
  end
end })

-- The keys, in the order of the help text. `option` is what stands after the
-- option's name on the command line; a key that is on unless it is switched
-- off has `off`, the option that does so; one that is no option has `about` in
-- the place of `help`.
M.keys = {
  { name = "root", check = root.check, option = "DIR",
    help = "a directory for the container's files; the host's own files, "
        .. "behind a throw-away layer, when it is not given" },
  { name = "idmap", check = fields.boolean, off = "no_idmap",
    help = "with root's files: show them as they are owned, so that the "
        .. "container's root reads only what others may" },
  { name = "readonly", check = fields.boolean,
    help = "nothing can be written but on mounts of the container's own" },
  { name = "hostname", check = text, option = "NAME",
    help = "its host name" },
  { name = "domainname", check = text, option = "NAME",
    help = "its NIS domain name" },
  { name = "cwd", check = path, option = "DIR",
    help = "the directory it starts in; / when not given" },
  { name = "env", check = fields.map(variable), option = "NAME[=VALUE]",
    help = "a variable; without a value, the caller's is passed on" },
  { name = "mounts", check = mounts,
    about = "what is put into the root, a list in order: { bind = DIR, at = "
        .. "PLACE }, { tmpfs = PLACE }, and more" },
  { name = "share", check = share, option = "KIND",
    help = "do not unshare this kind of namespace: uts, ipc, net, pid, user, "
        .. "cgroup, time" },
  { name = "network", check = network, option = "WORDS",
    help = "none: a network of its own with nothing but lo, as when it is not "
        .. "given; host: the caller's; user: one behind the caller's, without "
        .. "privilege; netns:NAME; container:NAME; or an interface such as "
        .. "bridge=br0,address=10.7.0.2/24,gateway=10.7.0.1, also macvlan=LINK "
        .. "or move=LINK" },
  { name = "uid_map", check = identity.map, option = "IN:OUT:COUNT",
    help = "its user ids, as in 0:100000:65536; auto: a range of its own, or "
        .. "with an ordinary user all that he may map" },
  { name = "gid_map", check = identity.map, option = "IN:OUT:COUNT",
    help = "its group ids; as the user ids when not given" },
  { name = "user", check = identity.user, option = "USER[:GROUP]",
    help = "who the command runs as, by name or number; root when not given" },
  { name = "group", check = identity.id, option = "GROUP",
    help = "the user's group, when it is another than /etc/passwd says" },
  { name = "groups", check = identity.groups, option = "GROUP,…",
    help = "its other groups, in place of those of /etc/group" },
  { name = "userns", check = fields.boolean, default = true, off = "no_userns",
    help = "no further user namespaces can be made inside" },
  { name = "monotonic", check = offset, option = "OFFSET",
    help = "set its monotonic clock so far from the caller's: 5m" },
  { name = "boottime", check = offset, option = "OFFSET",
    help = "set its boottime clock so far from the caller's: 30d" },
  { name = "capabilities", check = capabilities, option = "WORDS",
    help = "what its root may do: words of capabilities(7), all or none" },
  { name = "seccomp", check = seccomp, option = "ACTION:CALL[,…]",
    help = "allow, deny (EPERM), log, kill or an errno such as ENOSYS for "
        .. "system calls, before the usual filter; otherwise:ACTION instead of "
        .. "it" },
  { name = "landlock", check = landlock, option = "KIND:PATH[,…]",
    help = "ro:PATH, rw:PATH: only these files are read, or used; bind:PORT, "
        .. "connect:PORT; scoped:signal, scoped:abstract_unix_socket; optional "
        .. "where the kernel has less of it" },
  { name = "rlimits", check = resources.rlimits, option = "NAME=LIMIT",
    help = "a resource limit of each process: nofile=1024" },
  { name = "limits", check = resources.limits, option = "NAME=LIMIT",
    help = "a limit of all its processes together: memory=256M, pids=100, "
        .. "cpu=0.5, swap, weight, cpuset, hugetlb=2M:64M, io=/dev/sda:rbps=1M"
  },
  { name = "nice", check = resources.nice, option = "N",
    help = "its nice value, from -20, the first to be served, to 19" },
  { name = "affinity", check = resources.affinity, option = "CPUS",
    help = "the processors it may run on: 0-3,6" },
  { name = "oom_score_adj", check = resources.oom_score_adj, option = "N",
    help = "how soon it is killed when memory runs out, from -1000, never, to "
        .. "1000, first" },
  { name = "timeout", check = resources.timeout, option = "TIME",
    help = "it is killed when it has run so long: 30s" },
  { name = "setup", check = fields.callable,
    about = "a function that is called inside with the root (write, symlink, "
        .. "mkdir, bind …), before the root takes over" },
  { name = "keep", check = list(fields.descriptor), option = "FD",
    help = "a descriptor that it inherits beside 0, 1 and 2" },
  { name = "stdin", check = fields.descriptor,
    about = "a descriptor that it reads from; the caller's own otherwise" },
  { name = "stdout", check = fields.descriptor,
    about = "a descriptor that it writes to; the caller's own otherwise" },
  { name = "stderr", check = fields.descriptor,
    about = "a descriptor that it writes messages to; the caller's own "
        .. "otherwise" },
  { name = "tty", check = fields.boolean,
    help = "a terminal of its own; so it is when standard input and output "
        .. "are one" },
  { name = "init", check = fields.boolean, default = true, off = "no_init",
    help = "the command is PID 1 itself, without the small init that reaps "
        .. "orphans, passes signals on, and ends with its starter for sure" },
  { name = "session", check = fields.boolean, default = true,
    off = "no_session",
    help = "it stays in the caller's session, with its terminal and keys" },
  { name = "no_new_privs", check = fields.boolean, default = true,
    off = "new_privs",
    help = "set-user-id programs work, within its user namespace" },
  { name = "mask", check = fields.boolean, default = true, off = "no_mask",
    help = "show the parts of /proc and /sys that tell or change things of "
        .. "the host" },
  { name = "detach", short = "d", check = fields.boolean,
    help = "leave it running, looked after by a process of its own: see ps, "
        .. "exec, logs, stop and rm" },
  { name = "name", check = container_name, option = "NAME",
    help = "what other commands know it by; made up for a detached one when "
        .. "not given" },
  { name = "rm", check = fields.boolean,
    help = "forget a detached container, and its log, when it ends" },
  { name = "log_size", check = log_size, option = "SIZE",
    help = "how much is kept of what a detached container writes; 4M when "
        .. "not given" },
  { name = "proc", check = fields.boolean, default = true, off = "no_proc",
    help = "no /proc" },
  { name = "sys", check = fields.boolean, default = true, off = "no_sys",
    help = "no /sys" },
  { name = "dev", check = fields.boolean, default = true, off = "no_dev",
    help = "no /dev but the root's" },
  { name = "tmp", check = fields.boolean, default = true, off = "no_tmp",
    help = "no /tmp but the root's" },
}

local by_name <const> = {}
for _, key in ipairs(M.keys) do by_name[key.name] = key.check end

local whole <const> = fields.record(by_name, fields.argument)

-- What only a detached container has.
local function detached(recipe, fail)
  for _, key in ipairs { "rm", "log_size" } do
    if not recipe.detach and recipe[key] ~= nil then
      fail(key, "only a detached container has this: detach = true")
    end
  end
  if not recipe.detach then return end
  recipe.name = recipe.name or require("farside.registry").new_name()
  recipe.log_size = recipe.log_size or 4 << 20
end

-- What one key asks of another.
local function consistent(recipe, fail)
  detached(recipe, fail)
  local shared = recipe.share
  if recipe.network == "host" then shared.net, recipe.network = true, nil end
  if shared.net and recipe.network then
    fail("network", "it contradicts share = \"net\"")
  elseif shared.mnt then
    fail("share", "a container needs its own mnt namespace; "
         .. "use ns.clone to share it")
  elseif shared.uts and (recipe.hostname or recipe.domainname) then
    fail("hostname", "would rename the host with share = \"uts\"")
  elseif shared.time and (recipe.monotonic or recipe.boottime) then
    fail(recipe.boottime and "boottime" or "monotonic",
      'clocks cannot be set with share = "time"')
  elseif recipe.tty and (recipe.stdin or recipe.stdout or recipe.stderr) then
    fail("tty", "a terminal is standard input, output and error already")
  elseif recipe.tty and not (recipe.dev and recipe.session) then
    fail("tty", "a terminal needs the /dev and the session of its own")
  elseif recipe.timeout and not (recipe.init and not shared.pid) then
    fail("timeout", "a time limit needs the init and the pid namespace of its "
         .. "own")
  elseif recipe.init and shared.pid then
    recipe.init = false -- there is no PID 1 of its own to be
  end
end

-- The list part is the command and leaves no holes.
local function command(recipe, fail)
  local words = table.move(recipe, 1, #recipe, 1, {})
  for key in pairs(recipe) do
    if math.type(key) == "integer" and not words[key] then
      fail("", "unknown key '%d'", key)
    end
  end
  if not words[1] or words[1] == "" then
    fail("[1]", "command expected, got %s", words[1] and "an empty one"
         or "none")
  end
  return words
end

--- Checks a recipe and fills in what was not asked for.
-- @tparam string who the function that was called, for the message
-- @tparam table recipe
-- @treturn table the same in one spelling, with `command`
-- @raise a message that names the key, at the caller's line
function M.check(who, recipe)
  return fields.check(who, function(value, at, fail)
    local completed <const>, image = root.complete(value)
    local checked = whole(completed, at, fail)
    if image then
      checked.root.layers, checked.root.digests = image.layers, image.digests
    end
    checked.command = command(checked, fail)
    for _, key in ipairs(M.keys) do
      if checked[key.name] == nil then checked[key.name] = key.default end
    end
    checked.share = checked.share or {}
    consistent(checked, fail)
    identity.consistent(checked, fail)
    return checked
  end, recipe)
end

return M

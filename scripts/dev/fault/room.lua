--- A place for what might leave something behind: namespaces that are thrown
-- away, with directories of its own where files are kept, and what is in it,
-- before and after.

local M = {}

---- a place of its own ----

local work <const> = "/tmp/work"
local places <const> = { "/run", "/tmp", "/var/cache", "/srv" }

-- What is run may lie in one of them: its directories, and where they are seen.
local shown <const> = {
  { "/mnt/build", ns.readlinkat(nil, "/proc/self/exe"):match "^(.*)/" },
  { "/mnt/scripts", debug.getinfo(1, "S").source:match "^@(.*)/fault/" },
}

--- Where the driver's directory is in there.
M.build = "/mnt/build"

--- Where scripts/dev is in there.
M.scripts = "/mnt/scripts"

local function furnish()
  ns.mount(nil, "/", nil, "rprivate")
  local trees <const> = {}
  for i, place in ipairs(shown) do
    trees[i] = ns.open_tree(nil, place[2], "clone,recursive")
  end
  ns.mount("tmpfs", "/mnt", "tmpfs")
  for i, place in ipairs(shown) do
    ns.mkdirat(nil, place[1], "0755")
    ns.move_mount(trees[i], "", nil, place[1])
    trees[i]:close()
  end
  for _, path in ipairs(places) do
    ns.mount("tmpfs", path, "tmpfs", "mode=1777")
  end
  ns.mount("proc", "/proc", "proc")
  ns.link.set("lo", { up = true })
  for _, path in ipairs { "", "/base", "/base/etc", "/base/srv", "/top",
                          "/top/root", "/upper" } do
    ns.mkdirat(nil, work .. path, "0755")
  end
  ns.chdir(work)
  assert(os.execute "tar -cf layer.tar -C top .")
end

local function identity(kind, id)
  local map = { { id, id, 1 } }
  for _, range in ipairs(ns.subids(kind)) do
    map[#map + 1] = { range.first, range.first, range.count }
  end
  return map
end

-- A cgroup for all of it, where one can be had: others make some beside ours.
local grouped = false

local function group_of_its_own()
  local ok, group = pcall(ns.cgroup.make, {})
  grouped = ok
  return ok and group or nil
end

-- PID 1, which reaps all that is orphaned to it until the function has ended
-- in a process of its own.
local function first(fn)
  furnish()
  local worker <const> = ns.clone({}, function()
    local ok, err = pcall(fn)
    if ok then return end
    io.stderr:write(tostring(err), "\n")
    os.exit(1)
  end)
  while true do
    local pid <const>, how, code = ns.waitpid(-1, "all")
    if pid == worker.pid then ns._exit(how == "exit" and code or 1) end
  end
end

--- Runs a function in new namespaces, root being the machine's root, and
-- everybody else themselves.
function M.apart(fn)
  local kinds = { "mnt", "net", "pid", "ipc", "uts" }
  if ns.getuid() ~= 0 then
    kinds[#kinds + 1] = "user"
    kinds.uid_map = identity("uid", ns.getuid())
    kinds.gid_map = identity("gid", ns.getgid())
  end
  local group <close> = group_of_its_own()
  kinds.cgroup = group
  local child <close> = ns.clone(kinds, function() first(fn) end)
  return child:wait()
end

---- what is there ----

function M.read(path)
  local file <close> = io.open(path)
  return file and file:read "a" or ""
end

local function entries(see, path)
  local ok, list = pcall(ns.readdir, path)
  for _, entry in ipairs(ok and list or {}) do -- or it is gone
    local name <const> = path .. "/" .. entry.name
    local is <const> = ns.fstatat(nil, name, "nofollow")
    local directory <const> = is.type == "directory"
    see("%s %s %s", is.type, name, directory and "" or is.size)
    if directory then entries(see, name) end
  end
end

local function cgroups(see)
  local own <const> = grouped and require("farside.cgroup").own()
  for _, entry in ipairs(own and ns.readdir(own) or {}) do
    if entry.type == "directory" then see("cgroup %s", entry.name) end
  end
end

local function rules(see)
  local pipe <close> = io.popen("PATH=$PATH:/usr/sbin nft list ruleset", "r")
  for line in pipe:lines() do see("rule %s", line) end
end

--- What there is, as a set of sentences; rules of nftables take their time.
function M.look(with_rules)
  local seen = {}
  local function see(format, ...) seen[format:format(...)] = true end
  for _, path in ipairs(places) do entries(see, path) end
  cgroups(see)
  for line in M.read "/proc/self/mountinfo":gmatch "[^\n]+" do
    see("mount %s", line)
  end
  for _, link in ipairs(ns.link.list()) do see("link %s", link.ifname) end
  if with_rules then rules(see) end
  return seen
end

--- What is new, in a line; nil when nothing is.
function M.news(before, after)
  local list = {}
  for sentence in pairs(after) do
    if not before[sentence] then list[#list + 1] = sentence end
  end
  table.sort(list)
  return #list > 0 and table.concat(list, " ; ") or nil
end

--- Takes files away that one run has left, so that they are not taken for the
-- next one's.
function M.forget(before)
  for sentence in pairs(M.look()) do
    local path <const> = sentence:match "^file (.*) %d+$"
    if path and not before[sentence] then ns.unlinkat(nil, path) end
  end
end

return M

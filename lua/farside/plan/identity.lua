--- Steps: the namespaces, the ids in them, the clocks, and who the child is.

local network <const> = require "farside.plan.network"
local resources <const> = require "farside.plan.resources"
local steps <const> = require "farside.plan.steps"

local M = {}

local ref <const> = steps.ref

local all <const> = { "user", "mnt", "pid", "net", "uts", "ipc", "cgroup" }

-- All that an ordinary user may map: himself as root, then what he is granted.
local function all_of(own, granted)
  local map, inside = { { 0, own, 1 } }, 1
  for _, range in ipairs(granted) do
    map[#map + 1] = { inside, range.first, range.count }
    inside = inside + range.count
  end
  return map
end

-- Container root is an unprivileged range when root starts it, and the caller
-- himself when an ordinary user does.
local function maps(recipe, facts)
  if recipe.share.user then return nil end
  local uid, gid = recipe.uid_map, recipe.gid_map
  if uid == "auto" then
    local leased <const> = facts.root and ref("ids", "map")
    uid = leased or all_of(facts.uid, facts.subuids)
    if not gid or gid == "auto" then
      gid = leased or all_of(facts.gid, facts.subgids)
    end
    return uid, gid
  end
  local own <const> = { { 0, facts.uid, 1 } }
  if not uid then uid = facts.root and { { 0, 100000, 65536 } } or own end
  if not gid then
    local alone = #uid == 1 and uid[1][2] == facts.uid and uid[1][3] == 1
    gid = alone and not facts.root and { { uid[1][1], facts.gid, 1 } }
      or recipe.uid_map or facts.root and uid or { { 0, facts.gid, 1 } }
  end
  return uid, gid
end

-- An ordinary user may map his own group alone, once setgroups is denied.
local function gives_up_groups(facts, gid)
  return not facts.root and #gid == 1 and gid[1][3] == 1
end

M.maps = maps

--- The ids, where they have to be found first.
function M.lease(plan, recipe, facts)
  if recipe.uid_map ~= "auto" or not facts.root then return end
  local step = plan:add("parent", "ids that no other container has",
                        "lease_ids", 65536)
  step.as, step.kept = "ids", true
end

-- The child in its new namespaces, waiting; then who it is.
function M.identity(plan, recipe, facts)
  -- A cgroup namespace begins where its maker is: with a cgroup of its own, the
  -- child must be in that before.
  local later <const> = recipe.limits and "cgroup"
  local kinds = { cgroup = recipe.limits and ref "cgroup" }
  for _, kind in ipairs(all) do
    local elsewhere <const> = kind == later or
      kind == "net" and recipe.network and recipe.network.join
    if not recipe.share[kind] and not elsewhere then
      kinds[#kinds + 1] = kind
    end
  end
  resources.group(plan, recipe)
  network.enter(plan, recipe)
  plan:add("parent", "a child in namespaces of its own", "clone",
      kinds).as = "child"
  network.leave(plan, recipe)
  if recipe.share.user then return end
  local uid, gid = maps(recipe, facts)
  if gives_up_groups(facts, gid) then
    plan:add("parent", "an ordinary user must give up setgroups first",
        "set_setgroups", ref "child", "deny")
  end
  plan:add("parent", "user ids inside and outside", "write_uid_map",
      ref "child", uid)
  plan:add("parent", "group ids inside and outside", "write_gid_map",
      ref "child", gid)
end

-- Clocks are set before anything is born in the new time namespace, and
-- setns then moves the child itself.
function M.clocks(plan, recipe)
  if recipe.limits and not recipe.share.cgroup then
    plan:add("child", "its cgroup is the top of all that it sees", "unshare",
             "cgroup")
  end
  if recipe.share.time then return end
  plan:add("child", "clocks of its own", "unshare", "time")
  if recipe.monotonic or recipe.boottime then
    plan:add("child", "set before anyone lives by them",
             "write_time_offsets", { monotonic = recipe.monotonic,
                                     boottime = recipe.boottime })
  end
  plan:add("child", "the child itself lives by them too", "setns",
      "/proc/self/ns/time_for_children", "time")
end

-- What a change of ids undoes.
local function secure(plan)
  plan:add("child", "nobody inside may look into this process", "prctl",
      "dumpable", false)
  plan:add("child", "no container without its starter", "prctl", "pdeathsig",
      "KILL")
end

-- Root of the user namespace from here on; changing ids clears the parent
-- death signal, so that comes after.
function M.become_root(plan, recipe, facts)
  if not facts.root then
    -- with other ids a copy of the caller's memory is nobody's to look into
    plan:add("parent", "ways in for its starter, while it still may look",
             "namespaces", ref "child").as = "ways"
  end
  if recipe.session then
    plan:add("child", "no keys of the caller's", "keyctl",
             "join_session_keyring")
  end
  if not recipe.share.user then
    local _, gid = maps(recipe, facts)
    if not gives_up_groups(facts, gid) then
      plan:add("child", "no groups of the caller's", "setgroups", {})
    end
    plan:add("child", "root's group inside", "setresgid", 0, 0, 0)
    plan:add("child", "root inside", "setresuid", 0, 0, 0)
  end
  if not recipe.userns then
    plan:add("child", "no user namespaces below this one", "max_namespaces",
             "user", 0)
  end
  secure(plan)
end

-- What becoming a user depends on, beside who that is: whether groups can be
-- set, the capabilities that go with him, and whether HOME is his.
local function circumstances(recipe, facts)
  local _, gid = maps(recipe, facts)
  local words <const>, env <const> = recipe.capabilities, recipe.env or {}
  return {
    groups = not gid or not gives_up_groups(facts, gid), home = env.HOME == nil,
    powers = type(words) == "table" and #words > 0 and words or nil,
  }
end

-- What root's id gave stays until privileges are kept or dropped by name; the
-- program then starts without, as its id is not root's.
local function user_steps(plan, who, account)
  local function add(label, ...) plan:add("child", label, ...) end
  plan:tell("child", "root", "who that is, in the container's own files",
            "account", who.user, who.group, who.groups).as = "who"
  add("powers do not go with root's id", "capability.securebits",
      "no_setuid_fixup")
  if who.groups or account.groups then
    add("the user's groups", "setgroups", ref("who", "groups"))
  end
  local group <const>, user <const> = ref("who", "gid"), ref("who", "uid")
  add("the user's group", "setresgid", group, group, group)
  add("the user", "setresuid", user, user, user)
  add("from here on they do", "capability.securebits", "")
  secure(plan)
  if account.powers then
    add("the user has these powers, who is not root", "capability.raise",
        account.powers, "inheritable", "ambient")
  end
end

--- The user that was asked for.
function M.become_user(plan, recipe, facts)
  plan.account = circumstances(recipe, facts)
  if not recipe.user then return end
  local first <const> = #plan + 1
  user_steps(plan, {
    user = recipe.user.user, group = recipe.user.group or recipe.group,
    groups = recipe.groups,
  }, plan.account)
  for i = first, #plan do plan[i].privilege = "user" end
end

--- The privileges of a container for a program that is another user than its
-- payload.
-- @tparam {step,...} privileges
-- @tparam table account what the plan says of it
-- @tparam table who `user`, `group`, `groups`
-- @treturn {step,...}
function M.as_user(privileges, account, who)
  local plan <const>, list, rest = steps.new(), {}, {}
  user_steps(plan, who, account)
  for _, step in ipairs(privileges) do
    if step.where == "parent" then
      list[#list + 1] = step
    elseif step.privilege ~= "user" then
      rest[#rest + 1] = step
    end
  end
  table.move(plan, 1, #plan, #list + 1, list)
  return table.move(rest, 1, #rest, #list + 1, list)
end

return M

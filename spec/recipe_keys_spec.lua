-- Every key of a recipe, given a wrong type, something empty and garbage: the
-- complaint has the key's path, and nothing was made. A key that is not in the
-- table below fails here, so that each new one gets its row.

require "spec.helper"
local ns <const> = require "farside"
local keys <const> = require("farside.recipe").keys

local no_boolean <const> = { { 1, "", "maybe", {} } }
local no_text <const> = { { 7, "", "a\0b", {} } }
local no_descriptor <const> = { { "stdin", "", -1, {} } }
local no_clock <const> = { { {}, "", "soon", true } }
local no_map <const> = { { true, "", "0:x:1", {}, "0:1:0", { { 0, 1 } } } }

-- key → what must be refused, by the path that the complaint begins with; the
-- first list is refused under the key itself.
local wrong <const> = {
  root = { { 7, "", true },
    ["root.layers"] = { { upper = "x" }, { layers = {} }, { layers = "a" },
                        {} },
    ["root.layers[1]"] = { { layers = { 1 } }, { layers = { "" } } },
    ["root.image"] = { { image = "" }, { image = 7 }, { image = {} } },
    ["root: either image or layers"] = { { image = "a", layers = { "b" } } },
    ["root.upper"] = { { layers = { "a" }, upper = "" },
                       { layers = { "a" }, upper = 7 } },
    ["root: unknown key 'lairs'"] = { { lairs = {} } } },
  idmap = no_boolean,
  readonly = no_boolean,
  hostname = no_text,
  domainname = no_text,
  cwd = { { 7, "", "usr", {} } },
  env = { { "A=1", 7, { "A=1" } },
    ["env.A"] = { { A = 1 }, { A = "\0" } }, ["env"] = { { [""] = "x" } } },
  mounts = { { "/x", 7, { x = 1 } },
    ["mounts[1]"] = { { "/x" }, { {} }, { { bind = "/a", tmpfs = "/b" } },
                      { { tmpfs = "/a", bogus = 1 } } },
    ["mounts[1].bind"] = { { { bind = "", at = "/a" } },
                           { { bind = true, at = "/a" } },
                           { { bind = -1, at = "/a" } } },
    ["mounts[1].at"] = { { { bind = "/a" } }, { { bind = "/a", at = "b" } },
                         { { bind = "/a", at = "" } },
                         { { bind = "/a", at = 7 } },
                         { { device = "/dev/null", at = "//" } } },
    ["mounts[1].optional"] = { { { bind = "/", at = "/a", optional = "x" } } },
    ["mounts[1].idmap"] = { { { bind = "/", at = "/a", idmap = 1 } } },
    ["mounts[1].device"] = { { { device = "null" } }, { { device = "" } },
                             { { device = {} } } },
    ["mounts[1].tmpfs"] = { { { tmpfs = "" } }, { { tmpfs = "/" } },
                            { { tmpfs = 7 } } },
    ["mounts[1].size"] = { { { tmpfs = "/a", size = "" } },
                           { { tmpfs = "/a", size = 7 } },
                           { { tmpfs = "/a", size = "1M,mode=0" } } },
    ["mounts[1].mode"] = { { { tmpfs = "/a", mode = "rwx" } },
                           { { directory = "/a", mode = 755 } },
                           { { file = "/a", text = "", mode = "" } } },
    ["mounts[1].overlay"] = { { { overlay = "", layers = { "a" } } } },
    ["mounts[1].layers"] = { { { overlay = "/a" } },
                             { { overlay = "/a", layers = {} } },
                             { { overlay = "/a", layers = "x" } } },
    ["mounts[1].upper"] = { { { overlay = "/a", layers = { "x" },
                                upper = "" } } },
    ["mounts[1].proc"] = { { { proc = "" } }, { { proc = true } } },
    ["mounts[1].sysfs"] = { { { sysfs = "a" } }, { { sysfs = true } } },
    ["mounts[1].mqueue"] = { { { mqueue = "a" } }, { { mqueue = true } } },
    ["mounts[1].devpts"] = { { { devpts = "a" } }, { { devpts = true } } },
    ["mounts[1].directory"] = { { { directory = "a" } },
                                { { directory = 7 } } },
    ["mounts[1].file"] = { { { file = "", text = "" } } },
    ["mounts[1].text"] = { { { file = "/a" } }, { { file = "/a", text = 7 } } },
    ["mounts[1].symlink"] = { { { symlink = "a", to = "b" } } },
    ["mounts[1].to"] = { { { symlink = "/a" } },
                         { { symlink = "/a", to = "" } },
                         { { symlink = "/a", to = "\0" } } },
    ["mounts[1][1]"] = { { { tmpfs = "/a", "wo" } }, { { tmpfs = "/a", 7 } } },
  },
  share = { { 7, true, { net = true } },
    ["share[1]"] = { "nett", { "" }, { 7 } } },
  network = { { "", "bridge", true, 7 },
    ["network: one of bridge"] = { { mtu = 1500 },
                                   { bridge = "a", user = true } },
    ["network: unknown key 'brige'"] = { { brige = "br0" } },
    ["network: unknown key 'publish' for macvlan"] = { {
      macvlan = "eth0", publish = { "1:1" } } },
    ["network.bridge"] = { { bridge = "" }, { bridge = 7 }, { bridge = "a/b" },
                           { bridge = ("x"):rep(16) } },
    ["network.address[1]"] = { { bridge = "a", address = { "10.0.0.1" } },
                               { bridge = "a", address = { "10.0.0.0/24" } },
                               { bridge = "a", address = { 7 } } },
    ["network.address"] = { { bridge = "a", address = "10.0.0.256/24" },
                            { bridge = "a", address = {} } },
    ["network.gateway[1]"] = { { bridge = "a", address = "10.0.0.2/24",
                                 gateway = "10.0.1.1" } },
    ["network.gateway"] = { { bridge = "a", gateway = "10.0.0.1/24" } },
    ["network.publish"] = { { bridge = "a", publish = "80:80" },
      { bridge = "a", gateway = false, publish = { "80:80" } } },
    ["network.publish[2]"] = { { user = true, publish = { "80:80", "80" } },
      { user = true, publish = { "80:80", "80:80/sctp" } },
      { user = true, publish = { "80:80", "0:80" } },
      { user = true, publish = { "80:80", "80:65536" } },
      { user = true, publish = { "80:80", "80-82:80" } },
      { user = true, publish = { "80:80", "82-80:82-80" } },
      { user = true, publish = { "80:80", "[::1]:80:80" } },
      { user = true, publish = { "80:80", "host:80:80" } } },
    ["network.mac"] = { { bridge = "a", mac = "02:00:00:00:00" },
                        { bridge = "a", mac = "01:00:00:00:00:01" } },
    ["network.mtu"] = { { bridge = "a", mtu = 7 }, { bridge = "a", mtu = "" } },
    ["network.mode"] = { { macvlan = "a", mode = "source" } },
    ["network.dns"] = { { bridge = "a", dns = "example.org" } },
    ["network[2].name"] = { { { bridge = "a" }, { bridge = "b",
                                                  name = "eth0" } } },
    ["network[1].name"] = { { { bridge = "a", name = "lo" } } },
    ["network[2]"] = { { { bridge = "a" }, "user" } },
    ["network: \"user\" can be there only once"] = { {
      { user = true }, { user = true } } } },
  uid_map = no_map,
  gid_map = no_map,
  user = { { "", true, {}, "a b", -1, 4294967295, "1:", ":1", "a/b",
             "99999999999" } },
  group = { { "", true, {}, "a:b", -1, "0x1 " } },
  groups = { { "", 7, true }, ["groups[1]"] = { { "" }, { -1 }, { "a:b" } } },
  userns = no_boolean,
  monotonic = no_clock,
  boottime = no_clock,
  capabilities = { { "", "some", 7, true },
    ["capabilities[1]"] = { { "" }, { "net_rwa" }, { 7 } } },
  seccomp = { { 7, "", "allow" },
    ["seccomp[1]"] = { { {} }, { "allow" }, { { "" } }, { { "alow", "read" } },
                       { { "allow" } }, { { "deny", "arg0 == 1" } } },
    ["seccomp[1][2]"] = { { { "deny", "" } }, { { "deny", "reed" } },
                          { { "deny", 7 } }, { { "deny", "read write" } } },
    ["seccomp[1][3]"] = { { { "deny", "read", "arg0" } },
                          { { "deny", "read", "arg6 == 1" } },
                          { { "deny", "read", "arg0 = 1" } },
                          { { "deny", "read", "arg0 == x" } },
                          { { "deny", "read", "arg0 & 1 ~= 1" } } },
    ["seccomp.otherwise"] = { { otherwise = "" }, { otherwise = "EFOO" },
                              { otherwise = true } },
    ["seccomp: unknown key 'other'"] = { { other = "deny" } } },
  landlock = { { 7, "", {}, true },
    ["landlock: unknown key 'rx'"] = { { rx = { "/usr" } } },
    ["landlock.ro"] = { { ro = "/usr" } },
    ["landlock.ro[1]"] = { { ro = { "usr" } }, { ro = { "" } } },
    ["landlock.rw[1]"] = { { rw = { 7 } } },
    ["landlock.bind[1]"] = { { bind = { -1 } }, { bind = { "80" } } },
    ["landlock.connect[1]"] = { { connect = { 65536 } } },
    ["landlock.scoped[1]"] = { { scoped = { "" } }, { scoped = { "all" } } },
    ["landlock.optional"] = { { optional = 1, ro = {} } } },
  rlimits = { { "", 7, true },
    ["rlimits.nofile"] = { { nofile = "" }, { nofile = -1 }, { nofile = {} } },
    ["rlimits.x"] = { { x = 1 } } },
  limits = { { "", 7, true },
    ["limits: unknown key 'mem'"] = { { mem = 1 } },
    ["limits.memory"] = { { memory = "" }, { memory = -1 }, { memory = "1X" },
                          { memory = {} }, { memory = true } },
    ["limits.swap"] = { { swap = "x" } },
    ["limits.memory_high"] = { { memory_high = "x" } },
    ["limits.memory_low"] = { { memory_low = "x" } },
    ["limits.pids"] = { { pids = 0 }, { pids = "" }, { pids = 1.5 } },
    ["limits.cpu"] = { { cpu = 0 }, { cpu = "" }, { cpu = "half" } },
    ["limits.weight"] = { { weight = 0 }, { weight = 10001 }, { weight = "" } },
    ["limits.cpuset"] = { { cpuset = "" }, { cpuset = 1 } },
    ["limits.io"] = { { io = "" } },
    ["limits.io.sda"] = { { io = { sda = { rbps = 1 } } } },
    ["limits.io.8:0.rbps"] = { { io = { ["8:0"] = { rbps = "" } } } },
    ["limits.io.8:0.wiops"] = { { io = { ["8:0"] = { wiops = 0 } } } },
    ["limits.hugetlb"] = { { hugetlb = 7 } },
    ["limits.hugetlb.x"] = { { hugetlb = { x = 1 } } },
    ["limits.hugetlb.2M"] = { { hugetlb = { ["2M"] = "" } } } },
  nice = { { "", 20, -21, {}, "low" } },
  affinity = { { "", "3-1", "a", 1, {}, "0-9999" },
    ["affinity[1]"] = { { -1 }, { "x" }, { 8192 } } },
  oom_score_adj = { { "", 1001, -1001, {}, "never" } },
  timeout = { { "", 0, -1, "soon", {} } },
  setup = { { "", 7, {}, "print()" } },
  keep = { { 7, "", "3" }, ["keep[1]"] = { { -1 }, { "" }, { {} } } },
  stdin = no_descriptor,
  stdout = no_descriptor,
  stderr = no_descriptor,
  tty = no_boolean,
  init = no_boolean,
  session = no_boolean,
  no_new_privs = no_boolean,
  detach = no_boolean,
  name = { { 7, "", "a/b", "7", {} } },
  rm = no_boolean,
  log_size = { { "", "1K", -1, {}, "big" } },
  mask = no_boolean,
  proc = no_boolean,
  sys = no_boolean,
  dev = no_boolean,
  tmp = no_boolean,
}

local function show(value)
  if type(value) ~= "table" then return ("%q"):format(value) end
  local parts = {}
  for key, element in pairs(value) do
    parts[#parts + 1] = ("%s=%s"):format(key, show(element))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- Spawning fails, before it has begun, with a complaint about this path.
local function refused(key, path, value)
  local ok, message = pcall(ns.spawn, { "/bin/true", [key] = value })
  local shown <const> = ("%s = %s"):format(key, show(value))
  assert.is_false(ok, shown)
  assert.is_string(message, shown)
  assert.is_truthy(message:find("spawn: " .. path, 1, true),
                   ("%s: %s"):format(shown, message))
end

describe("the key", function()
  for _, key in ipairs(keys) do
    it(key.name .. " is refused with its path when it makes no sense",
      function()
        local rows <const> = wrong[key.name]
        assert.is_table(rows, "no row for the key " .. key.name)
        assert.is_true(#rows[1] >= 3, "a wrong type, something empty, garbage")
        for path, values in pairs(rows) do
          if path == 1 then path = key.name .. ":" end
          for _, value in ipairs(values) do refused(key.name, path, value) end
        end
      end)
  end

  it("has no row here that recipes do not have", function()
    local known <const> = {}
    for _, key in ipairs(keys) do known[key.name] = true end
    for name in pairs(wrong) do assert.is_true(known[name], name) end
  end)
end)

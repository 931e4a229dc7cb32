--- Targets that are given tables, as scripts write them: recipes, filters,
-- networks, labs. The bytes become a table (source.lua). See texts.lua for what
-- a target is.

local ns <const> = require "farside"
local sources <const> = require "source"

local M = {}

local function list(text)
  local words = {}
  for word in text:gmatch "%S+" do words[#words + 1] = word end
  return words
end

-- Seeds that are long enough to be something; the fuzzer does the rest.
local function seeds(first)
  local texts = {}
  for i = 1, 8 do
    local bytes = {}
    local state = first * 7919 + i
    for j = 1, 60 do
      state = (state * 1103515245 + 12345) & 0x7fffffff
      bytes[j] = string.char(state >> 16 & 0xff)
    end
    texts[i] = table.concat(bytes)
  end
  return texts
end

---- recipes ----

local recipe_words <const> = { keys = list [[
    bind at tmpfs size mode layers upper overlay device proc sysfs mqueue
    devpts file text directory symlink to optional idmap ro bridge address
    gateway subnet nat publish mac macvlan move user name mtu dns search
    memory pids cpu swap weight cpuset nofile core otherwise rw connect scoped
    image uid gid inside outside count ]],
  values = list [[
    /bin/true / /tmp /etc/motd moon 0:100000:65536 auto 10.7.0.2/24 10.7.0.1
    fd00::2/64 8080:80 5353:53/udp 256M 5ms 1h ro nosuid noexec rw host none
    user all net,uts net_admin kill deny chmod,fchmod ENOSYS allow
    otherwise netns:blue container:web signal abstract_unix_socket 0-3,6
    unlimited www-data 33 www-data:adm 0755 br0 eth0 02:00:00:00:00:01 max
    arg1==3 mount net pid bridge private ]] }
for _, key in ipairs(require("farside.recipe").keys) do
  table.insert(recipe_words.keys, key.name)
end
table.insert(recipe_words.values, "arg1 & 0xffffffff == 3")

-- A key that is what it should be, for most bytes; else the first that is not
-- ends it all.
local function recipe_of(source)
  local recipe = { "/bin/true" }
  for _ = 1, source:byte() % 4 do
    recipe[source:one_of(recipe_words.keys)] = source:value(recipe_words)
  end
  if source:byte() % 4 == 0 then recipe = source:table(recipe_words) end
  return recipe
end

-- Nothing is looked up that the machine at hand has or not.
local function harmless(recipe)
  local root <const> = type(recipe) == "table" and recipe.root
  return not (type(root) == "table" and root.image)
end

M.recipe = {
  seeds = seeds(1),
  run = function(bytes, try)
    local recipe <const> = recipe_of(sources.new(bytes))
    if not harmless(recipe) then return end
    local ok = try(require("farside.recipe").check, "run", recipe)
    if not ok or recipe.uid_map == "auto" then return end
    local planned <const>, plan = try(ns.plan, recipe)
    if planned then try(tostring, plan) end
  end,
}

---- filters ----

local rule_words <const> = { keys = { "otherwise", "optional" },
  values = list [[ allow deny log kill kill_thread trap ENOSYS EPERM chmod
    ioctl clone socket no_such_call arg0==1 arg5>=7 arg1~=0x10 ]] }
table.move({ "arg1 & 0xffffffff == 0x5412", "arg2 <= 9223372036854775807",
             "arg3 > -1", "arg0 & 1 == 0" }, 1, 4, #rule_words.values + 1,
           rule_words.values)

local function fail(at, format, ...)
  error({ usage = at .. ": " .. format:format(...) }, 0)
end

local function check_with(module, name)
  return function(value)
    return require(module)[name or "check"](value, "key", fail)
  end
end

M.filter = {
  seeds = seeds(3),
  run = function(bytes, try)
    local rules <const> = sources.new(bytes):table(rule_words)
    local ok <const>, checked = try(check_with "farside.seccomp", rules)
    if ok and type(checked) == "table" then
      try(require("farside.seccomp").program, checked, {})
    end
    try(ns.seccomp.compile, "allow", rules)
  end,
}

local landlock_words <const> = {
  keys = list "ro rw bind connect scoped optional",
  values = list "/ /tmp signal abstract_unix_socket 80 443 /no/such",
}

local checks <const> = {
  { check_with "farside.landlock", landlock_words },
  { check_with "farside.network.keys", recipe_words },
  { check_with("farside.recipe.resources", "limits"), recipe_words },
}

-- Keys of recipes that have tables of their own below them, one by one.
M.keys = {
  seeds = seeds(4),
  run = function(bytes, try)
    local source <const> = sources.new(bytes)
    local check <const> = source:one_of(checks)
    try(check[1], source:value(check[2]))
  end,
}

M.list = {
  seeds = { "nprocs == 0", "type == 'net' and id > 1", "nsfs ~= ''",
            "(function() return 1 end)()" },
  words = { "nprocs", "ppid", "netnsid", "nsfs", "command", "and", "not",
            "type", "==", "..", "#" },
  run = function(bytes, try)
    local core <const> = require "farside.core"
    local processes <const> = core.processes
    core.processes = function()
      return { { pid = 1, uid = 0, ppid = 0, namespaces = {
        user = 4026531837, net = 4026531840 } } }
    end
    local ok <const>, err = pcall(try, ns.list, { filter = bytes })
    core.processes = processes
    -- what the text itself does wrong is told, and is no finding
    if not ok and not err:find "list: filter: " then error(err, 0) end
  end,
}

---- labs ----

local lab_words <const> = {
  keys = list [[ name address mac mtu peer delay jitter loss duplicate reorder
    corrupt rate up gateway routes sysctl root ]],
  values = list [[ 10.0.0.1/24 10.0.0.2/30 fd00::1/64 5ms 1% 10mbit eth0
    02:00:00:00:00:01 10.1.0.0/16 default 10.0.0.254 h1 ]],
}

M.lab = {
  seeds = seeds(6),
  run = function(bytes, try)
    local source <const> = sources.new(bytes)
    local lab <close> = ns.lab()
    local nodes = { lab:switch "sw", lab:router "r" }
    try(function()
      for i = 1, source:byte() % 6 do
        nodes[#nodes + 1] = lab:host("h" .. i, source:byte() % 3 == 0
          and source:table(lab_words) or nil)
      end
    end)
    for _ = 1, source:byte() % 8 do
      local a <const>, b <const> = source:one_of(nodes), source:one_of(nodes)
      try(lab.link, lab, a, b, source:byte() % 2 == 0
        and source:table(lab_words) or nil)
    end
    for _, kind in ipairs { "text", "svg", "dot" } do
      try(lab.draw, lab, kind)
    end
  end,
}

return M

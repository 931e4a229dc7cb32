-- The namespaces drawn: what is told of them, and that nothing in the picture
-- overlaps or is cut.
local t <const> = require "spec.helper"
local core <const> = require "farside.core"
local ns <const> = require "farside"

local driver <const> = t.build .. "/farside"

local function id_of(target, kind)
  local handle <close> = core.open(target, kind)
  return handle.id
end

-- A process that stays in namespaces of its own.
local function stay(kinds)
  return ns.clone(kinds, function() core.poll {} end)
end

-- Runs a function as the first process of a pid namespace with a /proc of its
-- own, and a network.
local function alone(fn)
  t.userns(function()
    core.mount("proc", "/proc", "proc")
    fn()
  end, { "pid", "net", "uts" })
end

local function text(screen)
  return ns.tree():text(screen or { unicode = true })
end

local function has(whole, part) assert.is_truthy(whole:find(part, 1, true),
  part .. "\nis not in\n" .. whole) end

describe("a drawing as text", function()
  it("has processes with both PIDs, and the namespaces of their own",
    function()
      alone(function()
        local there <close> = stay { "pid", "uts" }
        local said = text()
        has(said, ("\nprocesses\npid %d  1 process\n├─ 1  %s ")
          :format(id_of(nil, "pid"), t.lua))
        has(said, ("\n└─ pid %d  1 process\n   └─ %d → 1  %s ")
          :format(id_of(there, "pid"), there.pid, t.lua))
        assert.matches("\n   └─ %d+ → 1  [^\n]*  own uts pid\n", said)
      end)
    end)

  it("has user namespaces with their maps", function()
    alone(function()
      local there <close> = stay { "user", uid_map = "7:0:1" }
      local user = id_of(there, "user")
      has(text(), ("\n└─ user %d  made by root\n      uids 7 → 0\n"
        .. "      gids none\n"):format(user))
    end)
  end)

  it("has networks with their links, and the pairs that join them", function()
    alone(function()
      local there <close> = stay { "net" }
      ns.link.add { name = "v0", kind = "veth", up = true,
                    peer = { name = "eth0", netns = there } }
      ns.address.add("v0", "10.0.0.1/24")
      ns.link.set("lo", { up = true })
      local here, over = id_of(nil, "net"), id_of(there, "net")
      local said = text()
      has(said, ("\n└─ v0  10.0.0.1/24 ── eth0 of net %d\n"):format(over))
      has(said, ("\n└─ eth0  down ── v0 of net %d"):format(here))
      assert.matches("\nnetworks\nnet " .. here .. "  1 "
        .. t.lua:gsub("%p", "%%%0") .. "[^\n]*\n├─ lo\n", said)
    end)
  end)

  it("joins the right pairs where several look alike", function()
    alone(function()
      local ends = {}
      for i = 1, 4 do ends[i] = stay { "net" } end
      for i = 1, 3, 2 do
        local nl <close> = ns.netlink(ends[i])
        nl.link.add { name = "a", kind = "veth",
                      peer = { name = "b", netns = ends[i + 1] } }
      end
      local found = {}
      for _, net in ipairs(ns.tree().model.nets) do
        for _, link in ipairs(net.links) do
          if link.peer then found[net.id] = link.peer.net.id end
        end
      end
      for i, other in ipairs { 2, 1, 4, 3 } do
        assert.equal(id_of(ends[other], "net"), found[id_of(ends[i], "net")])
      end
      for i = 1, 4 do ends[i]:close() end
    end)
  end)

  it("has what is kept without a process", function()
    alone(function()
      local uts <close> = ns.new "uts"
      has(text(), ("\nkept without a process\nuts %d  descriptor %d of 1")
        :format(uts.id, uts:fileno()))
      local net <close> = ns.new "net"
      has(text(), ("\nnet %d  descriptor %d of 1\n└─ lo  down")
        :format(net.id, net:fileno()))
    end)
  end)

  it("is plain where there is no Unicode, and as narrow as the terminal",
    function()
      alone(function()
        local there <close> = stay { "pid", "uts" }
        local said = text { width = 40 }
        assert.not_matches("[\x80-\xff]", said)
        has(said, ("\n`- pid %d  1 process\n   `- %d > 1  %s ")
          :format(id_of(there, "pid"), there.pid, t.lua))
        for line in said:gmatch "[^\n]+" do assert.is_true(#line <= 40) end
        assert.equal(said, (text { width = 40, colour = true }
          :gsub("\27%[%d*m", "")))
      end)
    end)

  it("tells a command with control characters harmlessly", function()
    alone(function()
      local process <close> = ns.posix_spawn { "sleep", "60",
                                               argv0 = "a\27[2Jb" }
      has(text(), process.pid .. "  a\\x1b[2Jb 60")
    end)
  end)
end)

---- the picture ----

-- A made-up machine: so many containers, each with its own of everything, on a
-- switch; routers in a ring, long names, and something kept.
local function machine(count)
  local number = 4026531840
  local model = { rows = {}, by_id = {}, groups = {}, users = {}, nets = {},
                  kept = {}, unseen = {}, host = "moon" }
  local function namespace(type, more)
    number = number + 1
    local row = { id = number, type = type, nprocs = 1, pid = number % 9999,
      processes = { number % 9999 }, command = ("w"):rep(number % 70 + 1),
      holders = {}, uid_map = { { 0, 100000, 65536 } },
      gid_map = { { 0, 100000, 65536 } }, maker = "ada", links = {} }
    for key, value in pairs(more or {}) do row[key] = value end
    model.rows[#model.rows + 1], model.by_id[number] = row, row
    local list = model[type .. "s"]
    if list then list[#list + 1] = row end
    return row
  end
  local function group(spaces, differs, processes)
    model.groups[#model.groups + 1] = { namespaces = spaces,
      differs = differs, processes = processes, count = #processes + 3 }
  end
  local function link(net, name)
    local one = { ifname = name, kind = "veth", up = #net.links % 2 == 0,
                  addresses = { "10.0.0.1/24", "fd00::1/64" } }
    net.links[#net.links + 1] = one
    return one
  end
  local function pair(a, b)
    local one = link(a, "p" .. #a.links)
    local other = link(b, "eth" .. #b.links)
    one.peer, other.peer = { net = b, link = other }, { net = a, link = one }
  end
  local first = {}
  for _, kind in ipairs(require "farside.kinds") do
    first[kind] = namespace(kind).id
  end
  group(first, {}, { { pids = { 1 }, command = "init" } })
  local switch = model.nets[1]
  for i = 1, count // 8 do
    local own, differs = {}, {}
    for _, kind in ipairs(require "farside.kinds") do
      local parent = i % 3 == 0 and model.users[#model.users].id or first.user
      if kind ~= "user" then parent = nil end
      local row = namespace(kind, { parent = parent })
      own[kind], differs[#differs + 1] = row.id, kind
      if kind == "net" then pair(switch, row) end
    end
    local long = ("/usr/bin/\u{fc}ber-<long>&"):rep(i % 5)
    group(own, differs, { { pids = { i + 10, 1 }, command = long .. "a" },
                          { pids = { i + 11, 2, 1 }, command = "b" } })
  end
  local ring = {}
  for i = 1, 4 do
    ring[i] = namespace("net", { nprocs = 0, holders = { { how = "mount",
      path = "/run/netns/" .. ("r"):rep(60) } } })
  end
  for i = 1, 4 do pair(ring[i], ring[i % 4 + 1]) end
  pair(switch, ring[1])
  namespace("net", { unread = "its links may not be seen" }).links = nil
  model.kept[1] = namespace("uts", { nprocs = 0, owner = first.user,
    holders = { { how = "descriptor", pid = 7, fd = 3 } } })
  model.kept[2] = namespace("ipc", { nprocs = 0, holders = { { how = "socket",
    pid = 7, fd = 3 } } })
  return model
end

local named <const> = { ["&amp;"] = "&", ["&lt;"] = "<", ["&gt;"] = ">",
                        ["&quot;"] = '"' }

-- Boxes and texts of a picture, each with left, top, right, bottom.
local function parts(svg)
  local boxes, texts = {}, {}
  local rect <const> = '<rect class="(%S+)" x="(%S+)" y="(%S+)" '
    .. 'width="(%S+)" height="(%S+)"'
  for class, x, y, w, h in svg:gmatch(rect) do
    boxes[#boxes + 1] = { class = class, l = x + 0, t = y + 0, r = x + w,
                          b = y + h }
  end
  local pattern <const> = '<text class="([^"]*)" x="(%S+)" y="(%S+)">'
    .. "(.-)</text>"
  for class, x, y, inner in svg:gmatch(pattern) do
    local shown = inner:gsub("<title>.-</title>", ""):gsub("&%l+;", named)
    local size = class:find "^small" and 11 or class:find "^h1" and 22
      or class:find "^h2" and 15 or 12
    texts[#texts + 1] = { class = class, text = shown, l = x + 0, t = y - size,
      b = y + 3, r = x + utf8.len(shown) * size * 0.605 }
  end
  return boxes, texts
end

local function within(a, b)
  return a.l >= b.l and a.r <= b.r and a.t >= b.t and a.b <= b.b
end

local function apart(a, b)
  return a.r <= b.l or b.r <= a.l or a.b <= b.t or b.b <= a.t
end

local function tell(one)
  return ("%s %s (%g %g %g %g)"):format(one.class, one.text or "", one.l, one.t,
    one.r, one.b)
end

-- Whatever is not in the other must be clear of it.
local function check_all(list, others)
  for _, a in ipairs(list) do
    for _, b in ipairs(others) do
      if a ~= b and not (apart(a, b) or within(a, b) or within(b, a)) then
        error(tell(a) .. " overlaps " .. tell(b), 0)
      end
    end
  end
end

local function no_two_touch(texts)
  for i, a in ipairs(texts) do
    for j = i + 1, #texts do
      local b <const> = texts[j]
      if not apart(a, b) then error(tell(a) .. " lies on " .. tell(b), 0) end
    end
  end
end

-- Every element that is opened is closed, in order.
local function check_nesting(svg)
  local open = {}
  for slash, name, rest in svg:gmatch "<(/?)(%a+)([^>]*)>" do
    if slash == "/" then
      assert.equal(name, table.remove(open))
    elseif rest:sub(-1) ~= "/" then
      open[#open + 1] = name
    end
  end
  assert.same({}, open)
end

describe("a picture", function()
  for _, count in ipairs { 5, 50, 200 } do
    it(("of %d namespaces has nothing that overlaps or is cut"):format(count),
      function()
        local svg = require("farside.draw.svg").draw(machine(count))
        local width, height = svg:match 'width="(%d+)" height="(%d+)"'
        local page = { l = 0, t = 0, r = tonumber(width),
                       b = tonumber(height) }
        local boxes, texts = parts(svg)
        assert.is_true(#boxes > count and #texts > count)
        for _, list in ipairs { boxes, texts } do
          for _, one in ipairs(list) do
            assert.is_true(within(one, page), tell(one))
          end
        end
        check_all(boxes, boxes)
        check_all(texts, boxes)
        no_two_touch(texts)
        check_nesting(svg)
      end)
  end

  it("shows no name as markup", function()
    local svg = require("farside.draw.svg").draw(machine(40))
    assert.is_nil(svg:find("<long>", 1, true))
    assert.is_truthy(svg:find("&lt;long&gt;&amp;", 1, true))
  end)

  it("fits dark backgrounds, and needs nothing else", function()
    local svg = require("farside.draw.svg").draw(machine(5))
    assert.is_truthy(svg:find("@media (prefers-color-scheme:dark)", 1, true))
    assert.is_nil(svg:find "https?://[^w]" or svg:find "url%(")
    assert.is_nil(svg:find "@import" or svg:find "<script")
  end)

  it("is a graph for dot, too", function()
    local graph = require("farside.draw.dot").draw(machine(50))
    assert.matches("^graph namespaces {\n", graph)
    assert.matches("\nn%d+ %-%- n%d+ %[color=blue, taillabel=\"p0", graph)
    t.needs "dot"
    local path <const> = t.tmpdir() .. "/graph"
    local file <close> = assert(io.open(path, "w"))
    file:write(graph):flush()
    assert.is_true(os.execute("timeout 20 dot -Tsvg " .. path .. " >/dev/null"))
  end)
end)

describe("farside tree", function()
  local function tree(arguments, streams)
    local pipe <close> = assert(io.popen(driver .. " tree " .. arguments
      .. " </dev/null " .. (streams or "2>/dev/null") .. "; echo $?"))
    return (pipe:read "a":gsub("\n$", ""))
  end

  it("draws the machine", function()
    local said = tree ""
    assert.matches("^%d+ namespaces on %S+\n\nprocesses\npid %d+  %d+ proc",
      said)
    assert.matches("\nusers\nuser %d+  made by ", said)
    assert.matches("\n0$", said)
  end)

  it("writes a picture into a file, or to its output", function()
    local path <const> = t.tmpdir() .. "/a.svg"
    assert.matches("0$", tree("--svg " .. path))
    local file <close> = assert(io.open(path))
    assert.matches("^<svg .*</svg>\n$", file:read "a")
    assert.matches("^<svg ", tree "--svg -")
    assert.matches("^graph namespaces {\n", tree "--dot")
  end)

  it("says what is wrong", function()
    assert.equal("farside tree: unknown option '--png' (did you mean "
      .. "'--svg'?)\nfarside: `farside tree --help` lists what it takes\n125",
      tree("--png", "2>&1"))
    assert.equal("farside tree: unexpected 'x'\nfarside: `farside tree "
      .. "--help` lists what it takes\n125", tree("x", "2>&1"))
    assert.matches("/nowhere/x.svg: No such file or directory\n125$",
      tree("--svg /nowhere/x.svg", "2>&1"))
  end)
end)

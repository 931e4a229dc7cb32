-- What a lab declares, before anything of it is made: names, numbers,
-- addresses, pictures, and what is refused.

local t <const> = require "spec.helper"
local ns <const> = require "farside"

-- What a call raises, without where.
local message <const> = t.refusal

local function plain()
  local lab = ns.lab()
  local h1, h2, sw = lab:host "h1", lab:host "h2", lab:switch "sw"
  lab:link(h1, sw)
  lab:link(h2, sw)
  return lab, h1, h2, sw
end

describe("addresses", function()
  it("are drawn in order, from one network for each set of switches", function()
    local lab, h1, h2, sw = plain()
    local far, other = lab:host "far", lab:switch "other"
    lab:link(other, sw)
    lab:link(far, other)
    lab:link(h1, h2)
    assert.same({ "10.0.0.1/16", "10.1.0.1/16" }, h1.addresses)
    assert.same({ "10.0.0.2/16", "10.1.0.2/16" }, h2.addresses)
    assert.equal("10.0.0.3", far.address)
  end)

  it("are drawn from a network that is in use there, around what is taken",
    function()
      local lab = ns.lab()
      local sw = lab:switch "sw"
      lab:link(lab:host "a", sw, { address = "192.168.7.1/24" })
      lab:link(lab:host "b", sw)
      lab:link(lab:host "c", sw, { address = "192.168.7.3/24" })
      lab:link(lab:host "d", sw)
      assert.equal("192.168.7.2", lab.nodes.b.address)
      assert.equal("192.168.7.4", lab.nodes.d.address)
    end)

  it("keep away from networks that were given elsewhere", function()
    local lab = ns.lab()
    lab:link(lab:host "a", lab:host "b", { address = "10.0.3.1/24" })
    lab:link(lab:host "c", lab:host "d")
    assert.equal("10.0.3.2", lab.nodes.b.address)
    assert.equal("10.1.0.1", lab.nodes.c.address)
  end)

  it("may be several, of both kinds, or none", function()
    local lab = ns.lab()
    lab:link(lab:host "a", lab:host "b", {
      address = { "10.0.0.1/24", "fd00::1/64" }, peer = { address = false },
    })
    assert.same({ "10.0.0.1/24", "fd00::1/64" }, lab.nodes.a.addresses)
    assert.is_nil(lab.nodes.b.address)
  end)

  it("belong to one node each", function()
    local lab, _, _, sw = plain()
    lab:link(lab:host "h3", sw, { address = "10.0.0.1/16" })
    lab:link(lab:host "h4", sw, { address = "10.0.0.1/16" })
    assert.equal("lab: link h4 to sw: h3 has the address 10.0.0.1 already",
      message(lab.draw, lab))
  end)

  it("run out", function()
    local lab = ns.lab()
    local sw = lab:switch "sw"
    lab:link(lab:host "a", sw, { address = "10.0.0.1/30" })
    lab:link(lab:host "b", sw)
    lab:link(lab:host "c", sw)
    assert.equal("lab: link c to sw: no address is left in 10.0.0.0/30",
      message(lab.draw, lab))
  end)
end)

describe("interfaces", function()
  it("are eth0, eth1 on a host, and a switch's ports have the hosts' names",
    function()
      local lab, h1, _, sw = plain()
      local one, two = lab:link(h1, sw), lab:link(sw, h1)
      assert.same({ "eth1", "h1-2" }, { one.a.name, one.b.name })
      assert.same({ "h1-3", "eth2" }, { two.a.name, two.b.name })
    end)

  it("have the name that they were given", function()
    local lab, h1, _, sw = plain()
    local link = lab:link(h1, sw, { name = "up", peer = { name = "uplink" } })
    assert.same({ "up", "uplink" }, { link.a.name, link.b.name })
    assert.equal("lab: h1 has an interface up already",
      message(lab.link, lab, h1, sw, { name = "up" }))
  end)

  it("have a MAC address that tells the IPv4 address", function()
    local lab, h1, _, sw = plain()
    local link = lab:link(h1, sw, { mac = "02:AA:00:00:00:01" })
    lab:draw()
    assert.equal("02:00:0a:00:00:01", lab.links[1].a.mac)
    assert.equal("02:aa:00:00:00:01", link.a.mac)
    assert.matches("^02:02:00:00:00:03$", link.b.mac)
  end)

  it("are the same on every run", function()
    local function told()
      local lab = plain()
      lab:draw()
      local words = {}
      for _, link in ipairs(lab.links) do
        for _, one in ipairs { link.a, link.b } do
          words[#words + 1] = one.name .. one.index .. one.mac
        end
      end
      return table.concat(words, " ")
    end
    assert.equal(told(), told())
  end)
end)

describe("a lab refuses", function()
  local lab, h1, h2, sw
  before_each(function() lab, h1, h2, sw = plain() end)

  local function refused(text, method, ...)
    assert.equal(text, message(lab[method], lab, ...))
  end

  it("odd names", function()
    refused("host: name of 1 to 15 letters, digits and '-' expected, got "
      .. "'h 3'", "host", "h 3")
    refused("switch: name of 1 to 15 letters, digits and '-' expected, got "
      .. "'abcdefghijklmnop'", "switch", "abcdefghijklmnop")
    refused("host: name expected, got nil", "host")
    refused("router: there is a host 'h1' already", "router", "h1")
  end)

  it("what is no node of its own", function()
    local stranger = ns.lab():host "x"
    refused("link: host, router or switch of this lab expected, got 'x'",
      "link", h1, "x")
    refused("link: host, router or switch of this lab expected, got table",
      "link", h1, stranger)
    refused("link: h1 to itself", "link", h1, "h1")
  end)

  it("unknown keys and values without sense", function()
    refused("link: unknown key 'dealy' (did you mean 'delay'?)", "link", h1, sw,
      { dealy = "5ms" })
    refused("link: delay: time such as \"5ms\" expected, got 'long'", "link",
      h1, sw, { delay = "long" })
    refused("link: peer.loss: percentage such as \"1%\" expected, got '1'",
      "link", h1, sw, { peer = { loss = 1 } })
    refused("link: rate: rate such as \"10mbit\" expected (bit, kbit, mbit, "
      .. "gbit), got '10'", "link", h1, sw, { rate = "10" })
    refused("link: address: address with the length of its prefix expected, "
      .. "such as \"10.0.0.1/24\", got '10.0.0.1'", "link", h1, sw,
      { address = "10.0.0.1" })
    refused("link: mac: MAC address such as \"02:00:00:00:00:01\" expected, "
      .. "got '1'", "link", h1, sw, { mac = "1" })
    refused("link: jitter: it is a part of a delay, which is not given", "link",
      h1, sw, { jitter = "1ms" })
    refused("link: reorder: it takes a delay that some packets skip", "link",
      h1, sw, { reorder = "1%" })
    refused("host: gateway: address expected, such as \"10.0.0.1\", got 'r1'",
      "host", "h3", { gateway = "r1" })
    refused("host: routes: network expected, such as \"10.1.0.0/16\", got "
      .. "'10'", "host", "h3", { routes = { ["10"] = "10.0.0.1" } })
    assert.equal("lab: unknown key 'user' (expected neighbours, unprivileged)",
      message(ns.lab, { user = true }))
  end)

  it("an address for a switch", function()
    refused("link: address: sw is a switch, which has none", "link", h1, sw,
      { peer = { address = "10.0.0.3/24" } })
    refused("link: address: sw is a switch, which has none", "link", sw, h2,
      { address = "10.0.0.3/24", peer = { address = "10.0.0.4/24" } })
  end)

  it("more links on a switch than a bridge has ports", function()
    for i = 1, 1022 do lab:link(lab:host("x" .. i), sw) end
    assert.equal("lab: sw has 1024 links, and a bridge has at most 1023 ports: "
      .. "put some of them on another switch, linked to this one",
      message(lab.start, lab))
  end)
end)

describe("a picture", function()
  local function triangle()
    local lab = ns.lab()
    local r = {}
    for i = 1, 3 do r[i] = lab:router("r" .. i) end
    lab:link(r[1], r[2], { delay = "5ms", jitter = "1ms", loss = "1%" })
    lab:link(r[2], r[3], { peer = { rate = "10mbit" } })
    lab:link(r[3], r[1])
    lab:link(lab:host "h1", r[1])
    return lab
  end

  it("in text is a tree, with the links that are in none", function()
    assert.equal([[
sw  switch
├─ h1  10.0.0.1/16
└─ h2  10.0.0.2/16
]], plain():draw())
    assert.equal([[
r1  router  eth0 10.0.0.1/16, eth1 10.2.0.2/16, eth2 10.3.0.2/16
├─ r2  router  eth0 10.0.0.2/16, eth1 10.1.0.1/16  (5ms ±1ms loss 1%)
│  └─ to r3  (10mbit from r3)
├─ r3  router  eth0 10.1.0.2/16, eth1 10.2.0.1/16
└─ h1  10.3.0.1/16
]], triangle():draw "text")
  end)

  it("is one that Graphviz reads", function()
    local text <const> = triangle():draw "dot"
    assert.matches('^graph lab {\n', text)
    assert.matches('\n  "h1" %[shape=box, label="h1\\n10%.3%.0%.1/16"%];\n',
      text)
    assert.matches('\n  "r1" %-%- "r2" %[label="5ms ±1ms loss 1%%"%];\n', text)
    assert.matches('\n  "h1" %-%- "r1";\n}\n$', text)
  end)

  it("shows an interface whatever bytes it is named with", function()
    local lab <const> = ns.lab()
    local r <const> = lab:router "r"
    lab:link(r, lab:host "a", { name = "\xff\27" })
    lab:link(r, lab:host "b")
    for _, kind in ipairs { "text", "dot", "svg" } do
      local drawn <const> = lab:draw(kind):gsub("\\\\", "\\")
      assert.matches([[\xff\x1b 10.0.0.1/16]], drawn, 1, true)
    end
  end)

  it("has its kind among the known ones", function()
    assert.equal("draw: text, dot, svg expected, got 'png'",
      message(triangle().draw, triangle(), "png"))
  end)

  -- The boxes of an SVG: { x, y, width, height }.
  local function boxes(svg)
    local list = {}
    local pattern <const> = '<rect class="(%l+)" x="([%d.]+)" y="([%d.]+)" '
      .. 'width="([%d.]+)" height="([%d.]+)"'
    for class, x, y, width, height in svg:gmatch(pattern) do
      if class ~= "frame" then
        list[#list + 1] = { tonumber(x), tonumber(y), tonumber(width),
                            tonumber(height) }
      end
    end
    return list
  end

  local function apart(a, b)
    return a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1]
      or a[2] + a[4] <= b[2] or b[2] + b[4] <= a[2]
  end

  local function check(lab, count)
    local svg <const> = lab:draw "svg"
    local width, height = svg:match ' width="(%d+)" height="(%d+)"'
    local list <const> = boxes(svg)
    assert.equal(count, #list)
    for i, one in ipairs(list) do
      assert(one[1] >= 0 and one[2] >= 0
        and one[1] + one[3] <= tonumber(width)
        and one[2] + one[4] <= tonumber(height), "one is cut")
      for k = i + 1, #list do assert(apart(one, list[k]), "two overlap") end
    end
    return svg
  end

  it("as SVG has all nodes, none over another and none cut", function()
    check(triangle(), 4)
    local lab = ns.lab()
    local core = lab:switch "core"
    for i = 1, 10 do
      local edge = lab:switch("e" .. i)
      lab:link(edge, core, { rate = "10mbit" })
      for k = 1, i * 2 do
        lab:link(lab:host(("h%d-%d"):format(i, k)), edge, { delay = "5ms" })
      end
    end
    lab:host "alone"
    local svg <const> = check(lab, 1 + 10 + 110 + 1)
    assert.matches("^<svg xmlns=\"http://www.w3.org/2000/svg\" ", svg)
    assert.is_nil(svg:find "nan" or svg:find "inf")
  end)
end)

describe("farside lab", function()
  local function output(script, words, input)
    local path <const> = t.tmpdir() .. "/lab.lua"
    local file <close> = assert(io.open(path, "w"))
    file:write(script)
    file:close()
    local pipe <close> = assert(io.popen(("%s/farside lab %s %s 2>&1 <<'END'\n"
      .. "%s\nEND"):format(t.build, words or "", path, input or "")))
    return (pipe:read "a":gsub(path:gsub("%p", "%%%0"), "FILE"))
  end

  it("draws without making anything", function()
    local script <const> = "local lab <close> = ns.lab()\n"
      .. "local h = lab:host 'h'\nlab:link(h, lab:switch 'sw')\n"
      .. "h:run 'false'\nerror 'not so far'\n"
    assert.equal("sw  switch\n└─ h  10.0.0.1/16\n",
      output(script, "--draw text"))
  end)

  it("wants a script that makes a lab", function()
    assert.equal("farside: FILE: makes no lab: it calls ns.lab() nowhere\n",
      output "")
    assert.matches(":1: moon\n$", output "error 'moon'")
    local pipe <close> = io.popen(t.build .. "/farside lab 2>&1")
    assert.matches("^farside lab: a script is expected\n", pipe:read "a")
  end)
end)

-- The documentation is made of the doc comments: nothing public is without
-- one, and what is made of them can be read.
local t <const> = require "spec.helper"
local ns <const> = require "farside"

local function files()
  local list = {}
  local found <close> = assert(io.popen "ls csrc/*.c; find lua -name '*.lua'")
  for file in found:lines() do list[#list + 1] = file end
  table.sort(list)
  return list
end

local records <const> = require("scripts.dev.docs.parse").read(files())
local by_name <const> = {}
for _, record in ipairs(records) do by_name[record.name] = record end

-- What modules of the library need of the core and nobody else: no part of
-- what is promised.
local internal <const> = {
  ["ns.sources"] = true, ["ns.where"] = true, ["ns.netlink_socket"] = true,
}

local function value_of(name)
  local value = ns
  for word in name:gmatch("[^.]+", 4) do
    value = type(value) == "table" and value[word] or nil
  end
  return value
end

-- The names of all public functions. The metatables of errors and handles are
-- there for the library's sake.
local function public()
  local names = {}
  for name, value in pairs(ns) do
    if type(value) == "function" then
      names[#names + 1] = "ns." .. name
    elseif type(value) == "table" and name ~= "error"
           and name ~= "namespace" then
      for inner, element in pairs(value) do
        if type(element) == "function" then
          names[#names + 1] = ("ns.%s.%s"):format(name, inner)
        end
      end
    end
  end
  table.sort(names)
  return names
end

local function list_of(condition, list)
  local found = {}
  for _, one in ipairs(list) do
    local name = condition(one)
    if name then found[#found + 1] = name end
  end
  return found
end

describe("the documentation", function()
  it("has every public function", function()
    assert.same({}, list_of(function(name)
      return not by_name[name] and not internal[name] and name
    end, public()))
  end)

  it("says of every function what it raises", function()
    assert.same({}, list_of(function(record)
      return record.name:find "^ns%." and not record.raises and record.name
    end, records))
  end)

  it("has no function that there is not", function()
    assert.same({}, list_of(function(record)
      return record.name:find "^ns%." and not value_of(record.name)
        and record.name
    end, records))
  end)

  it("says what every parameter is", function()
    assert.same({}, list_of(function(record)
      for _, param in ipairs(record.params) do
        if param.type == "" or param.name == "" then return record.name end
      end
      return record.text == "" and record.name
    end, records))
  end)

  it("has every key of a recipe", function()
    assert.same({}, list_of(function(key)
      return not (key.help or key.about) and key.name
    end, require("farside.recipe").keys))
  end)

  it("has examples that compile", function()
    assert.same({}, list_of(function(record)
      for _, usage in ipairs(record.usage) do
        local ok, message = load(usage)
        if not ok then return record.name .. ": " .. message end
      end
    end, records))
  end)
end)

-- What an example takes for granted, as the root of namespaces of its own.
local before <const> = {
  ["container:exec"] = [[local web <close> = ns.spawn {
      "/bin/sleep", "60", env = { PATH = "/tmp:/usr/bin:/bin" },
      setup = function(c) c:write("/tmp/nginx", "#!/bin/sh\n", "0755") end,
    }]],
  ["lab:link"] = [[local lab <close> = ns.lab()
    local h1, sw = lab:host "h1", lab:switch "sw"]],
  ["link:set"] = [[local lab <close> = ns.lab()
    local link = lab:link(lab:host "h1", lab:host "h2", { loss = "1%" })
    lab:start()]],
  ["ns.netlink"] = [[local child <close> = ns.clone({ "net" }, ns.pause)
    ns.netlink(child).link.add { name = "eth0", kind = "veth",
                                 peer = { name = "far" } }]],
  ["ns.mount"] = [[ns.mount("tmpfs", "/srv", "tmpfs")]],
  ["ns.pivot_root"] = [[ns.mount("tmpfs", "/srv", "tmpfs")
    ns.mkdirat(nil, "/srv/root") ns.mount("tmpfs", "/srv/root", "tmpfs")]],
}

-- What an example needs.
local needs <const> = {
  ["container:exec"] = { "filesystem overlay", "namespace time" },
  ["link:set"] = { "qdisc netem" },
}

-- One has no end: spec/monitor_spec.lua shows what it does.
local endless <const> = { ["netlink:monitor"] = true }

describe("the example of", function()
  for _, record in ipairs(records) do
    for i, usage in ipairs(endless[record.name] and {} or record.usage) do
      it(("%s (%d) does what it says"):format(record.name, i), function()
        if t.sanitized and record.name == "ns.pivot_root" then
          pending "the leak sanitizer cannot look at what it has left"
        end
        t.needs("userns", table.unpack(needs[record.name] or {}))
        local script <const> = t.tmpdir() .. "/example.lua"
        local file <close> = assert(io.open(script, "w"))
        file:write(before[record.name] or "", "\n", usage, "\n")
        file:close()
        t.userns(function()
          local pipe <const> = assert(io.popen(("%s/farside %s 2>&1"):format(
            t.build, script)))
          local said <const> = pipe:read "a"
          assert(pipe:close(), said)
        end, { "net" })
      end)
    end
  end
end)

local function made(what)
  local directory <const> = t.tmpdir()
  local command <const> = ("%s/farside scripts/dev/docs.lua %s %s %s"):format(
    t.build, what, directory .. (what == "man" and "" or "/out"),
    table.concat(files(), " "))
  assert(os.execute(command))
  return function(name)
    local file <close> = assert(io.open(directory .. "/" .. name))
    return file:read "a"
  end
end

describe("what is made of it", function()
  it("are definitions for editors, which are Lua", function()
    local text <const> = made "luacats" "out"
    assert(load(text))
    assert.matches("\n%-%-%-@param target string\n", text)
    assert.matches("\nfunction ns%.umount%(target, flags%) end\n", text)
    assert.matches("\nfunction process:wait%(timeout%) end\n", text)
  end)

  it("are manual pages with all that there is", function()
    local page <const> = made "man"
    local functions <const>, keys <const> = page "farside.3",
      page "farside-recipe.5"
    for _, record in ipairs(records) do
      assert.is_truthy(functions:find("\n.SS " .. record.name .. "(", 1, true),
                       record.name)
    end
    for _, key in ipairs(require("farside.recipe").keys) do
      assert.is_truthy(keys:find("\n.B " .. key.name .. "\n", 1, true),
                       key.name)
    end
    for _, command in ipairs(require("farside.cli").summaries()) do
      local heading <const> = "\n.SH FARSIDE " .. command[1]:upper() .. "\n"
      assert.is_truthy(page "farside.1":find(heading, 1, true), command[1])
    end
  end)

  it("are manual pages that groff has nothing to say of", function()
    t.needs "groff"
    local page <const>, directory <const> = made "man", t.tmpdir()
    for _, name in ipairs { "farside.1", "farside.3", "farside-recipe.5" } do
      local file <close> = assert(io.open(directory .. "/page", "w"))
      file:write(page(name))
      file:close()
      local pipe <close> = assert(io.popen(("groff -k -man -Tutf8 -ww '%s' "
        .. "2>&1 >/dev/null"):format(directory .. "/page")))
      assert.equal("", pipe:read "a")
    end
  end)
end)

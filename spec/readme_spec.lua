-- What the README says is so: its Lua examples run as they stand and print
-- what is written behind their arrows; the commands that it names are there.

local t = require "spec.helper"
local lfs = require "lfs"

local driver <const> = t.build .. "/farside"

local function content(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local readme <const> = content "README.md"

-- Its examples: { text, the line that it begins at }.
local examples <const> = {}
for at, text in readme:gmatch "\n```lua\n()(.-)\n```" do
  local _, line = readme:sub(1, at):gsub("\n", "")
  examples[#examples + 1] = { text = text .. "\n", line = line + 1 }
end

-- What stands behind the arrows, a line each.
local function promised(text)
  local lines = {}
  for line in text:gmatch "%-%->%s([^\n]*)" do lines[#lines + 1] = line end
  return table.concat(lines, "\n")
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

-- The directories that the examples name, in memory and nobody else's; they
-- cover what is there, which must not be us.
local function furnish()
  for _, path in ipairs { lfs.currentdir(), t.build } do
    if path:find "^/run/" or path:find "^/srv/" then
      pending "the tree lies in a directory that the examples name"
    end
  end
  local ns <const> = require "farside"
  for _, path in ipairs { "/run", "/srv" } do
    ns.mount("tmpfs", path, "tmpfs", "mode=0755")
  end
  lfs.mkdir "/run/netns"
  lfs.mkdir "/srv/www"
  write("/srv/www/index", "hello from /srv/www\n")
end

local function output_of(path)
  local pipe <const> = io.popen("XDG_RUNTIME_DIR=/run " .. driver .. " " .. path
                                .. " 2>&1 </dev/null")
  local text <const> = pipe:read "a"
  assert(pipe:close(), text)
  return (text:gsub("\n$", ""))
end

local function help(word)
  local pipe <close> = io.popen(driver .. " " .. word .. " --help 2>&1")
  return pipe:read "a"
end

describe("the README", function()
  for _, example in ipairs(examples) do
    it(("has an example at line %d that does what it says")
       :format(example.line), function()
      t.needs("filesystem overlay", "namespace time")
      local path <const> = t.tmpdir() .. "/example.lua"
      write(path, example.text)
      t.userns(function()
        furnish()
        assert.equal(promised(example.text), output_of(path))
      end)
      t.reap() -- what looks after a detached container
    end)
  end

  it("quotes the messages of failures as they are", function()
    local failing <const> = {
      [[ns.clone({ "user", "mnt" }, function()
          ns.mount("proc", "/proc", "proc")
        end):wait()]],
      [[ns.run { "true", mounts = { { bind = "/srv/www", at = "/x" } } }]],
    }
    t.userns(function()
      require("farside").mount("tmpfs", "/srv", "tmpfs")
      for i, code in ipairs(failing) do
        local pipe = io.popen(driver .. " -e '" .. code .. "' 2>&1")
        failing[i] = pipe:read "a":match ":%d: (.-)\n$"
        pipe:close()
        local quoted <const> = failing[i]:gsub("\n", "\n    ")
        assert.truthy(readme:find(quoted, 1, true), failing[i])
      end
    end)
  end)

  it("quotes the plan as root sees it", function()
    t.needs "root"
    local pipe <close> = io.popen(driver .. " plan --hostname moon -- /bin/sh")
    local plan <const> = pipe:read "a"
    local quoted <const> = readme:match "%$ farside plan .-\n(.-)\n\n"
    for line in quoted:gmatch "[^\n]+" do
      local words = line:gsub("^[%s%d]+", "")
      assert(words == "…" or plan:find(words, 1, true), line)
    end
  end)

  it("names what can be made", function()
    local makefile <const> = content "Makefile"
    for target in readme:gmatch "[%s`]make ([a-z]+)[`%s]" do
      assert.matches("\n" .. target .. ":", makefile)
    end
  end)

  it("names commands that there are", function()
    for word in readme:gmatch "[`%s]farside (%l+)[` ]" do
      assert.matches("usage: farside " .. word, help(word))
    end
  end)

  it("names options that there are", function()
    for word, options in readme:gmatch "%$ farside (%l+) (%-%-%l[^\n]*)" do
      local text = help(word == "plan" and "run" or word)
      for option in (options .. " "):gmatch "(%-%-%l[%l-]*) " do
        assert.truthy(text:find(" " .. option .. " ", 1, true), option)
      end
    end
  end)

  it("names specs of attacks that there are", function()
    local table_of <const> = readme:match "\n### Attacks\n(.-)\n### "
    local count = 0
    for name, sentence in table_of:gmatch "| (%l+): ([^|\n]+) |\n" do
      local path <const> = ("spec/attack_%s_spec.lua"):format(name)
      local text <const> = content(lfs.attributes(path) and path
                                   or ("spec/%s_spec.lua"):format(name))
      assert(text:find(('("%s"'):format(sentence), 1, true), sentence)
      count = count + 1
    end
    local _, lines <const> = table_of:gsub("\n|", "")
    assert.equal(lines - 2, count) -- but the head
  end)

  it("names files that there are", function()
    for path in readme:gmatch "[%s`](scripts/[%w/.]+)" do
      assert.truthy(lfs.attributes(path), path)
    end
    for path in readme:gmatch "!%b[](%b())" do
      assert.truthy(lfs.attributes(path:sub(2, -2)), path)
    end
  end)
end)

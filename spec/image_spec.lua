-- Images in the OCI layout: which of a directory is taken, what it gives to a
-- container, and that nothing is taken on trust.

local t = require "spec.helper"
local ns = require "farside"
local archives <const> = require "spec.archives"
local containers <const> = require "spec.containers"
local images <const> = require "farside.layer.image"
local write <const>, failure <const> = containers.write, containers.failure

local machine <const> = ({ x86_64 = "amd64", aarch64 = "arm64" })
  [ns.uname().machine]

-- A layout that is being made: its parts are written under their digests.
local Layout = {}
Layout.__index = Layout

local function new_layout()
  t.needs "lua cjson"
  local directory <const> = t.tmpdir()
  ns.mkdirat(nil, directory .. "/blobs")
  ns.mkdirat(nil, directory .. "/blobs/sha256")
  return setmetatable({ directory = directory }, Layout)
end

-- A list within stays one when it is empty.
local function encode(value)
  local json <const> = require "farside.json"
  if value.layers then value.layers = json.list(value.layers) end
  return json.encode(value)
end

-- Answers the descriptor of a blob.
function Layout:blob(text, more)
  if type(text) == "table" then text = encode(text) end
  local digest <const> = require("farside.layer.digest").of_text(text)
  write(self.directory .. "/blobs/sha256/" .. digest, text)
  local descriptor <const> = { digest = "sha256:" .. digest, size = #text }
  for key, value in pairs(more or {}) do descriptor[key] = value end
  return descriptor
end

function Layout:index(...)
  write(self.directory .. "/index.json",
        encode { schemaVersion = 2, manifests = { ... } })
  return self.directory
end

local layer <const> = archives.archive(
  { name = "etc/passwd", data = "ada:x:7:8::/home:/bin/sh\n" },
  { name = "etc/group", data = "eight:x:8:\n" })

-- The descriptor of a manifest with one layer.
function Layout:manifest(config, more)
  return self:blob({
    config = self:blob { config = config }, layers = { self:blob(layer) },
  }, more)
end

local function tagged(tag)
  return { annotations = { ["org.opencontainers.image.ref.name"] = tag } }
end

local function for_machine(name)
  return { platform = { os = "linux", architecture = name } }
end

local function refusal(name)
  local ok, err = pcall(images.read, name)
  assert.is_false(ok)
  assert.equal("image", err.call)
  return err.detail:match "%((.*)%)$"
end

describe("an image", function()
  it("says what a container of it has and runs", function()
    local layout <const> = new_layout()
    layout:index(layout:manifest {
      Env = { "A=1", "B=x=y" }, Entrypoint = { "/bin/e" }, Cmd = { "c" },
      User = "ada", WorkingDir = "/w" })
    local image <const> = images.read(layout.directory)
    assert.same({ A = "1", B = "x=y" }, image.env)
    assert.same({ "/bin/e", "c" }, image.command)
    assert.same({ "ada", "/w" }, { image.user, image.cwd })
    assert.equal(1, #image.layers)
    assert.equal(image.layers[1]:match "[^/]*$", image.digests[1])
  end)

  it("is the one with the tag, or the only one", function()
    local layout <const> = new_layout()
    local one <const> = layout:manifest({ Cmd = { "1" } }, tagged "one")
    local two <const> = layout:manifest({ Cmd = { "2" } }, tagged "two")
    local name <const> = layout:index(one, two)
    assert.same({ "2" }, images.read(name .. ":two").command)
    assert.equal("no such tag; it has one, two", refusal(name .. ":three"))
    assert.equal("which one? its tags are one, two", refusal(name))
    layout:index(one)
    assert.same({ "1" }, images.read(name).command)
  end)

  it("is that for this machine, of one for several", function()
    if not machine then return pending "the machine's name is not known" end
    local layout <const> = new_layout()
    local name <const> = layout:index(layout:blob { manifests = {
      layout:manifest({ Cmd = { "other" } }, for_machine "vax"),
      layout:manifest({ Cmd = { "ours" } }, for_machine(machine)),
    } })
    assert.same({ "ours" }, images.read(name).command)
    layout:index(layout:blob { manifests = {
      layout:manifest({}, for_machine "vax") } })
    assert.equal("none for " .. machine .. "; it has vax", refusal(name))
  end)

  it("has parts that are what their digests say", function()
    local layout <const> = new_layout()
    local manifest <const> = layout:manifest {}
    local name <const> = layout:index(manifest)
    write(name .. "/blobs/sha256/" .. manifest.digest:sub(8), "{}")
    assert.matches("^the manifest has the digest sha256:%x+, "
                   .. manifest.digest .. " expected$", refusal(name))
  end)

  it("names its parts by digests and nothing else", function()
    local layout <const> = new_layout()
    for _, digest in ipairs { "sha256:../../index.json", "md5:00", "" } do
      layout:index { digest = digest, size = 2 }
      assert.equal("digest of SHA-256 expected, got '" .. digest .. "'",
                   refusal(layout.directory))
    end
  end)

  it("has layers of the size that is said", function()
    local layout <const> = new_layout()
    local wrong <const> = layout:blob(layer, { size = 5 })
    layout:index(layout:blob { config = layout:blob {}, layers = { wrong } })
    assert.equal(("layer 1 has %d bytes, 5 expected"):format(#layer),
                 refusal(layout.directory))
  end)

  local nonsense <const> = {
    ["no layers"] = function(l)
      return l:blob { config = l:blob {}, layers = {} }
    end,
    ["a manifest without a configuration"] = function(l)
      return l:blob { layers = { l:blob(layer) } }
    end,
    ["string expected as digest, got number"] = function()
      return { digest = 7 }
    end,
    ["a variable 'A'"] = function(l) return l:manifest { Env = { "A" } } end,
    ["table expected as Cmd, got string"] = function(l)
      return l:manifest { Cmd = "sh" }
    end,
    ["string expected as 1, got number"] = function(l)
      return l:manifest { Entrypoint = { 7 } }
    end,
    ["string expected as User, got number"] = function(l)
      return l:manifest { User = 7 }
    end,
  }
  for why, make in pairs(nonsense) do
    it("is refused: " .. why, function()
      local layout <const> = new_layout()
      layout:index(make(layout))
      assert.equal(why, refusal(layout.directory))
    end)
  end

  it("is a directory with an index that is JSON", function()
    local layout <const> = new_layout()
    write(layout.directory .. "/index.json", "{")
    assert.matches("^the index is not JSON: ", refusal(layout.directory))
    local _, err = pcall(images.read, "/no/such:tag")
    assert.same({ "ENOENT", "/no/such/index.json" }, { err.code, err.path })
  end)

  it("lends a recipe what it does not say itself", function()
    local layout <const> = new_layout()
    local name <const> = layout:index(layout:manifest {
      Env = { "A=1", "B=2" }, Cmd = { "c" }, User = "ada", WorkingDir = "/w" })
    local plan = tostring(ns.plan { root = { image = name },
                                    env = { B = "3" } })
    assert.matches('"c", cwd = "/w", env = { A = "1", B = "3",', plan)
    assert.matches('root:account%("ada"', plan)
    assert.matches('root:mkdir%("/w"', plan)
    plan = tostring(ns.plan { "x", root = { image = name }, cwd = "/",
                              user = "root" })
    assert.matches('"x", cwd = "/", env', plan)
    assert.matches('root:account%("root"', plan)
  end)

  it("is what umoci writes, and what skopeo makes of others", function()
    t.needs("umoci", "skopeo")
    local directory <const> = t.tmpdir()
    write(directory .. "/layer.tar", layer)
    assert(os.execute(([[
      set -e; cd %s; exec >log 2>&1
      copy() { skopeo --insecure-policy copy "$@"; }
      umoci init --layout umoci
      umoci new --image umoci:a
      umoci raw add-layer --image umoci:a layer.tar
      umoci config --image umoci:a --config.cmd /bin/a --config.env A=1
      copy oci:umoci:a oci:skopeo:a
      copy oci:umoci:a dir:dir
      copy dir:dir oci:of-dir:a
      copy oci:umoci:a docker-archive:docker.tar:a/b:1
      copy docker-archive:docker.tar oci:of-docker:a]]):format(directory)))
    for _, name in ipairs { "umoci", "skopeo", "of-dir", "of-docker" } do
      local image <const> = images.read(directory .. "/" .. name .. ":a")
      assert.same({ "/bin/a", "1", 1 },
                  { image.command[1], image.env.A, #image.layers }, name)
    end
  end)

  it("is what a recipe says, or layers are", function()
    assert.equal("spawn: root: either image or layers expected, not both",
      (failure { root = { image = "a", layers = { "b" } } }))
    local layout <const> = new_layout()
    layout:index(layout:manifest {})
    local ok, message = pcall(ns.spawn, { root = { image = layout.directory } })
    assert.is_false(ok)
    assert.matches("spawn: %[1%]: command expected, got none", message)
  end)
end)

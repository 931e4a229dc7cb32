--- Images: a directory in the OCI image layout, as skopeo, umoci and podman
-- write it, read into layers and what a container of it runs. Every part is
-- named by its digest, and is what that says. See the OCI image specification.

local core <const> = require "farside.core"
local files <const> = require "farside.file"
local digests <const> = require "farside.layer.digest"
local json <const> = require "farside.json"

local M = {}

local MOST <const> = 4 << 20 -- bytes of an index, manifest or configuration

local function fail(image, format, ...)
  core.raise(core.errno.EINVAL, "image", image.name,
             ("%s (%s)"):format(image.name, format:format(...)))
end

---- parts ----

local function read(image, path)
  local file <close> = core.openat2(nil, path, "rdonly,nonblock")
  local is <const> = core.fstatat(file, "")
  if is.type ~= "file" or is.size > MOST then
    fail(image, "%s is no file of at most %d bytes", path, MOST)
  end
  local parts = {}
  for part in function() return core.read(file, 1 << 16) end do
    parts[#parts + 1] = part
  end
  return table.concat(parts)
end

-- A field of a table from JSON: of this type, or nil; null is none.
local function field(image, object, key, kind)
  local value <const> = object[key]
  if value == nil or value == json.null then return nil end
  if type(value) ~= kind then
    fail(image, "%s expected as %s, got %s", kind, key, type(value))
  end
  return value
end

-- A list of such values; empty when there is none.
local function list(image, object, key, kind)
  local values <const> = field(image, object, key, "table") or {}
  for i in ipairs(values) do field(image, values, i, kind) end
  return values
end

local function decode(image, text, what)
  local ok, value = pcall(json.decode, text)
  if ok and type(value) == "table" then return value end
  fail(image, "the %s is not JSON: %s", what, tostring(value))
end

-- The file of a descriptor, and its digits. The digest is a name of a file, and
-- nothing else may be.
local function blob(image, descriptor)
  local digest <const> = field(image, descriptor, "digest", "string") or ""
  local digits <const> = digest:match "^sha256:([0-9a-f]+)$"
  if not digits or #digits ~= 64 then
    fail(image, "digest of SHA-256 expected, got '%s'", digest)
  end
  return ("%s/blobs/sha256/%s"):format(image.directory, digits), digits
end

-- What a descriptor stands for, which has its digest.
local function part(image, descriptor, what)
  local path <const>, digits <const> = blob(image, descriptor)
  local text <const> = read(image, path)
  local is <const> = digests.of_text(text)
  if is ~= digits then
    fail(image, "the %s has the digest sha256:%s, sha256:%s expected", what, is,
         digits)
  end
  return decode(image, text, what)
end

---- which image ----

local architectures <const> = {
  x86_64 = "amd64", aarch64 = "arm64", i686 = "386", i386 = "386",
  armv7l = "arm", armv6l = "arm", riscv64 = "riscv64", ppc64le = "ppc64le",
  s390x = "s390x", loongarch64 = "loong64", mips64 = "mips64le",
}

local function here()
  local machine <const> = core.uname().machine
  return architectures[machine] or machine
end

local tag_key <const> = "org.opencontainers.image.ref.name"

local function tag_of(image, descriptor)
  local notes <const> = field(image, descriptor, "annotations", "table") or {}
  return field(image, notes, tag_key, "string")
end

local function tags(image, manifests)
  local words = {}
  for _, descriptor in ipairs(manifests) do
    words[#words + 1] = tag_of(image, descriptor)
  end
  return #words > 0 and table.concat(words, ", ") or "none"
end

-- The one with the tag, or the only one.
local function chosen(image, manifests)
  if not image.tag and #manifests == 1 then return manifests[1] end
  for _, descriptor in ipairs(manifests) do
    if image.tag and tag_of(image, descriptor) == image.tag then
      return descriptor
    end
  end
  fail(image, image.tag and "no such tag; it has %s"
       or "which one? its tags are %s", tags(image, manifests))
end

local function is_for(image, descriptor, architecture)
  local platform <const> = field(image, descriptor, "platform", "table")
  return platform and field(image, platform, "os", "string") == "linux"
    and field(image, platform, "architecture", "string") == architecture
end

-- Of an image for several machines, the manifest for this one.
local function for_here(image, index)
  local has = {}
  for _, descriptor in ipairs(list(image, index, "manifests", "table")) do
    if is_for(image, descriptor, here()) then return descriptor end
    local platform <const> = field(image, descriptor, "platform", "table") or {}
    has[#has + 1] = field(image, platform, "architecture", "string")
  end
  fail(image, "none for %s; it has %s", here(),
       #has > 0 and table.concat(has, ", ") or "none")
end

-- The manifest of one image, through one index more at most.
local function manifest(image, index)
  local descriptor = chosen(image, list(image, index, "manifests", "table"))
  local found = part(image, descriptor, "manifest")
  if found.manifests then
    found = part(image, for_here(image, found), "manifest")
  end
  if not field(image, found, "config", "table") then
    fail(image, "a manifest without a configuration")
  end
  return found
end

---- what it says ----

local function layers(image, found)
  local paths, digits = {}, {}
  for i, descriptor in ipairs(list(image, found, "layers", "table")) do
    paths[i], digits[i] = blob(image, descriptor)
    local ok, is = pcall(core.fstatat, nil, paths[i])
    local size <const> = field(image, descriptor, "size", "number")
    if not ok or is.size ~= size then
      fail(image, "layer %d has %s bytes, %s expected", i,
           ok and is.size or "no", size and ("%d"):format(size) or "some")
    end
  end
  if #paths == 0 then fail(image, "no layers") end
  return paths, digits
end

-- "NAME=VALUE"… as a table.
local function environment(image, config)
  local env = {}
  for _, text in ipairs(list(image, config, "Env", "string")) do
    local name, value = text:match "^([^=]+)=(.*)$"
    if not name then fail(image, "a variable '%s'", text) end
    env[name] = value
  end
  return env
end

local function words(image, config)
  local argv = {}
  for _, key in ipairs { "Entrypoint", "Cmd" } do
    for _, word in ipairs(list(image, config, key, "string")) do
      argv[#argv + 1] = word
    end
  end
  return argv
end

local function not_empty(text) return text ~= "" and text or nil end

-- The last colon without a slash behind it stands before a tag, unless all of
-- it is a directory.
local function split(name)
  if files.has(nil, name .. "/index.json") then return name end
  local directory, tag = name:match "^(.+):([^/:]+)$"
  return directory or name, tag
end

--- Reads an image.
-- @tparam string name "DIRECTORY:TAG", or "DIRECTORY" when it has but one
-- @treturn table `layers`, paths of archives, the first is the lowest; their
-- `digests`; `command`, `env`, and, where it says so, `user` and `cwd`
-- @raise EINVAL for what is no such image, or not what its digests say; ENOENT
function M.read(name)
  local image <const> = { name = name }
  image.directory, image.tag = split(name)
  local index <const> = decode(image, read(image, image.directory
                                           .. "/index.json"), "index")
  local found <const> = manifest(image, index)
  local whole <const> = part(image, found.config, "configuration")
  local config <const> = field(image, whole, "config", "table") or {}
  local paths, digits = layers(image, found)
  return {
    layers = paths, digests = digits, command = words(image, config),
    env = environment(image, config),
    user = not_empty(field(image, config, "User", "string")),
    cwd = not_empty(field(image, config, "WorkingDir", "string")),
  }
end

return M

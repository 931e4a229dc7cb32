-- Archives as layers: what of them is unpacked, what is refused, and that once
-- is enough.

local t = require "spec.helper"
local ns = require "farside"
local archives <const> = require "spec.archives"
local containers <const> = require "spec.containers"
local tar <const> = require "farside.layer.tar"
local host <const>, sh <const> = containers.host, containers.sh
local read <const>, write <const> = containers.read, containers.write
local tree <const>, failure <const> = containers.tree, containers.failure

local root <const> = ns.geteuid() == 0
local archive <const> = archives.archive

---- which entries pass ----

-- What goes on of an archive, and what was found in it.
local function filtered(bytes, most, count, whole)
  local at, out = 1, {}
  local found = tar.filter(function()
    if at > #bytes then return nil end
    at = at + 1000 -- no multiple of a block
    return bytes:sub(at - 1000, at - 1)
  end, function(piece) out[#out + 1] = piece end, most or 1 << 30,
  count or 1000, whole)
  return table.concat(out), found
end

local function refusal(...)
  local ok, err = pcall(filtered, ...)
  assert.is_false(ok)
  return err.refused or err
end

describe("of an archive", function()
  it("what is a layer's goes on as it is", function()
    local long <const> = ("d/"):rep(100) .. "name"
    local bytes <const> = archive(
      { name = "./", type = "5", mode = 493 },
      { name = "a", data = ("x"):rep(1500) }, { name = "b", data = "" },
      { name = "h", type = "1", link = "a" },
      { name = "etc/l", type = "2", link = "../a" },
      { name = "etc/m", type = "2", link = "/proc/mounts" },
      { name = "p", type = "6" },
      { name = "././@LongLink", type = "L", data = long .. "\0" },
      { name = "short", data = "y" },
      { name = "pax", type = "x", data = archives.record("path", long) },
      { name = "short", data = "z" })
    local out, found = filtered(bytes)
    assert.equal(bytes, out)
    assert.same({ entries = 9, bytes = 1502, hidden = {}, opaque = {} }, found)
  end)

  it("white-outs are taken out", function()
    local out, found = filtered(archive(
      { name = "./.wh.a" }, { name = "d/e/.wh.b" }, { name = "d/.wh..wh..opq" },
      { name = "d/.wh..wh.plnk" }, { name = "c", data = "1" }))
    assert.equal(archive { name = "c", data = "1" }, out)
    assert.same({ { directory = "/", name = "a" },
                  { directory = "/d/e", name = "b" } }, found.hidden)
    assert.same({ "/d" }, found.opaque)
  end)

  it("the devices that each container has are left out", function()
    local out <const> = filtered(archive(
      { name = "./dev/null", type = "3", major = 1, minor = 3 },
      { name = "dev/console", type = "3", major = 5, minor = 1 }))
    assert.equal(archive(), out)
  end)

  local function extended(key, value)
    return archive({ name = "x", type = "x",
                     data = archives.record(key, value) }, { name = "f" })
  end

  local hostile <const> = {
    ["/etc/passwd: an absolute name"] = archive { name = "/etc/passwd" },
    ["a/../../b: a name that goes up"] = archive { name = "a/../../b" },
    ["..: a name that goes up"] = archive { name = "..", type = "5" },
    ["an entry without a name"] = archive { name = "" },
    ["/x: an absolute name"] = extended("path", "/x"),
    ["../x: a name that goes up"] = extended("path", "../x"),
    ["a zero byte in a name"] = extended("path", "a\0b"),
    ["h: a link out of the layer, to /etc/shadow"] =
      archive { name = "h", type = "1", link = "/etc/shadow" },
    ["h: a link out of the layer, to ../x"] =
      archive { name = "h", type = "1", link = "../x" },
    ["f: a link out of the layer, to ../../y"] =
      archive({ name = "x", type = "x",
                data = archives.record("linkpath", "../../y") },
              { name = "f", type = "2", link = "y" }),
    ["a/l: a link out of the layer, to ../../etc"] =
      archive { name = "a/l", type = "2", link = "../../etc" },
    ["l: a link out of the layer, to /a/../.."] =
      archive { name = "l", type = "2", link = "/a/../.." },
    ["sda: a device (8:0)"] =
      archive { name = "sda", type = "4", major = 8, minor = 0 },
    ["null: a device (1:3)"] =
      archive { name = "null", type = "3", major = 1, minor = 3 },
    ["dev/null: a device (1:1)"] =
      archive { name = "dev/null", type = "3", major = 1, minor = 1 },
    ["s: an entry of type 'S'"] = archive { name = "s", type = "S" },
    ["a sparse file"] = extended("GNU.sparse.name", "/etc/passwd"),
    ["one name for all entries"] = archive { name = "g", type = "g",
      data = archives.record("path", "/etc/passwd") },
    ["an extended header that is none"] = archive { name = "x", type = "x",
      data = "99 path=a\n" },
    ["names or attributes without end"] = archive { name = "x", type = "x",
      size = 1 << 30 },
    ["f: there is no room for its 8589934591 bytes"] =
      archive { name = "f", size = (1 << 33) - 1 },
    ["f: there is no room for its 1125899906842624 bytes"] =
      archive { name = "f", size_field = "\x80\0\0\0\0\4\0\0\0\0\0\0" },
    ["a size beyond all numbers"] = extended("size", ("9"):rep(30)),
    ["a size that is no number"] = archive { name = "f",
                                             size_field = "hello       " },
    ["a header that is none"] = archive { name = "f", off = 1 },
    [".wh..: a white-out of nothing"] = archive { name = ".wh.." },
    ["it ends in the middle of a file"] = archives.entry {
      name = "f", size = 5000 },
    ["it ends in the middle of a header"] = archives.entry {
      name = "x", type = "x", size = 600 },
    ["it ends before its end"] = archives.entry { name = "f" },
  }
  for why, bytes in pairs(hostile) do
    it("is refused: " .. why, function()
      assert.equal(why, refusal(bytes))
    end)
  end

  it("the end may be that of the bytes when these are known to be all",
    function()
      local entry <const> = archives.entry { name = "f", data = "x" }
      assert.equal(archive { name = "f", data = "x" },
                   (filtered(entry, nil, nil, true)))
      local extension <const> = archives.entry {
        name = "x", type = "x", data = archives.record("path", "a") }
      for _, bytes in ipairs { "", entry .. "x", entry .. extension } do
        assert.equal("it ends before its end",
                     refusal(bytes, nil, nil, true))
      end
    end)

  it("no more files are taken than there is room for", function()
    assert.equal("c: there is no room for so many files",
      refusal(archive({ name = "a" }, { name = "b" }, { name = "c" }), 10, 2))
  end)

  it("garbage is refused, whatever it is", function()
    math.randomseed(7)
    for _ = 1, 200 do
      local good <const> = archive({ name = "a", data = "x" },
        { name = "x", type = "x", data = archives.record("path", "b") },
        { name = "c", data = "y" })
      local at <const> = math.random(#good)
      local bytes <const> = good:sub(1, at - 1)
        .. string.char(math.random(0, 255)) .. good:sub(at + 1)
      local ok, err = pcall(filtered, bytes)
      assert.is_true(ok or err.refused ~= nil, err)
    end
  end)
end)

---- layers ----

-- Runs with a cache of its own; root's is laid over in a child.
local function alone(fn)
  t.needs("userns", "idmapped files", "tar")
  local cache <const> = tree()
  t.child(function()
    if root then
      ns.unshare "mnt"
      ns.mount(nil, "/", nil, "rprivate")
      ns.mount(cache, "/var/cache", nil, "bind")
      return fn("/var/cache/farside/layers")
    end
    local core <const> = require "farside.layer.cache"
    function core.path() return cache .. "/farside/layers" end
    fn(core.path())
  end)
end

local function file(bytes, name)
  local path <const> = t.tmpdir() .. "/" .. (name or "layer.tar")
  write(path, bytes)
  return path
end

local function names(directory)
  local list = {}
  for _, entry in ipairs(ns.readdir(directory)) do
    list[#list + 1] = entry.name
  end
  table.sort(list)
  return table.concat(list, " ")
end

local function packed(program, path)
  assert(os.execute(("%s -c '%s' > '%s.x'"):format(program, path, path)))
  return path .. ".x"
end

describe("an archive as a layer", function()
  local base <const> = archive(
    { name = "etc/", type = "5", mode = 493 },
    { name = "etc/a", data = "low\n", mode = 384 },
    { name = "etc/b", data = "low\n" }, { name = "d/x", data = "low\n" },
    { name = "e/x", data = "low\n" })

  it("is unpacked once, whatever packs it", function()
    alone(function(cache)
      for _, program in ipairs { "cat", "gzip", "zstd" } do
        if not t.has(program) then goto next end
        local path <const> = program == "cat" and file(base)
          or packed(program, file(base))
        local directory <const> = ns.unpack(path)
        assert.equal("low\n", read(directory .. "/etc/a"))
        assert.equal("0600", ns.fstatat(nil, directory .. "/etc/a").mode)
        local ino <const> = ns.fstatat(nil, directory).ino
        assert.equal(directory, ns.unpack(path))
        assert.equal(ino, ns.fstatat(nil, directory).ino)
        ::next::
      end
      assert.equal("0700", ns.fstatat(nil, cache).mode)
    end)
  end)

  it("lies above others with its white-outs", function()
    alone(function()
      local low <const>, high <const> = file(base), file(archive(
        { name = "etc/.wh.a" }, { name = "etc/c", data = "high\n" },
        { name = "d/.wh..wh..opq" }, { name = "d/y", data = "high\n" },
        { name = ".wh.e" }, { name = "e/z", data = "high\n" },
        { name = "etc/.wh.c" }))
      local recipe <const> = host { root = { layers = { low, high } } }
      assert.equal("etc/b etc/c d/y e/z high", sh("echo $(cd /; for f in "
        .. "etc/a etc/b etc/c d/x d/y e/x e/z; do test -e $f && echo $f; done; "
        .. "cat etc/c)", recipe))
    end)
  end)

  it("has the owners of the archive, as far as the container knows them",
    function()
      alone(function()
        local path <const> = file(archive(
          { name = "r" }, { name = "u", uid = 33, gid = 7 }))
        local recipe <const> = host { root = { layers = { path } } }
        assert.equal(root and "0:0 33:7" or "0:0 0:0",
                     sh("echo $(stat -c %u:%g /r /u)", recipe))
        if not t.has "newuidmap" then return end
        local auto <const> = host { root = { layers = { path } },
                                    uid_map = "auto" }
        if root then return end -- it would lease a range of the machine's
        assert.equal("0:0 33:7", sh("echo $(stat -c %u:%g /r /u)", auto))
      end)
    end)

  it("may be one of an overlay among the mounts", function()
    alone(function()
      assert.equal("low", sh("cat /o/etc/b", {
        mounts = { { overlay = "/o", layers = { file(base) } } } }))
    end)
  end)

  it("keeps devices out, and is refused with nothing left of it", function()
    alone(function(cache)
      local outside <const> = t.tmpdir()
      local up <const> = ("../"):rep(20)
      for _, entry in ipairs {
        { name = up .. outside:sub(2) .. "/f", data = "x" },
        { name = outside .. "/f", data = "x" },
        { name = "sda", type = "4", major = 8 },
        { name = "huge", size = (1 << 33) - 1 },
        { name = "l", type = "2", link = up .. outside:sub(2) },
      } do
        local path <const> = file(archive({ name = "first", data = "x" },
                                          entry))
        local ok, err = pcall(ns.unpack, path)
        assert.same({ false, "unpack", "EINVAL", path },
                    { ok, err.call, err.code, err.path })
      end
      assert.equal("known", names(cache))
      assert.equal("", names(outside))
    end)
  end)

  -- What the headers do not show: an entry that goes by way of a link.
  it("cannot write through its links", function()
    alone(function(cache)
      local outside <const> = t.tmpdir()
      local path <const> = file(archive(
        { name = "l", type = "2", link = outside },
        { name = "l/f", data = "x" }))
      local ok, err = pcall(ns.unpack, path)
      assert.same({ false, "EINVAL" }, { ok, err.code })
      assert.matches("%(tar: .*l/f: Cannot open", tostring(err))
      assert.equal("", names(outside))
      assert.equal("known", names(cache))
    end)
  end)

  it("is refused when it is cut short", function()
    alone(function(cache)
      local path = packed("gzip", file(base))
      write(path, read(path):sub(1, -20))
      local ok, err = pcall(ns.unpack, path)
      assert.is_false(ok)
      assert.matches("unpack " .. path:gsub("%p", "%%%0")
        .. " %(unpacked: gzip: stdin: unexpected end of file%): "
        .. "Invalid argument %(EINVAL%)", tostring(err))
      path = file(base:sub(1, 1500))
      ok, err = pcall(ns.unpack, path)
      assert.is_false(ok)
      assert.matches("%(it ends in the middle of a file%)", tostring(err))
      assert.equal("known", names(cache))
    end)
  end)

  it("has the digest that is expected, or is refused", function()
    alone(function()
      local path <const> = file(base)
      local wrong <const> = ("0"):rep(64)
      local ok, err = pcall(ns.unpack, path, { digest = wrong })
      assert.is_false(ok)
      assert.matches("its digest is sha256:(%x+), sha256:" .. wrong
                     .. " expected", err.detail)
      local digest <const> = err.detail:match "is sha256:(%x+)"
      local directory <const> = ns.unpack(path, { digest = digest })
      ns.unlinkat(nil, path)
      assert.equal(directory, ns.unpack(path, { digest = digest }))
    end)
  end)

  it("is unpacked by one of many who want it at once", function()
    alone(function(cache)
      local path <const> = file(base)
      local askers = {}
      for i = 1, 6 do
        askers[i] = ns.clone({}, function() ns.unpack(path) end)
      end
      for _, asker in ipairs(askers) do assert.is_true(asker:wait()) end
      local digest <const> = names(cache):match "^%x+"
      assert.is_nil(names(cache .. "/" .. digest):find "partial")
    end)
  end)

  it("is cleared and unpacked anew after a crash", function()
    alone(function()
      local path <const> = file(base)
      local directory <const> = ns.unpack(path)
      ns.renameat(nil, directory, nil, directory .. ".partial")
      write(directory .. ".partial/left", "x")
      assert.equal(directory, ns.unpack(path))
      assert.equal("d e etc", names(directory))
      assert.is_false((pcall(ns.fstatat, nil, directory .. ".partial")))
    end)
  end)

  it("is an archive", function()
    alone(function()
      assert.equal("unpack /dev/null (archive expected, it is a char): "
        .. "Invalid argument (EINVAL)", tostring(select(2, pcall(ns.unpack,
        "/dev/null"))):gsub("^%S+:%d+: ", ""))
      local _, err = failure(host { root = { layers = { file "hello" } } })
      assert.equal("the directory of an archive, unpacked once", err.step)
      assert.matches("it ends before its end", err.detail)
    end)
  end)

  it("is asked for with a digest that may be one", function()
    assert.error_matches(function() ns.unpack("/x", { digest = "../x" }) end,
                         "unpack: digest: 64 hexadecimal digits expected")
  end)
end)

describe("the layers that are unpacked", function()
  local layers <const> = ns.layers

  local function recipe(bytes, more)
    local result <const> = host { "/bin/sleep", "1000",
                                  root = { layers = { file(bytes) } } }
    for key, value in pairs(more or {}) do result[key] = value end
    return result
  end

  local base <const> = archive({ name = "etc/f", data = "x" },
                               { name = "u", uid = 33, gid = 7 })

  it("are listed, and removed once nobody uses them", function()
    alone(function(cache)
      local container <close> = ns.spawn(recipe(base))
      ns.unpack(file(archive { name = "other" }))
      local rows <const> = layers.list()
      assert.equal(2, #rows)
      local used <const> = rows[rows[1].used and 1 or 2]
      assert.is_true(used.used and used.size > 0
                     and math.abs(os.time() - used.unpacked) < 600)
      assert.equal(cache .. "/" .. used.digest,
                   used.path:match "(.*)/[^/]*$")
      local gone <const>, kept <const> = layers.prune()
      assert.same({ 1, { used.digest } }, { #gone, kept })
      local ok, err = pcall(layers.remove, used.digest:sub(1, 9))
      assert.is_false(ok)
      assert.equal(("layers.remove layer %s (in use): Device or resource busy "
        .. "(EBUSY)"):format(used.digest),
        (tostring(err):gsub("^%S+:%d+: ", "")))
      assert.is_true(container:exec { "test", "-e", "/etc/f" })
      container:close()
      layers.remove(used.digest:sub(1, 9))
      assert.equal("known", names(cache))
      assert.equal("", names(cache .. "/known"))
      assert.same({}, layers.list())
    end)
  end)

  it("with ids of others are removed by whoever has unpacked them", function()
    t.needs("ordinary user", "newuidmap")
    alone(function(cache)
      ns.spawn(recipe(base, { uid_map = "auto" })):close()
      local row <const> = layers.list()[1]
      assert.is_true(#row.uid_map > 1 and not row.used and row.size > 0)
      assert.same({ row.digest }, (layers.prune()))
      assert.equal("known", names(cache))
    end)
  end)

  it("are named by digests", function()
    alone(function()
      for message, digest in pairs {
        ["layers.remove: digest expected, got '../x'"] = "../x",
        ["layers.remove: no layer 'abc'"] = "abc",
      } do
        local ok, said = pcall(layers.remove, digest)
        assert.is_false(ok)
        assert.equal(message, (said:gsub("^%S+:%d+: ", "")))
      end
    end)
  end)

  it("are unpacked anew for who comes while they are removed", function()
    alone(function()
      local path <const> = file(base)
      local starters, pruner = {}, ns.clone({}, function()
        for _ = 1, 20 do layers.prune() end
      end)
      for i = 1, 3 do
        starters[i] = ns.clone({}, function()
          for _ = 1, 10 do
            local layer <close> = ns.hold_layer(path)
            assert(read(layer.directory .. "/etc/f") == "x")
          end
        end)
      end
      for _, starter in ipairs(starters) do assert.is_true(starter:wait()) end
      assert.is_true(pruner:wait())
    end)
  end)

  it("are shown and removed on the command line", function()
    alone(function(cache)
      local command <const> = ("XDG_CACHE_HOME=%s timeout 60 %s/farside cache "
        ):format(cache:match "(.*)/farside/layers$", t.build)
      local function farside(words)
        local pipe <close> = io.popen(command .. words .. " 2>&1; echo $?")
        return pipe:read "a"
      end
      local container <close> = ns.spawn(recipe(base))
      local digest <const> = layers.list()[1].digest
      assert.matches("^DIGEST +SIZE USED UNPACKED +IDS\n" .. digest:sub(1, 12)
        .. " +%d+%.%dK yes  %d+%-%d+%-%d+ %d+:%d+:%d+ %S.*\n0\n$",
        farside "ls")
      assert.matches('"digest": "' .. digest .. '"', farside "ls --json")
      assert.equal(("farside: layer %s is in use\n0\n"):format(digest),
                   farside "prune")
      container:close()
      assert.equal(digest .. "\n0\n", farside "prune")
      assert.matches("farside cache: rm: DIGEST expected\n", farside "rm")
      assert.matches("farside cache: ls, rm or prune expected, got 'clean'\n",
                     farside "clean")
    end)
  end)
end)

describe("how far an archive is unpacked", function()
  local progress <const> = require "farside.layer.progress"

  it("is shown on a terminal, and nowhere else", function()
    t.child(function()
      local path <const> = file(("x"):rep(4000), "big.tar")
      local open <close> = ns.openat2(nil, path, "rdonly")
      local big <const> = { file = open, size = 4000, name = "big.tar" }
      local function pieces() return "x" end
      local null <close> = ns.openat2(nil, "/dev/null", "rdwr")
      ns.dup(null, 2)
      assert.equal(pieces, progress.of(big, pieces))
      local master <close>, slave = ns.tty.open()
      ns.dup(slave, 2)
      slave:close()
      local ended = false
      local read_piece <const> = progress.of(big, function()
        return not ended and "x" or nil
      end)
      ns.read(open, 1000)
      repeat read_piece() until #ns.poll({ master }, "10ms") > 0
      assert.equal("\rbig.tar: 25 %\27[K", ns.read(master))
      ended = true
      assert.is_nil(read_piece())
      assert.equal("\r\27[K", ns.read(master))
    end)
  end)
end)

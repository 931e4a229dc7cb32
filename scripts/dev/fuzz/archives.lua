--- Targets that read what comes from elsewhere as files: archives, images,
-- JSON. See texts.lua for what a target is.

local core <const> = require "farside.core"
local json <const> = require "farside.json"

local M = {}

---- JSON ----

M.json = {
  seeds = { '{"a":[1,-2.5e3,null,true],"b":{"c":"\\u00e9\\ud83d\\ude00"}}',
            '[[[[[]]]],{},"",0,1e308]' },
  words = { "null", "true", "\\u", "\\ud800", "1e999", "{}", "[]" },
  run = function(bytes, try)
    local ok <const>, value = try(json.decode, bytes)
    try(json.encode, bytes)
    if not ok then return end
    local written <const>, text = try(json.encode, value, "  ")
    if written then json.decode(text) end
  end,
}

---- archives ----

local tar <const> = require "farside.layer.tar"
local BLOCK <const> = 512

-- A header, its sum right.
local function header(name, type, size, link)
  local text = name .. ("\0"):rep(100 - #name) .. "0000644\0" .. "0000000\0"
    .. "0000000\0" .. ("%011o\0"):format(size) .. "00000000000\0"
    .. (" "):rep(8) .. type .. link .. ("\0"):rep(100 - #link)
    .. "ustar\00000" .. ("\0"):rep(247)
  local sum = 0
  for i = 1, #text do sum = sum + text:byte(i) end
  return text:sub(1, 148) .. ("%06o\0 "):format(sum) .. text:sub(157)
end

local function file(name, data)
  return header(name, "0", #data, "") .. data
    .. ("\0"):rep(-#data % BLOCK)
end

local zeros <const> = ("\0"):rep(2 * BLOCK)

-- The sum of each header is set right, or none but the first would be read.
-- Entries are told from data by what the size of the one before says, as
-- far as it can be read.
local function with_sums(bytes)
  local parts, at = {}, 1
  while at + BLOCK - 1 <= #bytes do
    local block <const> = bytes:sub(at, at + BLOCK - 1)
    local sum = 8 * 32
    for i = 1, BLOCK do
      if i < 149 or i > 156 then sum = sum + block:byte(i) end
    end
    local size <const> = tonumber(block:sub(125, 135):match "^[0-7]*", 8) or 0
    local data <const> = math.min((size + BLOCK - 1) // BLOCK * BLOCK,
                                  #bytes - at)
    local zero <const> = sum == 8 * 32
    parts[#parts + 1] = zero and block or block:sub(1, 148)
      .. ("%06o\0 "):format(sum) .. block:sub(157)
    parts[#parts + 1] = bytes:sub(at + BLOCK, at + BLOCK + data - 1)
    at = at + BLOCK + data
  end
  return table.concat(parts)
end

local LONGEST <const> = 1 << 20

-- That nothing which may go on leads out, whatever it took to say so.
local function check_passed(bytes)
  local passed <const> = {}
  local reader <const> = coroutine.wrap(function()
    coroutine.yield(bytes)
    coroutine.yield(nil)
  end)
  tar.filter(reader, function(piece) passed[#passed + 1] = piece end, LONGEST,
             1000)
  local out <const> = table.concat(passed)
  if #out % BLOCK ~= 0 then error("no whole blocks are passed on", 0) end
end

M.tar = {
  seeds = {
    file("etc/motd", "hello\n") .. zeros,
    header("bin", "2", 0, "usr/bin") .. header("a", "1", 0, "b") .. zeros,
    header("././@LongLink", "L", 8, "") .. "a/long/n"
      .. ("\0"):rep(BLOCK - 8) .. header("short", "5", 0, "") .. zeros,
    header("pax", "x", 17, "") .. "17 path=etc/shad\n"
      .. ("\0"):rep(BLOCK - 17) .. header("x", "0", 0, "") .. zeros,
    header("a/.wh.b", "0", 0, "") .. header("c/.wh..wh..opq", "0", 0, "")
      .. zeros,
  },
  words = { "../", "/", ".wh.", "ustar\00000", "path=", "linkpath=", "size=",
            "GNU.sparse", "././@LongLink", "dev/null" },
  run = function(bytes, try)
    try(check_passed, bytes)
    try(check_passed, with_sums(bytes))
  end,
}

---- images ----

-- Digests are not computed: what was opened last has the one in its name.
local opened = ""
package.loaded["farside.layer.digest"] = {
  of_text = function() return opened:match "%x*$" end,
}
local image <const> = require "farside.layer.image"
package.loaded["farside.layer.digest"] = nil

local digest <const> = ("a"):rep(64)
local index <const> = ([[{"manifests":[{"digest":"sha256:%s","annotations":{
  "org.opencontainers.image.ref.name":"latest"}}]}]]):format(digest)
local manifest <const> = ([[{"config":{"digest":"sha256:%s"},"layers":[
  {"digest":"sha256:%s","size":3}]}]]):format(digest, digest)
local config <const> = [[{"config":{"Cmd":["sh"],"Env":["A=b"],"User":"u",
  "WorkingDir":"/"}}]]

-- Every file that is opened is the next of these texts.
local function with_files(texts, fn)
  local openat2 <const>, fstatat <const> = core.openat2, core.fstatat
  local at = 0
  core.openat2 = function(_, path)
    at, opened = at + 1, path
    local memory <close> = core.memfd_create "fuzz"
    core.write(memory, texts[at] or "")
    return openat2(nil, "/proc/self/fd/" .. memory:fileno(), "rdonly")
  end
  core.fstatat = function(fd, ...)
    if fd == nil then return { type = "file", size = 3 } end
    return fstatat(fd, ...)
  end
  local ok <const>, err = pcall(fn)
  core.openat2, core.fstatat = openat2, fstatat
  if not ok then error(err, 0) end
end

M.image = {
  seeds = { table.concat({ index, manifest, config }, "\0"),
            table.concat({ index, index, manifest, config }, "\0") },
  words = { '"digest"', '"sha256:' .. digest .. '"', '"manifests"',
            '"platform"', '"architecture"', '"os"', '"linux"', '"amd64"',
            '"layers"', '"size"', '"Env"', '"Cmd"', '"Entrypoint"', "null",
            '"config"', '"annotations"' },
  run = function(bytes, try)
    local texts = {}
    for text in (bytes .. "\0"):gmatch "(.-)\0" do texts[#texts + 1] = text end
    with_files(texts, function() try(image.read, "image:latest") end)
  end,
}

return M

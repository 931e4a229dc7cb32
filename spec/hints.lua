-- What the specs of the hints share: places to provoke failures in, and
-- made-up systems for those that cannot be provoked.

local assert <const> = require "luassert"
local t <const> = require "spec.helper"
local hint <const> = require "farside.hint"
local System <const> = require "farside.hint.system"
local ns <const> = require "farside"

local M = {}

-- The hint of the error that a call raises.
function M.hint_of(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err.hint
end

-- Runs as root of new user and mount namespaces, with a tmpfs at /mnt that
-- has some directories.
function M.inside(fn, options)
  t.userns(function()
    ns.mount("tmpfs", "/mnt", "tmpfs", "mode=0755")
    for _, name in ipairs { "a", "b", "upper", "work" } do
      ns.mkdirat(nil, "/mnt/" .. name)
    end
    fn()
  end, options)
end

-- Runs as root of a user namespace within the one of inside.
function M.deeper(fn)
  t.child(function()
    ns.unshare("user", "mnt")
    ns.write_uid_map(nil, "0:0:1")
    ns.write_gid_map(nil, "0:0:1")
    fn()
  end)
end

-- A system in which files have these texts and all else is unremarkable.
local function system(files, more)
  local fixture = {
    read = function(path) return files[path] end,
    owner = function() return 0 end,
    mounted = function() return true end,
    setuid = function() return true end,
    up = function() return true end,
    ids = function() return 1000, 1000 end,
    capable = function() return false end,
    foreign = function() return false end,
    waiting = function() return false end,
    namespace = function() return "net", false end,
  }
  for key, value in pairs(more or {}) do fixture[key] = value end
  return System.new(fixture)
end

-- What is said of an error on such a system.
function M.says(expected, err, ...)
  assert.equal(expected, hint.find(err, system(...)))
end

return M

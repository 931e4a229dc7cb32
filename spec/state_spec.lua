-- Where state files are, that nobody else has a say in them, and whose turn
-- it is.

local t <const> = require "spec.helper"
local ns <const> = require "farside"
local state <const> = require "farside.state"

-- Runs with directories of its own where state may be.
local function apart(fn)
  t.userns(function()
    ns.mount("tmpfs", "/run", "tmpfs", "mode=0755")
    ns.mount("tmpfs", "/tmp", "tmpfs", "mode=1777")
    fn()
  end)
end

describe("a state directory", function()
  it("is made where its user may, for nobody else", function()
    apart(function()
      local path <const>, fd <close> = state.directory "x"
      local _ = fd
      assert.matches("/farside", path, 1, true)
      assert.equal("0700", ns.fstatat(nil, path).mode)
      local again <const>, second <close> = state.directory "x"
      assert.equal(path, again)
      assert.equal("directory", ns.fstatat(second, "").type)
    end)
  end)

  it("is refused when others can write to it", function()
    apart(function()
      local path <const>, fd <close> = state.directory "x"
      local _ = fd
      ns.fchmodat(nil, path, "0777")
      local ok, err = pcall(state.directory, "x")
      assert.is_false(ok)
      assert.equal(("state %s (others own it or may write to it): Permission "
        .. "denied (EACCES)"):format(path),
        (tostring(err):gsub("^%S+:%d+: ", "")))
    end)
  end)

  it("is not reached by a link", function()
    apart(function()
      local path <const>, fd = state.directory "x"
      fd:close()
      ns.symlinkat("/etc", nil, (path:gsub("x$", "y")))
      local ok, err = pcall(state.directory, "y")
      assert.is_false(ok)
      assert.equal("ENOTDIR", err.code)
    end)
  end)

  it("is locked for one at a time", function()
    apart(function()
      local lock <const> = state.lock "x"
      local _, fd <close> = state.directory "x"
      assert.is_false(ns.flock(fd, "exclusive,nonblock"))
      lock:close()
      assert.is_true(ns.flock(fd, "exclusive,nonblock"))
    end)
  end)
end)

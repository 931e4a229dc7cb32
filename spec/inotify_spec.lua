-- Being told of what happens to files.

local t <const> = require "spec.helper"
local ns <const> = require "farside"

describe("a file that is watched", function()
  it("makes the descriptor ready, and read events are gone", function()
    local path <const> = t.tmpdir() .. "/f"
    local file <close> = io.open(path, "w")
    local changes <close> = ns.inotify_init()
    local watch <const> = ns.inotify_add_watch(changes, path,
                                               "modify,move_self")
    assert.equal(0, #ns.poll({ changes }, 0))
    file:write "x"
    file:flush()
    assert.equal(1, #ns.poll({ changes }, 20))
    assert.equal(watch, (string.unpack("i4", ns.read(changes))))
    assert.equal(0, #ns.poll({ changes }, 0))
    assert.equal(watch, ns.inotify_add_watch(changes, path, "move_self"))
    os.rename(path, path .. ".old")
    assert.equal(1, #ns.poll({ changes }, 20))
  end)

  it("is there, and its events have names", function()
    local changes <close> = ns.inotify_init()
    local ok, err = pcall(ns.inotify_add_watch, changes, "/no/such", "modify")
    assert.same({ false, "inotify_add_watch", "ENOENT", "/no/such" },
                { ok, err.call, err.code, err.path })
    assert.error_matches(function()
      ns.inotify_add_watch(changes, "/", "modified")
    end, "unknown event 'modified'")
  end)
end)

local t <const> = require "spec.helper"
local ns <const> = require "farside"

local message <const> = t.message

-- A new file, or a pending test where there are no user attributes.
local function file()
  local path = t.tmpdir() .. "/file"
  ns.openat2(nil, path, "wronly,create"):close()
  local ok, err = pcall(ns.setxattr, path, "user.probe", "")
  if not ok then pending("needs user xattrs: " .. err.reason) end
  ns.removexattr(path, "user.probe")
  return path
end

describe("extended attributes", function()
  it("are set, read, listed and removed by path", function()
    local path = file()
    ns.setxattr(path, "user.origin", "far\0side")
    ns.setxattr(path, "user.empty", "")
    assert.equal("far\0side", ns.getxattr(path, "user.origin"))
    assert.equal("", ns.getxattr(path, "user.empty"))
    local names = ns.listxattr(path)
    table.sort(names)
    assert.same({ "user.empty", "user.origin" }, names)
    ns.removexattr(path, "user.origin")
    assert.same({ "user.empty" }, ns.listxattr(path))
  end)

  it("are the same through a descriptor", function()
    local path = file()
    local fd <close> = ns.openat2(nil, path, "rdonly")
    ns.setxattr(fd, "user.a", "1")
    assert.equal("1", ns.getxattr(path, "user.a"))
    assert.same({ "user.a" }, ns.listxattr(fd))
    ns.removexattr(fd, "user.a")
    assert.same({}, ns.listxattr(path))
  end)

  it("are made or replaced only as asked", function()
    local path = file()
    assert.equal(("setxattr user.a of %s: No data available (ENODATA)")
                 :format(path),
                 (message(ns.setxattr, path, "user.a", "1", "replace")))
    ns.setxattr(path, "user.a", "1", "create")
    assert.equal(("setxattr user.a of %s: File exists (EEXIST)"):format(path),
                 (message(ns.setxattr, path, "user.a", "2", "create")))
  end)

  it("of a link are not those of its target", function()
    local path = file()
    ns.setxattr(path, "user.a", "1")
    ns.symlinkat(path, nil, path .. ".link")
    assert.equal("1", ns.getxattr(path .. ".link", "user.a"))
    assert.equal("ENODATA", select(2, message(ns.getxattr, path .. ".link",
                                              "user.a", "nofollow")).code)
  end)

  it("tell what could not be read of what", function()
    assert.equal("getxattr user.a of /no: No such file or directory (ENOENT)",
                 (message(ns.getxattr, "/no", "user.a")))
    assert.equal("getxattr user.a of descriptor 999: Bad file descriptor "
                 .. "(EBADF)", (message(ns.getxattr, 999, "user.a")))
    assert.matches("unknown xattr flag 'creat' %(expected create, replace, "
                   .. "nofollow%)",
                   (message(ns.setxattr, "/no", "user.a", "", "creat")))
  end)
end)

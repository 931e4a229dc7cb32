--- Small processes of ours that wait for something in the place of one that
-- will not be there, or will not be able to act: in a session of their own, so
-- that no key, no hang-up and no shell's order reaches them, and with nothing
-- open but what they wait for.

local core <const> = require "farside.core"

local M = {}

--- Starts one.
-- @tparam string name for ps(1)
-- @tparam {fd,...} descriptors all that it has
-- @tparam function fn gets these; an error in it is nobody's to hear
-- @treturn process
function M.start(name, descriptors, fn)
  return core.clone({}, function()
    collectgarbage "stop"
    core.setsid()
    core.prctl("name", name)
    local kept = {}
    for i, fd in ipairs(descriptors) do kept[i] = core.dup(fd) end
    for i, fd in ipairs(kept) do
      if fd:fileno() ~= i - 1 then core.dup(fd, i - 1) end
      kept[i] = core.fd(i - 1)
    end
    core.close_range(#kept)
    pcall(fn, table.unpack(kept))
    core._exit(0)
  end)
end

return M

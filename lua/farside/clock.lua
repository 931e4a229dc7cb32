--- The clocks of a time namespace: offsets from the parent's.

local core <const> = require "farside.core"
local fields <const> = require "farside.fields"

local M = {}

--- The check of an offset: seconds or a time such as "5m"; answers it as given.
-- @function offset
M.offset = fields.expected("seconds or a time such as \"5m\"", function(value)
  return pcall(core.duration, value) and value or nil
end)

--- The field table of offsets: both clocks that can be set.
M.fields = { monotonic = M.offset, boottime = M.offset }

local record <const> = fields.record(M.fields)

--- Offsets as the kernel reads them.
-- @tparam table offsets as for write_time_offsets
-- @treturn string
function M.text(offsets)
  offsets = fields.check("write_time_offsets", record, offsets)
  local lines = {}
  for _, clock in ipairs { "monotonic", "boottime" } do
    local time = offsets[clock] and core.duration(offsets[clock])
    if time then
      lines[#lines + 1] = ("%s %d %d\n"):format(clock, time // 1000000000,
                                                time % 1000000000)
    end
  end
  return table.concat(lines)
end

--- Sets the clocks of the time namespace that the caller has made with unshare
-- and that nobody lives in yet.
-- @tparam table offsets monotonic and boottime: seconds, or "30d"
-- @raise EACCES when somebody lives in it; ERANGE when a clock would be
-- negative. See time_namespaces(7).
function M.write_time_offsets(offsets)
  local text <const> = M.text(offsets)
  local path <const> = "/proc/self/timens_offsets"
  local file <close> = core.openat2(nil, path, "wronly")
  local ok, err = pcall(core.write, file, text)
  if not ok then
    if type(err) == "table" then err.path = path end
    error(err, 0)
  end
end

return M

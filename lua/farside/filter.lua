--- The filter of system calls of a container. That of most is compiled when
-- the driver is built (farside.filters), since to read all the rules and to
-- compile them takes longer than a fifth of a container.

local M = {}

--- What a usual filter is found by.
-- @tparam string|table capabilities the words of those that are left, or "all"
-- @treturn string
function M.key(capabilities)
  return capabilities == "all" and "all" or table.concat(capabilities, ",")
end

local filters -- false where there are none: in other interpreters

local function ready(capabilities)
  if filters == nil then
    local built, list = pcall(require, "farside.filters")
    filters = built and list
  end
  return filters and filters[M.key(capabilities)]
end

--- The program for a container.
-- @tparam table|boolean|nil wanted rules from farside.seccomp; true and nil for
-- none but the usual
-- @tparam string|table capabilities
-- @treturn string|nil for core.seccomp.install; nil when none is wanted
function M.program(wanted, capabilities)
  if wanted == false then return nil end
  local usual <const> = type(wanted) ~= "table"
  return usual and ready(capabilities)
    or require("farside.seccomp").program(wanted, capabilities)
end

return M

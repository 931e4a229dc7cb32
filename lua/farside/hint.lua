--- Hints: what a program can find out about why a call failed.

local M = {}

--- The likely cause of an error with its remedy, or nil.
function M.find(err)
  local _ = err
  return nil
end

return M

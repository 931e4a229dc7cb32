-- What every spec may use: throw-away children, and reasons to be pending.

package.path = "lua/?.lua;lua/?/init.lua;" .. package.path
local build <const> = os.getenv("FARSIDE_BUILD") or "build"
package.cpath = build .. "/lib/?.so;" .. package.cpath

local M = {}

return M

--- The kinds of namespace, for what goes through all of them in Lua; the core
-- has its own table of them.

local M = { "mnt", "uts", "ipc", "net", "pid", "user", "cgroup", "time" }

local known <const> = { mount = "mnt", network = "net" }
for _, kind in ipairs(M) do known[kind] = kind end

--- The kind that a word means, nil when it means none.
function M.of(word) return known[word] end

return M

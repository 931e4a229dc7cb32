--- Steps: what is hidden or write-protected of a /proc and a /sys.

local M = {}

local hidden <const> = {
  proc = { "acpi", "asound", "kcore", "keys", "key-users", "kmsg",
           "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats",
           "interrupts" },
  sysfs = { "devices/virtual/powercap", "firmware", "fs/selinux",
            "kernel/security", "kernel/debug" },
}

local readable <const> = {
  proc = { "bus", "fs", "irq", "sys", "sysrq-trigger" },
}

--- Whether a file system of this type has parts to be covered.
function M.concerns(fstype) return hidden[fstype] ~= nil end

local function below(names, at, paths)
  for _, name in ipairs(names or {}) do
    paths[#paths + 1] = at .. "/" .. name
  end
end

--- Covers file systems that were mounted, if there is anything to cover.
-- They are so before they are in the root: whoever can rename things there
-- could have the names lead elsewhere.
-- @tparam Plan plan
-- @tparam table recipe
-- @tparam table mounted { { "proc" or "sysfs", its name in the place }… }
function M.cover(plan, recipe, mounted)
  if not recipe.mask then return end
  local hide, protect = {}, {}
  for _, mount in ipairs(mounted) do
    below(hidden[mount[1]], mount[2], hide)
    below(readable[mount[1]], mount[2], protect)
  end
  if #hide > 0 then
    plan:tell("child", "place", "what tells of the host", "mask",
              table.unpack(hide))
  end
  if #protect > 0 then
    plan:tell("child", "place", "what changes the host", "protect",
              table.unpack(protect))
  end
end

return M

--- Handles that speak to network namespaces, the caller's or others, without
-- going there; and batches of requests.
--
-- A handle has the areas `link`, `address`, `route` as tables of functions,
-- as the library itself has them for the caller's network namespace. It
-- belongs to the process that made it: a child makes its own.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local fields <const> = require "farside.fields"

local M = {}

local methods <const> = core.netlink

--- A handle of the network namespace that a target stands for.
-- @param target as for netlink. Of a container that may not be looked into any
-- more, it is the handle that its starter has
-- @treturn namespace to be closed
function M.open(target)
  if type(target) == "string" and not target:find "/" then
    target = "/run/netns/" .. target
  end
  local handles <const> = type(target) == "table" and target.namespaces or {}
  for _, handle in ipairs(handles) do
    if handle.kind == "net" then return core.open(handle) end
  end
  return core.open(target, "net")
end

--- A netlink socket of a network namespace.
-- @param[opt] target a process, a container, a pid, a namespace, a descriptor,
-- a path, or a name of `ip netns`; the caller's network namespace when nil
-- @treturn netlink to be closed
-- @raise EPERM without the right to join it; ENOENT. See rtnetlink(7),
-- setns(2).
-- @usage local nl <close> = ns.netlink(child)
-- nl.link.set("eth0", { up = true })
function M.netlink(target)
  if target == nil then return core.netlink_socket() end
  local net <close> = M.open(target)
  local own <close> = core.open("self", "net")
  if net == own then return core.netlink_socket() end
  return core.netlink_socket(net)
end

---- batches ----

local function are(n, what)
  return ("%d %s %s"):format(n, n == 1 and "is" or "are", what)
end

-- What became of the whole, in words.
local function summary(count, failed, undone)
  local text = ("%d of %d requests failed"):format(failed, count)
  local rest = count - failed
  if rest == 0 then return text end
  if not undone or undone == rest then
    return text .. "; the other " .. are(rest, undone and "undone" or "done")
  end
  return ("%s; of the other %d %s"):format(text, rest, are(undone, "undone"))
end

-- The first failure, with all of them and what became of the rest.
local function refuse(batch, failures, undo)
  local first = failures[1]
  local undone = undo and batch:undo() or nil
  first.failures = failures
  first.done = #batch - #failures - (undone or 0)
  first.batch = summary(#batch, #failures, undone)
  error(errors.explain(first), 0)
end

-- The areas of a batch, each asked for once: thousands of requests are made
-- through them.
local function areas_of(batch)
  return setmetatable({}, { __index = function(areas, name)
    areas[name] = batch[name]
    return areas[name]
  end })
end

local options_of <const> = fields.record { undo = fields.boolean }

--- Sends many requests in few system calls. They are put together first: what
-- raises then, such as a bad argument, happens before anything is done.
-- @function netlink:batch
-- @tparam function fn gets a table with the areas of the handle; what it calls
-- there is part of the batch, and answers nothing
-- @tparam[opt] table options `undo` (boolean): when requests fail, what others
-- have made is removed; otherwise it stays
-- @raise the first failure, when all have been sent; its field `failures` has
-- all, each with the number of its `request` and `where` that stands, `done`
-- how many are done, `batch` the same in words
function methods.batch(nl, fn, options)
  if type(fn) ~= "function" then
    errors.usage("batch: function expected, got %s", type(fn))
  end
  options = fields.check("batch", options_of, options or {})
  local batch <close> = nl:requests()
  fn(areas_of(batch))
  local failures = batch:send()
  if #failures > 0 then refuse(batch, failures, options.undo) end
end

---- events ----

--- Tells what changes in the network namespace, from now on; for use in `for`,
-- which closes it at its end.
-- @function netlink:monitor
-- @tparam string ... "link", "address", "route", "rule", "neighbour", "fdb"
-- @treturn monitor what `for` calls: the next event, see monitor:next
-- @raise EPERM without the right to join the namespace of the handle
-- @usage for event in nl:monitor("link", "address") do
--   print(event.event, event.what, event.ifname or event["local"])
-- end
function methods.monitor(nl, ...)
  if select("#", ...) == 0 then
    errors.usage "monitor: kind of event expected, got nothing"
  end
  local monitor = nl:events(...)
  return monitor, nil, nil, monitor
end

return M

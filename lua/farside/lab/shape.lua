--- What links do to their traffic, by the kernel's queueing disciplines: netem
-- delays, loses, doubles and disturbs; where nothing but a rate is asked for,
-- tbf keeps to it, which more kernels have.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local options <const> = require "farside.lab.options"

local M = {}

-- How long a packet may wait for its turn at most, and at once what a burst
-- has.
local LATENCY <const>, BURST <const> = 0.4, 0.004

local function tbf(one, shape)
  local bits = options.bits(shape.rate)
  local mtu = one.mtu or 1500
  local burst = math.max(2 * mtu, bits / 8 * BURST)
  return { dev = one.index, kind = "tbf", rate = shape.rate,
           burst = math.ceil(burst),
           limit = math.ceil(burst + math.max(10 * mtu, bits / 8 * LATENCY)) }
end

-- So many packets may be under way: those of a fast link over a long way.
local LIMIT <const> = 10000

local function netem(one, shape)
  local qdisc = { dev = one.index, kind = "netem", limit = LIMIT }
  for key, value in pairs(shape) do qdisc[key] = value end
  return qdisc
end

local function only_rate(shape)
  for key in pairs(shape) do
    if key ~= "rate" then return false end
  end
  return true
end

local function qdisc(one, shape)
  return (only_rate(shape) and tbf or netem)(one, shape)
end

--- Has an end do to what leaves it what its shape says.
-- @tparam table nl a handle, or a batch of one
-- @tparam table one the end
-- @tparam table shape
function M.add(nl, one, shape)
  nl.qdisc.add(qdisc(one, shape))
end

--- Changes it, while traffic flows; nil for nothing at all.
function M.change(nl, one, shape)
  if shape then
    nl.qdisc.replace(qdisc(one, shape))
  elseif one.shape then
    nl.qdisc.delete { dev = one.index, kind = qdisc(one, one.shape).kind }
  end
end

local needed <const> = {
  netem = "delay, jitter, loss, duplicate, reorder and corrupt need",
  tbf = "a rate needs",
}

--- Adds to the refusal of a kernel that has no such discipline what it needs.
function M.explain(failure)
  if not errors.is(failure) or failure.call:sub(1, 5) ~= "qdisc" then
    return failure
  end
  local kind = (failure.path or ""):match "^%l+"
  if failure.errno == core.errno.ENOENT and needed[kind] then
    failure.hint = ("this kernel has no %s, which %s: load the module sch_%s, "
      .. "or use a kernel that has it (CONFIG_NET_SCH_%s)"):format(kind,
      needed[kind], kind, kind:upper())
  end
  return failure
end

return M

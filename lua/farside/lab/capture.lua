--- What goes over an interface, into a file, by tcpdump.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local fields <const> = require "farside.fields"
local waits <const> = require "farside.lab.throughput"

local M = {}

local PATIENCE <const> = 10 -- seconds until it has begun or ended

--- A capture that runs.
-- @type Capture
local Capture <const> = {}
Capture.__index = Capture

-- Asks tcpdump how much it has seen, and how much of that it has written down.
local function counted(self)
  self.program:signal "USR1"
  local text <const> = waits.await(self.program, self.reader, "by filter")
  local taken, seen = text:match "(%d+) packets? captured.-(%d+) packets? recei"
  return tonumber(taken), tonumber(seen)
end

local function finish(self)
  local taken, seen
  repeat taken, seen = counted(self) until not taken or taken >= seen
  self.program:signal "INT"
  self.program:wait(PATIENCE)
end

--- Ends it; all that has gone by until now is in the file then.
function Capture:close()
  if not self.program then return end
  local _program <close> = self.program
  local _reader <close> = self.reader
  pcall(finish, self) -- it may have ended by itself
  self.program, self.reader = nil, nil
end

Capture.__close = Capture.close

local whole <const> = fields.record {
  interface = fields.string, filter = fields.string,
}

local function absolute(path)
  return path:sub(1, 1) == "/" and path or core.getcwd() .. "/" .. path
end

--- Starts one: see Node:capture.
function M.start(node, file, asked)
  local want <const> = fields.check("capture", whole, asked)
  if type(file) ~= "string" then
    errors.usage("capture: file expected, got %s", type(file))
  end
  local one, other = core.pipe()
  local reader <const> = one
  local writer <close> = other
  -- Without -Z it would become a user who has no rights in here; without the
  -- other one the last packets would be lost at the end.
  local program = node:spawn { "tcpdump", "-Z", "root", "--immediate-mode",
    "-U", "-n", "-i",
    want.interface or "any", "-w", absolute(file), want.filter,
    stderr = writer }
  writer:close()
  waits.await(program, reader, "listening on")
  local capture = setmetatable({ program = program, reader = reader }, Capture)
  table.insert(node.lab.children, capture)
  return capture
end

return M

--- Landlock, as a further belt: whatever else fails, a process and all that
-- come after it do no more with files, ports and each other than was allowed.
--
-- Which rights there are grows with the version of Landlock. A right that the
-- kernel does not know cannot be taken away, so asking for that is an error,
-- unless the rules are `optional`.

local core <const> = require "farside.core"
local fields <const> = require "farside.fields"

local M = {}

-- The rights on files, with the version that brought them.
local rights <const> = {
  execute = 1, write_file = 1, read_file = 1, read_dir = 1, remove_dir = 1,
  remove_file = 1, make_char = 1, make_dir = 1, make_reg = 1, make_sock = 1,
  make_fifo = 1, make_block = 1, make_sym = 1, refer = 2, truncate = 3,
  ioctl_dev = 5,
}
local ports <const> = { bind = { "bind_tcp", 4 },
                        connect = { "connect_tcp", 4 } }
local scopes <const> = 6

-- What a file that is no directory can have of them.
local of_files <const> = { execute = true, write_file = true, read_file = true,
                           truncate = true, ioctl_dev = true }
local reading <const> = { execute = true, read_file = true, read_dir = true }

---- what is asked for ----

local paths <const> = fields.list(fields.path)

local function port(value, at, fail)
  if math.type(value) ~= "integer" or value < 0 or value > 65535 then
    fail(at, "port from 0 to 65535 expected, got '%s'", tostring(value))
  end
  return value
end

local record <const> = fields.record {
  ro = paths, rw = paths, bind = fields.list(port), connect = fields.list(port),
  scoped = fields.list(fields.word("abstract_unix_socket", "signal")),
  optional = fields.boolean,
}

--- Checks the key of a recipe: see confine.
function M.check(value, at, fail)
  local copy <const> = record(value, at, fail)
  for key in pairs(copy) do
    if key ~= "optional" then return copy end
  end
  fail(at, "ro, rw, bind, connect or scoped expected")
end

---- what the kernel can do ----

local function version(optional)
  local ok, abi = pcall(core.landlock_abi)
  if ok then return abi end
  if optional then return 0 end
  core.raise(abi.errno, "confine", nil, nil)
end

-- Of names with the versions that brought them, those that are known; the
-- others are told.
local function known(wanted, abi, unknown)
  local list = {}
  for name, since in pairs(wanted) do
    local to <const> = since <= abi and list or unknown
    to[#to + 1] = name
  end
  table.sort(list)
  return list
end

-- The ruleset's rights, and those that it cannot have.
local function about(rules, abi)
  local unknown = {}
  local by_port, scoped = {}, {}
  for key, right in pairs(ports) do
    if rules[key] then by_port[right[1]] = right[2] end
  end
  for _, name in ipairs(rules.scoped or {}) do scoped[name] = scopes end
  local want = {
    files = known((rules.ro or rules.rw) and rights or {}, abi, unknown),
    ports = known(by_port, abi, unknown),
    scoped = known(scoped, abi, unknown),
  }
  table.sort(unknown)
  return want, unknown
end

---- rules ----

local function allow_paths(ruleset, list, handled, wanted)
  for _, path in ipairs(list or {}) do
    local file <close> = core.openat2(nil, path, "path")
    local directory <const> = core.fstatat(file, "").type == "directory"
    local allowed = {}
    for _, right in ipairs(handled) do
      if wanted[right] and (directory or of_files[right]) then
        allowed[#allowed + 1] = right
      end
    end
    core.landlock.allow_files(ruleset, allowed, file)
  end
end

local function allow_ports(ruleset, rules, handled)
  local here = {}
  for _, right in ipairs(handled) do here[right] = true end
  for key, right in pairs(ports) do
    for _, number in ipairs(here[right[1]] and rules[key] or {}) do
      core.landlock.allow_port(ruleset, right[1], number)
    end
  end
end

--- Takes away from the calling process, and from all that come after it, what
-- is not allowed here. Kinds that are not given stay as they are.
-- @function confine
-- @tparam table rules
--
-- - `ro`, `rw`: files, and directories with all beneath them, that may be read
--   and executed, or used in every way; all others not at all
-- - `bind`, `connect`: TCP ports that may be listened at and connected to
-- - `scoped`: "abstract_unix_socket" and "signal", to be used among themselves
--   alone
-- - `optional`: do without what the kernel's Landlock does not know
--
-- @raise EOPNOTSUPP naming what this kernel does not know; ENOENT for a path
-- that is not there; EPERM without no_new_privs. See landlock(7).
function M.confine(rules)
  rules = fields.check("confine", M.check, rules)
  local abi <const> = version(rules.optional)
  local want, unknown = about(rules, abi)
  if #unknown > 0 and not rules.optional then
    core.raise(core.errno.EOPNOTSUPP, "confine", nil,
      ("by %s, which Landlock %d does not know"):format(
        table.concat(unknown, ", "), abi), { landlock = abi })
  end
  if #want.files + #want.ports + #want.scoped == 0 then return end
  local ruleset <close> = core.landlock.create_ruleset(want)
  allow_paths(ruleset, rules.ro, want.files, reading)
  allow_paths(ruleset, rules.rw, want.files, rights)
  allow_ports(ruleset, rules, want.ports)
  core.landlock.restrict_self(ruleset)
end

return M

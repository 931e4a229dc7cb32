--- Fuzzes: `lua5.4 scripts/dev/fuzz.lua PROGRAM DIRECTORY SECONDS [TARGET]…`,
-- which `make fuzz` does. Each target in turn runs for so long; what it has
-- learned is kept in DIRECTORY/corpus for the next time, a finding in
-- DIRECTORY/findings, from which PROGRAM shows it again:
--   FUZZ_TARGET=json build/fuzz/fuzz build/fuzz/findings/json-crash-…
-- Ends with 1 when there is a finding.

local program <const>, directory <const>, seconds <const> = table.unpack(arg)

package.path = "scripts/dev/fuzz/?.lua;lua/?.lua;lua/?/init.lua;"
  .. package.path
package.cpath = directory .. "/../lib/?.so;" .. package.cpath
local targets <const> = require "targets"

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

local function run(...)
  return os.execute(string.format(...))
end

-- Every byte as the fuzzer's dictionary wants it.
local function quoted(word)
  return '"' .. word:gsub(".", function(char)
    return ("\\x%02x"):format(char:byte())
  end) .. '"\n'
end

-- Seeds and dictionary of a target, as files.
local function prepare(name, target)
  local seeds <const> = ("%s/seeds/%s"):format(directory, name)
  assert(run("mkdir -p '%s' '%s/corpus/%s' '%s/findings'", seeds, directory,
             name, directory))
  for i, seed in ipairs(target.seeds) do
    write(("%s/%d"):format(seeds, i), seed)
  end
  local words = { "# words of the target\n" }
  for _, word in ipairs(target.words or {}) do
    words[#words + 1] = quoted(word)
  end
  write(seeds .. ".dict", table.concat(words))
end

-- What the fuzzer's log says.
local function read(log)
  local file <close> = assert(io.open(log))
  local text <const> = file:read "a"
  return text:match "stat::number_of_executed_units: (%d+)" or "?",
         text:match "finding: [^\n]*" or text:match "SUMMARY: [^\n]*"
           or text:match "ERROR: [^\n]*" or text:sub(-300)
end

-- Whether it went without a finding.
local function fuzz(name)
  local log <const> = ("%s/%s.log"):format(directory, name)
  prepare(name, targets[name])
  local ok <const> = run("FUZZ_TARGET=%s '%s' '%s/corpus/%s' '%s/seeds/%s' "
    .. "-max_total_time=%d -timeout=30 -rss_limit_mb=2048 -max_len=8192 "
    .. "-dict='%s/seeds/%s.dict' -artifact_prefix='%s/findings/%s-' "
    .. "-detect_leaks=0 -print_final_stats=1 >'%s' 2>&1 </dev/null", name,
    program, directory, name, directory, name, seconds, directory, name,
    directory, name, log)
  local executed <const>, finding = read(log)
  print(("%-10s %9s inputs  %s"):format(name, executed,
                                        ok and "no finding" or finding))
  io.stdout:flush()
  return ok
end

local names = table.move(arg, 4, #arg, 1, {})
for _, name in ipairs(names) do
  if not targets[name] then
    io.stderr:write(("fuzz: no target '%s'\n"):format(name))
    os.exit(2)
  end
end
if #names == 0 then
  for name in pairs(targets) do names[#names + 1] = name end
  table.sort(names)
end

local found = 0
for _, name in ipairs(names) do
  if not fuzz(name) then found = found + 1 end
end
print(("%d targets, %d with a finding"):format(#names, found))
os.exit(found == 0)

-- What iproute2 says of the same namespace, and whether we say the same.

local M = {}

-- Not everybody's path has the places of iproute2.
local prefix <const> = "PATH=$PATH:/usr/sbin:/sbin timeout 20 "

--- The answer of `ip -json …`, `bridge -json …` or `tc -json …`.
function M.json(command)
  local line <const> = prefix .. command:gsub("^%S+", "%0 -json", 1)
  local pipe <close> = assert(io.popen(line))
  local text <const> = pipe:read "a"
  return require("cjson").decode(text == "" and "[]" or text)
end

--- Runs commands of iproute2, one a line.
function M.run(lines)
  for line in lines:gmatch "%S[^\n]*" do
    assert(os.execute(prefix .. line), line)
  end
end

-- Numbers may come as words: "5" is 5, 0.0 is 0. What is just
-- there, or has no name, is null.
local function plain(value)
  return math.tointeger(tonumber(value)) or tonumber(value) or value
end

-- What has a fraction may be rounded.
local function same(a, b)
  if a == require("cjson").null then return b == nil or b == true end
  if math.type(a) == "float" and type(b) == "number" then
    return math.abs(a - b) < 1e-6
  end
  return a == b
end

local function disagree(path, ours, theirs, except)
  if except[path:gsub("%.%d+", ""):gsub("^%.", "")] then return end
  if type(theirs) ~= "table" or type(ours) ~= "table" then
    if not same(plain(theirs), plain(ours)) then
      return ("%s: %s here, %s in ip"):format(path, ours, theirs)
    end
    return
  end
  if #theirs ~= #ours then
    return ("%s: %d here, %d in ip"):format(path, #ours, #theirs)
  end
  for key, value in pairs(theirs) do
    local what = disagree(path .. "." .. key, ours[key], value, except)
    if what then return what end
  end
end

--- Nothing when all that iproute2 tells is what we tell, under the same names;
-- otherwise the first thing that is not.
-- @param ours a table or a list
-- @param theirs
-- @tparam[opt] string except paths that are told in another way: "cache flags"
function M.difference(ours, theirs, except)
  local set = {}
  for word in (except or ""):gmatch "%S+" do set[word] = true end
  return disagree("", ours, theirs, set)
end

return M

-- Tar archives for specs, hostile ones too: a header is written as it is asked
-- for.

local M = {}

local zeros <const> = ("\0"):rep(512)

local function octal(number, width)
  return ("%0" .. width - 1 .. "o\0"):format(number)
end

local function padded(data)
  return data .. zeros:sub(1, -#data % 512)
end

--- One entry: { name =, type = "0", data = "", size =, link =, mode =, uid =,
-- gid =, major =, minor = }.
function M.entry(is)
  local data <const> = is.data or ""
  local size <const> = is.size_field or octal(is.size or #data, 12)
  local before <const> = (is.name .. zeros):sub(1, 100)
    .. octal(is.mode or 420, 8) .. octal(is.uid or 0, 8)
    .. octal(is.gid or 0, 8) .. size .. octal(0, 12)
  local link <const> = ((is.link or "") .. zeros):sub(1, 100)
  local after <const> = (is.type or "0") .. link .. "ustar\00000"
    .. zeros:sub(1, 64) .. octal(is.major or 0, 8)
    .. octal(is.minor or 0, 8) .. zeros:sub(1, 167)
  local sum = 0
  for byte in (before .. "        " .. after):gmatch "." do
    sum = sum + byte:byte()
  end
  return padded(before .. ("%06o\0 "):format(sum + (is.off or 0)) .. after)
    .. padded(data)
end

--- A record of an extended header.
function M.record(key, value)
  local rest <const> = (" %s=%s\n"):format(key, value)
  local length = #rest + 1
  while #tostring(length) + #rest ~= length do length = length + 1 end
  return length .. rest
end

--- An archive of entries, or of what is one already as text.
function M.archive(...)
  local parts = {}
  for i, is in ipairs { ... } do
    parts[i] = type(is) == "string" and is or M.entry(is)
  end
  return table.concat(parts) .. zeros .. zeros
end

return M

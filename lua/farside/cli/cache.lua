--- farside cache: the layers that are unpacked.

local columns <const> = require "farside.columns"
local options <const> = require "farside.options"

local M = { takes = { { "ls", "rm", "prune" } } }

M.specs = {
  { name = "json", short = "J", help = "as JSON" },
  { name = "no_headings", short = "n", help = "without the first line" },
}

local function field(name) return function(row) return row[name] end end

-- The ids on disk, as the command line has maps.
local function ids(row)
  local ranges = {}
  for i, range in ipairs(row.uid_map or {}) do
    ranges[i] = table.concat(range, ":")
  end
  return row.uid_map and ranges or "the archive's"
end

local all <const> = {
  { name = "DIGEST", value = field "digest",
    text = function(row) return row.digest:sub(1, 12) end,
    help = "the SHA-256 of the archive" },
  { name = "SIZE", value = field "size", right = true,
    text = function(row) return columns.size(row.size) end,
    help = "what it takes on disk" },
  { name = "USED", value = field "used",
    text = function(row) return row.used and "yes" or "no" end,
    help = "whether a container that runs uses it" },
  { name = "UNPACKED", value = field "unpacked",
    text = function(row)
      return os.date("%Y-%m-%d %H:%M:%S", row.unpacked)
    end, help = "when that was" },
  { name = "IDS", value = field "uid_map", text = ids, cut = true,
    help = "whose its files are" },
}

function M.help()
  return [[
usage: farside cache ls [options]
       farside cache rm DIGEST …
       farside cache prune

The archives that were layers of containers are kept unpacked, each user's in
a directory of his own. ls lists them; rm removes some, by their digests or the
beginnings of them; prune removes all. What a container that runs uses stays.

]] .. options.help(M.specs) .. "\n\ncolumns:\n" .. columns.help(all)
end

local words <const> = {}

function words.ls(given)
  local rows <const> = require("farside").layers.list()
  if given.json then
    local json <const> = require "farside.json"
    print(json.encode(json.object { { "layers", json.list(rows) } }, "  "))
    return
  end
  columns.print(rows, all, given)
end

function words.rm(_, digests)
  if #digests == 0 then options.usage("cache", "rm: DIGEST expected") end
  for _, digest in ipairs(digests) do require("farside").layers.remove(digest)
  end
end

function words.prune()
  local gone <const>, kept <const> = require("farside").layers.prune()
  for _, digest in ipairs(gone) do print(digest) end
  for _, digest in ipairs(kept) do
    io.stderr:write(("farside: layer %s is in use\n"):format(digest))
  end
end

function M.main(args)
  local given, rest = options.read("cache", M.specs, args)
  local word <const> = table.remove(rest, 1)
  if not words[word] or word ~= "rm" and #rest > 0 then
    options.usage("cache", "ls, rm or prune expected, got %s",
                  word and "'" .. table.concat({ word, table.unpack(rest) },
                                               " ") .. "'" or "nothing")
  end
  words[word](given, rest)
  return 0
end

return M

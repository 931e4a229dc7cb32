#!/usr/bin/env farside
-- The whole illusion: a program that believes the machine is its own.
-- One call makes every kind of namespace there is, over the files of this
-- machine. The shell inside is asked the same questions as one outside.

local ns = require "farside"

local questions <const> = { -- each is answered in one line
  { "who am I?",            "id -un" },
  { "who is that outside?",
    "read in out _ </proc/self/uid_map; echo $(($(id -u) - in + out))" },
  { "on which machine?",    "uname -n" },
  { "which process am I?",  "echo $$" },
  { "of how many?",         "set -- /proc/[0-9]*; echo $#" },
  { "on which networks?",   "sed -n 's/:.*//p' /proc/net/dev | xargs" },
  { "a file /moon?",        "cat /moon 2>/dev/null || echo none" },
}

local script = ""
for _, question in ipairs(questions) do
  script = script .. question[2] .. "\n"
end

-- Inside, where a file is written first: into a layer that is thrown away.
local answers <close> = io.tmpfile()
assert(ns.run {
  "/bin/sh", "-c", "echo silver >/moon\n" .. script,
  hostname = "moon", stdout = answers,
})
answers:seek "set"

-- Outside, after it: the stranger has left no trace.
local here <close> = io.popen(script)

local inside = {}
print(("%-22s %-20s %s\n"):format("", "outside", "inside"))
for i, question in ipairs(questions) do
  local outside = here:read()
  inside[i] = answers:read()
  print(("%-22s %-20s %s"):format(question[1], outside, inside[i]))
end
assert(table.concat(inside, " "):find "^root %d+ moon %d %d lo silver$")

--- Makes a container for each byte on standard input and answers with a byte
-- once it has ended: what container.c is in C.

local ns <const> = require "farside"

while io.read(1) do
  assert(ns.run { "/bin/true" })
  io.write "\n"
  io.flush()
end

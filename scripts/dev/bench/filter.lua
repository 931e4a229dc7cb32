--- The filter of system calls of a default container, in a file for the C one:
-- answers its name. Whoever asks removes it.

local name <const> = os.tmpname()
local file <close> = assert(io.open(name, "wb"))
for _, step in ipairs(require("farside").plan { "/bin/true" }) do
  if step.call == "seccomp.install" then assert(file:write(step.args[1])) end
end
return name

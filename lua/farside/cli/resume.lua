--- farside resume: see farside pause.

return require("farside.cli.pause").each("resume", [[
Lets the processes of containers go on that `farside pause` has stopped.]])

#!/usr/bin/env farside
-- A guided tour of namespaces, on this machine: the same as `farside tour`.
-- Its chapters are lua/farside/tour/; each shows what it tells.

os.exit(require("farside.cli").main("tour", ...))

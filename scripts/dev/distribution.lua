--- A distribution's files as a container's, in each way in which they can be:
-- `build/farside scripts/dev/distribution.lua [DIR]`, as root and as oneself.
-- With mmdebstrap and umoci it makes, once, DIR/debian.tar and the image
-- DIR/layout:debian (DIR is /tmp/farside-distribution when not given), and then
-- runs what people run: a package manager, a shell with jobs on a terminal, a
-- daemon, su, and looks at the owners of files inside and outside.

local directory <const> = arg[1] or "/tmp/farside-distribution"
local archive <const> = directory .. "/debian.tar"
local layout <const> = directory .. "/layout"
local root <const> = ns.geteuid() == 0

---- the files ----

local function there(path) return (pcall(ns.fstatat, nil, path)) end

local function make()
  local function run(line)
    assert(os.execute(line), line .. ": failed")
  end
  run(("mkdir -p '%s'"):format(directory))
  if not there(archive) then
    run(("mmdebstrap --quiet --variant=minbase bookworm '%s.new' && "
         .. "mv '%s.new' '%s'"):format(archive, archive, archive))
  end
  if not there(layout) then
    run(("umoci init --layout '%s' && umoci new --image '%s:debian' && "
         .. "umoci raw add-layer --image '%s:debian' '%s' && umoci config "
         .. "--image '%s:debian' --config.cmd /bin/bash --config.env MOON=full")
        :format(layout, layout, layout, archive, layout))
  end
end

---- the checks ----

local failed = false

local function check(what, expected, said)
  local ok <const> = said:find(expected) ~= nil
  failed = failed or not ok
  print(("%-4s %s"):format(ok and "ok" or "NOT", what))
  if not ok then print(("     said %q"):format(said)) end
end

local function with(recipe, ...)
  local words <const> = { ... }
  for key, value in pairs(recipe) do words[key] = words[key] or value end
  return words
end

local function said(recipe, script)
  local reader, writer = ns.pipe()
  recipe = with(recipe, "/bin/sh", "-c", script)
  recipe.stdout, recipe.stderr = writer, writer
  local container <close> = ns.spawn(recipe)
  writer:close()
  local parts = {}
  for part in function() return reader:read() end do
    parts[#parts + 1] = part
  end
  reader:close()
  container:wait()
  return table.concat(parts)
end

-- Types at a shell: each line once it has said what stands before it. Answers
-- all that was said.
local function typed(recipe, dialogue)
  recipe = with(recipe, "/bin/bash", "--norc", "-i")
  recipe.tty, recipe.env = true, { PS1 = "ready> ", TERM = "dumb" }
  local container <close> = ns.spawn(recipe)
  local text, seen = "", 1
  local function hear()
    if #ns.poll({ container.terminal }, "20s") == 0 then return false end
    local ok, part = pcall(ns.read, container.terminal) -- EIO: the end
    text = ok and text .. part or text
    return ok
  end
  for _, turn in ipairs(dialogue) do
    repeat until text:find(turn[1], seen, true) or not hear()
    seen = #text + 1
    ns.write(container.terminal, turn[2])
  end
  repeat until not hear()
  return text
end

local function checks(title, recipe)
  print(title)
  check("a package manager", "^apt %d", said(recipe, "apt-get --version"))
  check("root's files are root's", "^0:0\n0:42\n$",
        said(recipe, "stat -c %u:%g /bin/su /etc/shadow"))
  check("su to another user", "uid=33%(www%-data%)",
        said(recipe, "su -s /bin/sh www-data -c id"))
  check("a daemon that forks lives on", "still here",
        said(recipe, "(setsid sh -c 'until [ -e /go ]; do :; done; "
             .. "echo still here >/done' &); touch /go; "
             .. "until [ -s /done ]; do :; done; cat /done"))
  local jobs <const> = typed(recipe, {
    { "ready> ", "sh -c 'echo go''ne; exec sleep 1000'\n" },
    { "gone\r\n", "\26" }, { "ready> ", "jobs\n" },
    { "ready> ", "kill -9 %1; wait\n" }, { "ready> ", "exit\n" },
  })
  check("a shell with jobs on a terminal", "Stopped%s+sh %-c", jobs)
  check("without a complaint", "^[^\n]*$",
        (jobs:match "[^\n]*no job control[^\n]*" or ""))
end

-- Who owns, out here, what is written in there, as container's ids.
local function owners(recipe, offset)
  local kept <const> = os.tmpname()
  os.remove(kept)
  ns.mkdirat(nil, kept, "0700")
  recipe = with(recipe)
  recipe.root = { layers = { archive }, upper = kept }
  said(recipe, "echo x >/srv/a; echo x >/srv/b; chown 33:33 /srv/b")
  local a <const> = ns.fstatat(nil, kept .. "/upper/srv/a")
  local b <const> = ns.fstatat(nil, kept .. "/upper/srv/b")
  check("what is written there has its owners here", "^true$",
        tostring(a.uid == ns.geteuid() and b.uid == offset))
  said(recipe, "rm -f /srv/a /srv/b")
  os.execute(("rm -rf '%s'"):format(kept))
end

local function processes(recipe)
  local container <close> = ns.spawn(with(recipe, "/bin/sleep", "100"))
  local file <close> = io.open(("/proc/%d/status"):format(container.pid))
  local uid <const> = file:read "a":match "Uid:\t(%d+)"
  check("its processes are unprivileged out here", "^true$",
        tostring(tonumber(uid) ~= 0))
  check("and root's in there", "^0\n$", said(recipe, "id -u"))
end

make()
local map <const> = not root and "auto" or nil
checks("an archive as a layer", { root = { layers = { archive } },
                                  uid_map = map })
checks("an image", { root = { image = layout .. ":debian" }, uid_map = map })
check("it brings its environment", "^full\n$",
      said({ root = { image = layout .. ":debian" } }, "echo $MOON"))
local plain <const> = { root = { layers = { archive } }, uid_map = map }
processes(plain)
owners(plain, root and 33 or ns.subids("uid")[1].first + 32)
if root then
  checks("a range of its own", { root = { layers = { archive } },
                                 uid_map = "auto" })
end
os.exit(not failed)

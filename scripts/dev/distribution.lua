-- A distribution's files as a container's, in each way in which they can be:
-- `build/farside scripts/dev/distribution.lua [DIR]`, as root, as somebody who
-- is granted ids in /etc/subuid, and as somebody who is not. DIR
-- (/tmp/farside-distribution when not given) gets, once, what mmdebstrap,
-- debootstrap, umoci and skopeo make of Debian; what somebody else has made
-- there is as good. Then people's habits are tried: packages, a shell with jobs
-- on a terminal, a daemon, su; and owners of files are looked at from both
-- sides. It ends with 1 when anything is not as it should be.

local directory <const> = arg[1] or "/tmp/farside-distribution"
local root <const> = ns.geteuid() == 0
local granted <const> = ns.subids("uid")[1]

---- the files ----

local function place(name) return directory .. "/" .. name end

local function there(path) return (pcall(ns.fstatat, nil, path)) end

local debian <const> = "--variant=minbase bookworm "

-- Each with the command that makes it under the name $1.
local files <const> = {
  { "debian.tar", "mmdebstrap --quiet --format=tar " .. debian .. "- >$1" },
  { "mmdebstrap", "mmdebstrap --quiet --format=directory " .. debian .. "$1" },
  { "debootstrap", "debootstrap " .. debian .. "$1 >$1.log" },
  { "umoci", [[
    umoci init --layout $1
    umoci new --image $1:debian
    umoci raw add-layer --image $1:debian debian.tar
    umoci insert --rootless --image $1:debian --whiteout /etc/issue.net
    umoci config --image $1:debian --config.cmd /bin/bash --config.env MOON=full
    chmod -R a+rX $1]] },
  { "skopeo", "skopeo --insecure-policy copy -q oci:umoci:debian oci:$1:a" },
  { "dir", "skopeo --insecure-policy copy -q oci:umoci:debian dir:$1" },
  { "of-dir", "skopeo --insecure-policy copy -q dir:dir oci:$1:a" },
  { "docker.tar", "skopeo --insecure-policy copy -q oci:umoci:debian "
                  .. "docker-archive:$1:moon/debian:1" },
  { "of-docker", "skopeo --insecure-policy copy -q docker-archive:docker.tar "
                 .. "oci:$1:a" },
  { "zstd", "skopeo --insecure-policy copy -q --dest-compress "
            .. "--dest-compress-format zstd oci:umoci:debian oci:$1:a" },
}

-- What cannot be made is left out, and said.
local function make()
  os.execute(("mkdir -p '%s'"):format(directory))
  for _, file in ipairs(files) do
    local name <const>, command <const> = table.unpack(file)
    if not there(place(name)) then
      local line <const> = "cd '%s' && (set -e -- %s.new; %s) && mv %s.new %s"
      if not os.execute(line:format(directory, name, command, name, name)) then
        print(("left out: %s, which `%s` has not made"):format(name,
          command:match "%S+"))
      end
    end
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

-- A job that says when it is in the terminal's foreground and when it is not.
local job <const> = [[
foreground() {
  set -- $(cut -d" " -f5,8 /proc/$$/stat)
  test $1 = $2
}
until foreground; do :; done
echo first
while foreground; do sleep 0.01; done
echo second
until foreground; do sleep 0.01; done
echo third
exec sleep 1000]]

-- Types at a shell: each line once it has said what stands before it. Answers
-- all that was said.
local function typed(recipe, dialogue)
  recipe = with(recipe, "/bin/bash", "--norc", "-i")
  recipe.tty, recipe.env = true, { PS1 = "ready> ", TERM = "dumb",
                                   HISTFILE = "", JOB = job }
  local container <close> = ns.spawn(recipe)
  local text, seen = "", 1
  local function hear()
    if #ns.poll({ container.terminal }, "20s") == 0 then return false end
    local ok, part = pcall(ns.read, container.terminal) -- EIO: the end
    text = ok and text .. part or text
    return ok
  end
  for _, turn in ipairs(dialogue) do
    local _, last
    repeat _, last = text:find(turn[1], seen, true) until last or not hear()
    if not last then return text end
    seen = last + 1
    ns.write(container.terminal, turn[2])
  end
  repeat until not hear()
  return text
end

local function jobs(recipe)
  local text <const> = typed(recipe, {
    { "ready> ", "sh -c \"$JOB\"\n" },
    { "first\r\n", "\26" }, { "ready> ", "bg\n" },
    { "second\r\n", "jobs\n" }, { "Running", "" }, { "ready> ", "fg\n" },
    { "third\r\n", "\3" },
    { "ready> ", "echo $?\n" }, { "ready> ", "exit\n" },
  })
  check("^Z stops a job of a shell's", "Stopped%s+sh %-c", text)
  check("bg lets it run on", "Running%s+sh %-c", text)
  check("fg has it back, and ^C ends it", "\r\n130\r\n", text)
  check("the shell does not complain", "^[^\n]*$",
        (text:match "[^\n]*no job control[^\n]*" or ""))
end

-- What can be done by whoever has no more than one id.
local function alone(recipe)
  check("a package manager", "^apt %d", said(recipe, "apt-get --version"))
  check("a daemon that forks is PID 1's", "^1\n$",
        said(recipe, "mkfifo /tmp/a /tmp/b; (setsid sh -c 'read go </tmp/a; "
             .. "cut -d\" \" -f4 /proc/$$/stat >/tmp/b' &); echo >/tmp/a; "
             .. "cat /tmp/b"))
  jobs(recipe)
end

local function several(recipe)
  alone(recipe)
  check("root's files are root's", "^0:0\n0:42\n$",
        said(recipe, "stat -c %u:%g /bin/su /etc/shadow"))
  check("su to another user", "uid=33%(www%-data%)",
        said(recipe, "su -s /bin/sh www-data -c id"))
end

local function package(recipe)
  check("a package is installed", "^install ok installed\n$", said(recipe, [[
    mkdir -p /tmp/moon/DEBIAN
    printf '%s\n' 'Package: moon' 'Version: 1' 'Architecture: all' \
      'Description: far' 'Maintainer: nobody <nobody@moon>' \
      >/tmp/moon/DEBIAN/control
    dpkg-deb -b /tmp/moon /tmp/moon.deb >/tmp/log 2>&1 &&
      apt-get -qq install -y /tmp/moon.deb >>/tmp/log 2>&1 || cat /tmp/log
    dpkg-query -W -f '${Status}\n' moon]]))
end

local function image(recipe)
  check("it brings its environment", "^full\n$", said(recipe, "echo $MOON"))
  check("what a later layer takes away is gone", "^no\n$",
        said(recipe, "test -e /etc/issue.net || echo no"))
end

-- Who owns, below a directory out here, what root and www-data write in there.
local function owners(recipe, path, uid, www_data)
  said(recipe, "echo x >/srv/a; echo x >/srv/b; chown 33:33 /srv/b")
  local a <const> = ns.fstatat(nil, path .. "/srv/a")
  local b <const> = ns.fstatat(nil, path .. "/srv/b")
  check("what is written has its owners in there", "^0 33\n$",
        said(recipe, "echo $(stat -c %u /srv/a /srv/b)"))
  check("and out here", ("^%d %d$"):format(uid, www_data),
        ("%d %d"):format(a.uid, b.uid))
  said(recipe, "rm -f /srv/a /srv/b")
end

-- The same, in an upper directory that is kept over layers.
local function kept(recipe, uid, www_data)
  local upper <const> = os.tmpname()
  os.remove(upper)
  ns.mkdirat(nil, upper, "0700")
  recipe = with(recipe)
  recipe.root = with(recipe.root)
  recipe.root.upper = upper
  owners(recipe, upper .. "/upper", uid, www_data)
  assert(os.execute(("rm -rf '%s'"):format(upper)))
end

local function processes(recipe, expected)
  local container <close> = ns.spawn(with(recipe, "/bin/sleep", "100"))
  local file <close> = io.open(("/proc/%d/status"):format(container.pid))
  check("its processes are somebody else's out here", expected,
        file:read "a":match "Uid:\t(%d+)")
  check("and root's in there", "^0\n$", said(recipe, "id -u"))
end

-- Names, owners, modes, sizes and times of all files of a tree.
local function census(path)
  local pipe <close> = io.popen(("find '%s' -printf '%%p %%U %%G %%m %%s "
    .. "%%C@\n' | sort | sha256sum"):format(path))
  return pipe:read "a"
end

---- who does what ----

local images <const> = { "umoci:debian", "skopeo:a", "of-dir:a", "of-docker:a",
                         "zstd" }

-- Whatever of the files is there, each with a title.
local function each(names, fn)
  for _, name in ipairs(names) do
    local path <const> = place(name)
    if there(path:gsub(":%w+$", "")) then
      print("\n" .. name)
      fn(path)
    end
  end
end

local function as_root()
  each({ "mmdebstrap", "debootstrap" }, function(path)
    local before <const> = census(path)
    several { root = path }
    processes({ root = path }, "^100000$")
    local layers <const> = { root = { layers = { path } } }
    several(layers)
    package(layers)
    check("nothing of it has changed", "^true$",
          tostring(census(path) == before))
    owners({ root = path }, path, 0, 33)
    kept(layers, 0, 33)
  end)
  each({ "debian.tar" }, function(path)
    local recipe <const> = { root = { layers = { path } } }
    several(recipe)
    package(recipe)
    processes(recipe, "^100000$")
    kept(recipe, 0, 33)
    recipe.uid_map = "auto"
    several(recipe)
  end)
  each(images, function(path)
    local recipe <const> = { root = { image = path } }
    several(recipe)
    package(recipe)
    image(recipe)
  end)
end

local function as_user()
  local self <const> = ns.geteuid()
  local www_data <const> = granted.first + 32 -- 0 is oneself
  each({ "debian.tar" }, function(path)
    local recipe <const> = { root = { layers = { path } }, uid_map = "auto" }
    several(recipe)
    package(recipe)
    processes(recipe, ("^%d$"):format(self))
    kept(recipe, self, www_data)
  end)
  each(images, function(path)
    local recipe <const> = { root = { image = path }, uid_map = "auto" }
    several(recipe)
    package(recipe)
    image(recipe)
  end)
  each({ "mmdebstrap" }, function(path) -- its root is the first of the range
    if ns.fstatat(nil, path).uid ~= granted.first then return alone {
      root = path } end
    local recipe <const> = {
      root = path, uid_map = { { 0, granted.first, granted.count } } }
    several(recipe)
    processes(recipe, ("^%d$"):format(granted.first))
    owners(recipe, path, granted.first, granted.first + 33)
  end)
end

local function as_one()
  each({ "mmdebstrap", "debootstrap" }, function(path)
    alone { root = path }
    alone { root = { layers = { path } } }
  end)
  each({ "debian.tar" }, function(path)
    local recipe <const> = { root = { layers = { path } } }
    alone(recipe)
    processes(recipe, ("^%d$"):format(ns.geteuid()))
    check("su needs more ids than one", "cannot set groups",
          said(recipe, "su -s /bin/sh www-data -c id"))
    recipe.user = "www-data"
    local _, err = pcall(said, recipe, "id")
    check("and so does another user", "hint: gid 33 is not mapped",
          tostring(err))
  end)
  each(images, function(path)
    local recipe <const> = { root = { image = path } }
    alone(recipe)
    image(recipe)
  end)
end

make();
(root and as_root or granted and as_user or as_one)()
os.exit(not failed)

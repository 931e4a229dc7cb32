-- The driver beside the stock interpreter: each command below is run once
-- with either under the name `lua`, and what comes out must be the same.

local t = require "spec.helper"
local lfs = require "lfs"

local function find_stock()
  local pipe <close> = assert(io.popen "command -v lua5.4")
  return pipe:read "l"
end

local stock <const> = find_stock()
local farside <const> = t.build:sub(1, 1) == "/" and t.build .. "/farside"
  or lfs.currentdir() .. "/" .. t.build .. "/farside"

local function content(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

-- What a shell command says and answers in a new directory where `lua` is
-- the given program.
local function outcome(program, command)
  local directory = t.tmpdir()
  assert(lfs.link(program, directory .. "/lua", true))
  local script <const> = "cd '%s' && PATH=$PWD:$PATH && unset LUA_INIT && "
    .. "{ %s\n} >out 2>err </dev/null"
  local _, how, code = os.execute(script:format(directory, command))
  return {
    out = content(directory .. "/out"), err = content(directory .. "/err"),
    how = how, code = code,
  }
end

local function same(command)
  local expected = outcome(stock, command)
  assert.same(expected, outcome(farside, command))
  return expected
end

local function prints(expected, command)
  local got = outcome(farside, command)
  assert.equal(expected, got.out .. got.err)
  return got
end

-- { what holds, command that shows it }, as pairs of strings
local function alike(cases)
  for _, case in ipairs(cases) do
    it(case[1], function() same(case[2]) end)
  end
end

describe("the options", function()
  alike {
    { "run strings in order",
      [[lua -e 'print(1)' -e'a=2' -e "print(a)"]] },
    { "load libraries into globals",
      [[lua -l string -lmath -l 'm=math' -e 'print(m == math, m.pi)']] },
    { "load a library under its whole name",
      [[echo 'return 7' >q-1.lua; LUA_PATH='./?.lua' lua -l q-1 -e '
        print(q, _G["q-1"])']] },
    { "may be given no library and no string", "lua -l=string; lua -e ''" },
    { "tell of a library that is not there", "lua -l nothere" },
    { "stop at the first that fails", "lua -e 'error(1)' -e 'print(2)'" },
    { "tell the version and go on", "lua -v -e 'print(1)'" },
    { "leave the environment out",
      [[LUA_INIT='print(1)' LUA_PATH=x LUA_CPATH=y lua -E -e '
        print(package.path, package.cpath)']] },
    { "switch warnings on", "lua -W -e 'warn(1, 2)'; lua -e 'warn(3)'" },
    { "end at two dashes", "echo 'print(...)' >-x; lua -- -x -e 1" },
    { "take a dash as stdin, but not after two",
      "echo 'print(...)' >-; echo 'print(0)' | lua - a; lua -- - b" },
    { "must be known", "lua -x; lua -vv; lua ---; lua -Ex; lua -iv" },
    { "must have their argument", "lua -e; lua -l; lua -e -i; lua -l -" },
    { "are complained of before anything runs", "lua -v -e 'print(1)' -y" },
  }
end)

describe("a script", function()
  alike {
    { "gets its arguments", "echo 'print(#arg, ...)' >s; lua s a b 'c d'" },
    { "finds what stands before it below zero",
      [[echo 'for i = -4, 2 do print(i, arg[i]) end' >s
        lua -e '' -- s one]] },
    { "gets arguments that an option has changed",
      "echo 'print(...)' >s; lua -e 'arg[1] = 5 arg[3] = 6' s a b" },
    { "needs arg to be a table", "echo '' | lua -e 'arg = 1' -" },
    { "cannot have more arguments than fit the stack",
      [[echo '' >s; lua -e 'setmetatable(arg, { __len = function()
        return 10000000 end })' s]] },
    { "comes from stdin when nothing else is asked for",
      "echo 'print(arg[0], ...)' | lua" },
    { "may start with a comment and a byte order mark",
      [[printf '\357\273\277#!x\nprint(1)' >s; lua s]] },
    { "may be compiled", [[lua -e '
      io.open("s", "wb"):write("#!x\n", string.dump(load "print(3)"))'
      lua s]] },
    { "that is not there is told", "lua nothere; lua ''" },
    { "that does not compile is told", "echo 'x =' >s; lua s" },
    { "finds arg in its libraries",
      "echo 'print(arg[1])' >m.lua; echo '' >s; lua -lm s 4" },
  }
end)

describe("LUA_INIT", function()
  alike {
    { "is a string to run first", "LUA_INIT='print(1)' lua -e 'print(2)'" },
    { "can name a file", "echo 'print(arg[0])' >i; LUA_INIT=@i lua -e ''" },
    { "gives way to the one with the version",
      "LUA_INIT='print(1)' LUA_INIT_5_4='print(2)' lua -e ''" },
    { "counts when empty", "LUA_INIT='print(1)' LUA_INIT_5_4= lua -e ''" },
    { "ends all when it fails", "LUA_INIT='error(1)' lua -e 'print(2)'" },
    { "tells under its own name", "LUA_INIT_5_4='error(\"x\")' lua" },
  }
end)

describe("an error", function()
  alike {
    { "comes with its traceback", [[lua -e '
      local function f() error "deep" end
      local function g() f() end
      g()']] },
    { "tells itself when it can", [[lua -e '
      error(setmetatable({}, { __tostring = function() return "me" end }))']]
    },
    { "may fail to tell itself", [[lua -e '
      error(setmetatable({}, { __tostring = function() error "x" end }))']] },
    { "may be any value", "lua -e 'error {}'; lua -e 'error()'; lua -e '"
      .. "error(setmetatable({}, { __name = \"T\" }))'; lua -e 'error(12)'" },
    { "in a finaliser is a warning", [[lua -W -e '
      setmetatable({}, { __gc = function() error "gone" end })']] },
    { "does not keep variables from being closed", [[lua -e '
      local x <close> = setmetatable({}, { __close = print })
      error(setmetatable({}, { __tostring = function() return "" end }),
        0)' | sed 's/0x.*//']] },
  }
end)

describe("the end", function()
  alike {
    { "closes the state", [[lua -e '
      setmetatable({}, { __gc = function() print "closed" end })']] },
    { "flushes files", "lua -e 'io.output \"o\" io.write \"alo\"'; cat o" },
    { "answers what os.exit was given",
      "for c in true false 3 'nil, true'; do lua -e \"os.exit($c)\"; "
      .. "echo $?; done" },
  }
end)

describe("the state", function()
  alike {
    { "collects by generations",
      "lua -e 'print(collectgarbage \"incremental\")'" },
    { "has the paths of the environment",
      [[LUA_PATH='a;;b' LUA_CPATH_5_4=c lua -e '
        print(package.path, package.cpath)']] },
    { "has the stock searchers",
      "lua -e 'print(#package.searchers) require \"nothere\"'" },
    { "loads modules in C",
      [[lua -e 'print(require "cjson".encode { 1, 2 })
        print(require "lfs".attributes("/", "mode"))']] },
  }

  it("has no more globals than ns and farside", function()
    local list <const> = [[lua -e 'for k in pairs(_G) do print(k) end' ]]
      .. [[| grep -vx -e ns -e farside | sort]]
    same(list)
  end)
end)

describe("the prompt", function()
  alike {
    { "prints expressions",
      [[printf '1+1\n"a", nil, {} == 1\n=3\n-- c\n\n' | lua -i]] },
    { "runs statements", [[printf 'x = 4\nprint(x)\nx' | lua -i]] },
    { "goes on over lines", [[printf 'x = {\n1,\n2 }\n#x\n=(\n7)' | lua -i]] },
    { "goes on inside a long string", [=[printf '=[[a\nb]]\n' | lua -i]=] },
    { "tells errors without a name",
      [[printf 'error "x"\nx =* 1\nnil()\n1' | lua -i]] },
    { "asks as it is told",
      [[printf 'x = (\n1)\n' | lua -e '_PROMPT = "a" _PROMPT2 = 5' -i]] },
    { "asks anew each time", [[printf '1\n2\n' | lua -e 'local n = 0
      _PROMPT = setmetatable({}, { __tostring = function()
        n = n + 1
        return "<" .. n .. ">"
      end })' -i]] },
    { "prints through print",
      [[printf '1\n' | lua -e 'local p = print
        print = function(...) p("p", ...) end' -i]] },
    { "tells when print is no good", "echo 1 | lua -e 'print = nil' -i" },
    { "comes after the script and its arguments",
      [[echo 'x = ...' >s; printf 'x\narg[0]' | lua -i s 8]] },
    { "does not come after a script that failed",
      "echo 'error(1)' >s; echo 1 | lua -i s" },
  }

  it("tells what is missing at the end of the input", function()
    local got = outcome(farside, [[printf 'x = (\n' | lua -i]])
    assert.equal("stdin:1: unexpected symbol near <eof>\n", got.err)
    assert.equal(0, got.code)
  end)

  it("edits lines at a terminal, and tells who it is", function()
    t.needs "script"
    local got = outcome(farside,
      [[printf '40+3\1772\n\4' | TERM=dumb script -qec lua /dev/null]])
    assert.truthy(got.out:find("\nFarside %S+\r\n"))
    assert.truthy(got.out:find("42\r\n", 1, true))
    assert.equal(0, got.code)
  end)

  it("takes lines of any length", function()
    local count <const> = "x = 1 " .. ("+ 1 "):rep(5000)
    assert(#count > 8192)
    prints("5001", ("echo '%s\nio.stderr:write(x)' | lua -i >/dev/null")
      :format(count))
  end)
end)

describe("^C", function()
  -- Sends it when the code has said that it is ready, and has then used some
  -- time of the processor, so that it is where it loops.
  local function interrupt(code)
    return ([[lua -e 'function ready() io.open("ready", "w"):close() end
      %s' &
      used() { cut -d " " -f 14 /proc/$!/stat; }
      until [ -e ready ]; do :; done
      was=$(used); until [ $(used) -gt $((was + 1)) ]; do :; done
      kill -INT $!; wait $!]])
      :format(code)
  end

  alike {
    { "is an error in a loop", interrupt "ready() while true do end" },
    { "can be caught",
      interrupt "pcall(function() ready() while true do end end) print(42)" },
  }

  it("kills the second time in code that does not come back", function()
    local got = same [[lua -e 'local s = ("a"):rep(200000)
      io.open("ready", "w"):close() s:find ".*b"' &
      used() { cut -d " " -f 14 /proc/$!/stat; }
      until [ -e ready ]; do :; done
      was=$(used); until [ $(used) -gt $((was + 1)) ]; do :; done
      while kill -INT $! 2>/dev/null; do :; done; wait $!]]
    assert.equal(130, got.code)
  end)
end)

describe("the library", function()
  it("is not loaded before it is used", function()
    prints("nil\tnil\n", [[lua -e '
      print(package.loaded.farside, package.loaded["farside.core"])']])
  end)

  it("is one table by whichever way", function()
    prints("true\ttrue\ttrue\n", [[lua -e 'local before = ns
      print(ns == farside, require "farside" == ns, before == ns)']])
  end)

  it("is there at first use", function()
    prints("function\tfunction\n",
      [[lua -e 'print(type(ns.unshare), type(require "farside".setns))']])
  end)

  it("is there when its names are listed", function()
    prints("true\n", [[lua -e 'local has = {}
      for name in pairs(ns) do has[name] = true end
      print(has.unshare and has.run)']])
  end)

  it("keeps what a script has put into it", function()
    prints("mine\tfunction\n", [[lua -e 'ns.run = "mine"
      print(require "farside".run, type(ns.unshare))']])
  end)

  it("has nothing in between once it is loaded", function()
    prints("true\n", [[lua -e 'local lazy = getmetatable(ns).__index
      local _ = ns.run
      print((getmetatable(ns) or {}).__index ~= lazy)']])
  end)

  it("comes from the program and not from the path", function()
    prints("table\n", [[mkdir farside; echo 'return 1' >farside.lua
      LUA_PATH='./?.lua' lua -e 'print(type(require "farside"))']])
  end)

  it("names its files in tracebacks", function()
    prints("farside/init.lua\n", [[lua -e '
      print(debug.getinfo(getmetatable(require "farside").__index, "S")
        .short_src)']])
  end)

  it("has lines for them, and no names of locals", function()
    prints("true\tnil\n", [[lua -e '
      local index = getmetatable(require "farside").__index
      print(next(debug.getinfo(index, "L").activelines) > 0,
            (debug.getlocal(index, 1)))']])
  end)
end)

describe("a sub-command", function()
  it("runs, and its answer is the exit code", function()
    local got = outcome(farside, "lua run --no-such-option")
    assert.equal(125, got.code)
    assert.truthy(got.err:find("no%-such%-option"))
  end)

  it("gives way to a script with a path, or after two dashes", function()
    prints("mine\t1\nmine\t2\n",
      [[echo 'print("mine", ...)' >run; lua ./run 1; lua -- run 2]])
  end)

  it("comes before a script of its name", function()
    local got = outcome(farside, "echo 'print(1)' >run; lua run --help")
    assert.equal(0, got.code)
    assert.truthy(got.out:find("usage: farside run", 1, true))
  end)

  alike { { "must be known", "lua nothere; lua cli.run" } }

  it("is no file of the library's own", function()
    local got <const> = prints("lua: cannot open init: No such file or "
      .. "directory (did you mean `farside net`?)\n", "lua init")
    assert.equal(1, got.code)
  end)
end)

describe("the help", function()
  it("lists the options and the sub-commands", function()
    local got = outcome(farside, "lua -h")
    assert.equal(0, got.code)
    assert.truthy(got.out:find("\n  -e stat   execute string 'stat'\n", 1,
      true))
    assert.truthy(got.out:find("\n  run  +%u?%l"))
  end)

  it("has a long name and needs nothing from the environment", function()
    local short = outcome(farside, "lua -h").out
    prints(short, "LUA_INIT='error(1)' lua --help")
  end)

  it("leaves -h to the script after its name", function()
    same "echo 'print(...)' >s; lua s -h --help; lua - -h <s"
  end)
end)

describe("the version", function()
  it("begins with that of Lua", function()
    local expected = outcome(stock, "lua -v").out
    local got = outcome(farside, "lua -v").out
    assert.equal(expected, got:sub(1, #expected))
    assert.truthy(got:sub(#expected + 1):find "^Farside %S+\n$")
  end)
end)

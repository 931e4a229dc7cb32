-- The prompt, driven as a person does: through a terminal.
local t <const> = require "spec.helper"
local ns <const> = require "farside"
local lfs <const> = require "lfs"

local farside <const> = t.build:sub(1, 1) == "/" and t.build .. "/farside"
  or lfs.currentdir() .. "/" .. t.build .. "/farside"

local PATIENCE <const> = 30 -- seconds

local Prompt <const> = {}
Prompt.__index = Prompt

-- What the program has written since, up to a text.
function Prompt:expect(text)
  while true do
    local _, last = self.screen:find(text, 1, true)
    if last then
      local before = self.screen:sub(1, last)
      self.screen = self.screen:sub(last + 1)
      return before
    end
    if #ns.poll({ self.terminal }, PATIENCE) == 0 then
      error(("no %q in %q"):format(text, self.screen), 2)
    end
    local piece <const> = ns.read(self.terminal, 4096)
    if not piece then error(("ended at %q"):format(self.screen), 2) end
    self.screen = self.screen .. piece
  end
end

function Prompt:type(text) ns.write(self.terminal, text) end

-- Types a line and answers what it prints before the next prompt.
function Prompt:line(text, prompt)
  self:type(text .. "\n")
  self:expect "\r\n"
  local answer = self:expect(prompt or "farside> ")
  return (answer:gsub("\r", ""):gsub("\27%[%?2004[hl]", "")
    :gsub("\n?[^\n]*$", ""))
end

-- Runs a function with a prompt at a terminal of 200 columns.
local function at_prompt(fn, init)
  t.child(function()
    local state <const> = t.state
    local terminal <const>, slave <const>, name <const> = ns.tty.open()
    ns.tty.resize(slave, 40, 200)
    local shell <close> = ns.posix_spawn {
      farside, terminal = name, session = true,
      env = { TERM = "dumb", PATH = true, HOME = state, LUA_INIT = init,
              XDG_STATE_HOME = state, INPUTRC = "/dev/null",
              ASAN_OPTIONS = true, UBSAN_OPTIONS = true },
    }
    slave:close()
    local prompt <const> = setmetatable({ terminal = terminal, screen = "" },
                                        Prompt)
    prompt:expect "farside> "
    fn(prompt, shell)
  end)
end

describe("the prompt", function()
  before_each(function() t.state = t.tmpdir() end)

  it("prints results, and keeps the last as _", function()
    at_prompt(function(prompt)
      assert.equal("2\ta", prompt:line '1 + 1, "a"')
      assert.equal("3", prompt:line "_ + 1")
      assert.equal("nil", prompt:line "nil")
    end)
  end)

  it("shows tables as they are written, and records as columns", function()
    at_prompt(function(prompt)
      assert.equal('{ 1, 2, a = "x" }', prompt:line '{ 1, 2, a = "x" }')
      assert.equal("id  name  up\n1   lo    true\n2   eth0",
        prompt:line('{ { name = "lo", id = 1, up = true }, '
          .. '{ name = "eth0", id = 2 } }'))
    end)
  end)

  it("names the namespaces that differ from those at the start", function()
    t.needs "userns"
    at_prompt(function(prompt)
      assert.equal("", prompt:line('ns.unshare("user", "uts")',
                                   "farside[user uts]> "))
      assert.equal("", prompt:line('ns.unshare "pid"',
                                   "farside[user pid uts]> "))
    end)
  end)

  it("goes on with what is not complete", function()
    at_prompt(function(prompt)
      assert.equal("", prompt:line("for i = 1, 2 do", "      >> "))
      assert.equal("1\n2", prompt:line "print(i) end")
    end)
  end)

  it("completes names, methods, and words in strings", function()
    t.needs "line editing"
    at_prompt(function(prompt)
      prompt:type "ns.pivo\t"
      assert.equal("ns.pivot_root", prompt:expect "root")
      prompt:line ""
      prompt:type 'ns.umount("/", "det\t'
      prompt:expect "detach"
      prompt:line '") = 1'
      prompt:type 'ns.run { hostn\t'
      prompt:expect "hostname"
      prompt:line " = ]"
    end)
  end)

  it("keeps what was typed for the next time", function()
    t.needs "line editing"
    at_prompt(function(prompt)
      prompt:line "moon = 'far'"
      prompt:type "\4"
    end)
    at_prompt(function(prompt)
      prompt:type "\27[A"
      prompt:expect "moon = 'far'"
    end)
  end)

  it("comes back after ^C in a call that waits", function()
    at_prompt(function(prompt, shell)
      prompt:line "c = ns.clone({}, ns.pause)"
      prompt:type "c:wait()\n"
      prompt:expect "\r\n"
      repeat until #ns.poll({ prompt.terminal }, 0.05) == 0
      prompt:type "\3"
      prompt:expect "interrupted!"
      prompt:expect "farside> "
      assert.equal("", prompt:line "c:close()")
      prompt:type "\4"
      assert.same({ true, "exit", 0 }, { shell:wait(PATIENCE) })
    end)
  end)

  it("leaves the terminal as it was, whatever fails", function()
    at_prompt(function(prompt, shell)
      prompt:line "error {}"
      prompt:line "ns.tty.raw(0) error 'x'"
      prompt:type "\4"
      assert.same({ true, "exit", 0 }, { shell:wait(PATIENCE) })
    end)
  end)

  it("leaves alone what LUA_INIT has set", function()
    at_prompt(function(prompt)
      assert.equal("mine", prompt:line "help")
      assert.equal("2", prompt:line "(print)(2)")
    end, "help = 'mine'")
  end)
end)

describe("help", function()
  before_each(function() t.state = t.tmpdir() end)

  it("tells how to ask", function()
    at_prompt(function(prompt)
      assert.matches('^help%(ns.mount%)  help "mount"', prompt:line "help")
      assert.equal(prompt:line "help", prompt:line "help()")
    end)
  end)

  it("shows the page of a function, by itself or by name", function()
    at_prompt(function(prompt)
      local page = prompt:line "help(ns.chroot)"
      assert.matches("^ns%.chroot%(path%)\n\n", page)
      assert.equal(page, prompt:line 'help "chroot"')
      assert.equal(page, prompt:line 'help "ns.chroot"')
    end)
  end)

  it("lists what an object can do", function()
    at_prompt(function(prompt)
      local list = prompt:line 'help(ns.open("self", "net"))'
      assert.matches("^namespace:close +Closes the handle", list)
      assert.matches("\nnamespace:parent +The namespace that", list)
    end)
  end)

  it("knows the keys of recipes", function()
    at_prompt(function(prompt)
      assert.equal("hostname: a key of a recipe, for ns.run and ns.spawn\n"
        .. "  its host name\n  on the command line: --hostname NAME",
        prompt:line 'help "hostname"')
    end)
  end)

  it("says what somebody may have meant", function()
    at_prompt(function(prompt)
      assert.equal("help: unknown word 'moun' (did you mean 'mount'?)",
        prompt:line 'help "moun"')
      assert.equal("help: unknown word 'quux-corge' (help \"ns\" lists all)",
        prompt:line 'help "quux-corge"')
      assert.equal("a function in C, not of Farside's",
        prompt:line "help(print)")
    end)
  end)
end)

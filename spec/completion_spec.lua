-- What shells complete is what the commands take.

local t = require "spec.helper"
local cli = require "farside.cli"

local driver <const> = t.build .. "/farside"

local function output(command)
  local pipe <close> = io.popen(command .. " 2>&1")
  return pipe:read "a"
end

local function script(shell)
  return output(driver .. " completion " .. shell)
end

-- The options of a command, as its help text has them.
local function options_of(word)
  local list = {}
  for line in output(driver .. " " .. word .. " --help"):gmatch "[^\n]+" do
    local short, long = line:match "^  (%-?%w?),? ?(%-%-[%l-]+)"
    if long then
      list[#list + 1] = { long = long, short = short:match "%w" }
    end
  end
  return list
end

-- How an option of a command is written down for each shell.
local forms <const> = {
  bash = function(word, long)
    return "\n    " .. word .. ':%*:%-%*%) [^\n]*[ "]' .. long .. '[ "]'
  end,
  zsh = function(word, long) return "\n    " .. word .. "%).-" .. long end,
  fish = function(word, long)
    return "__fish_seen_subcommand_from " .. word .. "' %-l "
           .. long:sub(5) .. "[ \n]"
  end,
}

-- What bash offers for the last of some words.
local function complete(...)
  local words = {}
  for i, word in ipairs { ... } do words[i] = "'" .. word .. "'" end
  local pipe <close> = io.popen(([[bash -c '
    compopt() { :; }
    source <("$1" completion bash)
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _farside
    echo "${COMPREPLY[@]}"' bash %s farside %s 2>&1]]):format(driver,
      table.concat(words, " ")))
  return (pipe:read "a":gsub("\n$", ""))
end

describe("the completions", function()
  for shell, form in pairs(forms) do
    it("of " .. shell .. " have every option of every command", function()
      local text <const> = script(shell)
      for _, summary in ipairs(cli.summaries()) do
        local word <const> = summary[1]
        assert.is_truthy(text:find(word, 1, true), word)
        for _, option in ipairs(options_of(word)) do
          local long <const> = option.long:gsub("%-", "%%-")
          assert.is_truthy(text:find(form(word, long)),
                           word .. " " .. option.long)
        end
      end
    end)

    it("of " .. shell .. " are a script that it can read", function()
      t.needs(shell)
      assert.equal("", output(("%s completion %s | %s -n"):format(driver, shell,
                                                                shell)))
    end)
  end

  it("offer commands, options, kinds and directories", function()
    t.needs "bash"
    assert.equal("run", complete "ru")
    assert.equal("--hostname", complete("run", "--ho"))
    assert.equal("net", complete("run", "--share", "n"))
    assert.equal("/etc", complete("run", "--root", "/et"))
    assert.equal("net", complete("enter", "12", "n"))
    assert.equal("--tail", complete("logs", "--t"))
    assert.equal("TERM", complete("stop", "-s", "T"))
    assert.equal("", complete("run", "--hostname", "x"))
    t.reap() -- bash does not wait for its substitutions
  end)

  it("are for three shells, by their names", function()
    assert.equal("farside completion: one of bash, fish, zsh expected\nfarside:"
      .. " `farside completion --help` lists what it takes\n",
      output(driver .. " completion"))
    assert.is_truthy(output(driver .. " completion bsh"):find(
      "unknown shell 'bsh' (did you mean 'bash'?)", 1, true))
  end)
end)

describe("a command that there is not", function()
  it("is told with the one that is near", function()
    assert.is_truthy(output(driver .. " rnu"):find("cannot open rnu.*"
      .. "%(did you mean `farside run`%?%)"))
    assert.is_nil(output(driver .. " something"):find "did you mean")
  end)
end)

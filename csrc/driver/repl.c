/*
 * The prompt: reads a line, takes it as an expression if it is one, else as
 * a statement that may go on over more lines, runs it and prints what comes
 * back through the global `print`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "embedded.h"

/* ---- reading ---- */

/* Pushes the prompt: a global of any type, turned into a string anew each
 * time, so that an object with __tostring can show what has changed. */
static const char *push_prompt(lua_State *L, bool first) {
  if (lua_getglobal(L, first ? "_PROMPT" : "_PROMPT2") == LUA_TNIL)
    return lua_pushstring(L, first ? "> " : ">> ");
  return luaL_tolstring(L, -1, NULL);
}

/* Pushes a line; false, with nothing pushed, at the end of the input. */
static bool push_line(lua_State *L, bool first) {
  int top = lua_gettop(L);
  char *line = lineedit_read(push_prompt(L, first));
  lua_settop(L, top);
  if (line)
    lua_pushstring(L, line);
  free(line);
  return line != NULL;
}

/* Adds a line to the text at index 1, dropping the message above it. At the
 * end of the input that message stays, and is the error then. */
static bool push_more(lua_State *L) {
  if (!push_line(L, false))
    return false;
  lua_remove(L, 2);
  lua_pushliteral(L, "\n");
  lua_insert(L, 2);
  lua_concat(L, 3);
  return true;
}

/* ---- compiling ---- */

/* Compiles the text at index 1 with something before and after it. A first
 * "=" is the old way to write "return". */
static int load_text(lua_State *L, const char *before, const char *after) {
  const char *text = lua_tostring(L, 1);
  if (*text == '=') {
    before = "return ";
    text++;
  }
  size_t size;
  const char *source = lua_pushfstring(L, "%s%s%s", before, text, after);
  lua_tolstring(L, -1, &size);
  int status = luaL_loadbufferx(L, source, size, "=stdin", "t");
  lua_remove(L, -2);
  return status;
}

/* True when the message on top complains of nothing but the end. */
static bool incomplete(lua_State *L, int status) {
  static const char mark[] = "<eof>";
  size_t size;
  if (status != LUA_ERRSYNTAX)
    return false;
  const char *text = lua_tolstring(L, -1, &size);
  return size >= sizeof mark - 1 &&
         strcmp(text + size - (sizeof mark - 1), mark) == 0;
}

/* Turns the text at index 1 into a chunk or an error message above it. */
static int compile(lua_State *L) {
  if (load_text(L, "return ", ";") == LUA_OK)
    return LUA_OK;
  lua_settop(L, 1);
  int status = load_text(L, "", "");
  while (incomplete(L, status) && push_more(L))
    status = load_text(L, "", "");
  return status;
}

/* ---- running ---- */

static const char show_key; /* its address: what shows results, if anything */

/* Prints all that is on the stack; the user may have put anything into the
 * global `print`. */
static void print_results(lua_State *L) {
  int count = lua_gettop(L);
  if (count == 0)
    return;
  luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &show_key) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_getglobal(L, "print");
  }
  lua_insert(L, 1);
  if (lua_pcall(L, count, 0, 0) == LUA_OK)
    return;
  driver_message(lua_pushfstring(L, "error calling 'print' (%s)",
                                 lua_tostring(L, -1)));
}

/* Runs one statement; false at the end of the input. */
static bool step(lua_State *L) {
  lua_settop(L, 0);
  if (!push_line(L, true))
    return false;
  int status = compile(L);
  const char *text = lua_tostring(L, 1);
  if (*text)
    lineedit_keep(text);
  lua_remove(L, 1);
  if (status == LUA_OK)
    status = driver_call(L, 0, LUA_MULTRET);
  if (driver_report(L, status))
    print_results(L);
  return true;
}

/* Lets the library make itself at home at a terminal (a prompt that tells
 * namespaces, help, results as tables) and pushes the file of the history and
 * the completion, or nils. The prompt does not depend on it: whatever fails
 * there is told and left. */
static void push_helper(lua_State *L) {
  static const char start[] = "local repl = require 'farside.repl'\n"
                              "repl.start()\n"
                              "return repl.show, repl.history(), "
                              "repl.complete";
  lua_settop(L, 0);
  if (isatty(STDIN_FILENO) && embedded_find("farside.repl")) {
    int status = luaL_loadbuffer(L, start, sizeof start - 1, "=(prompt)");
    if (status == LUA_OK)
      status = driver_call(L, 0, 3);
    driver_report(L, status);
  }
  lua_settop(L, 3);
  lua_pushvalue(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &show_key);
}

void driver_prompt(lua_State *L) {
  const char *name = driver_name();
  driver_set_name(NULL);
  push_helper(L);
  lineedit_open(L, lua_tostring(L, 2));
  while (step(L))
    ;
  lua_settop(L, 0);
  puts("");
  fflush(stdout);
  driver_set_name(name);
}

static int prompt(lua_State *L) {
  driver_prompt(L);
  return 0;
}

int driver_open_prompt(lua_State *L) {
  lua_pushcfunction(L, prompt);
  return 1;
}

/*
 * Protected calls for the driver: errors get a traceback, ^C becomes an
 * error in the running Lua code, and messages carry the program's name.
 */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdio.h>

#include "driver.h"

/* A signal handler gets no argument of ours: the state that runs. */
static lua_State *running;

static const char *program = "farside";

void driver_set_name(const char *name) {
  program = name;
}

const char *driver_name(void) {
  return program;
}

void driver_message(const char *text) {
  if (program)
    fprintf(stderr, "%s: ", program);
  fprintf(stderr, "%s\n", text);
  fflush(stderr);
}

/* ---- ^C ---- */

static void handle_sigint(void (*handler)(int), struct sigaction *before) {
  /* No SA_RESTART: a system call that blocks must come back for the hook. */
  struct sigaction action = { .sa_handler = handler };
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, before);
}

static void raise_interrupt(lua_State *L, lua_Debug *at) {
  (void)at;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "interrupted!");
}

/* All that is safe here is to set a hook; the second ^C then kills, which
 * is the way out of C code that never comes back to Lua. */
static void on_interrupt(int signal) {
  (void)signal;
  handle_sigint(SIG_DFL, NULL);
  lua_sethook(running, raise_interrupt,
              LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/* ---- calls ---- */

/* The message handler. An object that can tell itself is taken at its word;
 * only plain messages get a traceback. */
static int explain(lua_State *L) {
  if (!lua_isstring(L, 1)) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
      return 1;
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
    lua_replace(L, 1);
  }
  luaL_traceback(L, L, lua_tostring(L, 1), 1);
  return 1;
}

/* There may be calls within calls: a script that opens a prompt. */
int driver_call(lua_State *L, int nargs, int nresults) {
  int handler = lua_absindex(L, -nargs - 1);
  struct sigaction before;
  lua_State *caller = running;
  lua_pushcfunction(L, explain);
  lua_insert(L, handler);
  running = L;
  handle_sigint(on_interrupt, &before);
  int status = lua_pcall(L, nargs, nresults, handler);
  sigaction(SIGINT, &before, NULL);
  running = caller;
  lua_remove(L, handler);
  return status;
}

bool driver_report(lua_State *L, int status) {
  if (status == LUA_OK)
    return true;
  const char *text = lua_tostring(L, -1);
  driver_message(text ? text : "(error message is not a string)");
  lua_pop(L, 1);
  return false;
}

bool driver_run(lua_State *L, int status) {
  if (status == LUA_OK)
    status = driver_call(L, 0, 0);
  return driver_report(L, status);
}

/*
 * farside, the stand-alone interpreter: what `lua` is, with the library
 * inside and its commands as sub-commands. What is run, in this order:
 * LUA_INIT, the options -e, -l and -W, the script or sub-command, the prompt.
 *
 * All of it happens in one protected call, so that running out of memory
 * anywhere is told and ends with a failure, and the state is always closed,
 * but for a sub-command's.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lualib.h>

#include "driver.h"
#include "embedded.h"

#define INIT "LUA_INIT"

/* ---- the command line as Lua sees it ---- */

/* Global `arg`: the script at 0, its arguments above, the rest below. */
static void set_arg(lua_State *L, int argc, char **argv, int script) {
  if (script == argc)
    script = 0; /* no script: the program's name is at 0 */
  lua_createtable(L, argc - script, script + 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

/* Pushes arg[1], arg[2]…: scripts and LUA_INIT may have changed them. */
static int push_arg(lua_State *L) {
  if (lua_getglobal(L, "arg") != LUA_TTABLE)
    luaL_error(L, "'arg' is not a table");
  int table = lua_gettop(L);
  int count = (int)luaL_len(L, table);
  luaL_checkstack(L, count + 3, "too many arguments to script");
  for (int i = 1; i <= count; i++)
    lua_rawgeti(L, table, i);
  lua_remove(L, table);
  return count;
}

/* ---- what can be run ---- */

static bool run_init(lua_State *L) {
  const char *name = "=" INIT LUA_VERSUFFIX;
  const char *text = getenv(name + 1);
  if (!text)
    text = getenv((name = "=" INIT) + 1);
  if (!text)
    return true;
  if (*text == '@')
    return driver_run(L, luaL_loadfile(L, text + 1));
  return driver_run(L, luaL_loadbuffer(L, text, strlen(text), name));
}

/* A word is a sub-command when the library has a module for it. After "--"
 * it is a script all the same. */
static bool is_command(char **script) {
  char name[64];
  if (strcmp(script[-1], "--") == 0 || strchr(script[0], '.'))
    return false;
  int size = snprintf(name, sizeof name, "farside.cli.%s", script[0]);
  return size < (int)sizeof name && embedded_find(name);
}

/* Calls require "farside.cli"[name]. */
static int call_cli(lua_State *L, const char *name, int nargs) {
  static const char chunk[] =
      "local name = ...\n"
      "return require 'farside.cli'[name](select(2, ...))";
  int status = luaL_loadbuffer(L, chunk, sizeof chunk - 1, "=(farside)");
  if (status != LUA_OK)
    return status;
  lua_insert(L, -nargs - 1);
  lua_pushstring(L, name);
  lua_insert(L, -nargs - 1);
  return driver_call(L, nargs + 1, 1);
}

/* A word that is no file may be meant for a sub-command: what is near is added
 * to the message on top of the stack. */
static void suggest(lua_State *L, const char *word) {
  if (!embedded_find("farside.cli"))
    return;
  lua_pushstring(L, word);
  if (call_cli(L, "suggest", 1) == LUA_OK && lua_isstring(L, -1))
    lua_concat(L, 2);
  else
    lua_pop(L, 1);
}

/* `script` is where it stands in argv; a "-" is stdin but after "--". */
static bool run_script(lua_State *L, char **script) {
  bool in = strcmp(script[0], "-") == 0 && strcmp(script[-1], "--") != 0;
  int status = luaL_loadfile(L, in ? NULL : script[0]);
  if (status == LUA_OK)
    status = driver_call(L, push_arg(L), LUA_MULTRET);
  else if (status == LUA_ERRFILE)
    suggest(L, script[0]);
  return driver_report(L, status);
}

/* Returns the exit code. */
static int run_command(lua_State *L, const char *word) {
  lua_pushstring(L, word);
  int nargs = push_arg(L) + 1;
  int status = call_cli(L, "main", nargs);
  if (!driver_report(L, status))
    return EXIT_FAILURE;
  int code = (int)luaL_optinteger(L, -1, EXIT_SUCCESS);
  lua_pop(L, 1);
  return code;
}

/* ---- what can be told ---- */

/* The line of the Lua version comes first and alone wherever a program may
 * be reading. */
static void print_version(bool own) {
  puts(LUA_COPYRIGHT);
  if (own)
    puts("Farside " FARSIDE_VERSION);
  fflush(stdout);
}

/* Prints the list of { word, summary } on top of the stack. */
static void print_commands(lua_State *L) {
  puts("\nCommands are:");
  for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TTABLE; i++) {
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    printf("  %-9s ", luaL_checkstring(L, -2));
    puts(luaL_checkstring(L, -1));
    lua_pop(L, 3);
  }
}

static int print_help(lua_State *L) {
  const char *program = driver_name();
  printf("usage: %s [options] [script [args]]\n"
         "       %s command [args]\nOptions are:\n", program, program);
  options_list();
  if (!embedded_find("farside.cli"))
    return EXIT_SUCCESS;
  int status = call_cli(L, "summaries", 0);
  if (!driver_report(L, status))
    return EXIT_FAILURE;
  print_commands(L);
  return EXIT_SUCCESS;
}

/* ---- the whole ---- */

/* At a terminal with nothing to do there is a prompt; elsewhere stdin is the
 * script. */
static bool run_rest(lua_State *L, const struct options *o, bool script) {
  bool idle = !script && !(o->seen & (OPT_EXEC | OPT_VERSION));
  bool tty = idle && isatty(STDIN_FILENO);
  if (idle && !tty)
    return driver_run(L, luaL_loadfile(L, NULL));
  if (tty)
    print_version(true);
  if (tty || o->seen & OPT_PROMPT)
    driver_prompt(L);
  return true;
}

static int run_all(lua_State *L, const struct options *o, char **argv) {
  char **script = argv[o->script] ? argv + o->script : NULL;
  int code = EXIT_SUCCESS;
  if (!(o->seen & OPT_ENV) && !run_init(L))
    return EXIT_FAILURE;
  if (!options_run(L, o, argv))
    return EXIT_FAILURE;
  if (script && is_command(script)) {
    code = run_command(L, *script);
    if (!(o->seen & OPT_PROMPT))
      exit(code); /* which closes all that a command leaves, and faster */
  } else if (script && !run_script(L, script))
    return EXIT_FAILURE;
  return run_rest(L, o, script != NULL) ? code : EXIT_FAILURE;
}

static void open_state(lua_State *L, const struct options *o, int argc,
                       char **argv) {
  if (o->seen & OPT_ENV) { /* for package.path and package.cpath */
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  luaL_openlibs(L);
  embedded_open(L);
  set_arg(L, argc, argv, o->script);
  lua_gc(L, LUA_GCRESTART);
  lua_gc(L, LUA_GCGEN, 0, 0);
}

/* True when the version is all that is asked for, or a person asks. */
static bool wants_own_version(const struct options *o, char **argv) {
  return !argv[o->script] && !(o->seen & OPT_EXEC) &&
         (!(o->seen & OPT_PROMPT) || isatty(STDIN_FILENO));
}

/* Protected: takes argc and argv, returns the exit code. */
static int protected_main(lua_State *L) {
  int argc = (int)lua_tointeger(L, 1);
  char **argv = lua_touserdata(L, 2);
  struct options o;
  int code;
  luaL_checkversion(L);
  options_read(&o, argv);
  if (o.bad) {
    options_complain(&o);
    lua_pushinteger(L, EXIT_FAILURE);
    return 1;
  }
  if (o.seen & OPT_VERSION && !(o.seen & OPT_HELP))
    print_version(wants_own_version(&o, argv));
  open_state(L, &o, argc, argv);
  code = o.seen & OPT_HELP ? print_help(L) : run_all(L, &o, argv);
  lua_pushinteger(L, code);
  return 1;
}

/* Where a standard stream is closed, what is opened next would be taken for it;
 * by a container's program, too. */
static void open_streams(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) == -1)
      (void)open("/dev/null", O_RDWR); /* is the lowest that is free: fd */
}

int main(int argc, char **argv) {
  open_streams();
  if (argc > 0 && *argv[0])
    driver_set_name(argv[0]);
  lua_State *L = luaL_newstate();
  if (!L) {
    driver_message("cannot create state: not enough memory");
    return EXIT_FAILURE;
  }
  lua_gc(L, LUA_GCSTOP); /* nothing to collect until the libraries are in */
  lua_pushcfunction(L, protected_main);
  lua_pushinteger(L, argc);
  lua_pushlightuserdata(L, argv);
  int status = lua_pcall(L, 2, 1, 0);
  int code = status == LUA_OK ? (int)lua_tointeger(L, -1) : EXIT_FAILURE;
  driver_report(L, status);
  lua_close(L);
  return code;
}

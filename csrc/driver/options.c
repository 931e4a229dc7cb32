/*
 * The options of the interpreter. One table says what each means; reading,
 * complaining and the help are made from it.
 */
#include <stdio.h>
#include <string.h>

#include "driver.h"

struct option {
  const char *name;
  const char *argument; /* its word in the help, or "" */
  unsigned bits;
  bool own; /* not in the stock interpreter */
  const char *help;
};

/* The rows without bits only say more in the help. */
static const struct option options[] = {
  { "-e", "stat", OPT_EXEC, false, "execute string 'stat'" },
  { "-i", "", OPT_PROMPT | OPT_VERSION, false,
    "enter interactive mode after executing 'script'" },
  { "-l", "mod", 0, false, "require library 'mod' into global 'mod'" },
  { "-l", "g=mod", 0, false, "require library 'mod' into global 'g'" },
  { "-v", "", OPT_VERSION, false, "show version information" },
  { "-E", "", OPT_ENV, false, "ignore environment variables" },
  { "-W", "", 0, false, "turn warnings on" },
  { "-h", "", OPT_HELP, true, "show this help (also --help)" },
  { "--", "", 0, false, "stop handling options" },
  { "-", "", 0, false, "stop handling options and execute stdin" },
  { NULL, NULL, 0, false, NULL },
};

/* The option that an argument is, or begins with. */
static const struct option *find(const char *text) {
  for (const struct option *o = options; o->name; o++)
    if (o->name[1] == text[1] && text[1] != '-')
      return o;
  return NULL;
}

static bool takes_argument(const struct option *o) {
  return o && *o->argument;
}

/* Takes the option at argv[*i]; false when it is no good. */
static bool take(struct options *o, char **argv, int *i) {
  const char *text = argv[*i];
  if (strcmp(text, "--help") == 0) {
    o->seen |= OPT_HELP;
    return true;
  }
  const struct option *option = find(text);
  if (!option)
    return false;
  o->seen |= option->bits;
  if (!text[2] && takes_argument(option)) {
    const char *argument = argv[++*i];
    return argument && argument[0] != '-';
  }
  return !text[2] || takes_argument(option);
}

void options_read(struct options *o, char **argv) {
  int i = argv[0] ? 1 : 0;
  *o = (struct options){ 0 };
  for (; argv[i] && argv[i][0] == '-' && argv[i][1]; i++) {
    const char *text = argv[i];
    if (strcmp(text, "--") == 0) {
      i++;
      break;
    }
    if (!take(o, argv, &i)) {
      o->bad = text;
      break;
    }
  }
  o->script = i;
}

static void list(FILE *to, bool own) {
  for (const struct option *o = options; o->name; o++)
    if (own || !o->own)
      fprintf(to, "  %-2s %-6s %s\n", o->name, o->argument, o->help);
}

void options_list(void) {
  list(stdout, true);
}

void options_complain(const struct options *o) {
  const char *program = driver_name();
  if (takes_argument(find(o->bad)))
    fprintf(stderr, "%s: '%s' needs argument\n", program, o->bad);
  else
    fprintf(stderr, "%s: unrecognized option '%s'\n", program, o->bad);
  fprintf(stderr, "usage: %s [options] [script [args]]\n"
                  "Available options are:\n", program);
  list(stderr, false);
  fflush(stderr);
}

/* ---- the options that do something in order ---- */

static bool run_string(lua_State *L, const char *text) {
  return driver_run(L, luaL_loadbuffer(L, text, strlen(text),
                                       "=(command line)"));
}

/* -l mod, -l global=mod */
static bool run_library(lua_State *L, const char *text) {
  const char *equals = strchr(text, '=');
  lua_getglobal(L, "require");
  lua_pushstring(L, equals ? equals + 1 : text);
  int status = driver_call(L, 1, 1);
  if (status != LUA_OK)
    return driver_report(L, status);
  lua_pushglobaltable(L);
  lua_pushlstring(L, text, equals ? (size_t)(equals - text) : strlen(text));
  lua_rotate(L, -3, -1); /* table, name, module */
  lua_settable(L, -3);
  lua_pop(L, 1);
  return true;
}

bool options_run(lua_State *L, const struct options *o, char **argv) {
  for (int i = 1; i < o->script; i++) {
    char letter = argv[i][1];
    if (letter == 'W')
      lua_warning(L, "@on", 0);
    if (letter != 'e' && letter != 'l')
      continue;
    const char *text = argv[i][2] ? argv[i] + 2 : argv[++i];
    if (!(letter == 'e' ? run_string(L, text) : run_library(L, text)))
      return false;
  }
  return true;
}

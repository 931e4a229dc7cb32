/*
 * What the files of the stand-alone driver share. `farside` is the `lua`
 * interpreter with the library inside: main.c decides what is run, options.c
 * reads the command line, call.c runs Lua and tells errors, repl.c and
 * lineedit.c are the prompt, embedded.c holds the library.
 */
#ifndef FARSIDE_DRIVER_H
#define FARSIDE_DRIVER_H

#include <stdbool.h>
#include <stddef.h>

#include <lauxlib.h>
#include <lua.h>

#ifndef FARSIDE_VERSION
#define FARSIDE_VERSION "scm"
#endif

/* ---- the command line (options.c) ---- */

enum {
  OPT_ENV = 1 << 0,     /* -E: leave the environment out */
  OPT_PROMPT = 1 << 1,  /* -i */
  OPT_VERSION = 1 << 2, /* -v, or implied by -i */
  OPT_EXEC = 1 << 3,    /* -e: something ran, so stdin is not a script */
  OPT_HELP = 1 << 4
};

struct options {
  unsigned seen;   /* OPT_ bits */
  int script;      /* index of the script, or argc */
  const char *bad; /* the argument that is no good, or NULL */
};

void options_read(struct options *o, char **argv);

/* The answer to `o->bad`, as the stock interpreter words it. */
void options_complain(const struct options *o);

/* The list of options, as -h prints it. */
void options_list(void);

/* Goes through -e, -l and -W in order; stops at the first that fails. */
bool options_run(lua_State *L, const struct options *o, char **argv);

/* ---- running and telling (call.c) ---- */

/* The name in front of messages; NULL, as at the prompt, for none. */
void driver_set_name(const char *name);
const char *driver_name(void);

/* Writes one message on stderr. */
void driver_message(const char *text);

/* lua_pcall with a traceback in errors and ^C as an error. */
int driver_call(lua_State *L, int nargs, int nresults);

/* Tells the error on top of the stack, if `status` is one, and pops it.
 * True when there was none. */
bool driver_report(lua_State *L, int status);

/* Runs the chunk on top of the stack unless `status` says it did not load. */
bool driver_run(lua_State *L, int status);

/* ---- the prompt (repl.c) ---- */

/* Reads, runs and prints until the end of the input. */
void driver_prompt(lua_State *L);

/* The loader of the module farside.prompt: a function that does so. */
int driver_open_prompt(lua_State *L);

/* ---- line editing (lineedit.c) ---- */

/* Finds a library for line editing when stdin is a terminal. A function on
 * top of the stack becomes the completion: complete(word, line, first) gives
 * a list of words. It is popped, whatever it is. `history` is the file in which
 * lines are kept between sessions, or NULL. */
void lineedit_open(lua_State *L, const char *history);

/* One line without its newline, to be freed; NULL at the end. */
char *lineedit_read(const char *prompt);

/* Adds a line to the history. */
void lineedit_keep(const char *line);

#endif

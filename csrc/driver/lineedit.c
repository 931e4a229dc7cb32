/*
 * Lines for the prompt. At a terminal a line editing library is loaded if
 * the system has one; both that are known share one set of names. It is not
 * linked, since scripts would pay for it at every start.
 */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"

#define MOST_LINES 1000

static const char *const libraries[] = {
  "libreadline.so.8", "libedit.so.2", "libedit.so.0",
};

/* A library of this kind has one line per process and calls back without an
 * argument of ours, so this is one per process too. */
static struct {
  lua_State *L;
  char *(*readline)(const char *prompt);
  void (*add_history)(const char *line);
  int (*append_history)(int count, const char *file);
  char *history; /* the file, or NULL for none */
  char **buffer; /* the line as it stands */
  int *over;     /* no file names when there is no completion */
  int *append;   /* what follows a word that is complete: nothing */
} editor;

/* ---- completion ---- */

/* What all the words (of a list with room for it in front) start with. */
static char *common_start(char *const *words) {
  size_t n = strlen(words[0]);
  for (size_t i = 1; words[i]; i++) {
    size_t same = 0;
    while (same < n && words[i][same] == words[0][same])
      same++;
    n = same;
  }
  return strndup(words[0], n);
}

/* The list on top of the stack as the library wants it: what is common to
 * all, then all; NULL when empty. The library frees it. */
static char **make_words(lua_State *L) {
  size_t count = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
  char **words = count ? calloc(count + 2, sizeof *words) : NULL;
  if (!words)
    return NULL;
  for (size_t i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i);
    const char *word = lua_tostring(L, -1);
    words[i] = strdup(word ? word : "");
    lua_pop(L, 1);
  }
  words[0] = common_start(words + 1);
  return words;
}

static void set_int(int *variable, int value) {
  if (variable)
    *variable = value;
}

/* An error in the completion is no words: the line must not be disturbed. */
static char **complete(const char *text, int start, int end) {
  lua_State *L = editor.L;
  int top = lua_gettop(L);
  (void)end;
  set_int(editor.over, 1); /* the library sets them back each time */
  set_int(editor.append, '\0');
  lua_rawgetp(L, LUA_REGISTRYINDEX, &editor);
  lua_pushstring(L, text);
  lua_pushstring(L, editor.buffer ? *editor.buffer : "");
  lua_pushinteger(L, start + 1);
  bool ok = lua_pcall(L, 3, 1, 0) == LUA_OK;
  char **words = ok ? make_words(L) : NULL;
  lua_settop(L, top);
  return words;
}

/* ---- the library ---- */

/* Stores a symbol through a pointer of any type; POSIX has dlsym(3) answer
 * with a data pointer even for functions. */
static void *find(void *library, const char *name, void *into) {
  void *symbol = dlsym(library, name);
  memcpy(into, &symbol, sizeof symbol);
  return symbol;
}

static void set_completion(void *library) {
  char **(**function)(const char *, int, int);
  const char **breaks, **quotes;
  find(library, "rl_line_buffer", &editor.buffer);
  find(library, "rl_attempted_completion_over", &editor.over);
  find(library, "rl_completion_append_character", &editor.append);
  /* a word in a string need not be its last, so no quote follows it */
  if (find(library, "rl_basic_quote_characters", &quotes))
    *quotes = "";
  if (find(library, "rl_attempted_completion_function", &function))
    *function = complete;
  if (find(library, "rl_completer_word_break_characters", &breaks))
    *breaks = " \t\n\"'`,;=<>()[]{}+-*/%^#~&|?!";
}

static void *open_library(void) {
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    void *library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
    if (library && find(library, "readline", &editor.readline) &&
        find(library, "add_history", &editor.add_history))
      return library;
    editor.readline = NULL;
  }
  return NULL;
}

/* What earlier sessions typed; the file is there already. One that cannot be
 * read is an empty one: nobody asked for it. */
static void open_history(void *library, const char *file) {
  int (*read_history)(const char *);
  void (*stifle_history)(int);
  int (*truncate_file)(const char *, int);
  if (file == NULL || !find(library, "read_history", &read_history) ||
      !find(library, "append_history", &editor.append_history))
    return;
  if (find(library, "stifle_history", &stifle_history))
    stifle_history(MOST_LINES);
  if (find(library, "history_truncate_file", &truncate_file))
    (void)truncate_file(file, MOST_LINES);
  (void)read_history(file);
  editor.history = strdup(file);
}

void lineedit_open(lua_State *L, const char *history) {
  void *library = isatty(STDIN_FILENO) ? open_library() : NULL;
  const char **name;
  editor.L = L;
  bool completes = lua_isfunction(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &editor);
  if (!library)
    return;
  setlocale(LC_CTYPE, ""); /* libedit reads characters, not bytes */
  if (find(library, "rl_readline_name", &name))
    *name = "lua"; /* for `$if lua` in an inputrc */
  if (completes)
    set_completion(library);
  open_history(library, history);
}

/* Without an editor. What comes from a file or a pipe is shown, as readline
 * does, so that the output reads like a session. */
static char *read_plain(const char *prompt) {
  char *line = NULL;
  size_t room = 0;
  fputs(prompt, stdout);
  fflush(stdout);
  ssize_t size = getline(&line, &room, stdin);
  if (size < 0) {
    free(line);
    return NULL;
  }
  if (size > 0 && line[size - 1] == '\n')
    line[size - 1] = '\0';
  if (!isatty(STDIN_FILENO))
    puts(line);
  return line;
}

char *lineedit_read(const char *prompt) {
  return editor.readline ? editor.readline(prompt) : read_plain(prompt);
}

void lineedit_keep(const char *line) {
  if (editor.add_history)
    editor.add_history(line);
  if (editor.history) /* at once, so that no end of any kind loses it */
    (void)editor.append_history(1, editor.history);
}

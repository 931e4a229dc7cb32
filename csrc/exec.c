/*
 * Becoming another program, and which descriptors go along.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "farside.h"
#include "sys.h"

/* The strings of the list at `index` as C has them, in a userdata that is
 * pushed; the list keeps them alive. */
static char **strings(lua_State *L, int index, const char *what) {
  luaL_checktype(L, index, LUA_TTABLE);
  size_t n = lua_rawlen(L, index), length;
  char **list = lua_newuserdatauv(L, (n + 1) * sizeof *list, 0);
  for (size_t i = 0; i < n; i++) {
    if (lua_geti(L, index, (lua_Integer)i + 1) != LUA_TSTRING)
      luaL_argerror(L, index, lua_pushfstring(L,
        "%s %d: string expected, got %s", what, (int)i + 1,
        luaL_typename(L, -1)));
    list[i] = (char *)lua_tolstring(L, -1, &length);
    if (strlen(list[i]) != length)
      luaL_argerror(L, index, lua_pushfstring(L, "%s %d contains a zero byte",
                                              what, (int)i + 1));
    lua_pop(L, 1);
  }
  list[n] = NULL;
  return list;
}

/* What exec keeps of a process's signals is set to how a program expects
 * them: none ignored, none blocked. Fills what is needed to go back. */
struct signals {
  sigset_t mask;
  bool ignored[65];
};

static void signals_default(struct signals *before) {
  struct far_disposition now, standard = {.handler = SIG_DFL};
  sigset_t none;
  sigemptyset(&none);
  for (int n = 1; n <= 64; n++) {
    before->ignored[n] = far_rt_sigaction(n, NULL, &now) == 0 &&
                         now.handler == SIG_IGN;
    if (before->ignored[n])
      (void)far_rt_sigaction(n, &standard, NULL);
  }
  (void)sigprocmask(SIG_SETMASK, &none, &before->mask);
}

static void signals_restore(const struct signals *before) {
  struct far_disposition ignore = {.handler = SIG_IGN};
  (void)sigprocmask(SIG_SETMASK, &before->mask, NULL);
  for (int n = 1; n <= 64; n++)
    if (before->ignored[n])
      (void)far_rt_sigaction(n, &ignore, NULL);
}

struct image {
  int fd;             /* or -1: paths */
  char **paths;       /* tried in turn */
  char **argv, **env;
  const char *failed; /* what the error is about */
};

/* Whether the search goes on, as execvp(3) has it. A file that is there and
 * gives ENOENT lacks its interpreter. */
static bool passes(int err, const char *path) {
  return err == ENOTDIR || err == EACCES ||
         (err == ENOENT && faccessat(AT_FDCWD, path, F_OK, 0) == -1);
}

/* Returns only with an errno. A file that may not be executed is told when
 * nothing else is found. */
static int run(struct image *i) {
  int err = ENOENT;
  i->failed = i->argv[0];
  if (i->fd >= 0) {
    (void)fexecve(i->fd, i->argv, i->env);
    return errno;
  }
  for (char **path = i->paths; *path != NULL; path++) {
    (void)execve(*path, i->argv, i->env);
    int reason = errno;
    bool last = !passes(reason, *path);
    if (last || (reason == EACCES && err != EACCES) || i->paths[1] == NULL) {
      i->failed = *path;
      err = reason;
    }
    if (last)
      break;
  }
  return err;
}

static int run_clean(struct image *image) {
  struct signals before;
  signals_default(&before);
  int err = run(image);
  signals_restore(&before);
  return err;
}

/* A single path as a list, pushed. */
static char **one_path(lua_State *L, int index) {
  char **list = lua_newuserdatauv(L, 2 * sizeof *list, 0);
  list[0] = (char *)luaL_checkstring(L, index);
  list[1] = NULL;
  return list;
}

static const struct far_word exec_words[] = {{"sigdefault", 1}, {NULL, 0}};

/***
Becomes another program. Standard streams are flushed first.
@function execve
@tparam string|table|fd path the file; a list of files, of which the first
that can be is executed, as in a search path; or a descriptor of the file
@tparam table argv a list of strings, the program's name first
@tparam[opt] table env a list of "NAME=VALUE"; the caller's without it
@tparam[opt] string flags "sigdefault": no signal ignored or blocked
@raise ENOENT, also when the file's interpreter is missing; EACCES; ENOEXEC.
See execve(2).
*/
static int bind_execve(lua_State *L) {
  struct image image = {.fd = -1, .env = environ};
  uint64_t flags = far_words_rest(L, 4, exec_words, "flag");
  lua_settop(L, 3);
  if (lua_istable(L, 1))
    image.paths = strings(L, 1, "path");
  else if (lua_type(L, 1) == LUA_TSTRING)
    image.paths = one_path(L, 1);
  else
    image.fd = far_fd_check(L, 1);
  image.argv = strings(L, 2, "argument");
  luaL_argcheck(L, image.argv[0] != NULL, 2, "empty list");
  if (!lua_isnoneornil(L, 3))
    image.env = strings(L, 3, "variable");
  (void)fflush(NULL); /* a stream that cannot be written is not our failure */
  int err = flags != 0 ? run_clean(&image) : run(&image);
  return far_raise(L, err, "execve", image.failed, NULL);
}

/***
Whether a descriptor is closed when the process becomes another program.
@function cloexec
@tparam fd fd
@tparam boolean closed
@raise EBADF. See fcntl(2).
*/
static int bind_cloexec(lua_State *L) {
  int fd = far_fd_check(L, 1);
  luaL_checktype(L, 2, LUA_TBOOLEAN);
  far_at_most(L, 2);
  if (fcntl(fd, F_SETFD, lua_toboolean(L, 2) ? FD_CLOEXEC : 0) == -1)
    return far_raise(L, errno, "cloexec", NULL, "descriptor %d", fd);
  return 0;
}

static const luaL_Reg functions[] = {
  {"execve", bind_execve},
  {"cloexec", bind_cloexec},
  {NULL, NULL},
};

void far_open_exec(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

/*
 * Becoming another program, starting one, and which descriptors go along.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
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
  pid_t pid;          /* where it runs, when it was started */
  const posix_spawn_file_actions_t *actions;
  const posix_spawnattr_t *attributes;
};

static int become(struct image *i, const char *path) {
  (void)execve(path, i->argv, i->env);
  return errno;
}

/* Looks first, since each attempt is a process. */
static int start(struct image *i, const char *path) {
  if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == -1)
    return errno;
  return posix_spawn(&i->pid, path, i->actions, i->attributes, i->argv,
                     i->env);
}

/* Whether the search goes on, as execvp(3) has it. A file that is there and
 * gives ENOENT lacks its interpreter. */
static bool passes(int err, const char *path) {
  return err == ENOTDIR || err == EACCES ||
         (err == ENOENT && faccessat(AT_FDCWD, path, F_OK, 0) == -1);
}

/* Tries one file after the other; 0 when one was started, else an errno. A
 * file that may not be executed is told when nothing else is found. */
static int search(struct image *i,
                  int (*attempt)(struct image *, const char *)) {
  int err = ENOENT;
  i->failed = i->argv[0];
  for (char **path = i->paths; *path != NULL; path++) {
    int reason = attempt(i, *path);
    if (reason == 0)
      return 0;
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

static int run(struct image *i) {
  if (i->fd < 0)
    return search(i, become);
  i->failed = i->argv[0];
  (void)fexecve(i->fd, i->argv, i->env);
  return errno;
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

/* Standard streams and the session of a program that is started. */
struct place {
  int streams[3]; /* or -1 */
  const char *terminal; /* or NULL */
  bool session;
};

/* A session's first terminal that is opened becomes its own. */
static int add_terminal(posix_spawn_file_actions_t *actions,
                        const char *path) {
  int err = posix_spawn_file_actions_addopen(actions, 0, path, O_RDWR, 0);
  for (int n = 1; n < 3 && err == 0; n++)
    err = posix_spawn_file_actions_adddup2(actions, 0, n);
  return err;
}

static int set_place(posix_spawn_file_actions_t *actions,
                     posix_spawnattr_t *attributes,
                     const struct place *place) {
  sigset_t all, none;
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  sigfillset(&all);
  sigemptyset(&none);
  int err = posix_spawnattr_setsigmask(attributes, &none);
  if (err == 0)
    err = posix_spawnattr_setsigdefault(attributes, &all);
  if (place->session)
    flags |= POSIX_SPAWN_SETSID;
  if (err == 0)
    err = posix_spawnattr_setflags(attributes, flags);
  if (err == 0 && place->terminal != NULL)
    err = add_terminal(actions, place->terminal);
  for (int n = 0; n < 3 && err == 0; n++)
    if (place->streams[n] >= 0)
      err = posix_spawn_file_actions_adddup2(actions, place->streams[n], n);
  return err;
}

/* 0, with image->pid, or an errno. */
static int start_in(struct image *image, const struct place *place) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int err = posix_spawn_file_actions_init(&actions);
  if (err != 0)
    return err;
  err = posix_spawnattr_init(&attributes);
  if (err == 0) { /* the image uses them in here only */
    image->actions = &actions;       // cppcheck-suppress autoVariables
    image->attributes = &attributes; // cppcheck-suppress autoVariables
    err = set_place(&actions, &attributes, place);
    if (err == 0)
      err = search(image, start);
    (void)posix_spawnattr_destroy(&attributes);
  }
  (void)posix_spawn_file_actions_destroy(&actions);
  return err;
}

/* A process that no handle can be had for must not be left. */
static int no_handle(lua_State *L, pid_t pid) {
  int err = errno;
  (void)kill(pid, SIGKILL);
  (void)waitpid(pid, NULL, 0);
  return far_raise(L, err, "pidfd_open", NULL, "process %d", (int)pid);
}

/* The table of argument 4 moves to 5, where it keeps its descriptors alive. */
static void check_place(lua_State *L, struct place *place) {
  static const char *const fields[] = {"stdin", "stdout", "stderr", "session",
                                       "terminal", NULL};
  lua_pushvalue(L, 4);
  if (lua_isnil(L, 4))
    return;
  far_fields(L, 4, fields, false);
  for (int n = 0; n < 3; n++)
    if (far_field(L, 4, 5, fields[n]))
      place->streams[n] = far_fd_check(L, 4);
  if (far_field(L, 4, 5, "terminal"))
    place->terminal = far_path(L, 4);
  (void)far_field(L, 4, 5, "session");
  place->session = lua_toboolean(L, 4);
}

/***
Starts a program in a child process, which shares the caller's memory until
it executes the program: that costs the same however much the caller has. No
signal is ignored or blocked in it.
@function posix_spawn
@tparam string|table path the file, or a list of files to be searched
@tparam table argv a list of strings, the program's name first
@tparam[opt] table env a list of "NAME=VALUE"; the caller's without it
@tparam[opt] table place descriptors `stdin`, `stdout`, `stderr`, none of
which is 0, 1 or 2; `session`: in a session of its own; `terminal`: the path
of one to be all three streams, and the session's
@treturn process
@raise as execve, before anything runs. See posix_spawn(3).
*/
static int bind_posix_spawn(lua_State *L) {
  struct image image = {.fd = -1, .env = environ};
  struct place place = {.streams = {-1, -1, -1}};
  far_at_most(L, 4);
  lua_settop(L, 4);
  check_place(L, &place);
  struct far_process *process = far_process_new(L);
  image.paths = lua_istable(L, 1) ? strings(L, 1, "path") : one_path(L, 1);
  image.argv = strings(L, 2, "argument");
  luaL_argcheck(L, image.argv[0] != NULL, 2, "empty list");
  if (!lua_isnil(L, 3))
    image.env = strings(L, 3, "variable");
  (void)fflush(NULL); /* a stream that cannot be written is not our failure */
  int err = start_in(&image, &place);
  if (err != 0)
    return far_raise(L, err, "posix_spawn", image.failed, NULL);
  process->pidfd = pidfd_open(image.pid, 0);
  if (process->pidfd == -1)
    return no_handle(L, image.pid);
  process->pid = image.pid;
  lua_settop(L, 6);
  return 1;
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
  {"posix_spawn", bind_posix_spawn},
  {"cloexec", bind_cloexec},
  {NULL, NULL},
};

void far_open_exec(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

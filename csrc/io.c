/*
 * Bytes through descriptors, and the process's own view of the file system:
 * its working directory and umask.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program.h"
#include "sys.h"

/***
Reads what is there, waiting for the first byte; also `fd:read(n)`.
@function read
@tparam fd fd
@tparam[opt=4096] int n at most so many bytes
@tparam[opt] int offset from there; the descriptor's position is neither
used nor moved
@treturn string|nil fewer bytes than asked for is no sign of the end; nil is
@raise see read(2), pread(2).
*/
static int bind_read(lua_State *L) {
  luaL_Buffer b;
  int fd = far_fd_check(L, 1);
  lua_Integer n = luaL_optinteger(L, 2, 4096);
  lua_Integer offset = luaL_optinteger(L, 3, -1);
  far_at_most(L, 3);
  luaL_argcheck(L, n >= 0 && n <= 0x7ffff000, 2, "size out of range");
  luaL_argcheck(L, offset >= 0 || lua_isnoneornil(L, 3), 3, "negative offset");
  char *space = luaL_buffinitsize(L, &b, (size_t)n);
  ssize_t got;
  while ((got = offset < 0 ? read(fd, space, (size_t)n)
                           : pread(fd, space, (size_t)n, offset)) == -1 &&
         errno == EINTR)
    far_interrupted(L);
  far_check(L, (int)got, "read", NULL);
  luaL_pushresultsize(&b, (size_t)got);
  if (got == 0 && n > 0)
    lua_pushnil(L);
  return 1;
}

/* How much of the data went is in the error: `written`. */
static int write_failed(lua_State *L, int err, size_t written) {
  far_error_push(L, err, "write", NULL, NULL);
  lua_pushinteger(L, (lua_Integer)written);
  lua_setfield(L, -2, "written");
  return far_error_throw(L);
}

/***
Writes all of a string; also `fd:write(data)`. What the kernel takes at once
goes in one write(2), as uid_map and its like want it.
@function write
@tparam fd fd
@tparam string data
@treturn int bytes written: all of them
@raise the error has `written`, the bytes that went before. See write(2).
*/
static int bind_write(lua_State *L) {
  size_t length, done = 0;
  int fd = far_fd_check(L, 1);
  const char *data = luaL_checklstring(L, 2, &length);
  far_at_most(L, 2);
  do {
    ssize_t n = write(fd, data + done, length - done);
    if (n >= 0)
      done += (size_t)n;
    else if (errno == EINTR)
      far_interrupted(L);
    else
      return write_failed(L, errno, done);
  } while (done < length);
  lua_pushinteger(L, (lua_Integer)done);
  return 1;
}

/***
A pipe; both ends close on exec.
@function pipe
@treturn fd the end to read
@treturn fd the end to write
@raise see pipe2(2).
*/
static int bind_pipe(lua_State *L) {
  int ends[2];
  far_at_most(L, 0);
  int *reader = far_fd_new(L);
  int *writer = far_fd_new(L);
  far_check(L, pipe2(ends, O_CLOEXEC), "pipe", NULL);
  *reader = ends[0];
  *writer = ends[1];
  return 2;
}

/* dup3 refuses equal numbers, but the promise about exec is the same. */
static int dup_to(int fd, int to) {
  int standard = to <= STDERR_FILENO;
  if (fd == to)
    return fcntl(fd, F_SETFD, standard ? 0 : FD_CLOEXEC);
  return dup3(fd, to, standard ? 0 : O_CLOEXEC);
}

/***
Another descriptor of the same open file. Without `to` it is an object that
closes on exec and is none of 0, 1 and 2. With `to` it is that number, which
no object closes; it closes on exec unless it is 0, 1 or 2.
@function dup
@tparam fd fd
@tparam[opt] int to
@treturn fd|int
@raise see dup(2).
*/
static int bind_dup(lua_State *L) {
  int fd = far_fd_check(L, 1);
  far_at_most(L, 2);
  if (lua_isnoneornil(L, 2)) {
    int *new = far_fd_new(L);
    *new = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    far_check(L, *new, "dup", NULL);
    return 1;
  }
  lua_Integer to = luaL_checkinteger(L, 2);
  luaL_argcheck(L, to >= 0 && to <= INT_MAX, 2, "descriptor out of range");
  far_check(L, dup_to(fd, (int)to), "dup", NULL);
  lua_pushinteger(L, to);
  return 1;
}

void far_describe_chdir(lua_State *L, struct far_call *c) {
  bool path = lua_type(L, 1) == LUA_TSTRING;
  far_at_most(L, 1);
  c->number = path ? SYS_chdir : SYS_fchdir;
  if (path)
    far_arg_text(c, far_path(L, 1));
  else
    far_arg_fd(c, far_fd_check(L, 1));
}

/***
Changes the working directory.
@function chdir
@tparam string|fd to
@raise see chdir(2).
*/
static int bind_chdir(lua_State *L) {
  bool path = lua_type(L, 1) == LUA_TSTRING;
  return far_do(L, far_describe_chdir, "chdir",
                path ? lua_tostring(L, 1) : NULL);
}

/***
The working directory, as the kernel tells it: it starts with "(unreachable)"
when it lies outside the root.
@function getcwd
@treturn string
@raise ENOENT when it was removed. See getcwd(2).
*/
static int bind_getcwd(lua_State *L) {
  char path[PATH_MAX];
  far_at_most(L, 0);
  far_check(L, sys_getcwd(path, sizeof path), "getcwd", NULL);
  lua_pushstring(L, path);
  return 1;
}

void far_describe_umask(lua_State *L, struct far_call *c) {
  luaL_checkany(L, 1);
  far_at_most(L, 1);
  c->number = SYS_umask;
  far_arg(c, far_mode(L, 1, 0));
}

/***
Sets which permissions new files never get.
@function umask
@tparam string mode such as `"0022"`
@treturn string what it was. See umask(2).
@raise nothing
*/
static int bind_umask(lua_State *L) {
  char old[8];
  struct far_call c = {0};
  far_describe_umask(L, &c);
  snprintf(old, sizeof old, "%04o", (unsigned)far_perform(&c));
  lua_pushstring(L, old);
  return 1;
}

static const struct far_word memfd_words[] = {
  {"allow_sealing", MFD_ALLOW_SEALING},
  {"exec", 0x10}, /* MFD_EXEC */
  {NULL, 0},
};

/***
A file in memory that has no path; it closes on exec.
@function memfd_create
@tparam string name what /proc shows
@tparam[opt] string flags `allow_sealing`, `exec` (Linux 6.3: it is to be
executed, whatever the system's setting)
@treturn fd
@raise see memfd_create(2).
*/
static int bind_memfd_create(lua_State *L) {
  const char *name = far_path(L, 1);
  uint64_t flags = far_words_rest(L, 2, memfd_words, "memfd flag");
  int *fd = far_fd_new(L);
  *fd = memfd_create(name, (unsigned)flags | MFD_CLOEXEC);
  far_check(L, *fd, "memfd_create", name);
  return 1;
}

static const struct far_word seal_words[] = {
  {"seal", F_SEAL_SEAL},   {"shrink", F_SEAL_SHRINK},
  {"grow", F_SEAL_GROW},   {"write", F_SEAL_WRITE},
  {NULL, 0},
};

/***
Forbids, for good, what can be done to a file in memory that allows sealing.
@function seal
@tparam fd fd
@tparam string ... "write", "grow", "shrink", "seal"
@raise EPERM when it is sealed already; EBUSY. See fcntl(2), F_ADD_SEALS.
*/
static int bind_seal(lua_State *L) {
  int fd = far_fd_check(L, 1);
  uint64_t seals = far_words_rest(L, 2, seal_words, "seal");
  return far_check(L, fcntl(fd, F_ADD_SEALS, (int)seals), "seal", NULL);
}

static const luaL_Reg functions[] = {
  {"seal", bind_seal},
  {"read", bind_read},
  {"write", bind_write},
  {"pipe", bind_pipe},
  {"dup", bind_dup},
  {"chdir", bind_chdir},
  {"getcwd", bind_getcwd},
  {"umask", bind_umask},
  {"memfd_create", bind_memfd_create},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"read", bind_read},
  {"write", bind_write},
  {NULL, NULL},
};

void far_open_io(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
  luaL_getmetatable(L, FAR_FD);
  lua_getfield(L, -1, "__index");
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 2);
}

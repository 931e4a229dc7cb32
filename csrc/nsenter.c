/*
 * Leaving namespaces for new ones (unshare) and for those that exist
 * (setns), and the offsets of the clocks in a time namespace.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

/* Pushes the words of a set of namespaces: "mnt,net". */
static const char *push_words(lua_State *L, uint64_t namespaces) {
  luaL_Buffer b;
  const char *separator = "";
  luaL_buffinit(L, &b);
  for (const struct far_nskind *k = far_nskinds; k->name != NULL; k++)
    if (namespaces & (uint64_t)k->flag) {
      luaL_addstring(&b, separator);
      luaL_addstring(&b, k->name);
      separator = ",";
    }
  luaL_pushresult(&b);
  return lua_tostring(L, -1);
}

static void push_error(lua_State *L, int err, const char *call,
                       const char *object, uint64_t namespaces) {
  luaL_checkstack(L, 8, NULL);
  const char *detail = push_words(L, namespaces);
  if (object != NULL)
    detail = *detail == '\0' ? object
                             : lua_pushfstring(L, "%s (%s)", object, detail);
  far_error_push(L, err, call, NULL, *detail == '\0' ? NULL : detail);
  far_words_push(L, namespaces, far_nswords);
  lua_setfield(L, -2, "namespaces");
}

int far_namespaces_raise(lua_State *L, int err, const char *call,
                         const char *object, uint64_t namespaces) {
  push_error(L, err, call, object, namespaces);
  return far_error_throw(L);
}

void far_describe_unshare(lua_State *L, struct far_call *c) {
  luaL_checkany(L, 1);
  c->number = SYS_unshare;
  far_arg(c, far_words_rest(L, 1, far_nswords, "namespace"));
}

/***
Moves the calling process into new namespaces; with "pid" and "time" only
its children to come.
@function unshare
@tparam string ... namespaces: "mnt", "uts", "ipc", "net", "pid", "user",
"cgroup", "time"
@raise EPERM without CAP_SYS_ADMIN; ENOSPC when there are too many; EINVAL
with a second thread. The error's field `namespaces` lists them. See
unshare(2).
*/
static int bind_unshare(lua_State *L) {
  struct far_call c = {0};
  far_describe_unshare(L, &c);
  if (far_perform(&c) == -1)
    return far_namespaces_raise(L, errno, "unshare", NULL, c.args[0].value);
  return 0;
}

/* The descriptor to join; what was opened for this is closed when the binding
 * ends. The text for an error is in *object. */
static int target(lua_State *L, const char **object) {
  int *fd;
  if (lua_type(L, 1) == LUA_TSTRING) {
    *object = lua_tostring(L, 1);
    fd = far_fd_new(L);
    lua_toclose(L, -1);
    *fd = open(*object, O_RDONLY | O_CLOEXEC);
    return *fd != -1 ? *fd : far_check(L, -1, "open", *object);
  }
  if (!lua_isinteger(L, 1)) {
    int number = far_fd_check(L, 1);
    *object = luaL_tolstring(L, 1, NULL);
    return number;
  }
  lua_Integer pid = lua_tointeger(L, 1);
  luaL_argcheck(L, pid > 0 && pid <= INT32_MAX, 1, "process id out of range");
  *object = lua_pushfstring(L, "process %d", (int)pid);
  fd = far_fd_new(L);
  lua_toclose(L, -1);
  *fd = pidfd_open((pid_t)pid, 0);
  return *fd != -1 ? *fd : far_raise(L, errno, "setns", NULL, "%s", *object);
}

/***
Moves the calling process into a namespace that exists, or into several of a
process, all or none; with "pid" only its children to come.
@function setns
@tparam handle|fd|string|integer|process target a namespace (a handle, a
descriptor or a path), or a process (a pid, a process object or a pidfd)
@tparam[opt] string ... namespaces: of a process, those to join; of a
namespace, what it is expected to be
@raise EPERM without CAP_SYS_ADMIN over the namespace; EINVAL for another
kind than expected, or for one's own user namespace; ESRCH. The error's field
`namespaces` lists the kinds. See setns(2).
*/
static int bind_setns(lua_State *L) {
  const char *object;
  uint64_t namespaces = far_words_rest(L, 2, far_nswords, "namespace");
  bool process = lua_isinteger(L, 1) || luaL_testudata(L, 1, FAR_PROCESS);
  luaL_argcheck(L, !process || namespaces != 0, 2,
                "namespaces of the process expected, such as \"net\"");
  int fd = target(L, &object);
  if (setns(fd, (int)namespaces) == 0)
    return 0;
  push_error(L, errno, "setns", object, namespaces);
  lua_pushinteger(L, fd); /* for the hint: what it was */
  lua_setfield(L, -2, "fd");
  return far_error_throw(L);
}

/***
Nanoseconds from the ways that times are written everywhere else.
@function duration
@tparam number|string time seconds, or "5ms", "2s", "1m", "1h", "1d"
@treturn integer
@raise a message about what is no time
*/
static int bind_duration(lua_State *L) {
  far_at_most(L, 1);
  lua_pushinteger(L, far_duration(L, 1));
  return 1;
}

/***
The time of the monotonic clock, for measuring how long something takes.
@function monotonic
@treturn number seconds from a moment that does not change
See clock_gettime(2).
@raise nothing
*/
static int bind_monotonic(lua_State *L) {
  struct timespec t;
  far_at_most(L, 0);
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
  return 1;
}

static const luaL_Reg functions[] = {
  {"monotonic", bind_monotonic},
  {"unshare", bind_unshare},
  {"setns", bind_setns},
  {"duration", bind_duration},
  {NULL, NULL},
};

void far_open_nsenter(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

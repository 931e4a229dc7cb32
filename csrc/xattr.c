/*
 * Extended attributes of what a path or a descriptor names.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/xattr.h>

#include "farside.h"

#define NOFOLLOW 0x100 /* beside XATTR_CREATE and XATTR_REPLACE */

static const struct far_word nofollow_words[] = {
  {"nofollow", NOFOLLOW},
  {NULL, 0},
};

static const struct far_word set_words[] = {
  {"create", XATTR_CREATE},
  {"replace", XATTR_REPLACE},
  {"nofollow", NOFOLLOW},
  {NULL, 0},
};

/* What a call is about: argument 1, and the words from `flags` on. */
struct target {
  const char *path; /* NULL for a descriptor */
  int fd, flags;
  bool nofollow;
};

static struct target check_target(lua_State *L, int flags,
                                  const struct far_word *words) {
  struct target t = {.fd = -1};
  if (lua_type(L, 1) == LUA_TSTRING)
    t.path = far_path(L, 1);
  else
    t.fd = far_fd_check(L, 1);
  t.flags = (int)far_words_rest(L, flags, words, "xattr flag");
  t.nofollow = (t.flags & NOFOLLOW) != 0;
  t.flags &= ~NOFOLLOW;
  return t;
}

/* "security.capability of /bin/ping" */
static int failed(lua_State *L, int err, const char *call,
                  const struct target *t, const char *name) {
  const char *path = t->path;
  if (path == NULL)
    path = lua_pushfstring(L, "descriptor %d", t->fd);
  return far_raise(L, err, call, t->path, "%s of %s", name, path);
}

/***
The value of an extended attribute.
@function getxattr
@tparam string|fd target
@tparam string name with its class: `user.origin`
@tparam[opt] string flags `nofollow` a symbolic link at the end
@treturn string
@raise ENODATA when there is none. See getxattr(2).
*/
static int bind_getxattr(lua_State *L) {
  luaL_Buffer b;
  const char *name = far_path(L, 2);
  struct target t = check_target(L, 3, nofollow_words);
  size_t room = XATTR_SIZE_MAX;
  char *value = luaL_buffinitsize(L, &b, room);
  ssize_t n = t.path == NULL ? fgetxattr(t.fd, name, value, room)
              : t.nofollow   ? lgetxattr(t.path, name, value, room)
                             : getxattr(t.path, name, value, room);
  if (n == -1)
    return failed(L, errno, "getxattr", &t, name);
  luaL_pushresultsize(&b, (size_t)n);
  return 1;
}

/***
Sets an extended attribute.
@function setxattr
@tparam string|fd target
@tparam string name
@tparam string value
@tparam[opt] string flags `create` (it must not be there), `replace` (it must),
`nofollow` a symbolic link at the end
@raise EPERM for a class that is not for the caller, as `trusted` in a user
namespace. See setxattr(2).
*/
static int bind_setxattr(lua_State *L) {
  size_t n;
  const char *name = far_path(L, 2);
  const char *value = luaL_checklstring(L, 3, &n);
  struct target t = check_target(L, 4, set_words);
  int r = t.path == NULL ? fsetxattr(t.fd, name, value, n, t.flags)
          : t.nofollow   ? lsetxattr(t.path, name, value, n, t.flags)
                         : setxattr(t.path, name, value, n, t.flags);
  return r == -1 ? failed(L, errno, "setxattr", &t, name) : 0;
}

/***
Removes an extended attribute.
@function removexattr
@tparam string|fd target
@tparam string name
@tparam[opt] string flags `nofollow` a symbolic link at the end
@raise ENODATA when there is none. See removexattr(2).
*/
static int bind_removexattr(lua_State *L) {
  const char *name = far_path(L, 2);
  struct target t = check_target(L, 3, nofollow_words);
  int r = t.path == NULL ? fremovexattr(t.fd, name)
          : t.nofollow   ? lremovexattr(t.path, name)
                         : removexattr(t.path, name);
  return r == -1 ? failed(L, errno, "removexattr", &t, name) : 0;
}

/* Pushes the names, each of which ends with a zero byte, as a list. */
static void push_names(lua_State *L, const char *names, size_t length) {
  lua_Integer count = 0;
  lua_newtable(L);
  for (size_t at = 0; at < length; at += strlen(names + at) + 1) {
    lua_pushstring(L, names + at);
    lua_rawseti(L, -2, ++count);
  }
}

/***
The names of all extended attributes.
@function listxattr
@tparam string|fd target
@tparam[opt] string flags `nofollow` a symbolic link at the end
@treturn {string,...}
@raise see listxattr(2).
*/
static int bind_listxattr(lua_State *L) {
  struct target t = check_target(L, 2, nofollow_words);
  size_t room = XATTR_LIST_MAX;
  char *names = lua_newuserdatauv(L, room, 0);
  ssize_t n = t.path == NULL ? flistxattr(t.fd, names, room)
              : t.nofollow   ? llistxattr(t.path, names, room)
                             : listxattr(t.path, names, room);
  if (n == -1)
    return failed(L, errno, "listxattr", &t, "names");
  push_names(L, names, (size_t)n);
  return 1;
}

static const luaL_Reg functions[] = {
  {"getxattr", bind_getxattr},
  {"setxattr", bind_setxattr},
  {"removexattr", bind_removexattr},
  {"listxattr", bind_listxattr},
  {NULL, NULL},
};

void far_open_xattr(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

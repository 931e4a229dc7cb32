/*
 * Error objects. A kernel failure is raised as a table { call, errno, code,
 * path, detail, where } whose metatable is shared with the Lua side, which
 * adds the hint (`__raise`) and the text (`__tostring`); see farside/error.lua.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "farside.h"

#define ERROR "farside.error"
#define SOURCES "farside.sources"

static void set(lua_State *L, const char *key, const char *value) {
  if (value == NULL)
    return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, key);
}

/* Whether a function's source belongs to the library, not to the user. */
static bool ours(lua_State *L, const char *source) {
  lua_getfield(L, LUA_REGISTRYINDEX, SOURCES);
  const char *prefix = lua_tostring(L, -1);
  bool same =
    prefix != NULL && strncmp(source, prefix, strlen(prefix)) == 0;
  lua_pop(L, 1);
  return same;
}

int far_where(lua_State *L, lua_Debug *ar) {
  luaL_checkstack(L, 8, NULL);
  for (int level = 0; lua_getstack(L, level, ar); level++) {
    lua_getinfo(L, "Sl", ar);
    if (ar->currentline > 0 && !ours(L, ar->source))
      return level;
  }
  return -1;
}

/* Pushes "script:line" of the user's code, or nil. */
static void push_where(lua_State *L) {
  lua_Debug ar;
  if (far_where(L, &ar) >= 0)
    lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
  else
    lua_pushnil(L);
}

void far_error_push(lua_State *L, int err, const char *call,
                    const char *path, const char *detail) {
  luaL_checkstack(L, 8, NULL);
  lua_createtable(L, 0, 8);
  set(L, "call", call);
  set(L, "path", path);
  set(L, "detail", detail);
  const char *code = strerrorname_np(err);
  set(L, "code", code != NULL ? code : "unknown");
  set(L, "reason", strerror(err));
  lua_pushinteger(L, err);
  lua_setfield(L, -2, "errno");
  push_where(L);
  lua_setfield(L, -2, "where");
  luaL_setmetatable(L, ERROR);
}

int far_error_throw(lua_State *L) {
  if (luaL_getmetafield(L, -1, "__raise") != LUA_TNIL) {
    lua_pushvalue(L, -2);
    lua_call(L, 1, 0);
  }
  return lua_error(L);
}

int far_raise(lua_State *L, int err, const char *call, const char *path,
              const char *format, ...) {
  const char *detail = NULL;
  luaL_checkstack(L, 8, NULL);
  if (format != NULL) {
    va_list args;
    va_start(args, format);
    detail = lua_pushvfstring(L, format, args);
    va_end(args);
  }
  far_error_push(L, err, call, path, detail);
  return far_error_throw(L);
}

int far_check(lua_State *L, int result, const char *call, const char *path) {
  if (result == -1)
    return far_raise(L, errno, call, path, NULL);
  return 0;
}

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

void far_interrupted(lua_State *L) {
  /* a signal handler can only leave a hook; hooks run at calls */
  lua_pushcfunction(L, nothing);
  lua_call(L, 0, 0);
}

/* Copies the fields of the table at `index` into the one on top. */
static void add_fields(lua_State *L, int index) {
  for (lua_pushnil(L); lua_next(L, index) != 0;) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
}

/***
Raises an error object as a failed call would.
@function raise
@tparam int errno the error number
@tparam string call what was tried
@tparam[opt] string path the object of the call
@tparam[opt] string detail the words between call and reason
@tparam[opt] table fields more of them, for those who handle it and for hints
@raise always
*/
static int raise_(lua_State *L) {
  lua_settop(L, 5);
  int err = (int)luaL_checkinteger(L, 1);
  const char *call = luaL_checkstring(L, 2);
  const char *path = luaL_optstring(L, 3, NULL);
  far_error_push(L, err, call, path, luaL_optstring(L, 4, NULL));
  if (lua_istable(L, 5))
    add_fields(L, 5);
  return far_error_throw(L);
}

/* where() answers "script:line" of the user's code that is running now. */
static int where(lua_State *L) {
  push_where(L);
  return 1;
}

/* sources(prefix): functions whose source starts so are the library's. */
static int sources(lua_State *L) {
  luaL_checkstring(L, 1);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, SOURCES);
  return 0;
}

static const struct far_word errnos[] = {
  {"EPERM", EPERM},   {"ENOENT", ENOENT}, {"ESRCH", ESRCH},
  {"EINTR", EINTR},   {"EIO", EIO},       {"EAGAIN", EAGAIN},
  {"ENOMEM", ENOMEM}, {"EACCES", EACCES}, {"EBUSY", EBUSY},
  {"EEXIST", EEXIST}, {"EXDEV", EXDEV},   {"ENODEV", ENODEV},
  {"ENOTDIR", ENOTDIR}, {"EISDIR", EISDIR}, {"EINVAL", EINVAL},
  {"EMFILE", EMFILE}, {"ENFILE", ENFILE}, {"ENOTTY", ENOTTY},
  {"ETXTBSY", ETXTBSY}, {"EFBIG", EFBIG}, {"ENOSPC", ENOSPC},
  {"EROFS", EROFS},   {"EMLINK", EMLINK}, {"EPIPE", EPIPE},
  {"ERANGE", ERANGE}, {"ENOSYS", ENOSYS}, {"ENOTEMPTY", ENOTEMPTY},
  {"ELOOP", ELOOP},   {"ENODATA", ENODATA}, {"ENAMETOOLONG", ENAMETOOLONG},
  {"EOPNOTSUPP", EOPNOTSUPP}, {"ENOEXEC", ENOEXEC}, {"ECHILD", ECHILD},
  {"EUSERS", EUSERS}, {"E2BIG", E2BIG}, {"EBADF", EBADF},
  {"ECANCELED", ECANCELED}, {"ETIMEDOUT", ETIMEDOUT},
  {"EADDRINUSE", EADDRINUSE}, {"EADDRNOTAVAIL", EADDRNOTAVAIL}, {NULL, 0},
};

static const luaL_Reg functions[] = {
  {"raise", raise_},
  {"where", where},
  {"sources", sources},
  {NULL, NULL},
};

void far_open_error(lua_State *L) {
  luaL_newmetatable(L, ERROR);
  lua_setfield(L, -2, "error");
  lua_createtable(L, 0, FAR_COUNT(errnos));
  for (const struct far_word *w = errnos; w->name != NULL; w++) {
    lua_pushinteger(L, (lua_Integer)w->bits);
    lua_setfield(L, -2, w->name);
  }
  lua_setfield(L, -2, "errno");
  luaL_setfuncs(L, functions, 0);
}

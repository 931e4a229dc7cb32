/*
 * Descriptors as objects: created closed, then opened; closed once, by
 * close, <close> or the collector.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "farside.h"

int *far_fd_new(lua_State *L) {
  int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
  *fd = -1;
  luaL_setmetatable(L, FAR_FD);
  return fd;
}

static int from_file(lua_State *L, int index) {
  luaL_Stream *file = lua_touserdata(L, index);
  luaL_argcheck(L, file->closef != NULL, index, "file is closed");
  int fd = fileno(file->f);
  luaL_argcheck(L, fd >= 0, index, "file has no descriptor");
  return fd;
}

static int from_object(lua_State *L, int index) {
  index = lua_absindex(L, index);
  int type = lua_type(L, index);
  if ((type != LUA_TTABLE && type != LUA_TUSERDATA) ||
      lua_getfield(L, index, "fileno") == LUA_TNIL)
    return luaL_typeerror(L, index, "descriptor");
  lua_pushvalue(L, index);
  lua_call(L, 1, 1);
  int isnum;
  lua_Integer fd = lua_tointegerx(L, -1, &isnum);
  luaL_argcheck(L, isnum && fd >= 0, index, "its fileno() is no descriptor");
  lua_pop(L, 1);
  return (int)fd;
}

int far_fd_check(lua_State *L, int index) {
  if (lua_isinteger(L, index)) {
    lua_Integer n = lua_tointeger(L, index);
    luaL_argcheck(L, n >= 0 && n <= 0x7fffffff, index,
                  "descriptor out of range");
    return (int)n;
  }
  int *fd = luaL_testudata(L, index, FAR_FD);
  if (fd == NULL)
    return luaL_testudata(L, index, LUA_FILEHANDLE) ? from_file(L, index)
                                                    : from_object(L, index);
  luaL_argcheck(L, *fd >= 0, index, "descriptor is closed");
  return *fd;
}

int far_fd_opt(lua_State *L, int index, int otherwise) {
  return lua_isnoneornil(L, index) ? otherwise : far_fd_check(L, index);
}

bool far_fd_is(lua_State *L, int index) {
  int top = lua_gettop(L);
  index = lua_absindex(L, index);
  bool indexable = lua_istable(L, index) ||
                   (lua_isuserdata(L, index) &&
                    luaL_getmetafield(L, index, "__index") != LUA_TNIL);
  bool is = indexable && lua_getfield(L, index, "fileno") == LUA_TFUNCTION;
  lua_settop(L, top);
  return is;
}

/***
Takes a number for a descriptor of one's own: it is closed with the object.
@function fd
@tparam int number a descriptor that is open
@treturn fd
@raise EBADF when it is not open. See fcntl(2).
*/
static int adopt(lua_State *L) {
  int number = (int)luaL_checkinteger(L, 1);
  int *fd = far_fd_new(L);
  if (fcntl(number, F_GETFD) == -1)
    return far_raise(L, errno, "fd", NULL, "%d", number);
  *fd = number;
  return 1;
}

/* Linux frees the number even when close fails: never again on EINTR, and
 * what a late write error says came too late for anyone to act. */
static int fd_close(lua_State *L) {
  int *fd = luaL_checkudata(L, 1, FAR_FD);
  if (*fd >= 0) {
    (void)close(*fd);
    *fd = -1;
  }
  return 0;
}

static int fd_fileno(lua_State *L) {
  lua_pushinteger(L, far_fd_check(L, 1));
  return 1;
}

/* Gives the number away: the object is closed, the descriptor is not. */
static int fd_detach(lua_State *L) {
  int *fd = luaL_checkudata(L, 1, FAR_FD);
  lua_pushinteger(L, far_fd_check(L, 1));
  *fd = -1;
  return 1;
}

static int fd_tostring(lua_State *L) {
  int *fd = luaL_checkudata(L, 1, FAR_FD);
  if (*fd < 0)
    lua_pushliteral(L, "fd (closed)");
  else
    lua_pushfstring(L, "fd (%d)", *fd);
  return 1;
}

static const luaL_Reg functions[] = {{"fd", adopt}, {NULL, NULL}};

static const luaL_Reg methods[] = {
  {"close", fd_close},
  {"fileno", fd_fileno},
  {"detach", fd_detach},
  {NULL, NULL},
};

static const luaL_Reg meta[] = {
  {"__close", fd_close},
  {"__gc", fd_close},
  {"__tostring", fd_tostring},
  {NULL, NULL},
};

void far_open_fd(lua_State *L) {
  luaL_newmetatable(L, FAR_FD);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}

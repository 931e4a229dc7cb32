/*
 * User and group ids. What sets them is the bare system call, which acts on
 * the calling thread as unshare, setns and capset do: libc would signal
 * every thread it knows of, and in a cloned child those do not exist.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "program.h"

#define UNCHANGED ((lua_Integer)UINT32_MAX) /* (uid_t)-1 */

/* An id; with `keep`, nil and -1 stand for "as it is". */
static uint32_t check_id(lua_State *L, int index, bool keep) {
  if (keep && lua_isnoneornil(L, index))
    return (uint32_t)-1;
  lua_Integer id = luaL_checkinteger(L, index);
  if (keep && id == -1)
    return (uint32_t)-1;
  luaL_argcheck(L, id >= 0 && id < UNCHANGED, index, "id out of range");
  return (uint32_t)id;
}

static int push_three(lua_State *L, uint32_t a, uint32_t b, uint32_t c) {
  lua_pushinteger(L, a);
  lua_pushinteger(L, b);
  lua_pushinteger(L, c);
  return 3;
}

/***
The real user id.
@function getuid
@treturn integer
@raise nothing
@see getuid(2)
*/
static int bind_getuid(lua_State *L) {
  far_at_most(L, 0);
  lua_pushinteger(L, getuid());
  return 1;
}

/***
The effective user id.
@function geteuid
@treturn integer
@raise nothing
@see getuid(2)
*/
static int bind_geteuid(lua_State *L) {
  far_at_most(L, 0);
  lua_pushinteger(L, geteuid());
  return 1;
}

/***
The real group id.
@function getgid
@treturn integer
@raise nothing
@see getgid(2)
*/
static int bind_getgid(lua_State *L) {
  far_at_most(L, 0);
  lua_pushinteger(L, getgid());
  return 1;
}

/***
The effective group id.
@function getegid
@treturn integer
@raise nothing
@see getgid(2)
*/
static int bind_getegid(lua_State *L) {
  far_at_most(L, 0);
  lua_pushinteger(L, getegid());
  return 1;
}

/***
The three user ids.
@function getresuid
@treturn integer real
@treturn integer effective
@treturn integer saved
@raise nothing
@see getresuid(2)
*/
static int bind_getresuid(lua_State *L) {
  uid_t real, effective, saved;
  far_at_most(L, 0);
  far_check(L, getresuid(&real, &effective, &saved), "getresuid", NULL);
  return push_three(L, real, effective, saved);
}

/***
The three group ids.
@function getresgid
@treturn integer real
@treturn integer effective
@treturn integer saved
@raise nothing
@see getresuid(2)
*/
static int bind_getresgid(lua_State *L) {
  gid_t real, effective, saved;
  far_at_most(L, 0);
  far_check(L, getresgid(&real, &effective, &saved), "getresgid", NULL);
  return push_three(L, real, effective, saved);
}

static void describe_three(lua_State *L, struct far_call *c, long number) {
  c->number = (uint16_t)number;
  for (int i = 1; i <= 3; i++)
    far_arg(c, check_id(L, i, true));
  far_at_most(L, 3);
}

void far_describe_setresuid(lua_State *L, struct far_call *c) {
  describe_three(L, c, SYS_setresuid);
}

void far_describe_setresgid(lua_State *L, struct far_call *c) {
  describe_three(L, c, SYS_setresgid);
}

static int set_three(lua_State *L, far_describer *describe,
                     const char *call) {
  struct far_call c = {0};
  describe(L, &c);
  if (far_perform(&c) == -1)
    return far_raise(L, errno, call, NULL, "to %d, %d, %d",
                     (int)c.args[0].value, (int)c.args[1].value,
                     (int)c.args[2].value);
  return 0;
}

/***
Sets the user ids of the calling thread.
@function setresuid
@tparam[opt] integer real nil or -1 leaves it
@tparam[opt] integer effective the same
@tparam[opt] integer saved the same
@raise EPERM without CAP_SETUID; EINVAL for an id that the user namespace
does not map. See setresuid(2).
*/
static int bind_setresuid(lua_State *L) {
  return set_three(L, far_describe_setresuid, "setresuid");
}

/***
Sets the group ids of the calling thread.
@function setresgid
@tparam[opt] integer real nil or -1 leaves it
@tparam[opt] integer effective the same
@tparam[opt] integer saved the same
@raise EPERM without CAP_SETGID; EINVAL for an id that the user namespace
does not map. See setresgid(2).
*/
static int bind_setresgid(lua_State *L) {
  return set_three(L, far_describe_setresgid, "setresgid");
}

/***
The supplementary group ids.
@function getgroups
@treturn {integer,...}
@raise nothing
@see getgroups(2)
*/
static int bind_getgroups(lua_State *L) {
  far_at_most(L, 0);
  int count = getgroups(0, NULL);
  far_check(L, count, "getgroups", NULL);
  gid_t *groups = lua_newuserdatauv(L, (size_t)count * sizeof *groups + 1, 0);
  count = getgroups(count, groups);
  far_check(L, count, "getgroups", NULL);
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    lua_pushinteger(L, groups[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

void far_describe_setgroups(lua_State *L, struct far_call *c) {
  static const char *const none[] = {NULL};
  far_fields(L, 1, none, true);
  far_at_most(L, 1);
  lua_Integer count = luaL_len(L, 1);
  luaL_argcheck(L, count >= 0 && count <= 65536, 1, "too many groups");
  gid_t *groups = lua_newuserdatauv(L, (size_t)count * sizeof *groups + 1, 0);
  for (lua_Integer i = 0; i < count; i++) {
    lua_geti(L, 1, i + 1);
    lua_Integer id = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : -1;
    luaL_argcheck(L, id >= 0 && id < UNCHANGED, 1, "list of ids expected");
    groups[i] = (gid_t)id;
    lua_pop(L, 1);
  }
  c->number = SYS_setgroups;
  far_arg(c, (uint64_t)count);
  far_arg_bytes(c, groups, (size_t)count * sizeof *groups);
}

/***
Sets the supplementary group ids of the calling thread.
@function setgroups
@tparam {integer,...} groups may be empty
@raise EPERM without CAP_SETGID, or when the user namespace denies setgroups.
See setgroups(2), user_namespaces(7).
*/
static int bind_setgroups(lua_State *L) {
  return far_do(L, far_describe_setgroups, "setgroups", NULL);
}

static const luaL_Reg functions[] = {
  {"getuid", bind_getuid},
  {"geteuid", bind_geteuid},
  {"getgid", bind_getgid},
  {"getegid", bind_getegid},
  {"getresuid", bind_getresuid},
  {"getresgid", bind_getresgid},
  {"setresuid", bind_setresuid},
  {"setresgid", bind_setresgid},
  {"getgroups", bind_getgroups},
  {"setgroups", bind_setgroups},
  {NULL, NULL},
};

void far_open_user(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

/*
 * Host and domain name: what a uts namespace holds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/utsname.h>

#include "program.h"

static void describe_name(lua_State *L, struct far_call *c, long number) {
  size_t length;
  const char *name = luaL_checklstring(L, 1, &length);
  far_at_most(L, 1);
  c->number = (uint16_t)number;
  far_arg_bytes(c, name, length);
  far_arg(c, length);
}

void far_describe_sethostname(lua_State *L, struct far_call *c) {
  describe_name(L, c, SYS_sethostname);
}

void far_describe_setdomainname(lua_State *L, struct far_call *c) {
  describe_name(L, c, SYS_setdomainname);
}

/***
Sets the host name of the calling process's uts namespace.
@function sethostname
@tparam string name at most 64 bytes
@raise EPERM without CAP_SYS_ADMIN over the namespace; EINVAL when too long.
See sethostname(2).
*/
static int bind_sethostname(lua_State *L) {
  return far_do(L, far_describe_sethostname, "sethostname",
                lua_tostring(L, 1));
}

/***
Sets the NIS domain name of the calling process's uts namespace.
@function setdomainname
@tparam string name at most 64 bytes
@raise as sethostname. See setdomainname(2).
*/
static int bind_setdomainname(lua_State *L) {
  return far_do(L, far_describe_setdomainname, "setdomainname",
                lua_tostring(L, 1));
}

/***
Names of the system and its host.
@function uname
@treturn table sysname, nodename, release, version, machine, domainname.
See uname(2).
@raise nothing
*/
static int bind_uname(lua_State *L) {
  struct utsname u;
  far_at_most(L, 0);
  far_check(L, uname(&u), "uname", NULL);
  const struct { const char *name, *value; } fields[] = {
    {"sysname", u.sysname}, {"nodename", u.nodename}, {"release", u.release},
    {"version", u.version}, {"machine", u.machine},
    {"domainname", u.domainname},
  };
  lua_createtable(L, 0, FAR_COUNT(fields));
  for (size_t i = 0; i < FAR_COUNT(fields); i++) {
    lua_pushstring(L, fields[i].value);
    lua_setfield(L, -2, fields[i].name);
  }
  return 1;
}

static const luaL_Reg functions[] = {
  {"sethostname", bind_sethostname},
  {"setdomainname", bind_setdomainname},
  {"uname", bind_uname},
  {NULL, NULL},
};

void far_open_uts(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

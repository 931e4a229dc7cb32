/*
 * Internet addresses as bytes and as text, by the rules of the C library:
 * strictly, with no names and no short forms.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>

#include "farside.h"

/***
The bytes of an address.
@function inet_pton
@tparam string text "10.0.0.1", "fd00::1"
@treturn string|nil 4 or 16 bytes, nil when it is no address. See inet_pton(3).
@raise nothing: nil stands for what is no address
*/
static int bind_inet_pton(lua_State *L) {
  char bytes[sizeof(struct in6_addr)];
  const char *text = far_path(L, 1);
  far_at_most(L, 1);
  if (inet_pton(AF_INET, text, bytes) == 1)
    lua_pushlstring(L, bytes, sizeof(struct in_addr));
  else if (inet_pton(AF_INET6, text, bytes) == 1)
    lua_pushlstring(L, bytes, sizeof(struct in6_addr));
  else
    lua_pushnil(L);
  return 1;
}

/***
An address as text.
@function inet_ntop
@tparam string bytes 4 or 16 of them
@treturn string. See inet_ntop(3).
@raise a message about what is no address
*/
static int bind_inet_ntop(lua_State *L) {
  char text[INET6_ADDRSTRLEN];
  size_t length;
  const char *bytes = luaL_checklstring(L, 1, &length);
  bool four = length == sizeof(struct in_addr);
  far_at_most(L, 1);
  luaL_argcheck(L, four || length == sizeof(struct in6_addr), 1,
                "4 or 16 bytes expected");
  lua_pushstring(L, inet_ntop(four ? AF_INET : AF_INET6, bytes, text,
                              sizeof text));
  return 1;
}

static const luaL_Reg functions[] = {
  {"inet_pton", bind_inet_pton},
  {"inet_ntop", bind_inet_ntop},
  {NULL, NULL},
};

void far_open_inet(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

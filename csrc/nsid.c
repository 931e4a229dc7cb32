/*
 * The numbers under which a network namespace knows others.
 */
#define _GNU_SOURCE
#include <linux/net_namespace.h>

#include "netattr.h"

/* The families have a header of their own here, which is one byte. */
#define CALL(verb, type) {"nsid." verb, type, 0, sizeof(struct rtgenmsg), \
                          NULL, NULL}

static const struct far_verb get = CALL("get", RTM_GETNSID),
                             set = CALL("set", RTM_NEWNSID);

/* The namespace at 1; what was opened for it is closed with the binding. */
static void put_namespace(lua_State *L, struct far_request *r) {
  lua_pushvalue(L, 1);
  int32_t fd = far_netns(L, r);
  far_put(L, r, NETNSA_FD, &fd, sizeof fd);
}

/***
The number under which the network namespace knows another one.
@function nsid.get
@param namespace a process, a pid, a namespace, a descriptor, a path, or a name
of `ip netns`
@treturn integer|nil nil when it has none
@raise EINVAL for what is no network namespace. See ip-netns(8), rtnetlink(7).
*/
static int bind_get(lua_State *L) {
  struct far_request r;
  struct far_answers a;
  far_at_most(L, 1);
  luaL_checkany(L, 1);
  far_request(L, &r, &get);
  put_namespace(L, &r);
  far_ask(L, &r, &a);
  lua_pushnil(L);
  for (struct nlmsghdr *h; (h = far_next(L, &a)) != NULL;) {
    struct nlattr *id = nlmsg_find_attr(h, sizeof(struct rtgenmsg),
                                        NETNSA_NSID);
    if (id == NULL || (int32_t)nla_get_u32(id) < 0)
      continue;
    lua_pushinteger(L, (int32_t)nla_get_u32(id));
    lua_replace(L, -2);
  }
  return 1;
}

/***
Gives another network namespace a number, which it keeps.
@function nsid.set
@param namespace as in nsid.get
@tparam[opt] integer id one that is free when not given
@raise EEXIST when it has one, or the number is taken; EPERM without
CAP_NET_ADMIN. See ip-netns(8).
*/
static int bind_set(lua_State *L) {
  struct far_request r;
  far_at_most(L, 2);
  luaL_checkany(L, 1);
  int32_t id = (int32_t)luaL_optinteger(L, 2, -1);
  luaL_argcheck(L, id >= 0 || lua_isnoneornil(L, 2), 2, "no number");
  far_request(L, &r, &set);
  put_namespace(L, &r);
  far_put(L, &r, NETNSA_NSID, &id, sizeof id);
  return far_request_do(L, &r);
}

const luaL_Reg far_nsid_functions[] = {
  {"get", bind_get}, {"set", bind_set}, {NULL, NULL},
};

/*
 * The numbers under which a network namespace knows others.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>

#include "netlink.h"

/* A question for the number of the namespace `fd`, NULL without memory. */
static struct nl_msg *ask(int fd) {
  const struct rtgenmsg any = {.rtgen_family = AF_UNSPEC};
  struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETNSID, 0);
  if (msg != NULL && nlmsg_append(msg, (void *)&any, sizeof any,
                                  NLMSG_ALIGNTO) == 0 &&
      nla_put_u32(msg, NETNSA_FD, (uint32_t)fd) == 0)
    return msg;
  nlmsg_free(msg);
  return NULL;
}

/***
The number under which the caller's network namespace knows another one.
@function nsid
@tparam fd|namespace fd
@treturn integer|nil nil when it has none
@raise EINVAL for what is no network namespace. See ip-netns(8), rtnetlink(7).
*/
static int bind_nsid(lua_State *L) {
  int fd = far_fd_check(L, 1);
  far_at_most(L, 1);
  struct far_netlink *nl = far_netlink_open(L, "nsid", FAR_NETLINK_ACK);
  far_netlink_send(L, nl, ask(fd));
  lua_pushnil(L);
  struct nlmsghdr *h;
  while ((h = far_netlink_next(L, nl, NULL)) != NULL) {
    struct nlattr *id = nlmsg_find_attr(h, sizeof(struct rtgenmsg),
                                        NETNSA_NSID);
    if (id == NULL || (int32_t)nla_get_u32(id) < 0)
      continue;
    lua_pushinteger(L, (int32_t)nla_get_u32(id));
    lua_replace(L, -2);
  }
  return 1;
}

static const luaL_Reg functions[] = {
  {"nsid", bind_nsid},
  {NULL, NULL},
};

void far_open_nsid(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

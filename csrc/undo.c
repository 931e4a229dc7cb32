/*
 * What a batch has made, removed again, the last first.
 *
 * Links come at the end and together: the kernel waits once for each request
 * that removes links, not for each link. So they are put into a group of their
 * own, and the group is removed. Those that were made in another namespace are
 * removed over there, one by one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/nexthop.h>
#include <net/if.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "netlink.h"
#include "netsocket.h"

static const struct far_verb regroup = {
  .name = "link.set", .type = RTM_NEWLINK, .header = sizeof(struct ifinfomsg),
};

static const struct far_verb delete = {
  .name = "link.delete", .type = RTM_DELLINK,
  .header = sizeof(struct ifinfomsg),
};

/* Turns the request that made something into the one that removes it. */
static void invert(struct far_request *r) {
  r->head.nlmsg_type++; /* RTM_NEW… and RTM_DEL… follow each other */
  r->head.nlmsg_flags = NLM_F_REQUEST;
}

/* Removes a link in the namespace that it was made in. */
static bool delete_there(lua_State *L, struct nlattr *netns,
                         struct nlattr *name) {
  struct far_request r;
  struct far_answers a;
  bool gone = false;
  struct far_netlink *nl = far_netlink_new(L);
  nl->fd = far_socket_in((int)nla_get_u32(netns));
  if (nl->fd >= 0) {
    far_request_to(&r, nl, &delete);
    far_put(L, &r, IFLA_IFNAME, nla_data(name), (size_t)nla_len(name));
    gone = far_try(L, &r, &a);
    (void)close(nl->fd);
    nl->fd = -1;
  }
  lua_pop(L, 1);
  return gone;
}

/* What takes things back. */
struct undoing {
  struct far_batch *batch;
  struct far_netlink *nl;
  uint32_t group;
  size_t links;     /* that are in the group */
  lua_Integer done; /* without the batch */
};

static void put_group(lua_State *L, struct undoing *u,
                      const struct far_verb *call, struct nlattr *name) {
  struct far_request r;
  far_request_to(&r, u->nl, call);
  if (name != NULL)
    far_put(L, &r, IFLA_IFNAME, nla_data(name), (size_t)nla_len(name));
  far_put(L, &r, IFLA_GROUP, &u->group, sizeof u->group);
  far_batch_append(L, u->batch, &r);
}

static void take_back(lua_State *L, struct undoing *u,
                      struct far_request *made) {
  if (made->call->type == RTM_NEWNEXTHOP) {
    uint32_t id = nla_get_u32(far_put_before(made, NHA_ID));
    far_nexthop_delete(L, made, u->nl, id);
    far_batch_append(L, u->batch, made);
    return;
  }
  if (made->call->type != RTM_NEWLINK) {
    invert(made);
    far_batch_append(L, u->batch, made);
    return;
  }
  struct nlattr *name = far_put_before(made, IFLA_IFNAME);
  struct nlattr *netns = far_put_before(made, IFLA_NET_NS_FD);
  if (netns != NULL) {
    u->done += delete_there(L, netns, name);
    return;
  }
  put_group(L, u, &regroup, name);
  u->links++;
}

/* Sends what is in the batch at 2; answers how many went well. */
static lua_Integer send_all(lua_State *L) {
  lua_getfield(L, 2, "send");
  lua_pushvalue(L, 2);
  lua_call(L, 1, 1);
  return luaL_len(L, 2) - luaL_len(L, -1);
}

/* Removes what the requests have made that went well. Answers how many. */
int far_batch_undo(lua_State *L) {
  struct far_batch *b = luaL_checkudata(L, 1, FAR_BATCH);
  struct undoing u = {0};
  struct far_request r;
  lua_settop(L, 1);
  if (getrandom(&u.group, sizeof u.group, 0) != sizeof u.group)
    return far_raise(L, errno, "getrandom", NULL, NULL);
  u.group = (u.group & 0x3fffffff) | 0x40000000;
  lua_pushcfunction(L, far_batch_new);
  far_batch_push_handle(L);
  u.nl = lua_touserdata(L, -1);
  lua_call(L, 1, 1);
  u.batch = lua_touserdata(L, 2);
  lua_toclose(L, 2);
  for (size_t i = far_batch_sent(b); i-- > 0;)
    if (far_batch_made(b, i, &r))
      take_back(L, &u, &r);
  if (u.links > 0)
    put_group(L, &u, &delete, NULL);
  u.done += send_all(L) - (u.links > 0);
  lua_pushinteger(L, u.done);
  return 1;
}

/*
 * Network links of the current network namespace. Requests and answers are
 * put together and taken apart attribute by attribute with libnl, under the
 * names that `ip -json link` uses.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/utils.h>
#include <stdio.h>
#include <string.h>

#include "netlink.h"

#define NO_CARRIER 0x80000000u /* not the kernel's: up, but not running */
#define LONGEST 127            /* ALTIFNAMSIZ - 1 */
#define SHORT 256              /* bytes of a request, enough for a name */

static const struct far_word flags[] = {
  {"NO-CARRIER", NO_CARRIER},
  {"LOOPBACK", IFF_LOOPBACK},
  {"BROADCAST", IFF_BROADCAST},
  {"POINTOPOINT", IFF_POINTOPOINT},
  {"MULTICAST", IFF_MULTICAST},
  {"NOARP", IFF_NOARP},
  {"ALLMULTI", IFF_ALLMULTI},
  {"PROMISC", IFF_PROMISC},
  {"MASTER", IFF_MASTER},
  {"SLAVE", IFF_SLAVE},
  {"DEBUG", IFF_DEBUG},
  {"DYNAMIC", IFF_DYNAMIC},
  {"AUTOMEDIA", IFF_AUTOMEDIA},
  {"PORTSEL", IFF_PORTSEL},
  {"NOTRAILERS", IFF_NOTRAILERS},
  {"UP", IFF_UP},
  {"LOWER_UP", 1 << 16}, /* <net/if.h> knows the first sixteen only */
  {"DORMANT", 1 << 17},
  {"ECHO", 1 << 18},
  {NULL, 0},
};

/* ---- reading ---- */

static void push_string(lua_State *L, struct nlattr *a) {
  lua_pushstring(L, nla_get_string(a));
}

static void push_int(lua_State *L, struct nlattr *a) {
  lua_pushinteger(L, (int32_t)nla_get_u32(a));
}

static void push_operstate(lua_State *L, struct nlattr *a) {
  static const char *const names[] = {
    "UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT",
    "UP",
  };
  uint8_t state = nla_get_u8(a);
  if (state < FAR_COUNT(names))
    lua_pushstring(L, names[state]);
  else
    lua_pushinteger(L, state);
}

/* Addresses of up to 32 bytes (infiniband has 20), "02:00:00:00:00:01". */
static void push_address(lua_State *L, struct nlattr *a) {
  char text[3 * 32 + 1] = "";
  const uint8_t *bytes = nla_data(a);
  for (int i = 0; i < nla_len(a) && i < 32; i++)
    snprintf(text + 3 * i - (i > 0), 4, i > 0 ? ":%02x" : "%02x", bytes[i]);
  lua_pushstring(L, text);
}

static void push_kind(lua_State *L, struct nlattr *a) {
  struct nlattr *kind = nla_find(nla_data(a), nla_len(a), IFLA_INFO_KIND);
  if (kind != NULL)
    push_string(L, kind);
  else
    lua_pushnil(L);
}

static void push_altnames(lua_State *L, struct nlattr *a) {
  struct nlattr *name;
  int left;
  lua_Integer n = 0;
  lua_newtable(L);
  nla_for_each_nested(name, a, left) {
    push_string(L, name);
    lua_rawseti(L, -2, ++n);
  }
}

static const struct {
  const char *name;
  int type;
  void (*push)(lua_State *L, struct nlattr *a);
} attributes[] = {
  {"ifname", IFLA_IFNAME, push_string},
  {"altnames", IFLA_PROP_LIST, push_altnames},
  {"kind", IFLA_LINKINFO, push_kind},
  {"mtu", IFLA_MTU, push_int},
  {"address", IFLA_ADDRESS, push_address},
  {"broadcast", IFLA_BROADCAST, push_address},
  {"operstate", IFLA_OPERSTATE, push_operstate},
  {"qdisc", IFLA_QDISC, push_string},
  {"group", IFLA_GROUP, push_int},
  {"txqlen", IFLA_TXQLEN, push_int},
  {"num_tx_queues", IFLA_NUM_TX_QUEUES, push_int},
  {"num_rx_queues", IFLA_NUM_RX_QUEUES, push_int},
  {"promiscuity", IFLA_PROMISCUITY, push_int},
  {"link_index", IFLA_LINK, push_int},
  {"link_netnsid", IFLA_LINK_NETNSID, push_int},
  {"master_index", IFLA_MASTER, push_int},
};

/* Pushes the table of one link. */
static void push_link(lua_State *L, struct nlmsghdr *h) {
  const struct ifinfomsg *i = nlmsg_data(h);
  struct nlattr *tb[IFLA_MAX + 1];
  char type[32];
  unsigned bits = i->ifi_flags;
  if ((bits & IFF_UP) != 0 && (bits & IFF_RUNNING) == 0)
    bits |= NO_CARRIER;
  lua_createtable(L, 0, FAR_COUNT(attributes) + 4);
  lua_pushinteger(L, i->ifi_index);
  lua_setfield(L, -2, "ifindex");
  lua_pushboolean(L, (bits & IFF_UP) != 0);
  lua_setfield(L, -2, "up");
  far_words_push(L, bits, flags);
  lua_setfield(L, -2, "flags");
  lua_pushstring(L, nl_llproto2str(i->ifi_type, type, sizeof type));
  lua_setfield(L, -2, "link_type");
  if (nlmsg_parse(h, sizeof *i, tb, IFLA_MAX, NULL) < 0)
    return;
  for (size_t k = 0; k < FAR_COUNT(attributes); k++) {
    if (tb[attributes[k].type] == NULL)
      continue;
    attributes[k].push(L, tb[attributes[k].type]);
    lua_setfield(L, -2, attributes[k].name);
  }
}

/* A link as given: by index, or by name. */
struct who {
  int index;        /* 0 when by name */
  const char *name; /* also what errors call it */
};

static bool good_name(const char *name, size_t longest) {
  size_t length = strlen(name);
  return length > 0 && length <= longest && strpbrk(name, "/ \t\n\v\f\r") ==
         NULL && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* libnl would cut a long name without a word. */
static const char *check_name(lua_State *L, int index, int arg,
                              size_t longest) {
  const char *name = lua_tostring(L, index);
  if (lua_type(L, index) != LUA_TSTRING)
    luaL_typeerror(L, arg, "link name");
  if (!good_name(name, longest))
    luaL_argerror(L, arg, lua_pushfstring(L,
      "bad link name '%s' (expected 1 to %d bytes, no '/', no space)", name,
      (int)longest));
  return name;
}

static struct who check_who(lua_State *L, int arg) {
  struct who who = {0, NULL};
  if (lua_isinteger(L, arg)) {
    lua_Integer index = lua_tointeger(L, arg);
    luaL_argcheck(L, index > 0 && index <= INT32_MAX, arg, "no link index");
    who.index = (int)index;
    who.name = lua_tostring(L, arg);
  } else {
    who.name = check_name(L, arg, arg, LONGEST);
  }
  return who;
}

/* A message that asks for links: one, or all with flags NLM_F_DUMP. */
static struct nl_msg *ask(const struct who *who, int message_flags) {
  struct ifinfomsg i = {.ifi_index = who->index};
  struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, message_flags);
  int attr = who->name == NULL ? 0 : strlen(who->name) < IFNAMSIZ
                                       ? IFLA_IFNAME : IFLA_ALT_IFNAME;
  if (msg != NULL &&
      nlmsg_append(msg, &i, sizeof i, NLMSG_ALIGNTO) == 0 &&
      nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) == 0 &&
      (attr == 0 || who->index != 0 ||
       nla_put_string(msg, attr, who->name) == 0))
    return msg;
  nlmsg_free(msg);
  return NULL;
}

/***
All links of the current network namespace.
@function list
@treturn {table,...} see get
@raise EAGAIN when they would not stand still. See rtnetlink(7).
*/
static int bind_list(lua_State *L) {
  const struct who all = {0, NULL};
  struct nlmsghdr *h;
  far_at_most(L, 0);
  struct far_netlink *nl = far_netlink_open(L, "link.list",
                                            FAR_NETLINK_LIST);
  for (int tries = 0; tries < 16; tries++) {
    lua_Integer n = 0;
    lua_newtable(L);
    far_netlink_send(L, nl, ask(&all, NLM_F_DUMP));
    while ((h = far_netlink_next(L, nl, NULL)) != NULL) {
      push_link(L, h);
      lua_rawseti(L, -2, ++n);
    }
    if (!far_netlink_stale(nl))
      return 1;
    lua_pop(L, 1);
  }
  return far_raise(L, EAGAIN, "link.list", NULL, NULL);
}

/***
One link, by name (also an alternative one) or index.
@function get
@tparam string|int link
@treturn table as `ip -json link` tells it: ifindex, ifname, flags (a list:
"UP", "LOWER_UP"), mtu, operstate ("UP"), link_type ("ether"), address,
broadcast, group, qdisc, txqlen, …; and up (boolean), kind ("veth"), altnames,
link_index and master_index (other links)
@raise ENODEV. See rtnetlink(7).
*/
static int bind_get(lua_State *L) {
  far_at_most(L, 1);
  struct who who = check_who(L, 1);
  struct far_netlink *nl = far_netlink_open(L, "link.get",
                                            FAR_NETLINK_LIST);
  far_netlink_send(L, nl, ask(&who, 0));
  struct nlmsghdr *h = far_netlink_next(L, nl, who.name);
  if (h == NULL)
    return far_raise(L, ENODEV, "link.get", who.name, NULL);
  push_link(L, h);
  return 1;
}

/* ---- changing ---- */

static const char *const fields[] = {"up", "mtu", "name", NULL};

struct change {
  int up;       /* -1: as it is */
  uint32_t mtu; /* 0: as it is */
  const char *name;
};

static struct change check_change(lua_State *L, int arg) {
  struct change c = {-1, 0, NULL};
  far_fields(L, arg, fields, false);
  if (lua_getfield(L, arg, "up") != LUA_TNIL) {
    luaL_argcheck(L, lua_isboolean(L, -1), arg, "up: boolean expected");
    c.up = lua_toboolean(L, -1);
  }
  if (lua_getfield(L, arg, "mtu") != LUA_TNIL) {
    lua_Integer mtu = lua_tointeger(L, -1);
    luaL_argcheck(L, mtu > 0 && mtu <= INT32_MAX, arg,
                  "mtu: positive integer expected");
    c.mtu = (uint32_t)mtu;
  }
  if (lua_getfield(L, arg, "name") != LUA_TNIL)
    c.name = check_name(L, -1, arg, IFNAMSIZ - 1);
  return c; /* the table at `arg` keeps the name alive */
}

/* The message for a change, NULL without memory. */
static struct nl_msg *change(const struct who *who, const struct change *c) {
  struct ifinfomsg i = {
    .ifi_index = who->index,
    .ifi_flags = c->up == 1 ? IFF_UP : 0,
    .ifi_change = c->up == -1 ? 0 : IFF_UP,
  };
  const char *name = who->index == 0 ? who->name : c->name;
  struct nl_msg *msg = nlmsg_alloc_size(SHORT);
  if (msg != NULL &&
      nlmsg_put(msg, 0, 0, RTM_NEWLINK, 0, 0) != NULL &&
      nlmsg_append(msg, &i, sizeof i, NLMSG_ALIGNTO) == 0 &&
      (name == NULL || nla_put_string(msg, IFLA_IFNAME, name) == 0) &&
      (c->mtu == 0 || nla_put_u32(msg, IFLA_MTU, c->mtu) == 0))
    return msg;
  nlmsg_free(msg);
  return NULL;
}

/* The index by name: a second name in a request is a new name only when the
 * first was an index, and alternative names are too long for libnl. */
static void resolve(lua_State *L, struct far_netlink *nl, struct who *who) {
  far_netlink_send(L, nl, ask(who, 0));
  struct nlmsghdr *h = far_netlink_next(L, nl, who->name);
  if (h != NULL)
    who->index = ((struct ifinfomsg *)nlmsg_data(h))->ifi_index;
}

/***
Changes a link, in one request.
@function set
@tparam string|int link name or index
@tparam table change up (boolean), mtu (bytes), name (the new one)
@raise ENODEV; EPERM without CAP_NET_ADMIN; the kernel's own words are in the
error's field `log`. See rtnetlink(7), ip-link(8).
*/
static int bind_set(lua_State *L) {
  far_at_most(L, 2);
  struct who who = check_who(L, 1);
  struct change c = check_change(L, 2);
  bool ask_first = who.index == 0 &&
                   (c.name != NULL || strlen(who.name) >= IFNAMSIZ);
  struct far_netlink *nl = far_netlink_open(
    L, "link.set", ask_first ? FAR_NETLINK_LIST : FAR_NETLINK_ACK);
  if (ask_first)
    resolve(L, nl, &who);
  far_netlink_send(L, nl, change(&who, &c));
  while (far_netlink_next(L, nl, who.name) != NULL)
    continue;
  return 0;
}

static const luaL_Reg functions[] = {
  {"list", bind_list},
  {"get", bind_get},
  {"set", bind_set},
  {NULL, NULL},
};

void far_open_link(lua_State *L) {
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "link");
}

/*
 * What links of all kinds have, under the names that `ip -json link` uses.
 */
#define _GNU_SOURCE
#include <linux/if_link.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/utils.h>
#include <stddef.h>
#include <string.h>

#include "linkkind.h"

#ifndef ARPHRD_IP6GRE
#define ARPHRD_IP6GRE 823 /* <net/if_arp.h> has not heard of it */
#endif
#define NO_CARRIER 0x80000000u /* not the kernel's: up, but not running */

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

/* ---- fields in the header ---- */

/* A flag of the link; `more` is its bit, `type` what true makes of it. */
static void put_bit(lua_State *L, struct far_request *r,
                    const struct far_attr *a) {
  struct ifinfomsg *i = far_header(r);
  unsigned bit = (unsigned)*(const int *)a->more;
  if (!lua_isboolean(L, -1))
    far_bad_value(L, r, a->name, "boolean");
  i->ifi_change |= bit;
  if (lua_toboolean(L, -1) == a->type)
    i->ifi_flags |= bit;
}

static void push_bit(lua_State *L, const struct far_source *s,
                     const struct far_attr *a, struct nlattr *n) {
  const struct ifinfomsg *i = s->header;
  unsigned bit = (unsigned)*(const int *)a->more;
  (void)n;
  lua_pushboolean(L, ((i->ifi_flags & bit) != 0) == a->type);
}

static void push_flags(lua_State *L, const struct far_source *s,
                       const struct far_attr *a, struct nlattr *n) {
  const struct ifinfomsg *i = s->header;
  unsigned bits = i->ifi_flags;
  (void)a, (void)n;
  if ((bits & IFF_UP) != 0 && (bits & IFF_RUNNING) == 0)
    bits |= NO_CARRIER;
  far_words_push(L, bits, flags);
}

static void push_type(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  const struct ifinfomsg *i = s->header;
  char type[32];
  (void)a, (void)n;
  lua_pushstring(L, nl_llproto2str(i->ifi_type, type, sizeof type));
}

/* True, or nothing; which bit it is, `more` has. */
static void push_when(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  const struct ifinfomsg *i = s->header;
  (void)n;
  if (i->ifi_flags & (unsigned)*(const int *)a->more)
    lua_pushboolean(L, true);
  else
    lua_pushnil(L);
}

static const struct far_codec when = {.push = push_when, .header = true};
static const struct far_codec one_bit = {put_bit, push_bit, .header = true};
static const struct far_codec flag_list = {.push = push_flags, .header = true};
static const struct far_codec link_type = {.push = push_type, .header = true};

/* ---- attributes of their own kind ---- */

static const struct far_word operstates[] = {
  {"UNKNOWN", 0}, {"NOTPRESENT", 1}, {"DOWN", 2},   {"LOWERLAYERDOWN", 3},
  {"TESTING", 4}, {"DORMANT", 5},    {"UP", 6},     {NULL, 0},
};

static const struct far_word modes[] = {
  {"DEFAULT", 0}, {"DORMANT", 1}, {NULL, 0},
};

static const struct far_word groups[] = {{"default", 0}, {NULL, 0}};

static void push_altnames(lua_State *L, const struct far_source *s,
                          const struct far_attr *a, struct nlattr *n) {
  struct nlattr *name;
  int left;
  lua_Integer count = 0;
  (void)s, (void)a;
  lua_newtable(L);
  nla_for_each_nested(name, n, left) {
    lua_pushstring(L, nla_get_string(name));
    lua_rawseti(L, -2, ++count);
  }
}

static void push_kind(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  struct nlattr *kind = nla_find(nla_data(n), nla_len(n), IFLA_INFO_KIND);
  if (kind != NULL)
    far_text.push(L, s, a, kind);
  else
    lua_pushnil(L);
}

/* One of the two pairs in IFLA_LINKINFO: a kind, and its options. */
static void push_options(lua_State *L, const struct far_source *s,
                         struct nlattr *name, struct nlattr *data,
                         const char *const fields[2], const char *suffix) {
  if (name == NULL)
    return;
  lua_pushstring(L, nla_get_string(name));
  lua_setfield(L, -2, fields[0]);
  lua_pushfstring(L, "%s%s", nla_get_string(name), suffix);
  const struct far_kind *kind = far_kind_find(lua_tostring(L, -1));
  lua_pop(L, 1);
  if (data == NULL || kind == NULL || kind->options == NULL)
    return;
  lua_newtable(L);
  far_push_table(L, s, kind->options, nla_data(data), nla_len(data));
  lua_setfield(L, -2, fields[1]);
}

static void push_linkinfo(lua_State *L, const struct far_source *s,
                          const struct far_attr *a, struct nlattr *n) {
  static const char *const master[] = {"info_kind", "info_data"};
  static const char *const port[] = {"info_slave_kind", "info_slave_data"};
  struct nlattr *tb[IFLA_INFO_MAX + 1];
  (void)a;
  lua_newtable(L);
  if (nla_parse_nested(tb, IFLA_INFO_MAX, n, NULL) < 0)
    return;
  push_options(L, s, tb[IFLA_INFO_KIND], tb[IFLA_INFO_DATA], master,
               "");
  push_options(L, s, tb[IFLA_INFO_SLAVE_KIND], tb[IFLA_INFO_SLAVE_DATA], port,
               "_slave");
}

static void put_netns(lua_State *L, struct far_request *r,
                      const struct far_attr *a) {
  far_put(L, r, a->type, &r->netns, sizeof r->netns);
}

/* Put with its options. */
static void put_kind(lua_State *L, struct far_request *r,
                     const struct far_attr *a) {
  (void)L, (void)r, (void)a;
}

/* The one thing that is of use in what the families keep of a link. */
static const struct far_word gen_modes[] = {
  {"eui64", 0}, {"none", 1}, {"stable_secret", 2}, {"random", 3}, {NULL, 0},
};

static const struct far_attr gen_mode = {
  "inet6_addr_gen_mode", IFLA_INET6_ADDR_GEN_MODE, &far_word8, gen_modes, 0,
};

static void put_gen_mode(lua_State *L, struct far_request *r,
                         const struct far_attr *a) {
  size_t outer = far_nest(L, r, a->type), inner = far_nest(L, r, AF_INET6);
  far_word8.put(L, r, &gen_mode);
  far_unnest(r, inner);
  far_unnest(r, outer);
}

static void push_gen_mode(lua_State *L, const struct far_source *s,
                          const struct far_attr *a, struct nlattr *n) {
  struct nlattr *inet6 = nla_find(nla_data(n), nla_len(n), AF_INET6);
  struct nlattr *mode = inet6 == NULL ? NULL
    : nla_find(nla_data(inet6), nla_len(inet6), IFLA_INET6_ADDR_GEN_MODE);
  (void)a;
  if (mode != NULL)
    far_word8.push(L, s, &gen_mode, mode);
  else
    lua_pushnil(L);
}

static const struct count {
  const char *name;
  size_t at;
} received[] = {
#define COUNT(name, member) {name, offsetof(struct rtnl_link_stats64, member)}
  COUNT("bytes", rx_bytes), COUNT("packets", rx_packets),
  COUNT("errors", rx_errors), COUNT("dropped", rx_dropped),
  COUNT("over_errors", rx_over_errors), COUNT("multicast", multicast),
  {NULL, 0},
}, sent[] = {
  COUNT("bytes", tx_bytes), COUNT("packets", tx_packets),
  COUNT("errors", tx_errors), COUNT("dropped", tx_dropped),
  COUNT("carrier_errors", tx_carrier_errors),
  COUNT("collisions", collisions), {NULL, 0},
};

static void push_counts(lua_State *L, struct nlattr *n,
                        const struct count *counts) {
  lua_createtable(L, 0, 6);
  for (; counts->name != NULL; counts++) {
    uint64_t value = 0;
    if ((size_t)nla_len(n) >= counts->at + sizeof value)
      memcpy(&value, (char *)nla_data(n) + counts->at, sizeof value);
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, counts->name);
  }
}

static void push_statistics(lua_State *L, const struct far_source *s,
                            const struct far_attr *a, struct nlattr *n) {
  (void)s, (void)a;
  lua_createtable(L, 0, 2);
  push_counts(L, n, received);
  lua_setfield(L, -2, "rx");
  push_counts(L, n, sent);
  lua_setfield(L, -2, "tx");
}

/* A new link takes some things only when it is there. */
static void put_later(lua_State *L, struct far_request *r,
                      const struct far_attr *a) {
  if (r->call->flags & NLM_F_CREATE)
    r->bits = FAR_LINK_LATER;
  else
    (a->type == IFLA_AF_SPEC ? put_gen_mode : far_text.put)(L, r, a);
}

static const struct far_codec alias = {.put = put_later};
static const struct far_codec addr_gen_mode = {
  put_later, push_gen_mode, .size = 0,
};
static const struct far_codec statistics = {.push = push_statistics};
/* The ends of a tunnel are addresses of IP. */
static void push_address(lua_State *L, const struct far_source *s,
                         const struct far_attr *a, struct nlattr *n) {
  int type = ((const struct ifinfomsg *)s->header)->ifi_type;
  bool ip = type == ARPHRD_TUNNEL || type == ARPHRD_SIT ||
            type == ARPHRD_IPGRE || type == ARPHRD_TUNNEL6 ||
            type == ARPHRD_IP6GRE;
  (ip ? far_ip : far_lladdr).push(L, s, a, n);
}

static void put_address(lua_State *L, struct far_request *r,
                        const struct far_attr *a) {
  far_lladdr.put(L, r, a);
}

static const struct far_codec address = {put_address, push_address, .size = 0};
static const struct far_codec altnames = {.push = push_altnames};
static const struct far_attr *within_linkinfo(struct nlattr *n,
                                              struct nlattr **first,
                                              int *length) {
  struct nlattr *tb[IFLA_INFO_MAX + 1];
  if (nla_parse_nested(tb, IFLA_INFO_MAX, n, NULL) < 0)
    return NULL;
  bool port = tb[IFLA_INFO_KIND] == NULL;
  struct nlattr *name = tb[port ? IFLA_INFO_SLAVE_KIND : IFLA_INFO_KIND];
  struct nlattr *data = tb[port ? IFLA_INFO_SLAVE_DATA : IFLA_INFO_DATA];
  if (name == NULL || data == NULL)
    return NULL;
  *first = nla_data(data);
  *length = nla_len(data);
  const struct far_kind *kind =
    port ? far_kind_find("bridge_slave") : far_kind_find(nla_get_string(name));
  return kind != NULL ? kind->options : NULL;
}

static const struct far_codec kind_of = {
  put_kind, push_kind, .inner = within_linkinfo,
};
static const struct far_codec linkinfo = {.push = push_linkinfo};
static const struct far_codec netns = {.put = put_netns};

#define AT(member) offsetof(struct ifinfomsg, member)

static const int up = IFF_UP, noarp = IFF_NOARP, promisc = IFF_PROMISC,
                 allmulti = IFF_ALLMULTI, multicast = IFF_MULTICAST,
                 pointopoint = IFF_POINTOPOINT;

const struct far_attr far_link_later[] = {
  {"alias", IFLA_IFALIAS, &alias, NULL, FAR_WRITE},
  {"inet6_addr_gen_mode", IFLA_AF_SPEC, &addr_gen_mode, NULL, FAR_WRITE},
  {NULL, 0, NULL, NULL, 0},
};

const struct far_attr far_link_attrs[] = {
  {"ifindex", AT(ifi_index), &far_head_s32, NULL, 0},
  {"flags", 0, &flag_list, NULL, FAR_READ},
  {"up", true, &one_bit, &up, 0},
  {"arp", false, &one_bit, &noarp, FAR_WRITE},
  {"promisc", true, &one_bit, &promisc, FAR_WRITE},
  {"allmulticast", true, &one_bit, &allmulti, FAR_WRITE},
  {"multicast", true, &one_bit, &multicast, FAR_WRITE},
  {"link_pointtopoint", 0, &when, &pointopoint, FAR_READ},
  {"link_type", 0, &link_type, NULL, FAR_READ},
  {"ifname", IFLA_IFNAME, &far_text, NULL, FAR_READ},
  {"name", IFLA_IFNAME, &far_name, NULL, FAR_WRITE},
  {"altnames", IFLA_PROP_LIST, &altnames, NULL, FAR_READ},
  {"kind", IFLA_LINKINFO, &kind_of, NULL, 0},
  {"linkinfo", IFLA_LINKINFO, &linkinfo, NULL, FAR_READ},
  {"netns", IFLA_NET_NS_FD, &netns, NULL, FAR_WRITE},
  {"link", IFLA_LINK, &far_link, NULL, FAR_WRITE},
  {"link_index", IFLA_LINK, &far_link_at, NULL, FAR_READ},
  {"link_netnsid", IFLA_LINK_NETNSID, &far_s32, NULL, 0},
  {"master", IFLA_MASTER, &far_link, NULL, 0},
  {"master_index", IFLA_MASTER, &far_link_at, NULL, FAR_READ},
  {"mtu", IFLA_MTU, &far_u32, NULL, 0},
  {"min_mtu", IFLA_MIN_MTU, &far_u32, NULL, FAR_READ},
  {"max_mtu", IFLA_MAX_MTU, &far_u32, NULL, FAR_READ},
  {"address", IFLA_ADDRESS, &address, NULL, 0},
  {"broadcast", IFLA_BROADCAST, &address, NULL, 0},
  {"operstate", IFLA_OPERSTATE, &far_word8, operstates, FAR_READ},
  {"linkmode", IFLA_LINKMODE, &far_word8, modes, FAR_READ},
  {"qdisc", IFLA_QDISC, &far_text, NULL, FAR_READ},
  {"group", IFLA_GROUP, &far_word32, groups, 0},
  {"txqlen", IFLA_TXQLEN, &far_u32, NULL, 0},
  {"num_tx_queues", IFLA_NUM_TX_QUEUES, &far_u32, NULL, 0},
  {"num_rx_queues", IFLA_NUM_RX_QUEUES, &far_u32, NULL, 0},
  {"promiscuity", IFLA_PROMISCUITY, &far_u32, NULL, FAR_READ},
  {"allmulti", IFLA_ALLMULTI, &far_u32, NULL, FAR_READ},
  {"gso_max_size", IFLA_GSO_MAX_SIZE, &far_u32, NULL, 0},
  {"gso_max_segs", IFLA_GSO_MAX_SEGS, &far_u32, NULL, 0},
  {"gro_max_size", IFLA_GRO_MAX_SIZE, &far_u32, NULL, 0},
  {"tso_max_size", IFLA_TSO_MAX_SIZE, &far_u32, NULL, FAR_READ},
  {"tso_max_segs", IFLA_TSO_MAX_SEGS, &far_u32, NULL, FAR_READ},
  {"inet6_addr_gen_mode", IFLA_AF_SPEC, &addr_gen_mode, NULL, 0},
  {"alias", IFLA_IFALIAS, &alias, NULL, FAR_WRITE},
  {"ifalias", IFLA_IFALIAS, &far_text, NULL, FAR_READ},
  {NULL, 0, NULL, NULL, 0},
};

/* As ip does: the link below, or the other end, is down. */
static void add_mdown(lua_State *L) {
  lua_getfield(L, -1, "flags");
  lua_pushliteral(L, "M-DOWN");
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
}

/* The link below, if it is in the same namespace. */
static void push_below(lua_State *L, const struct far_source *s,
                       struct nlattr *n) {
  char name[IFNAMSIZ];
  int below = (int)nla_get_u32(n);
  if (below == 0 || far_link_name(s->nl->fd, below, name) == NULL)
    return;
  lua_pushstring(L, name);
  lua_setfield(L, -2, "link");
  if ((far_link_flags(s->nl->fd, name) & IFF_UP) == 0)
    add_mdown(L);
}

static const struct far_attr statistics_attrs[] = {
  {"stats64", IFLA_STATS64, &statistics, NULL, FAR_READ},
  {NULL, 0, NULL, NULL, 0},
};

/* With statistics unless the request says to skip them, which the kernel does
 * not do for these. */
void far_push_link(lua_State *L, const struct far_request *r,
                   struct nlmsghdr *h) {
  const struct far_source s = {r->nl, nlmsg_data(h)};
  struct nlattr *first = nlmsg_attrdata(h, sizeof(struct ifinfomsg));
  int length = nlmsg_attrlen(h, sizeof(struct ifinfomsg));
  lua_createtable(L, 0, FAR_COUNT(far_link_attrs));
  far_push_table(L, &s, far_link_attrs, first, length);
  if ((r->bits & RTEXT_FILTER_SKIP_STATS) == 0)
    far_push_table(L, &s, statistics_attrs, first, length);
  struct nlattr *below = nla_find(first, length, IFLA_LINK);
  if (below != NULL && nla_find(first, length, IFLA_LINK_NETNSID) == NULL)
    push_below(L, &s, below);
}

/*
 * The kinds of links and their options, under the names that
 * `ip -json -details link` uses.
 */
#define _GNU_SOURCE
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_vlan.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>

#include "linkkind.h"

/* ---- veth: the other end is a link like any other, but that it goes up and
 * gets a master only after it is there ---- */

static void put_netns(lua_State *L, struct far_request *r,
                      const struct far_attr *a) {
  far_put(L, r, a->type, &r->peer_netns, sizeof r->peer_netns);
}

static const struct far_codec netns = {.put = put_netns};

static const struct far_attr peer_attrs[] = {
  {"ifindex", offsetof(struct ifinfomsg, ifi_index), &far_head_s32, NULL, 0},
  {"name", IFLA_IFNAME, &far_name, NULL, 0},
  {"netns", IFLA_NET_NS_FD, &netns, NULL, 0},
  {"mtu", IFLA_MTU, &far_u32, NULL, 0},
  {"address", IFLA_ADDRESS, &far_lladdr, NULL, 0},
  {"broadcast", IFLA_BROADCAST, &far_lladdr, NULL, 0},
  {"group", IFLA_GROUP, &far_u32, NULL, 0},
  {"txqlen", IFLA_TXQLEN, &far_u32, NULL, 0},
  {"num_tx_queues", IFLA_NUM_TX_QUEUES, &far_u32, NULL, 0},
  {"num_rx_queues", IFLA_NUM_RX_QUEUES, &far_u32, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

void far_link_queues(lua_State *L, struct far_request *r) {
  static const struct {
    const char *name;
    int type;
  } queues[] = {{"num_tx_queues", IFLA_NUM_TX_QUEUES},
                {"num_rx_queues", IFLA_NUM_RX_QUEUES}};
  static const uint32_t one = 1;
  for (size_t i = 0; i < FAR_COUNT(queues); i++) {
    if (lua_getfield(L, -1, queues[i].name) == LUA_TNIL)
      far_put(L, r, queues[i].type, &one, sizeof one);
    lua_pop(L, 1);
  }
}

static void put_peer(lua_State *L, struct far_request *r,
                     const struct far_attr *a) {
  if (!lua_istable(L, -1))
    far_bad_value(L, r, a->name, "table");
  bool numbered = ((struct ifinfomsg *)far_header(r))->ifi_index != 0;
  if (lua_getfield(L, -1, "ifindex") != LUA_TNIL && !numbered)
    far_bad_value(L, r, "peer.ifindex", "an ifindex at both ends");
  lua_pop(L, 1);
  size_t header = r->header, first = r->first, nest = far_nest(L, r, a->type);
  (void)far_inner_header(L, r, sizeof(struct ifinfomsg));
  r->within = "peer.";
  far_link_queues(L, r);
  far_put_table(L, r, -1, peer_attrs, NULL);
  r->within = "";
  r->header = header;
  r->first = first;
  far_unnest(r, nest);
}

static const struct far_attr *within_peer(struct nlattr *n,
                                          struct nlattr **first,
                                          int *length) {
  const int header = NLMSG_ALIGN(sizeof(struct ifinfomsg));
  *first = (struct nlattr *)((char *)nla_data(n) + header);
  *length = nla_len(n) - header;
  return peer_attrs;
}

static const struct far_codec peer = {
  .put = put_peer, .inner = within_peer,
};

static const struct far_attr veth[] = {
  {"peer", VETH_INFO_PEER, &peer, NULL, FAR_WRITE},
  {NULL, 0, NULL, NULL, 0},
};

/* ---- those on top of another link ---- */

static const struct far_word macvlan_modes[] = {
  {"private", MACVLAN_MODE_PRIVATE}, {"vepa", MACVLAN_MODE_VEPA},
  {"bridge", MACVLAN_MODE_BRIDGE},   {"passthru", MACVLAN_MODE_PASSTHRU},
  {"source", MACVLAN_MODE_SOURCE},   {NULL, 0},
};

static void put_nopromisc(lua_State *L, struct far_request *r,
                          const struct far_attr *a) {
  if (!lua_isboolean(L, -1))
    far_bad_value(L, r, a->name, "boolean");
  uint16_t bits = lua_toboolean(L, -1) ? MACVLAN_FLAG_NOPROMISC : 0;
  far_put(L, r, a->type, &bits, sizeof bits);
}

static void push_nopromisc(lua_State *L, const struct far_source *s,
                           const struct far_attr *a, struct nlattr *n) {
  (void)s, (void)a;
  if (nla_get_u16(n) & MACVLAN_FLAG_NOPROMISC)
    lua_pushboolean(L, true);
  else
    lua_pushnil(L);
}

static const struct far_codec nopromisc = {
  put_nopromisc, push_nopromisc, .size = 2,
};

static const struct far_attr macvlan[] = {
  {"mode", IFLA_MACVLAN_MODE, &far_word32, macvlan_modes, 0},
  {"nopromisc", IFLA_MACVLAN_FLAGS, &nopromisc, NULL, 0},
  {"bcqueuelen", IFLA_MACVLAN_BC_QUEUE_LEN, &far_u32, NULL, 0},
  {"usedbcqueuelen", IFLA_MACVLAN_BC_QUEUE_LEN_USED, &far_u32, NULL, FAR_READ},
  {NULL, 0, NULL, NULL, 0},
};

static const struct far_word ipvlan_modes[] = {
  {"l2", IPVLAN_MODE_L2}, {"l3", IPVLAN_MODE_L3}, {"l3s", IPVLAN_MODE_L3S},
  {NULL, 0},
};

/* Which of three it is; true, or nothing. */
static const uint16_t to_bridge = 0, to_private = IPVLAN_F_PRIVATE,
                      to_vepa = IPVLAN_F_VEPA;

static void put_isolation(lua_State *L, struct far_request *r,
                          const struct far_attr *a) {
  if (!lua_isboolean(L, -1))
    far_bad_value(L, r, a->name, "boolean");
  if (lua_toboolean(L, -1))
    far_put(L, r, a->type, a->more, sizeof(uint16_t));
}

static void push_isolation(lua_State *L, const struct far_source *s,
                           const struct far_attr *a, struct nlattr *n) {
  (void)s;
  if (nla_get_u16(n) == *(const uint16_t *)a->more)
    lua_pushboolean(L, true);
  else
    lua_pushnil(L);
}

static const struct far_codec isolation = {
  put_isolation, push_isolation, .size = 2,
};

static const struct far_attr ipvlan[] = {
  {"mode", IFLA_IPVLAN_MODE, &far_word16, ipvlan_modes, 0},
  {"bridge", IFLA_IPVLAN_FLAGS, &isolation, &to_bridge, 0},
  {"private", IFLA_IPVLAN_FLAGS, &isolation, &to_private, 0},
  {"vepa", IFLA_IPVLAN_FLAGS, &isolation, &to_vepa, 0},
  {NULL, 0, NULL, NULL, 0},
};

static const struct far_word vlan_protocols[] = {
  {"802.1Q", ETH_P_8021Q}, {"802.1ad", ETH_P_8021AD}, {NULL, 0},
};

static const struct far_word vlan_flags[] = {
  {"REORDER_HDR", VLAN_FLAG_REORDER_HDR}, {"GVRP", VLAN_FLAG_GVRP},
  {"LOOSE_BINDING", VLAN_FLAG_LOOSE_BINDING}, {"MVRP", VLAN_FLAG_MVRP},
  {"BRIDGE_BINDING", VLAN_FLAG_BRIDGE_BINDING}, {NULL, 0},
};

/* A list of words: those are set, and the others are not. */
static void put_vlan_flags(lua_State *L, struct far_request *r,
                           const struct far_attr *a) {
  struct ifla_vlan_flags both = {0, 0};
  for (const struct far_word *w = vlan_flags; w->name != NULL; w++)
    both.mask |= (uint32_t)w->bits;
  both.flags = (uint32_t)far_words_of(L, r, a->name, vlan_flags);
  far_put(L, r, a->type, &both, sizeof both);
}

static void push_vlan_flags(lua_State *L, const struct far_source *s,
                            const struct far_attr *a, struct nlattr *n) {
  struct ifla_vlan_flags both;
  (void)s, (void)a;
  memcpy(&both, nla_data(n), sizeof both);
  far_words_push(L, both.flags, vlan_flags);
}

static const struct far_codec vlan_flag_list = {
  put_vlan_flags, push_vlan_flags, .size = sizeof(struct ifla_vlan_flags),
};

/* Priorities: { { from = 1, to = 2 }, … }. */
static void put_qos(lua_State *L, struct far_request *r,
                    const struct far_attr *a) {
  if (!lua_istable(L, -1))
    far_bad_value(L, r, a->name, "list of { from =, to = }");
  size_t nest = far_nest(L, r, a->type);
  for (lua_Integer i = 1; lua_geti(L, -1, i) != LUA_TNIL; i++) {
    struct ifla_vlan_qos_mapping m;
    if (!lua_istable(L, -1))
      far_bad_value(L, r, a->name, "list of { from =, to = }");
    m.from = (uint32_t)far_integer_in(L, r, "from", UINT32_MAX);
    m.to = (uint32_t)far_integer_in(L, r, "to", UINT32_MAX);
    far_put(L, r, IFLA_VLAN_QOS_MAPPING, &m, sizeof m);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  far_unnest(r, nest);
}

static void push_qos(lua_State *L, const struct far_source *s,
                     const struct far_attr *a, struct nlattr *n) {
  struct nlattr *one;
  int left;
  lua_Integer count = 0;
  (void)s, (void)a;
  lua_newtable(L);
  nla_for_each_nested(one, n, left) {
    struct ifla_vlan_qos_mapping m;
    if (nla_len(one) < (int)sizeof m)
      continue;
    memcpy(&m, nla_data(one), sizeof m);
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, m.from);
    lua_setfield(L, -2, "from");
    lua_pushinteger(L, m.to);
    lua_setfield(L, -2, "to");
    lua_rawseti(L, -2, ++count);
  }
}

static const struct far_codec qos = {put_qos, push_qos, .size = 0};

static const struct far_attr vlan[] = {
  {"id", IFLA_VLAN_ID, &far_u16, NULL, 0},
  {"protocol", IFLA_VLAN_PROTOCOL, &far_be_word16, vlan_protocols, 0},
  {"flags", IFLA_VLAN_FLAGS, &vlan_flag_list, NULL, 0},
  {"ingress_qos", IFLA_VLAN_INGRESS_QOS, &qos, NULL, 0},
  {"egress_qos", IFLA_VLAN_EGRESS_QOS, &qos, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

static const struct far_attr vrf[] = {
  {"table", IFLA_VRF_TABLE, &far_u32, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

static const struct far_attr vrf_port[] = {
  {"table", IFLA_VRF_PORT_TABLE, &far_u32, NULL, FAR_READ},
  {NULL, 0, NULL, NULL, 0},
};

/* Made by ioctls (tuntap.c), which take the first ones from the table. */
static void put_nothing(lua_State *L, struct far_request *r,
                        const struct far_attr *a) {
  (void)L, (void)r, (void)a;
}

static const struct far_codec elsewhere = {.put = put_nothing};

static const struct far_word tun_types[] = {{"tun", 1}, {"tap", 2}, {NULL, 0}};

#define WISH(name) {name, 0, &elsewhere, NULL, FAR_WRITE}

static const struct far_attr tun[] = {
  WISH("type"), WISH("pi"), WISH("vnet_hdr"), WISH("multi_queue"),
  WISH("user"), WISH("user_group"),
  {"type", IFLA_TUN_TYPE, &far_word8, tun_types, FAR_READ},
  {"pi", IFLA_TUN_PI, &far_flag, NULL, FAR_READ},
  {"vnet_hdr", IFLA_TUN_VNET_HDR, &far_flag, NULL, FAR_READ},
  {"multi_queue", IFLA_TUN_MULTI_QUEUE, &far_flag, NULL, FAR_READ},
  {"numqueues", IFLA_TUN_NUM_QUEUES, &far_u32, NULL, FAR_READ},
  {"numdisabled", IFLA_TUN_NUM_DISABLED_QUEUES, &far_u32, NULL, FAR_READ},
  {"persist", IFLA_TUN_PERSIST, &far_flag, NULL, FAR_READ},
  {"user", IFLA_TUN_OWNER, &far_u32, NULL, FAR_READ},
  {"group", IFLA_TUN_GROUP, &far_u32, NULL, FAR_READ},
  {NULL, 0, NULL, NULL, 0},
};

/* ---- all of them ---- */

static const struct far_kind kinds[] = {
  {"veth", veth, true, false},
  {"bridge", far_bridge_attrs, false, false},
  {"bridge_slave", far_bridge_port_attrs, false, true},
  {"macvlan", macvlan, false, false},
  {"macvtap", macvlan, false, false},
  {"ipvlan", ipvlan, false, false},
  {"ipvtap", ipvlan, false, false},
  {"vlan", vlan, false, false},
  {"vrf", vrf, false, false},
  {"vrf_slave", vrf_port, false, true},
  {"tun", tun, false, false},
  {"vxlan", far_vxlan_attrs, false, false},
  {"gre", far_gre_attrs, false, false},
  {"gretap", far_gre_attrs, false, false},
  {"ip6gre", far_gre_attrs, false, false},
  {"ip6gretap", far_gre_attrs, false, false},
  {"ipip", far_ipip_attrs, false, false},
  {"sit", far_ipip_attrs, false, false},
  {"ip6tnl", far_ipip_attrs, false, false},
};

const struct far_kind *far_kind_find(const char *name) {
  for (size_t i = 0; i < FAR_COUNT(kinds); i++)
    if (strcmp(kinds[i].name, name) == 0)
      return &kinds[i];
  return NULL;
}

/*
 * The kinds of links and their options, under the names that
 * `ip -json -details link` uses.
 */
#define _GNU_SOURCE
#include <linux/if_link.h>
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
  size_t header = r->header, nest = far_nest(L, r, a->type);
  (void)far_inner_header(L, r, sizeof(struct ifinfomsg));
  r->within = "peer.";
  far_link_queues(L, r);
  far_put_table(L, r, -1, peer_attrs, NULL);
  r->within = "";
  r->header = header;
  far_unnest(r, nest);
}

static const struct far_codec peer = {.put = put_peer};

static const struct far_attr veth[] = {
  {"peer", VETH_INFO_PEER, &peer, NULL, FAR_WRITE},
  {NULL, 0, NULL, NULL, 0},
};

/* ---- bridge ---- */

static const struct far_attr bridge[] = {
  {"forward_delay", IFLA_BR_FORWARD_DELAY, &far_u32, NULL, 0},
  {"hello_time", IFLA_BR_HELLO_TIME, &far_u32, NULL, 0},
  {"max_age", IFLA_BR_MAX_AGE, &far_u32, NULL, 0},
  {"ageing_time", IFLA_BR_AGEING_TIME, &far_u32, NULL, 0},
  {"stp_state", IFLA_BR_STP_STATE, &far_u32, NULL, 0},
  {"priority", IFLA_BR_PRIORITY, &far_u16, NULL, 0},
  {"vlan_filtering", IFLA_BR_VLAN_FILTERING, &far_switch, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

/* ---- all of them ---- */

static const struct far_kind kinds[] = {
  {"veth", veth, true},
  {"bridge", bridge, false},
};

const struct far_kind *far_kind_find(const char *name) {
  for (size_t i = 0; i < FAR_COUNT(kinds); i++)
    if (strcmp(kinds[i].name, name) == 0)
      return &kinds[i];
  return NULL;
}

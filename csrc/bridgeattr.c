/*
 * Options of bridges and of their ports, under the names of ip. Times are in
 * hundredths of a second, as there.
 */
#define _GNU_SOURCE
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>

#include "linkkind.h"

#define SWITCH(name, type) {name, type, &far_switch, NULL, 0}
#define FLAG(name, type) {name, type, &far_flag, NULL, 0}
#define U16(name, type) {name, type, &far_u16, NULL, 0}
#define U32(name, type) {name, type, &far_u32, NULL, 0}
#define U64(name, type) {name, type, &far_u64, NULL, 0}
#define TOLD(name, type, codec) {name, type, codec, NULL, FAR_READ}

/* "8000.2:0:0:0:0:1": ip writes it so. */
static void push_id(lua_State *L, const struct far_source *s,
                    const struct far_attr *a, struct nlattr *n) {
  const uint8_t *b = nla_data(n);
  char text[sizeof "8000.02:00:00:00:00:01"];
  (void)s, (void)a;
  if (nla_len(n) < 8) {
    lua_pushnil(L);
    return;
  }
  snprintf(text, sizeof text, "%02x%02x.%x:%x:%x:%x:%x:%x",
           b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]);
  lua_pushstring(L, text);
}

static const struct far_codec id = {.push = push_id};

/* Some switches share an attribute, of which `more` is the bit. */
static const uint32_t no_learn = 1u << BR_BOOLOPT_NO_LL_LEARN,
                      vlan_snooping = 1u << BR_BOOLOPT_MCAST_VLAN_SNOOPING,
                      mst = 1u << BR_BOOLOPT_MST_ENABLE;

static void put_shared(lua_State *L, struct far_request *r,
                       const struct far_attr *a) {
  const uint32_t bit = *(const uint32_t *)a->more;
  struct br_boolopt_multi *options = far_share(L, r, a->type, sizeof *options);
  bool on = lua_isboolean(L, -1) ? lua_toboolean(L, -1)
                                 : lua_tointeger(L, -1) == 1;
  if (!lua_isboolean(L, -1) &&
      !(lua_isinteger(L, -1) && (on || lua_tointeger(L, -1) == 0)))
    far_bad_value(L, r, a->name, "boolean");
  options->optmask |= bit;
  options->optval |= on ? bit : 0;
}

static void push_shared(lua_State *L, const struct far_source *s,
                        const struct far_attr *a, struct nlattr *n) {
  struct br_boolopt_multi options;
  (void)s;
  memcpy(&options, nla_data(n), sizeof options);
  lua_pushinteger(L, (options.optval & *(const uint32_t *)a->more) != 0);
}

static const struct far_codec shared = {
  put_shared, push_shared, .size = sizeof(struct br_boolopt_multi),
};

static const struct far_word vlan_protocols[] = {
  {"802.1Q", ETH_P_8021Q}, {"802.1ad", ETH_P_8021AD}, {NULL, 0},
};

const struct far_attr far_bridge_attrs[] = {
  U32("forward_delay", IFLA_BR_FORWARD_DELAY),
  U32("hello_time", IFLA_BR_HELLO_TIME),
  U32("max_age", IFLA_BR_MAX_AGE),
  U32("ageing_time", IFLA_BR_AGEING_TIME),
  {"stp_state", IFLA_BR_STP_STATE, &far_switch32, NULL, 0},
  U16("priority", IFLA_BR_PRIORITY),
  SWITCH("vlan_filtering", IFLA_BR_VLAN_FILTERING),
  {"vlan_protocol", IFLA_BR_VLAN_PROTOCOL, &far_be_word16, vlan_protocols, 0},
  TOLD("bridge_id", IFLA_BR_BRIDGE_ID, &id),
  TOLD("root_id", IFLA_BR_ROOT_ID, &id),
  TOLD("root_port", IFLA_BR_ROOT_PORT, &far_u16),
  TOLD("root_path_cost", IFLA_BR_ROOT_PATH_COST, &far_u32),
  TOLD("topology_change", IFLA_BR_TOPOLOGY_CHANGE, &far_u8),
  TOLD("topology_change_detected", IFLA_BR_TOPOLOGY_CHANGE_DETECTED, &far_u8),
  TOLD("hello_timer", IFLA_BR_HELLO_TIMER, &far_ticks),
  TOLD("tcn_timer", IFLA_BR_TCN_TIMER, &far_ticks),
  TOLD("topology_change_timer", IFLA_BR_TOPOLOGY_CHANGE_TIMER, &far_ticks),
  TOLD("gc_timer", IFLA_BR_GC_TIMER, &far_ticks),
  U16("vlan_default_pvid", IFLA_BR_VLAN_DEFAULT_PVID),
  SWITCH("vlan_stats_enabled", IFLA_BR_VLAN_STATS_ENABLED),
  SWITCH("vlan_stats_per_port", IFLA_BR_VLAN_STATS_PER_PORT),
  U16("group_fwd_mask", IFLA_BR_GROUP_FWD_MASK),
  {"group_addr", IFLA_BR_GROUP_ADDR, &far_lladdr, NULL, 0},
  SWITCH("mcast_snooping", IFLA_BR_MCAST_SNOOPING),
  {"no_linklocal_learn", IFLA_BR_MULTI_BOOLOPT, &shared, &no_learn, 0},
  {"mcast_vlan_snooping", IFLA_BR_MULTI_BOOLOPT, &shared, &vlan_snooping, 0},
  {"mst_enabled", IFLA_BR_MULTI_BOOLOPT, &shared, &mst, 0},
  SWITCH("mcast_router", IFLA_BR_MCAST_ROUTER),
  SWITCH("mcast_query_use_ifaddr", IFLA_BR_MCAST_QUERY_USE_IFADDR),
  SWITCH("mcast_querier", IFLA_BR_MCAST_QUERIER),
  U32("mcast_hash_elasticity", IFLA_BR_MCAST_HASH_ELASTICITY),
  U32("mcast_hash_max", IFLA_BR_MCAST_HASH_MAX),
  U32("mcast_last_member_cnt", IFLA_BR_MCAST_LAST_MEMBER_CNT),
  U32("mcast_startup_query_cnt", IFLA_BR_MCAST_STARTUP_QUERY_CNT),
  U64("mcast_last_member_intvl", IFLA_BR_MCAST_LAST_MEMBER_INTVL),
  U64("mcast_membership_intvl", IFLA_BR_MCAST_MEMBERSHIP_INTVL),
  U64("mcast_querier_intvl", IFLA_BR_MCAST_QUERIER_INTVL),
  U64("mcast_query_intvl", IFLA_BR_MCAST_QUERY_INTVL),
  U64("mcast_query_response_intvl", IFLA_BR_MCAST_QUERY_RESPONSE_INTVL),
  U64("mcast_startup_query_intvl", IFLA_BR_MCAST_STARTUP_QUERY_INTVL),
  SWITCH("mcast_stats_enabled", IFLA_BR_MCAST_STATS_ENABLED),
  SWITCH("mcast_igmp_version", IFLA_BR_MCAST_IGMP_VERSION),
  SWITCH("mcast_mld_version", IFLA_BR_MCAST_MLD_VERSION),
  SWITCH("nf_call_iptables", IFLA_BR_NF_CALL_IPTABLES),
  SWITCH("nf_call_ip6tables", IFLA_BR_NF_CALL_IP6TABLES),
  SWITCH("nf_call_arptables", IFLA_BR_NF_CALL_ARPTABLES),
  {NULL, 0, NULL, NULL, 0},
};

static const struct far_word states[] = {
  {"disabled", 0},   {"listening", 1}, {"learning", 2},
  {"forwarding", 3}, {"blocking", 4},  {NULL, 0},
};

const struct far_attr far_bridge_port_attrs[] = {
  {"state", IFLA_BRPORT_STATE, &far_word8, states, 0},
  U16("priority", IFLA_BRPORT_PRIORITY),
  U32("cost", IFLA_BRPORT_COST),
  FLAG("hairpin", IFLA_BRPORT_MODE),
  FLAG("guard", IFLA_BRPORT_GUARD),
  FLAG("root_block", IFLA_BRPORT_PROTECT),
  FLAG("fastleave", IFLA_BRPORT_FAST_LEAVE),
  FLAG("learning", IFLA_BRPORT_LEARNING),
  FLAG("flood", IFLA_BRPORT_UNICAST_FLOOD),
  TOLD("id", IFLA_BRPORT_ID, &far_u16),
  TOLD("no", IFLA_BRPORT_NO, &far_u16),
  TOLD("designated_port", IFLA_BRPORT_DESIGNATED_PORT, &far_u16),
  TOLD("designated_cost", IFLA_BRPORT_DESIGNATED_COST, &far_u16),
  TOLD("bridge_id", IFLA_BRPORT_BRIDGE_ID, &id),
  TOLD("root_id", IFLA_BRPORT_ROOT_ID, &id),
  TOLD("hold_timer", IFLA_BRPORT_HOLD_TIMER, &far_ticks),
  TOLD("message_age_timer", IFLA_BRPORT_MESSAGE_AGE_TIMER, &far_ticks),
  TOLD("forward_delay_timer", IFLA_BRPORT_FORWARD_DELAY_TIMER, &far_ticks),
  TOLD("topology_change_ack", IFLA_BRPORT_TOPOLOGY_CHANGE_ACK, &far_u8),
  TOLD("config_pending", IFLA_BRPORT_CONFIG_PENDING, &far_u8),
  FLAG("proxy_arp", IFLA_BRPORT_PROXYARP),
  FLAG("proxy_arp_wifi", IFLA_BRPORT_PROXYARP_WIFI),
  SWITCH("multicast_router", IFLA_BRPORT_MULTICAST_ROUTER),
  FLAG("mcast_flood", IFLA_BRPORT_MCAST_FLOOD),
  FLAG("bcast_flood", IFLA_BRPORT_BCAST_FLOOD),
  FLAG("mcast_to_unicast", IFLA_BRPORT_MCAST_TO_UCAST),
  FLAG("neigh_suppress", IFLA_BRPORT_NEIGH_SUPPRESS),
  U16("group_fwd_mask", IFLA_BRPORT_GROUP_FWD_MASK),
  FLAG("vlan_tunnel", IFLA_BRPORT_VLAN_TUNNEL),
  FLAG("isolated", IFLA_BRPORT_ISOLATED),
  FLAG("locked", IFLA_BRPORT_LOCKED),
  {"backup_port", IFLA_BRPORT_BACKUP_PORT, &far_link, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

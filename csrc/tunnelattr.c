/*
 * Options of tunnels, under the names of ip. An address is an attribute of its
 * own for each family in vxlan, and one of either length elsewhere.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <string.h>

#include "linkkind.h"

static const int group6 = IFLA_VXLAN_GROUP6, local6 = IFLA_VXLAN_LOCAL6;

/* { low =, high = } */
static void put_ports(lua_State *L, struct far_request *r,
                      const struct far_attr *a) {
  struct ifla_vxlan_port_range range;
  if (!lua_istable(L, -1))
    far_bad_value(L, r, a->name, "{ low =, high = }");
  range.low = htons((uint16_t)far_integer_in(L, r, "low", UINT16_MAX));
  range.high = htons((uint16_t)far_integer_in(L, r, "high", UINT16_MAX));
  far_put(L, r, a->type, &range, sizeof range);
}

static void push_ports(lua_State *L, const struct far_source *s,
                       const struct far_attr *a, struct nlattr *n) {
  struct ifla_vxlan_port_range range;
  (void)s, (void)a;
  memcpy(&range, nla_data(n), sizeof range);
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, ntohs(range.low));
  lua_setfield(L, -2, "low");
  lua_pushinteger(L, ntohs(range.high));
  lua_setfield(L, -2, "high");
}

static const struct far_codec ports = {
  put_ports, push_ports, .size = sizeof(struct ifla_vxlan_port_range),
};

static const struct far_word fragments[] = {
  {"unset", 0}, {"set", 1}, {"inherit", 2}, {NULL, 0},
};

#define FLAG(name, type) {name, type, &far_flag, NULL, 0}

const struct far_attr far_vxlan_attrs[] = {
  {"id", IFLA_VXLAN_ID, &far_u32, NULL, 0},
  {"remote", IFLA_VXLAN_GROUP, &far_end, &group6, 0},
  {"remote6", IFLA_VXLAN_GROUP6, &far_end, NULL, 0},
  {"local", IFLA_VXLAN_LOCAL, &far_end, &local6, 0},
  {"local6", IFLA_VXLAN_LOCAL6, &far_end, NULL, 0},
  {"dev", IFLA_VXLAN_LINK, &far_link, NULL, FAR_WRITE},
  {"link", IFLA_VXLAN_LINK, &far_link, NULL, FAR_READ},
  {"port_range", IFLA_VXLAN_PORT_RANGE, &ports, NULL, 0},
  {"port", IFLA_VXLAN_PORT, &far_be16, NULL, 0},
  FLAG("learning", IFLA_VXLAN_LEARNING),
  FLAG("proxy", IFLA_VXLAN_PROXY),
  FLAG("rsc", IFLA_VXLAN_RSC),
  FLAG("l2miss", IFLA_VXLAN_L2MISS),
  FLAG("l3miss", IFLA_VXLAN_L3MISS),
  {"tos", IFLA_VXLAN_TOS, &far_u8, NULL, 0},
  {"ttl", IFLA_VXLAN_TTL, &far_u8, NULL, 0},
  {"df", IFLA_VXLAN_DF, &far_word8, fragments, 0},
  {"ageing", IFLA_VXLAN_AGEING, &far_u32, NULL, 0},
  {"limit", IFLA_VXLAN_LIMIT, &far_u32, NULL, 0},
  FLAG("udp_csum", IFLA_VXLAN_UDP_CSUM),
  FLAG("udp_zero_csum6_tx", IFLA_VXLAN_UDP_ZERO_CSUM6_TX),
  FLAG("udp_zero_csum6_rx", IFLA_VXLAN_UDP_ZERO_CSUM6_RX),
  {"external", IFLA_VXLAN_COLLECT_METADATA, &far_flag, NULL, 0},
  {"gbp", IFLA_VXLAN_GBP, &far_present, NULL, 0},
  {"gpe", IFLA_VXLAN_GPE, &far_present, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

/* A key is sent with a flag that says so. */
static void put_key(lua_State *L, struct far_request *r,
                    const struct far_attr *a) {
  const uint16_t flags = htons(0x2000); /* GRE_KEY */
  far_be32.put(L, r, a);
  far_put(L, r, a->type == IFLA_GRE_IKEY ? IFLA_GRE_IFLAGS : IFLA_GRE_OFLAGS,
          &flags, sizeof flags);
}

/* As ip writes it: "0.0.0.5". */
static void push_key(lua_State *L, const struct far_source *s,
                     const struct far_attr *a, struct nlattr *n) {
  if (nla_get_u32(n) != 0)
    far_ip.push(L, s, a, n);
  else
    lua_pushnil(L); /* told without one, too */
}

static const struct far_codec key = {
  put_key, push_key, .size = 4, .big_endian = true,
};

const struct far_attr far_gre_attrs[] = {
  {"remote", IFLA_GRE_REMOTE, &far_end, NULL, 0},
  {"local", IFLA_GRE_LOCAL, &far_end, NULL, 0},
  {"dev", IFLA_GRE_LINK, &far_link, NULL, FAR_WRITE},
  {"link", IFLA_GRE_LINK, &far_link, NULL, FAR_READ},
  {"ttl", IFLA_GRE_TTL, &far_u8, NULL, 0},
  {"tos", IFLA_GRE_TOS, &far_u8, NULL, 0},
  {"pmtudisc", IFLA_GRE_PMTUDISC, &far_flag, NULL, 0},
  {"ikey", IFLA_GRE_IKEY, &key, NULL, 0},
  {"okey", IFLA_GRE_OKEY, &key, NULL, 0},
  {"external", IFLA_GRE_COLLECT_METADATA, &far_present, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

static const struct far_word protocols[] = {
  {"any", 0}, {"ipip", IPPROTO_IPIP}, {"ip6ip", IPPROTO_IPV6},
  {"mplsip", IPPROTO_MPLS}, {NULL, 0},
};

const struct far_attr far_ipip_attrs[] = {
  {"proto", IFLA_IPTUN_PROTO, &far_word8, protocols, 0},
  {"remote", IFLA_IPTUN_REMOTE, &far_end, NULL, 0},
  {"local", IFLA_IPTUN_LOCAL, &far_end, NULL, 0},
  {"dev", IFLA_IPTUN_LINK, &far_link, NULL, FAR_WRITE},
  {"link", IFLA_IPTUN_LINK, &far_link, NULL, FAR_READ},
  {"ttl", IFLA_IPTUN_TTL, &far_u8, NULL, 0},
  {"tos", IFLA_IPTUN_TOS, &far_u8, NULL, 0},
  {"pmtudisc", IFLA_IPTUN_PMTUDISC, &far_flag, NULL, 0},
  {"external", IFLA_IPTUN_COLLECT_METADATA, &far_present, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

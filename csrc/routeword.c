/*
 * Words that routes, rules and addresses have in common.
 */
#define _GNU_SOURCE
#include <linux/rtnetlink.h>

#include "routeword.h"

const struct far_word far_scopes[] = {
  {"global", RT_SCOPE_UNIVERSE}, {"site", RT_SCOPE_SITE},
  {"link", RT_SCOPE_LINK},       {"host", RT_SCOPE_HOST},
  {"nowhere", RT_SCOPE_NOWHERE}, {NULL, 0},
};

const struct far_word far_tables[] = {
  {"default", RT_TABLE_DEFAULT}, {"main", RT_TABLE_MAIN},
  {"local", RT_TABLE_LOCAL},     {NULL, 0},
};

/* As in /etc/iproute2/rt_protos. */
const struct far_word far_route_protocols[] = {
  {"unspec", RTPROT_UNSPEC}, {"redirect", RTPROT_REDIRECT},
  {"kernel", RTPROT_KERNEL}, {"boot", RTPROT_BOOT},
  {"static", RTPROT_STATIC}, {"gated", RTPROT_GATED},
  {"ra", RTPROT_RA},         {"mrt", RTPROT_MRT},
  {"zebra", RTPROT_ZEBRA},   {"bird", RTPROT_BIRD},
  {"dnrouted", RTPROT_DNROUTED}, {"xorp", RTPROT_XORP},
  {"ntk", RTPROT_NTK},       {"dhcp", RTPROT_DHCP},
  {"keepalived", 18},        {"babel", RTPROT_BABEL},
  {"openr", 99},             {"bgp", RTPROT_BGP},
  {"isis", RTPROT_ISIS},     {"ospf", RTPROT_OSPF},
  {"rip", RTPROT_RIP},       {"eigrp", RTPROT_EIGRP},
  {NULL, 0},
};

const struct far_word far_route_flags[] = {
  {"dead", RTNH_F_DEAD},         {"onlink", RTNH_F_ONLINK},
  {"pervasive", RTNH_F_PERVASIVE}, {"offload", RTNH_F_OFFLOAD},
  {"trap", RTNH_F_TRAP},         {"linkdown", RTNH_F_LINKDOWN},
  {"unresolved", RTNH_F_UNRESOLVED}, {"rt_notify", RTM_F_NOTIFY},
  {"rt_offload", RTM_F_OFFLOAD}, {"rt_trap", RTM_F_TRAP},
  {"rt_offload_failed", RTM_F_OFFLOAD_FAILED}, {NULL, 0},
};

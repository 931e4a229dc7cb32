/* The kinds of links, and the options of each. */
#ifndef FARSIDE_LINKKIND_H
#define FARSIDE_LINKKIND_H

#include "netobject.h"

struct far_kind {
  const char *name;
  const struct far_attr *options; /* or NULL */
  bool many_queues; /* the kernel makes one queue for each processor, and
                       then waits once for each end: one is made instead */
  bool port; /* the options are what its master knows of it */
};

/* Options that stand in files of their own. */
extern const struct far_attr far_bridge_attrs[], far_bridge_port_attrs[],
  far_vxlan_attrs[], far_gre_attrs[], far_ipip_attrs[];

/* NULL for a kind of which nothing but its name is known. */
const struct far_kind *far_kind_find(const char *name);

/* What links of all kinds have, and the table of one (linkattr.c). */
extern const struct far_attr far_link_attrs[];

/* Those that a link gets by a second request, once it is there: a request that
 * makes a link leaves them out and has this in its `bits`. */
extern const struct far_attr far_link_later[];
enum { FAR_LINK_LATER = 1 };

void far_push_link(lua_State *L, const struct far_request *r,
                   struct nlmsghdr *h);

/* Makes the link of kind tun that the table at 1 describes (tuntap.c). */
void far_tun_add(lua_State *L, struct far_request *r);

/* Puts the number of queues of the link that the table on top describes, where
 * it says nothing about them. */
void far_link_queues(lua_State *L, struct far_request *r);

#endif

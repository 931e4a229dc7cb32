/* The tables of objects, as lists and events tell them. */
#ifndef FARSIDE_NETOBJECT_H
#define FARSIDE_NETOBJECT_H

#include "netattr.h"

typedef void far_push_object(lua_State *L, const struct far_request *r,
                             struct nlmsghdr *h);

far_push_object far_push_link, far_push_address, far_push_route, far_push_rule,
  far_push_neighbour, far_push_fdb, far_push_qdisc, far_push_nexthop;

/* A bit of ndm_flags, which is the field's `type`: true, or nothing. */
extern const struct far_codec far_neighbour_flag;

#endif

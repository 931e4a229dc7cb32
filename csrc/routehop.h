/* Where a route goes next. */
#ifndef FARSIDE_ROUTEHOP_H
#define FARSIDE_ROUTEHOP_H

#include "netattr.h"

/* Fields that are read here and put by the functions below. */
extern const struct far_codec far_via, far_gateway, far_hops;

/* Flags in four bytes of the header: "onlink" of a list, or a boolean; the
 * others are the kernel's to set. */
extern const struct far_codec far_flag_list, far_onlink;

/* Puts `via` or `gateway` of the table at `index`. */
void far_put_via(lua_State *L, struct far_request *r, int index);

/* Puts its `nexthops`. */
void far_put_hops(lua_State *L, struct far_request *r, int index);

#endif

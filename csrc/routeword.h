/* Words that routes, rules and addresses have in common. */
#ifndef FARSIDE_ROUTEWORD_H
#define FARSIDE_ROUTEWORD_H

#include "farside.h"

extern const struct far_word far_scopes[], far_tables[], far_route_protocols[],
  far_route_flags[];

#endif

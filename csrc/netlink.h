/*
 * Rtnetlink sockets for the areas of the network: one request and its
 * answers at a time. libnl builds the messages, this sends and reads them,
 * since libnl loses the kernel's error numbers and texts.
 */
#ifndef FARSIDE_NETLINK_H
#define FARSIDE_NETLINK_H

#include <netlink/msg.h>

#include "farside.h"

/* How long an answer may be: the longest part of a list, or nothing but whether
 * it went well. A heap that is shared with a parent is best left alone: to ask
 * malloc(3) for much makes it tidy up. */
enum { FAR_NETLINK_LIST = 32768, FAR_NETLINK_ACK = 512 };

/* Pushes a socket of the current network namespace, which is closed when the
 * binding ends, also by an error. Must be pushed at the binding's own level.
 * `call` is what errors say was tried, `room` one of the above. */
struct far_netlink *far_netlink_open(lua_State *L, const char *call,
                                     size_t room);

/* Sends a request. The socket owns and frees `msg`; NULL raises ENOMEM. */
void far_netlink_send(lua_State *L, struct far_netlink *nl,
                      struct nl_msg *msg);

/* The next answer to the request, NULL after the last. Raises what the kernel
 * refused, `object` being what was asked for or NULL. */
struct nlmsghdr *far_netlink_next(lua_State *L, struct far_netlink *nl,
                                  const char *object);

/* True when a list changed while it was read and must be asked for again. */
bool far_netlink_stale(const struct far_netlink *nl);

#endif

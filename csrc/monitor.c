/*
 * Events: a socket of its own, in the network namespace of a handle, that the
 * kernel tells of changes. When it tells more than anybody reads, the socket
 * overruns and events are lost; that is an event, too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netobject.h"
#include "netsocket.h"

#define MONITOR "farside.monitor"

enum { BUFFER = 4 << 20 };

static const struct far_word groups[] = {
  {"link", 1u << (RTNLGRP_LINK - 1)},
  {"address", 1u << (RTNLGRP_IPV4_IFADDR - 1) |
              1u << (RTNLGRP_IPV6_IFADDR - 1)},
  {"route", 1u << (RTNLGRP_IPV4_ROUTE - 1) | 1u << (RTNLGRP_IPV6_ROUTE - 1)},
  {"rule", 1u << (RTNLGRP_IPV4_RULE - 1) | 1u << (RTNLGRP_IPV6_RULE - 1)},
  {"neighbour", 1u << (RTNLGRP_NEIGH - 1)},
  {"fdb", 1u << 31}, /* the same group as neighbours: which is wanted */
  {NULL, 0},
};

#define FDB (1u << 31)
#define NEIGHBOUR (1u << (RTNLGRP_NEIGH - 1))

static const struct event {
  uint16_t type;
  const char *event, *what;
  far_push_object *push;
} events[] = {
  {RTM_NEWLINK, "new", "link", far_push_link},
  {RTM_DELLINK, "delete", "link", far_push_link},
  {RTM_NEWADDR, "new", "address", far_push_address},
  {RTM_DELADDR, "delete", "address", far_push_address},
  {RTM_NEWROUTE, "new", "route", far_push_route},
  {RTM_DELROUTE, "delete", "route", far_push_route},
  {RTM_NEWRULE, "new", "rule", far_push_rule},
  {RTM_DELRULE, "delete", "rule", far_push_rule},
  {RTM_NEWNEIGH, "new", "neighbour", far_push_neighbour},
  {RTM_DELNEIGH, "delete", "neighbour", far_push_neighbour},
  {RTM_NEWNEIGH, "new", "fdb", far_push_fdb},
  {RTM_DELNEIGH, "delete", "fdb", far_push_fdb},
};

struct monitor {
  struct far_netlink nl; /* for names of links; its socket is ours */
  uint32_t wanted;
  struct far_answers a;
};

static int monitor_close(lua_State *L) {
  struct monitor *m = luaL_checkudata(L, 1, MONITOR);
  if (m->nl.fd >= 0)
    (void)close(m->nl.fd);
  m->nl.fd = -1;
  return 0;
}

static struct monitor *check(lua_State *L) {
  struct monitor *m = luaL_checkudata(L, 1, MONITOR);
  luaL_argcheck(L, m->nl.fd >= 0, 1, "monitor is closed");
  return m;
}

static int monitor_fileno(lua_State *L) {
  lua_pushinteger(L, check(L)->nl.fd);
  return 1;
}

/* ---- making ---- */

/* Room for many events; more than the system's limit where one may. */
static int subscribe(int fd, uint32_t wanted) {
  const int size = BUFFER;
  const struct sockaddr_nl self = {
    .nl_family = AF_NETLINK,
    .nl_groups = (wanted & ~FDB) | (wanted & FDB ? NEIGHBOUR : 0),
  };
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) == -1)
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  return bind(fd, (const struct sockaddr *)&self, sizeof self) == -1 ? -errno
                                                                     : 0;
}

/* monitor(handle, what…): see farside.netlink. */
int far_monitor_new(lua_State *L) {
  struct far_netlink *nl = luaL_checkudata(L, 1, FAR_NETLINK);
  uint64_t wanted = 0;
  for (int i = 2; i <= lua_gettop(L); i++)
    wanted |= far_word(L, i, groups, "kind of event");
  far_usable(L, nl);
  struct monitor *m = lua_newuserdatauv(L, sizeof *m, 0);
  m->nl = (struct far_netlink){.fd = -1, .pid = nl->pid};
  m->wanted = (uint32_t)wanted;
  m->a.left = 0;
  m->a.at = &m->a.head;
  luaL_setmetatable(L, MONITOR);
  m->nl.fd = far_socket_beside(nl->fd);
  int err = m->nl.fd < 0 ? m->nl.fd : subscribe(m->nl.fd, m->wanted);
  if (err < 0)
    return far_raise(L, -err, "monitor", NULL, NULL);
  return 1;
}

/* ---- reading ---- */

static const struct event *event_of(const struct monitor *m,
                                    const struct nlmsghdr *h) {
  uint8_t family = *(const uint8_t *)nlmsg_data((struct nlmsghdr *)h);
  bool bridge = family == AF_BRIDGE;
  for (size_t i = 0; i < FAR_COUNT(events); i++) {
    const struct event *e = &events[i];
    if (e->type != h->nlmsg_type)
      continue;
    if (e->push == far_push_fdb)
      return bridge && (m->wanted & FDB) ? e : NULL;
    if (e->push == far_push_neighbour && bridge)
      continue;
    if (e->push == far_push_neighbour)
      return m->wanted & NEIGHBOUR ? e : NULL;
    return bridge ? NULL : e; /* what a bridge says of its ports comes twice */
  }
  return NULL;
}

static void push_word(lua_State *L, const char *field, const char *word) {
  lua_pushstring(L, word);
  lua_setfield(L, -2, field);
}

/* Pushes the next event of what was received; false when there is none. */
static bool push_next(lua_State *L, struct monitor *m) {
  struct far_answers *a = &m->a;
  while (nlmsg_ok(a->at, a->left)) {
    struct nlmsghdr *h = a->at;
    a->at = nlmsg_next(h, &a->left);
    const struct event *e = event_of(m, h);
    if (e == NULL)
      continue;
    struct far_request r = {.nl = &m->nl, .bits = RTEXT_FILTER_SKIP_STATS};
    e->push(L, &r, h);
    push_word(L, "event", e->event);
    push_word(L, "what", e->what);
    return true;
  }
  return false;
}

static void push_overrun(lua_State *L) {
  lua_createtable(L, 0, 1);
  push_word(L, "event", "overrun");
}

/* False when there is nothing to read; true with an overrun on the stack, or
 * with messages in the buffer. */
static bool receive(lua_State *L, struct monitor *m) {
  ssize_t n = far_hear(m->nl.fd, m->a.bytes, sizeof m->a.bytes,
                       MSG_TRUNC | MSG_DONTWAIT);
  if (n == -ENOBUFS) {
    push_overrun(L);
    return true;
  }
  if (n < 0 && n != -EAGAIN && n != -EINTR)
    far_raise(L, (int)-n, "monitor", NULL, NULL);
  if (n > (ssize_t)sizeof m->a.bytes) {
    push_overrun(L); /* one that is too long is lost */
    return true;
  }
  m->a.at = &m->a.head;
  m->a.left = n > 0 ? (int)n : 0;
  return n > 0;
}

/***
The next event, when there is one.
@function monitor:next
@tparam[opt] number|string timeout seconds, or "500ms"; for ever when not given
@treturn[1] table as the lists tell them, with `what` ("link", "address",
"route", "rule", "neighbour", "fdb") and `event` ("new" or "delete"); or
`event` = "overrun": some were lost, list again what matters
@return[2] nil, "timeout"
*/
static int monitor_next(lua_State *L) {
  struct monitor *m = check(L);
  int64_t deadline = far_deadline(L, 2);
  struct pollfd p = {.fd = m->nl.fd, .events = POLLIN};
  lua_settop(L, 1);
  while (!push_next(L, m)) {
    if (!receive(L, m) && far_poll(L, &p, 1, deadline) == 0) {
      lua_pushnil(L);
      lua_pushliteral(L, "timeout");
      return 2;
    }
    if (lua_gettop(L) > 1)
      return 1;
  }
  return 1;
}

/* for event in monitor do */
static int monitor_call(lua_State *L) {
  lua_settop(L, 1);
  return monitor_next(L);
}

static int monitor_tostring(lua_State *L) {
  const struct monitor *m = luaL_checkudata(L, 1, MONITOR);
  lua_pushstring(L, m->nl.fd < 0 ? "monitor (closed)" : "monitor");
  return 1;
}

static const luaL_Reg methods[] = {
  {"next", monitor_next},
  {"fileno", monitor_fileno},
  {"close", monitor_close},
  {NULL, NULL},
};

static const luaL_Reg meta[] = {
  {"__call", monitor_call},
  {"__close", monitor_close},
  {"__gc", monitor_close},
  {"__tostring", monitor_tostring},
  {NULL, NULL},
};

void far_monitor_open(lua_State *L) {
  luaL_newmetatable(L, MONITOR);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

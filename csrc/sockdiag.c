/*
 * Which ports of a network namespace are taken, asked of the kernel's
 * diagnosis of sockets. /proc/net/tcp tells the same, by way of a table of all
 * connections that there may be: 2 ms for each look.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "farside.h"
#include "netsocket.h"

enum { LISTEN = 1 << 10, UNCONNECTED = 1 << 7, PORTS = 65536 };

struct ports {
  unsigned char taken[PORTS];
};

static const struct far_word protocols[] = {
  {"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {NULL, 0},
};

static int ask(int fd, int family, int protocol) {
  const struct {
    struct nlmsghdr header;
    struct inet_diag_req_v2 what;
  } request = {
    .header = {sizeof request, SOCK_DIAG_BY_FAMILY,
               NLM_F_REQUEST | NLM_F_DUMP, 0, 0},
    .what = {.sdiag_family = (uint8_t)family,
             .sdiag_protocol = (uint8_t)protocol,
             .idiag_states = protocol == IPPROTO_TCP ? LISTEN : UNCONNECTED},
  };
  return send(fd, &request, sizeof request, 0) == -1 ? -errno : 0;
}

/* Takes one message: 1 at the end, 0 when there is more, or -errno. What tells
 * of an error, and the end, begin with its number. */
static int take(const struct nlmsghdr *m, struct ports *ports) {
  bool last = m->nlmsg_type == NLMSG_ERROR || m->nlmsg_type == NLMSG_DONE;
  const struct inet_diag_msg *is = NLMSG_DATA(m);
  if (m->nlmsg_len < NLMSG_LENGTH(last ? sizeof(int) : sizeof *is))
    return -EBADMSG;
  if (last) {
    int err = *(const int *)NLMSG_DATA(m);
    return err < 0 ? err : 1;
  }
  ports->taken[ntohs(is->id.idiag_sport)] = 1;
  return 0;
}

static int answers(int fd, struct ports *ports) {
  _Alignas(struct nlmsghdr) char bytes[16384];
  int result = 0;
  while (result == 0) {
    ssize_t n = far_hear(fd, bytes, sizeof bytes, 0);
    if (n < 0)
      return (int)n;
    for (struct nlmsghdr *m = (void *)bytes; result == 0 && NLMSG_OK(m, n);
         m = NLMSG_NEXT(m, n))
      result = take(m, ports);
  }
  return result < 0 ? result : 0;
}

/* Marks the ports at which somebody waits; 0 or -errno. A kernel without IPv6
 * knows nothing of its sockets. */
static int look(int protocol, struct ports *ports) {
  static const int families[] = {AF_INET, AF_INET6};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd == -1)
    return -errno;
  int result = 0;
  for (size_t i = 0; i < FAR_COUNT(families) && result == 0; i++) {
    result = ask(fd, families[i], protocol);
    if (result == 0)
      result = answers(fd, ports);
    if (result == -ENOENT && families[i] == AF_INET6)
      result = 0;
  }
  (void)close(fd);
  return result;
}

/***
The ports at which programs of this network namespace wait for callers, at any
of its addresses.
@function listening
@tparam string protocol "tcp", or "udp": sockets that are not connected
@treturn table a set of ports: `[8080] = true`
@raise ENOENT where the kernel has no diagnosis of such sockets. See
sock_diag(7).
*/
static int bind_listening(lua_State *L) {
  int protocol = (int)far_word(L, 1, protocols, "protocol");
  far_at_most(L, 1);
  struct ports *ports = lua_newuserdatauv(L, sizeof *ports, 0);
  *ports = (struct ports){{0}};
  int err = look(protocol, ports);
  if (err < 0)
    return far_raise(L, -err, "listening", NULL, NULL);
  lua_newtable(L);
  for (int port = 1; port < PORTS; port++) {
    if (ports->taken[port] == 0)
      continue;
    lua_pushboolean(L, 1);
    lua_rawseti(L, -2, port);
  }
  return 1;
}

static const luaL_Reg functions[] = {
  {"listening", bind_listening}, {NULL, NULL},
};

void far_open_sockdiag(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

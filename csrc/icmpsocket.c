/*
 * Raw sockets that hear the answers to echo requests, and what routers say
 * about those that could not be delivered: one in each of many network
 * namespaces, which a netlink socket stands for.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "farside.h"
#include "netsocket.h"

/* TOGETHER: so many namespaces are held open at a time. */
enum { BUFFER = 212992, TOGETHER = 64 };

static void close_all(const int *fds, size_t count) {
  for (size_t i = 0; i < count; i++)
    (void)close(fds[i]);
}

/* What the socket is to hear; 0 or -errno. */
static int filter(int fd, int family) {
  const struct icmp_filter v4 = {~(1U << ICMP_ECHOREPLY |
                                   1U << ICMP_DEST_UNREACH |
                                   1U << ICMP_TIME_EXCEEDED)};
  struct icmp6_filter v6;
  ICMP6_FILTER_SETBLOCKALL(&v6);
  ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &v6);
  ICMP6_FILTER_SETPASS(ICMP6_DST_UNREACH, &v6);
  ICMP6_FILTER_SETPASS(ICMP6_PACKET_TOO_BIG, &v6);
  ICMP6_FILTER_SETPASS(ICMP6_TIME_EXCEEDED, &v6);
  int result = family == AF_INET
    ? setsockopt(fd, SOL_RAW, ICMP_FILTER, &v4, sizeof v4)
    : setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &v6, sizeof v6);
  return result == -1 ? -errno : 0;
}

/* Room for some hundred answers, each with the time of its arrival. Without it
 * times are coarser and less is kept; nothing else depends on it. */
static void prepare(int fd) {
  const int yes = 1, room = BUFFER;
  (void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
}

/* Sockets for a few namespaces; 0, or -errno and none is left open. */
static int open_some(const int *handles, size_t count, int family, int *fds) {
  const struct far_socket kind = {family, SOCK_RAW, family == AF_INET
                                    ? (int)IPPROTO_ICMP : IPPROTO_ICMPV6};
  int netns[TOGETHER], err = 0;
  size_t n = 0;
  for (; n < count && err == 0; n++)
    if ((netns[n] = far_socket_namespace(handles[n])) < 0)
      err = netns[n--];
  if (err == 0)
    err = far_sockets_in(netns, count, &kind, fds);
  close_all(netns, n);
  for (size_t i = 0; i < count && err == 0; i++) {
    prepare(fds[i]);
    err = filter(fds[i], family);
    if (err != 0)
      close_all(fds, count);
  }
  return err;
}

static int open_all(const int *handles, size_t count, int family, int *fds) {
  for (size_t done = 0; done < count; done += TOGETHER) {
    size_t some = count - done < TOGETHER ? count - done : TOGETHER;
    int err = open_some(handles + done, some, family, fds + done);
    if (err != 0) {
      close_all(fds, done);
      return err;
    }
  }
  return 0;
}

/***
Opens a raw ICMP socket in the network namespace of each of some handles, for
ping.
@function ping_sockets
@tparam {netlink,...} handles
@tparam[opt=false] boolean v6 for IPv6
@treturn {fd,...} to be closed
@raise EPERM without CAP_NET_RAW in there; EMFILE. See raw(7), icmp(7).
*/
static int bind_ping_sockets(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  far_at_most(L, 2);
  int family = lua_toboolean(L, 2) ? AF_INET6 : AF_INET;
  lua_settop(L, 1);
  size_t count = (size_t)luaL_len(L, 1);
  int *handles = lua_newuserdatauv(L, (count + 1) * sizeof *handles, 0);
  int *fds = lua_newuserdatauv(L, (count + 1) * sizeof *fds, 0);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    lua_geti(L, 1, (lua_Integer)i + 1);
    handles[i] = far_fd_check(L, -1);
    lua_pop(L, 1);
    (void)far_fd_new(L);
    lua_rawseti(L, 4, (lua_Integer)i + 1);
  }
  int err = open_all(handles, count, family, fds);
  if (err != 0)
    return far_raise(L, -err, "ping_sockets", NULL, NULL);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, 4, (lua_Integer)i + 1);
    *(int *)lua_touserdata(L, -1) = fds[i];
    lua_pop(L, 1);
  }
  return 1;
}

static const luaL_Reg functions[] = {
  {"ping_sockets", bind_ping_sockets}, {NULL, NULL},
};

void far_open_icmpsocket(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

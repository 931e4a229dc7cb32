/*
 * Unix socket pairs, messages that carry descriptors, and waiting for
 * several descriptors at once: how a container's two sides talk.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "farside.h"

#define BASKET "farside.basket"
#define MOST 253 /* SCM_MAX_FD: the kernel refuses more in one message */

static const struct far_word types[] = {
  {"stream", SOCK_STREAM},
  {"seqpacket", SOCK_SEQPACKET},
  {"dgram", SOCK_DGRAM},
  {NULL, 0},
};

static const struct far_word sides[] = {
  {"read", SHUT_RD},
  {"write", SHUT_WR},
  {"both", SHUT_RDWR},
  {NULL, 0},
};

static const struct far_word events[] = {
  {"in", POLLIN},   {"out", POLLOUT}, {"pri", POLLPRI},
  {"hup", POLLHUP}, {"err", POLLERR}, {NULL, 0},
};

/* Room for the descriptors of one message. Messages arrive with descriptors
 * already open: they must have an owner before anything can raise. */
struct basket {
  int count;
  int fds[MOST];
};

static int basket_close(lua_State *L) {
  struct basket *b = luaL_checkudata(L, 1, BASKET);
  while (b->count > 0)
    if (b->fds[--b->count] >= 0)
      close(b->fds[b->count]);
  return 0;
}

static struct basket *basket_new(lua_State *L) {
  struct basket *b = lua_newuserdatauv(L, sizeof *b, 0);
  b->count = 0;
  luaL_setmetatable(L, BASKET);
  return b;
}

/* Empties the basket at `index` now: what is dropped must not stay open
 * until the collector comes by. */
static void basket_drop(lua_State *L, int index) {
  lua_pushvalue(L, index);
  lua_pushcfunction(L, basket_close);
  lua_insert(L, -2);
  lua_call(L, 1, 0);
}

/* Pushes the list of descriptor objects that now own the basket's. */
static void basket_push(lua_State *L, struct basket *b) {
  lua_createtable(L, b->count, 0);
  for (int i = 0; i < b->count; i++) {
    int *fd = far_fd_new(L);
    *fd = b->fds[i];
    b->fds[i] = -1;
    lua_rawseti(L, -2, i + 1);
  }
  b->count = 0;
}

/***
A pair of connected unix sockets, closed on exec.
@function socketpair
@tparam string type "stream", "seqpacket" or "dgram"
@treturn fd one end
@treturn fd the other end
@raise EMFILE. See socketpair(2), unix(7).
*/
static int bind_socketpair(lua_State *L) {
  int type = (int)far_word(L, 1, types, "socket type");
  int pair[2];
  far_at_most(L, 1);
  int *one = far_fd_new(L);
  int *other = far_fd_new(L);
  far_check(L, socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair),
            "socketpair", NULL);
  *one = pair[0];
  *other = pair[1];
  return 2;
}

/* Fills the control part of a message with the list at `index`. */
static void attach(lua_State *L, int index, struct msghdr *msg) {
  lua_Integer count = luaL_len(L, index);
  luaL_argcheck(L, count <= MOST, index, "too many descriptors (at most 253)");
  if (count == 0)
    return;
  struct cmsghdr *c = msg->msg_control;
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
  msg->msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
  for (lua_Integer i = 0; i < count; i++) {
    lua_geti(L, index, i + 1);
    int fd = far_fd_check(L, -1);
    memcpy(CMSG_DATA(c) + (size_t)i * sizeof fd, &fd, sizeof fd);
    lua_pop(L, 1);
  }
}

union control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(MOST * sizeof(int))];
};

/***
Sends one message, and descriptors with it. Never raises SIGPIPE.
@function sendmsg
@tparam fd socket
@tparam string data not empty when descriptors go with it
@tparam[opt] {fd,...} descriptors at most 253; the receiver gets its own
@treturn int bytes sent; a stream may take fewer than were given
@raise EPIPE when the other end is closed; EMSGSIZE. See sendmsg(2), unix(7).
*/
static int bind_sendmsg(lua_State *L) {
  int fd = far_fd_check(L, 1);
  struct iovec data;
  union control control = {0};
  struct msghdr msg = {.msg_iov = &data, .msg_iovlen = 1,
                       .msg_control = control.bytes};
  data.iov_base = (void *)luaL_checklstring(L, 2, &data.iov_len);
  far_at_most(L, 3);
  if (!lua_isnoneornil(L, 3)) {
    luaL_checktype(L, 3, LUA_TTABLE);
    attach(L, 3, &msg);
  }
  /* a stream would take an empty message and lose the descriptors */
  luaL_argcheck(L, msg.msg_controllen == 0 || data.iov_len > 0, 2,
                "descriptors need at least one byte of data");
  ssize_t n;
  while ((n = sendmsg(fd, &msg, MSG_NOSIGNAL)) == -1) {
    if (errno != EINTR)
      return far_raise(L, errno, "sendmsg", NULL, "to descriptor %d", fd);
    far_interrupted(L);
  }
  lua_pushinteger(L, n);
  return 1;
}

/* Moves what came with a message into the basket. */
static void collect(struct msghdr *msg, struct basket *b) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    size_t bytes = c->cmsg_len - CMSG_LEN(0);
    memcpy(b->fds + b->count, CMSG_DATA(c), bytes);
    b->count += (int)(bytes / sizeof(int));
  }
}

/* One recvmsg; -1 and errno when it failed or lost a part of the message. */
static ssize_t receive(int fd, struct iovec *data, struct basket *b) {
  union control control;
  struct msghdr msg = {.msg_iov = data, .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
  ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
  if (n == -1)
    return -1;
  collect(&msg, b);
  if ((msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) == 0)
    return n;
  errno = msg.msg_flags & MSG_TRUNC ? EMSGSIZE : ENOBUFS;
  return -1;
}

/***
Receives one message and the descriptors that came with it, closed on exec.
@function recvmsg
@tparam fd socket
@tparam int size most bytes to take
@treturn string data, or nil at the end (an empty message reads the same)
@treturn {fd,...} the descriptors, an empty list when there are none
@raise EMSGSIZE when a packet is longer than size, ENOBUFS when descriptors
were lost (as when no more can be open): none of them stays open. See
recvmsg(2), unix(7).
*/
static int bind_recvmsg(lua_State *L) {
  int fd = far_fd_check(L, 1);
  lua_Integer size = luaL_checkinteger(L, 2);
  luaL_argcheck(L, size > 0 && size <= 1 << 30, 2, "size out of range");
  far_at_most(L, 2);
  struct basket *b = basket_new(L);
  char small[16384]; /* most messages are, and the heap is left alone */
  bool fits = (size_t)size <= sizeof small;
  struct iovec data = {fits ? small : lua_newuserdatauv(L, (size_t)size, 0),
                       (size_t)size};
  ssize_t n;
  while ((n = receive(fd, &data, b)) == -1) {
    int err = errno;
    basket_drop(L, 3);
    if (err != EINTR)
      return far_raise(L, err, "recvmsg", NULL, "from descriptor %d", fd);
    far_interrupted(L);
  }
  if (n == 0 && b->count == 0)
    lua_pushnil(L);
  else
    lua_pushlstring(L, data.iov_base, (size_t)n);
  basket_push(L, b);
  return 2;
}

/***
Ends one direction of a connection, or both.
@function shutdown
@tparam fd socket
@tparam string side "read", "write" or "both"
@raise ENOTCONN. See shutdown(2).
*/
static int bind_shutdown(lua_State *L) {
  int fd = far_fd_check(L, 1);
  int side = (int)far_word(L, 2, sides, "side");
  far_at_most(L, 2);
  return far_check(L, shutdown(fd, side), "shutdown", NULL);
}

/***
The network namespace that a socket is in, which is the one it was made in.
@function socket_namespace
@tparam fd socket
@treturn fd of the namespace
@raise EPERM without CAP_NET_ADMIN over it; ENOTTY for what is no socket. See
socket(7), network_namespaces(7).
*/
static int bind_socket_namespace(lua_State *L) {
  int fd = far_fd_check(L, 1);
  far_at_most(L, 1);
  int *ns = far_fd_new(L);
  *ns = ioctl(fd, SIOCGSKNS);
  far_check(L, *ns, "socket_namespace", NULL);
  return 1;
}

/* Fills `p` from the entry on top of the stack: a descriptor, or a list of
 * one and the events that are wanted. Leaves the descriptor on top. */
static void want(lua_State *L, struct pollfd *p) {
  p->events = POLLIN;
  if (lua_istable(L, -1) && !far_fd_is(L, -1)) {
    lua_geti(L, -1, 2);
    p->events = (short)far_words(L, -1, events, "event");
    lua_pop(L, 1);
    lua_geti(L, -1, 1);
    lua_remove(L, -2);
  }
  p->fd = far_fd_check(L, -1);
}

/* Pushes { in = true, … } for what happened. */
static void push_events(lua_State *L, short bits) {
  lua_newtable(L);
  for (const struct far_word *w = events; w->name != NULL; w++) {
    if ((bits & (short)w->bits) == 0)
      continue;
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, w->name);
  }
}

/* Pushes both lists of results; the descriptors are in the list at 3. */
static int push_ready(lua_State *L, const struct pollfd *p, nfds_t count) {
  lua_Integer n = 0;
  lua_newtable(L);
  lua_newtable(L);
  for (nfds_t i = 0; i < count; i++) {
    if (p[i].revents == 0)
      continue;
    if (p[i].revents & POLLNVAL)
      return far_raise(L, EBADF, "poll", NULL, "descriptor %d", p[i].fd);
    lua_rawgeti(L, 3, (lua_Integer)i + 1);
    lua_rawseti(L, -3, ++n);
    push_events(L, p[i].revents);
    lua_rawseti(L, -2, n);
  }
  return 2;
}

/***
Waits until one of several descriptors is ready, or the time is over.
@function poll
@tparam {fd,...} list each a descriptor to read from, or { fd, "in,out" } with
the events wanted: "in", "out", "pri"
@tparam[opt] number|string timeout seconds or "5ms"; for ever when left out
@treturn {fd,...} those that are ready, as given; empty when the time is over
@treturn {table,...} for each of them what happened: a table with `true` at
"in", "out", "pri", "hup" (the other end is closed), "err"
@raise EBADF for a number that is not open. See poll(2).
*/
static int bind_poll(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  far_at_most(L, 2);
  int64_t deadline = far_deadline(L, 2);
  lua_settop(L, 2);
  lua_Integer count = luaL_len(L, 1);
  lua_createtable(L, (int)count, 0);
  struct pollfd *p = lua_newuserdatauv(L, (size_t)count * sizeof *p, 0);
  for (lua_Integer i = 0; i < count; i++) {
    lua_geti(L, 1, i + 1);
    want(L, &p[i]);
    lua_rawseti(L, 3, i + 1);
  }
  far_poll(L, p, (nfds_t)count, deadline);
  return push_ready(L, p, (nfds_t)count);
}

static const luaL_Reg functions[] = {
  {"socketpair", bind_socketpair},
  {"sendmsg", bind_sendmsg},
  {"recvmsg", bind_recvmsg},
  {"shutdown", bind_shutdown},
  {"socket_namespace", bind_socket_namespace},
  {"poll", bind_poll},
  {NULL, NULL},
};

static const luaL_Reg meta[] = {
  {"__gc", basket_close},
  {"__close", basket_close},
  {NULL, NULL},
};

void far_open_socket(lua_State *L) {
  luaL_newmetatable(L, BASKET);
  luaL_setfuncs(L, meta, 0);
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}

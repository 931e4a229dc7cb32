/*
 * Echo requests from many network namespaces at once. A raw socket belongs to
 * the namespace that it was opened in, so one process that has a socket of
 * each namespace asks from all of them, without a program in any.
 *
 * Requests are sent in the order given, at most `window` of them unanswered:
 * they and their answers wait in buffers, of sockets, of slow links, and of a
 * processor that has other things to do (1,000 packets). Who has waited for
 * `patience` with a full window goes on, and waits for half of that the next
 * time, until something is heard: so a network that is dead is found so in
 * short time, and one that is slow is not overrun. A request carries its number
 * and a mark of the call, and its answer brings them back; so does the message
 * of a router that could not deliver it. The kernel stamps what arrives, since
 * it may be read late.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "farside.h"

enum { BATCH = 32, LONGEST = 192 };

struct packet {
  struct icmphdr header; /* that of ICMPv6 has the same fields */
  uint64_t mark;
  uint32_t number;
};

/* Bytes on the wire: the compiler may have put some behind the number. */
enum { SIZE = offsetof(struct packet, number) + sizeof(uint32_t) };

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

struct probe {
  int from; /* which socket */
  union address to;
  int64_t sent, took; /* ns; took is -1 while nothing has come */
  const char *trouble;
};

struct round {
  int family;
  int sockets, probes;
  struct pollfd *polls;
  struct probe *probe;
  uint64_t mark;
  int answered, sent, passed; /* passed: no longer waited for in the window */
  int window;
  int64_t patience, most; /* now, and at first */
};

/* What the messages of routers are for: type and code, in words. */
struct trouble {
  int type, code; /* code -1: any */
  const char *text;
};

static const struct trouble troubles4[] = {
  {ICMP_DEST_UNREACH, ICMP_NET_UNREACH, "network unreachable"},
  {ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, "host unreachable"},
  {ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, "packet too large"},
  {ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, "prohibited"},
  {ICMP_DEST_UNREACH, -1, "unreachable"},
  {ICMP_TIME_EXCEEDED, -1, "time to live exceeded"},
  {0, 0, NULL},
};

static const struct trouble troubles6[] = {
  {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOROUTE, "network unreachable"},
  {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADDR, "host unreachable"},
  {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADMIN, "prohibited"},
  {ICMP6_DST_UNREACH, -1, "unreachable"},
  {ICMP6_PACKET_TOO_BIG, -1, "packet too large"},
  {ICMP6_TIME_EXCEEDED, -1, "time to live exceeded"},
  {0, 0, NULL},
};

static int64_t now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- sending ---- */

/* The sum of the whole is zero then, however the bytes are ordered. */
static uint16_t checksum(const void *data, size_t size) {
  uint32_t sum = 0;
  uint16_t word;
  for (size_t i = 0; i < size; i += sizeof word) {
    memcpy(&word, (const char *)data + i, sizeof word);
    sum += word;
  }
  sum = (sum >> 16) + (sum & 0xffff);
  return (uint16_t)~(sum + (sum >> 16));
}

/* What is wrong with sending is an answer, too. */
static void send_probe(struct round *r, int number) {
  struct probe *p = &r->probe[number];
  struct packet packet = {.mark = r->mark, .number = (uint32_t)number};
  bool v4 = r->family == AF_INET;
  packet.header.type = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
  packet.header.un.echo.sequence = htons((uint16_t)number);
  if (v4) /* the kernel's for the other */
    packet.header.checksum = checksum(&packet, SIZE);
  p->sent = now(CLOCK_REALTIME);
  if (sendto(r->polls[p->from].fd, &packet, SIZE, MSG_DONTWAIT, &p->to.any,
             v4 ? sizeof p->to.v4 : sizeof p->to.v6) == -1) {
    p->trouble = strerror(errno);
    r->answered++;
  }
}

/* ---- receiving ---- */

/* The probe of our packet at the start of `data`, or NULL. */
static struct probe *find(struct round *r, const char *data, size_t size) {
  struct packet packet;
  if (size < SIZE)
    return NULL;
  memcpy(&packet, data, SIZE);
  if (packet.mark != r->mark || packet.number >= (uint32_t)r->probes)
    return NULL;
  struct probe *p = &r->probe[packet.number];
  return p->took == -1 && p->trouble == NULL ? p : NULL; /* a second one */
}

static size_t header4(const char *data, size_t size) {
  const struct iphdr *ip = (const struct iphdr *)data;
  return size < sizeof *ip ? size : (size_t)ip->ihl * 4;
}

static const char *in_words(const struct trouble *t, int type, int code) {
  while (t->text != NULL &&
         (t->type != type || (t->code != code && t->code != -1)))
    t++;
  return t->text;
}

/* A message about a packet has that packet's beginning in it. */
static void take_trouble(struct round *r, const char *data, size_t size) {
  struct icmphdr h;
  bool v4 = r->family == AF_INET;
  memcpy(&h, data, sizeof h);
  const char *text = in_words(v4 ? troubles4 : troubles6, h.type, h.code);
  data += sizeof h;
  size -= sizeof h;
  size_t skip = v4 ? header4(data, size) : sizeof(struct ip6_hdr);
  struct probe *p = skip < size ? find(r, data + skip, size - skip) : NULL;
  if (p == NULL || text == NULL)
    return;
  p->trouble = text;
  r->answered++;
}

static void take(struct round *r, const char *data, size_t size,
                 int64_t stamp) {
  size_t skip = r->family == AF_INET ? header4(data, size) : 0;
  if (size < skip + sizeof(struct icmphdr))
    return;
  data += skip;
  size -= skip;
  uint8_t type = (uint8_t)*data;
  if (type != (r->family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY)) {
    take_trouble(r, data, size);
    return;
  }
  struct probe *p = find(r, data, size);
  if (p == NULL)
    return;
  p->took = stamp > p->sent ? stamp - p->sent : 0;
  r->answered++;
}

static int64_t stamp_of(struct msghdr *msg) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
      struct timespec t;
      memcpy(&t, CMSG_DATA(c), sizeof t);
      return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
  return now(CLOCK_REALTIME);
}

/* Reads what is there; 0, or the errno of a socket that is none. */
static int drain(struct round *r, int fd) {
  _Alignas(8) char data[BATCH][LONGEST];
  _Alignas(8) char control[BATCH][64];
  struct iovec parts[BATCH];
  struct mmsghdr msgs[BATCH];
  int n;
  do {
    for (int i = 0; i < BATCH; i++) {
      parts[i] = (struct iovec){data[i], LONGEST};
      msgs[i].msg_hdr = (struct msghdr){
        .msg_iov = &parts[i], .msg_iovlen = 1,
        .msg_control = control[i], .msg_controllen = sizeof control[i]};
    }
    n = recvmmsg(fd, msgs, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++)
      take(r, data[i], msgs[i].msg_len, stamp_of(&msgs[i].msg_hdr));
  } while (n == BATCH);
  return n >= 0 || errno == EAGAIN || errno == EINTR ? 0 : errno;
}

/* Waits until `until` for answers, and takes those that are there: 0 when the
 * time is over, 1 when something came, or -errno. */
static int wait_for(struct round *r, int64_t until) {
  int64_t left = until - now(CLOCK_MONOTONIC);
  left = left < 0 ? 0 : left;
  struct timespec t = {left / 1000000000, left % 1000000000};
  int ready = ppoll(r->polls, (nfds_t)r->sockets, &t, NULL);
  if (ready == -1)
    return -errno;
  for (int i = 0; i < r->sockets; i++) {
    int err = r->polls[i].revents == 0 ? 0 : drain(r, r->polls[i].fd);
    if (err != 0)
      return -err;
  }
  return ready > 0;
}

/* ---- a round ---- */

static int64_t after(int64_t wait) {
  int64_t start = now(CLOCK_MONOTONIC);
  return wait > INT64_MAX - start ? INT64_MAX : start + wait;
}

/* Makes room in the window; 0 or -errno. */
static int make_room(struct round *r) {
  while (r->sent - r->answered - r->passed >= r->window) {
    int before = r->answered, came = wait_for(r, after(r->patience));
    if (came < 0)
      return came;
    if (r->answered > before) {
      r->patience = r->most;
    } else if (came == 0) {
      r->passed = r->sent - r->answered;
      r->patience /= 2;
    }
  }
  return 0;
}

/* Sends until all are sent: 0, or -errno (EINTR: to be called again). */
static int send_all(struct round *r) {
  while (r->sent < r->probes) {
    int err = make_room(r);
    if (err != 0)
      return err;
    send_probe(r, r->sent++);
  }
  return 0;
}

/* Waits for what is still under way; 0 or -errno. */
static int await(struct round *r, int64_t until) {
  int came = 1; /* which may be for somebody else, and without an end */
  while (came > 0 && r->answered < r->probes && now(CLOCK_MONOTONIC) < until)
    came = wait_for(r, until);
  return came < 0 ? came : 0;
}

/* ---- Lua ---- */

static void check_address(lua_State *L, const char *text, struct round *r,
                          union address *to) {
  memset(to, 0, sizeof *to);
  to->any.sa_family = (sa_family_t)r->family;
  void *at = r->family == AF_INET ? (void *)&to->v4.sin_addr
                                  : (void *)&to->v6.sin6_addr;
  if (inet_pton(r->family, text, at) != 1)
    luaL_argerror(L, 3, lua_pushfstring(L, "IPv%d address expected, got '%s'",
                                        r->family == AF_INET ? 4 : 6, text));
}

static void check_probe(lua_State *L, struct round *r, int i) {
  struct probe *p = &r->probe[i];
  lua_geti(L, 2, i + 1);
  lua_geti(L, 3, i + 1);
  lua_Integer from = lua_tointeger(L, -2);
  luaL_argcheck(L, from >= 1 && from <= r->sockets, 2, "no such socket");
  if (lua_type(L, -1) != LUA_TSTRING)
    luaL_typeerror(L, 3, "list of addresses");
  p->from = (int)from - 1;
  p->took = -1;
  p->trouble = NULL;
  check_address(L, lua_tostring(L, -1), r, &p->to);
  lua_pop(L, 2);
}

static int family_of(lua_State *L, int fd) {
  int family = 0;
  socklen_t size = sizeof family;
  far_check(L, getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size), "ping",
            NULL);
  return family;
}

static void check_sockets(lua_State *L, struct round *r) {
  for (int i = 0; i < r->sockets; i++) {
    lua_geti(L, 1, i + 1);
    int fd = far_fd_check(L, -1);
    int family = family_of(L, fd);
    luaL_argcheck(L, r->family == 0 || r->family == family, 1,
                  "sockets of one address family expected");
    r->family = family;
    r->polls[i] = (struct pollfd){.fd = fd, .events = POLLIN};
    lua_pop(L, 1);
  }
}

static int check_count(lua_State *L, int arg) {
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_Integer count = luaL_len(L, arg);
  luaL_argcheck(L, count >= 1 && count < 1 << 24, arg,
                "a list of 1 to 16777215 elements expected");
  return (int)count;
}

static struct round check_round(lua_State *L) {
  struct round r = {.sockets = check_count(L, 1), .probes = check_count(L, 2)};
  luaL_argcheck(L, check_count(L, 3) == r.probes, 3,
                "as many addresses as senders expected");
  r.polls = lua_newuserdatauv(L, (size_t)r.sockets * sizeof *r.polls, 0);
  r.probe = lua_newuserdatauv(L, (size_t)r.probes * sizeof *r.probe, 0);
  check_sockets(L, &r);
  for (int i = 0; i < r.probes; i++)
    check_probe(L, &r, i);
  if (getrandom(&r.mark, sizeof r.mark, 0) != sizeof r.mark)
    far_check(L, -1, "getrandom", NULL);
  return r;
}

static void push_answers(lua_State *L, const struct round *r) {
  lua_createtable(L, r->probes, 0);
  for (int i = 0; i < r->probes; i++) {
    const struct probe *p = &r->probe[i];
    if (p->trouble != NULL)
      lua_pushstring(L, p->trouble);
    else if (p->took >= 0)
      lua_pushinteger(L, p->took);
    else
      lua_pushboolean(L, 0);
    lua_rawseti(L, -2, i + 1);
  }
}

static void check(lua_State *L, int err) {
  if (err != 0 && err != -EINTR)
    far_raise(L, -err, "ping", NULL, NULL);
  far_interrupted(L);
}

/***
Sends echo requests from many sockets and waits for the answers.
@function ping
@tparam {fd,...} sockets from ping_sockets, all for IPv4 or all for IPv6
@tparam {int,...} from for each request the number of its socket in the list
@tparam {string,...} to for each request the address that it goes to
@tparam number|string timeout how long to wait after the last was sent
@tparam[opt=768] int window how many may be unanswered
@tparam[opt="500ms"] number|string patience how long to wait with a full window
for an answer, before the next are sent all the same; half of it the next time
@treturn {int|string|boolean,...} for each request the nanoseconds until its
answer; or why there can be none ("network unreachable"); or false
@raise ENOTSOCK. See icmp(7), raw(7).
*/
static int bind_ping(lua_State *L) {
  far_at_most(L, 6);
  lua_settop(L, 6);
  int64_t timeout = far_duration(L, 4);
  lua_Integer window = luaL_optinteger(L, 5, 768);
  int64_t patience = lua_isnil(L, 6) ? 500000000 : far_duration(L, 6);
  luaL_argcheck(L, timeout >= 0, 4, "negative time");
  luaL_argcheck(L, window >= 1 && window <= INT32_MAX, 5, "out of range");
  luaL_argcheck(L, patience >= 0, 6, "negative time");
  struct round r = check_round(L);
  r.window = (int)window;
  r.patience = r.most = patience;
  int err;
  while ((err = send_all(&r)) != 0)
    check(L, err);
  int64_t until = after(timeout);
  while ((err = await(&r, until)) != 0)
    check(L, err);
  push_answers(L, &r);
  return 1;
}

static const luaL_Reg functions[] = {{"ping", bind_ping}, {NULL, NULL}};

void far_open_icmp(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

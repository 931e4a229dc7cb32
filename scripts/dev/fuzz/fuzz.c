/*
 * A program for libFuzzer: what reads outside input gets bytes that nobody
 * has thought of. `make fuzz` runs it, once for each of the targets, which are
 * Lua (targets.lua); the core beneath them is built with the fuzzer's counters
 * and the sanitizers.
 *
 *   FUZZ_TARGET=json build/fuzz/fuzz CORPUS…
 *
 * Lua files are covered as well: a hook counts which line came after which,
 * for the fuzzer to see what is new. A target that takes more memory or more
 * steps than any input is worth is a finding, as is all that judge.lua finds.
 *
 * Nothing leaves this program, and nothing of the machine comes in: what
 * netlink is sent is dropped, what it answers is the input, as are the answers
 * to a ping, and no mount is made.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern int luaopen_farside_core(lua_State *L);

enum {
  MEMORY = 64 << 20, /* bytes of Lua for one input, beside what was there */
  STEPS = 20000000,  /* instructions of Lua for one input */
  STRIDE = 10000,
  COLLECT = 64, /* inputs between two collections */
};

/* ---- netlink ---- */

static struct {
  char bytes[1 << 16];
  size_t size;
  bool there;
  uint32_t first, last; /* sequence numbers that wait for an answer */
} feed;

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);
ssize_t __wrap_recvfrom(int fd, void *to, size_t size, int flags,
                        struct sockaddr *from, socklen_t *length);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size);

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags) {
  const char *at = data;
  (void)fd, (void)flags;
  feed.first = ((const struct nlmsghdr *)data)->nlmsg_seq;
  while (at < (const char *)data + size) {
    const struct nlmsghdr *h = (const struct nlmsghdr *)at;
    feed.last = h->nlmsg_seq;
    at += NLMSG_ALIGN(h->nlmsg_len);
  }
  return (ssize_t)size;
}

/* A random number would match no request: it becomes one that does. */
static void match(char *bytes, size_t size) {
  uint32_t count = feed.last - feed.first + 1;
  for (size_t at = 0; at + NLMSG_HDRLEN <= size;) {
    struct nlmsghdr *h = (struct nlmsghdr *)(bytes + at);
    h->nlmsg_seq = feed.first + h->nlmsg_seq % (count == 0 ? 1 : count);
    if (h->nlmsg_len < NLMSG_HDRLEN || h->nlmsg_len > size - at)
      break;
    at += NLMSG_ALIGN(h->nlmsg_len);
  }
}

/* What ends every conversation: the last request went well. */
static size_t acknowledge(char *to) {
  struct {
    struct nlmsghdr head;
    struct nlmsgerr error;
  } ack = {.head = {sizeof ack, NLMSG_ERROR, 0, feed.last, 0}};
  memcpy(to, &ack, sizeof ack);
  return sizeof ack;
}

/* All comes from the kernel, whose port has the number 0. */
ssize_t __wrap_recvfrom(int fd, void *to, size_t size, int flags,
                        struct sockaddr *from, socklen_t *length) {
  const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  (void)fd;
  if (!feed.there && (flags & MSG_DONTWAIT)) {
    errno = EAGAIN;
    return -1;
  }
  size_t count = feed.size;
  if (feed.there)
    match(feed.bytes, count);
  else
    count = acknowledge(feed.bytes);
  feed.there = false;
  memcpy(to, feed.bytes, count < size ? count : size);
  if (from != NULL)
    memcpy(from, &kernel, *length < sizeof kernel ? *length : sizeof kernel);
  return (ssize_t)count;
}

/* No monitor is told of what the machine's links do. */
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size) {
  (void)fd, (void)address, (void)size;
  return 0;
}

/* ---- other calls ---- */

int __wrap_mount(const char *source, const char *target, const char *type,
                 unsigned long flags, const void *data);
ssize_t __wrap_sendto(int fd, const void *data, size_t size, int flags,
                      const struct sockaddr *to, socklen_t length);
int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned count,
                    int flags, struct timespec *timeout);
ssize_t __wrap_getrandom(void *to, size_t size, unsigned flags);
int __wrap_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *limit,
                 const sigset_t *mask);

int __wrap_mount(const char *source, const char *target, const char *type,
                 unsigned long flags, const void *data) {
  (void)source, (void)target, (void)type, (void)flags, (void)data;
  errno = ENOENT;
  return -1;
}

ssize_t __wrap_sendto(int fd, const void *data, size_t size, int flags,
                      const struct sockaddr *to, socklen_t length) {
  (void)fd, (void)data, (void)flags, (void)to, (void)length;
  return (ssize_t)size;
}

/* What is fed, as one packet. */
int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned count,
                    int flags, struct timespec *timeout) {
  (void)fd, (void)flags, (void)timeout;
  if (!feed.there || count == 0) {
    errno = EAGAIN;
    return -1;
  }
  struct iovec *part = messages->msg_hdr.msg_iov;
  messages->msg_len = (unsigned)(feed.size < part->iov_len ? feed.size
                                                           : part->iov_len);
  messages->msg_hdr.msg_controllen = 0;
  memcpy(part->iov_base, feed.bytes, messages->msg_len);
  feed.there = false;
  return 1;
}

/* Known to the targets, for answers to be found. */
ssize_t __wrap_getrandom(void *to, size_t size, unsigned flags) {
  (void)flags;
  memset(to, 'M', size);
  return (ssize_t)size;
}

/* Nothing comes but what is fed, and nobody waits. */
int __wrap_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *limit,
                 const sigset_t *mask) {
  (void)limit, (void)mask;
  for (nfds_t i = 0; i < count; i++)
    fds[i].revents = feed.there ? POLLIN : 0;
  return feed.there ? (int)count : 0;
}

/* ---- for the targets ---- */

/* feed(bytes), of the module "fuzz": the next answer that is received. */
static int set_feed(lua_State *L) {
  const char *bytes = luaL_checklstring(L, 1, &feed.size);
  if (feed.size > sizeof feed.bytes)
    feed.size = sizeof feed.bytes;
  memcpy(feed.bytes, bytes, feed.size);
  feed.there = true;
  return 0;
}

/* socket(v6): a descriptor of an internet socket, for ever. */
static int open_socket(lua_State *L) {
  int family = lua_toboolean(L, 1) ? AF_INET6 : AF_INET;
  lua_pushinteger(L, socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return 1;
}

static const luaL_Reg functions[] = {
  {"feed", set_feed}, {"socket", open_socket}, {NULL, NULL},
};

static int open_fuzz(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}

/* ---- limits, and what was covered ---- */

static uint8_t counters[1 << 15]
  __attribute__((section("__libfuzzer_extra_counters"), used));

static struct {
  size_t used, most;
  long steps;
  uint32_t line; /* a hash of the one before */
} spent;

static void *allocate(void *ud, void *old, size_t was, size_t size) {
  (void)ud;
  was = old == NULL ? 0 : was;
  if (size > was && spent.used + (size - was) > spent.most)
    return NULL;
  void *new = NULL;
  if (size == 0)
    free(old);
  else if ((new = realloc(old, size)) == NULL)
    return NULL;
  spent.used += size - was;
  return new;
}

static void count(lua_State *L, lua_Debug *ar) {
  if (ar->event == LUA_HOOKCOUNT) {
    spent.steps += STRIDE;
    if (spent.steps > STEPS)
      luaL_error(L, "more than %d steps", STEPS);
    return;
  }
  lua_getinfo(L, "Sl", ar);
  uint32_t line = (uint32_t)((uintptr_t)ar->source >> 4) * 2654435761u +
                  (uint32_t)ar->currentline * 40503u;
  uint8_t *counter = &counters[(line ^ spent.line) % sizeof counters];
  *counter += *counter < 255;
  spent.line = line >> 1;
}

/* ---- running ---- */

static lua_State *L;
static int target = LUA_NOREF;

static _Noreturn void finding(void) {
  fprintf(stderr, "finding: %s\n", lua_tostring(L, -1));
  abort();
}

static void end(void) {
  lua_close(L);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  const char *name = getenv("FUZZ_TARGET");
  (void)argc, (void)argv;
  spent.most = SIZE_MAX;
  L = lua_newstate(allocate, NULL);
  if (L == NULL || name == NULL)
    abort();
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_farside_core);
  lua_setfield(L, -2, "farside.core");
  lua_pushcfunction(L, open_fuzz);
  lua_setfield(L, -2, "fuzz");
  if (luaL_loadfile(L, "scripts/dev/fuzz/run.lua") != LUA_OK)
    finding();
  lua_pushstring(L, name);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK)
    finding();
  target = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_settop(L, 0);
  atexit(end);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static unsigned inputs;
  if (inputs++ % COLLECT == 0)
    lua_gc(L, LUA_GCCOLLECT);
  feed.there = false;
  spent.steps = 0;
  spent.line = 0;
  spent.most = spent.used + MEMORY;
  lua_sethook(L, count, LUA_MASKLINE | LUA_MASKCOUNT, STRIDE);
  lua_rawgeti(L, LUA_REGISTRYINDEX, target);
  lua_pushlstring(L, (const char *)data, size);
  int status = lua_pcall(L, 1, 0, 0);
  lua_sethook(L, NULL, 0, 0);
  spent.most = SIZE_MAX;
  if (status != LUA_OK)
    finding();
  return 0;
}

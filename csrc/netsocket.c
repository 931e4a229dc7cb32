/*
 * Netlink sockets of other network namespaces. A socket belongs to the
 * namespace of the thread that makes it, and the caller never moves: a child
 * that shares memory and descriptors joins the namespace, makes the socket,
 * which thereby is the caller's, and ends. It runs nothing but what stands
 * here: no Lua, no allocation, no signal handler, on a stack of its own, while
 * the caller stands still.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netlink.h"
#include "netsocket.h"
#include "sys.h"

/* Texts with errors, errors without a copy of the request, and lists filtered
 * by the kernel or refused. Before 4.20 the last is not known. */
static void want(int fd) {
  const int yes = 1;
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &yes, sizeof yes);
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof yes);
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &yes, sizeof yes);
}

int far_socket(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd == -1)
    return -errno;
  want(fd);
  return fd;
}

ssize_t far_hear(int fd, void *to, size_t size, int flags) {
  struct sockaddr_nl from;
  ssize_t n = -1;
  do {
    socklen_t length = sizeof from;
    from.nl_pid = 0;
    n = recvfrom(fd, to, size, flags, (struct sockaddr *)&from, &length);
  } while (n >= 0 && from.nl_pid != 0);
  return n == -1 ? -errno : n;
}

/* ---- in the child ---- */

struct errand {
  const int *netns; /* what to join one after the other; NULL: make new ones */
  int user;         /* the user namespace that is to own these, or -1 */
  size_t count;
  struct far_socket kind;
  const char *path; /* what it opens instead of a socket, or NULL */
  int how;          /* O_RDWR */
  int *fds;         /* what it makes */
  int result; /* -errno */
};

/* With the rights of the caller, or with those that it has over the user
 * namespace that the network namespace belongs to. */
static int join(int netns) {
  if (setns(netns, CLONE_NEWNET) == 0)
    return 0;
  int err = errno;
  int user = err == EPERM ? ioctl(netns, NS_GET_USERNS) : -1;
  if (user == -1)
    return -err;
  if (setns(user, CLONE_NEWUSER) == 0 && setns(netns, CLONE_NEWNET) == 0)
    err = 0;
  (void)close(user);
  return -err;
}

static int go(const struct errand *e, size_t i) {
  if (e->netns != NULL)
    return join(e->netns[i]);
  return unshare(CLONE_NEWNET) == -1 ? -errno : 0;
}

static int run(struct errand *e) {
  if (e->user >= 0 && setns(e->user, CLONE_NEWUSER) == -1)
    return -errno;
  for (size_t i = 0; i < e->count; i++) {
    int err = go(e, i);
    if (err != 0)
      return err;
    e->fds[i] = e->path != NULL ? open(e->path, e->how | O_CLOEXEC)
                                : socket(e->kind.family,
                                         e->kind.type | SOCK_CLOEXEC,
                                         e->kind.protocol);
    if (e->fds[i] == -1)
      return -errno;
  }
  return 0;
}

static int child(void *argument) {
  struct errand *e = argument;
  e->result = run(e);
  return 0;
}

/* ---- in the caller ---- */

/* A handler that ran in the child would run in the caller's memory. The child
 * announces its end to nobody but us. */
static int send_child(struct errand *e) {
  _Alignas(16) char stack[16384];
  sigset_t all, before;
  e->result = -ECHILD; /* it was killed */
  sigfillset(&all);
  (void)sigprocmask(SIG_BLOCK, &all, &before);
  pid_t pid = clone(child, stack + sizeof stack,
                    CLONE_VM | CLONE_VFORK | CLONE_FILES, e);
  int err = errno;
  while (pid != -1 && waitpid(pid, NULL, __WALL) == -1 && errno == EINTR)
    continue;
  (void)sigprocmask(SIG_SETMASK, &before, NULL);
  return pid == -1 ? -err : e->result;
}

static int make(struct errand *e) {
  for (size_t i = 0; i < e->count; i++)
    e->fds[i] = -1;
  int err = send_child(e);
  for (size_t i = 0; err != 0 && i < e->count && e->fds[i] >= 0; i++)
    (void)close(e->fds[i]);
  return err;
}

int far_sockets_in(const int *netns, size_t count,
                   const struct far_socket *kind, int *fds) {
  struct errand e = {netns, -1, count, *kind, NULL, 0, fds, 0};
  return make(&e);
}

static const struct far_socket route = {
  AF_NETLINK, SOCK_RAW, NETLINK_ROUTE,
};

int far_socket_in(int netns) {
  int fd = -1;
  int err = far_sockets_in(&netns, 1, &route, &fd);
  if (err != 0)
    return err;
  want(fd);
  return fd;
}

int far_sockets_of_new(int user, int *fds, size_t count) {
  struct errand e = {NULL, user, count, route, NULL, 0, fds, 0};
  int err = make(&e);
  for (size_t i = 0; err == 0 && i < count; i++)
    want(fds[i]);
  return err;
}

int far_namespace_of_new(int user) {
  int fd = -1;
  struct errand e = {
    NULL, user, 1, route, "/proc/self/ns/net", O_RDONLY, &fd, 0,
  };
  int err = make(&e);
  return err != 0 ? err : fd;
}

/* Whether two sockets are of one namespace; the cookie needs no right. */
static bool together(int one, int other) {
  uint64_t a = 0, b = 1;
  socklen_t size = sizeof a;
  return getsockopt(one, SOL_SOCKET, SO_NETNS_COOKIE, &a, &size) == 0 &&
         getsockopt(other, SOL_SOCKET, SO_NETNS_COOKIE, &b, &size) == 0 &&
         a == b;
}

int far_socket_beside(int fd) {
  int new = far_socket();
  if (new < 0 || together(fd, new))
    return new;
  (void)close(new);
  int netns = far_socket_namespace(fd);
  if (netns < 0)
    return netns;
  new = far_socket_in(netns);
  (void)close(netns);
  return new;
}

int far_open_beside(int fd, const char *path) {
  int own = far_socket(), opened = -1, netns;
  bool here = own >= 0 && together(fd, own);
  if (own >= 0)
    (void)close(own);
  if (here) {
    opened = open(path, O_RDWR | O_CLOEXEC);
    return opened == -1 ? -errno : opened;
  }
  netns = far_socket_namespace(fd);
  if (netns < 0)
    return netns;
  struct errand e = {&netns, -1, 1, route, path, O_RDWR, &opened, 0};
  int err = make(&e);
  (void)close(netns);
  return err != 0 ? err : opened;
}

int far_socket_namespace(int fd) {
  int namespace = ioctl(fd, SIOCGSKNS, 0L);
  return namespace == -1 ? -errno : namespace;
}

int far_link_index(int fd, const char *name) {
  struct ifreq request = {0};
  memcpy(request.ifr_name, name, strnlen(name, sizeof request.ifr_name - 1));
  return ioctl(fd, SIOCGIFINDEX, &request) == 0 ? request.ifr_ifindex : 0;
}

const char *far_link_name(int fd, int index, char *to) {
  struct ifreq request = {.ifr_ifindex = index};
  if (ioctl(fd, SIOCGIFNAME, &request) == -1)
    return NULL;
  return memcpy(to, request.ifr_name, IFNAMSIZ);
}

unsigned far_link_flags(int fd, const char *name) {
  struct ifreq request = {0};
  memcpy(request.ifr_name, name, strnlen(name, sizeof request.ifr_name - 1));
  if (ioctl(fd, SIOCGIFFLAGS, &request) == -1)
    return 0;
  return (unsigned short)request.ifr_flags;
}

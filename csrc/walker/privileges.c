/*
 * The walker's calls about itself: namespaces, the network's loopback,
 * capabilities, and the filter of system calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "walker.h"

long walker_setns(const long a[]) {
  long fd = raw(SYS_openat, AT_FDCWD, a[0], O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fd;
  long result = raw(SYS_setns, fd, a[1]);
  walker_close(fd);
  return result;
}

long walker_write(const long a[]) {
  long fd = raw(SYS_openat, AT_FDCWD, a[0], O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return fd;
  long result = raw(SYS_write, fd, a[1], a[2]);
  walker_close(fd);
  return result < 0 || result == a[2] ? result : -EIO;
}

enum { NAME = 16 };

struct request {
  struct nlmsghdr header;
  struct ifinfomsg info;
  struct rtattr attribute;
  char name[NAME];
};

static long ask(long fd, const struct request *request) {
  struct { struct nlmsghdr header; struct nlmsgerr error; } answer;
  long n = raw(SYS_sendto, fd, request, request->header.nlmsg_len, 0);
  if (n < 0)
    return n;
  n = raw(SYS_recvfrom, fd, &answer, sizeof answer, 0);
  if (n >= 0 && n < (long)(NLMSG_HDRLEN + sizeof(int)))
    return -EIO;
  return n < 0 ? n : answer.error.error;
}

long walker_link_up(const long a[]) {
  struct request request = {
    .header = {NLMSG_SPACE(sizeof request.info) + RTA_SPACE((size_t)a[1]),
               RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0},
    .info = {.ifi_flags = 1 /* IFF_UP */, .ifi_change = 1},
    .attribute = {(unsigned short)RTA_LENGTH((size_t)a[1]), IFLA_IFNAME},
  };
  for (long i = 0; i < a[1] && i < NAME; i++)
    request.name[i] = ((const char *)a[0])[i];
  long fd = raw(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
                NETLINK_ROUTE);
  if (fd < 0)
    return fd;
  long result = ask(fd, &request);
  walker_close(fd);
  return result;
}

/* Of the words of capget and capset each is half of a set. */
struct caps {
  struct __user_cap_header_struct header;
  struct __user_cap_data_struct sets[2];
};

static long get(struct caps *c) {
  c->header = (struct __user_cap_header_struct){_LINUX_CAPABILITY_VERSION_3,
                                                0};
  return raw(SYS_capget, &c->header, c->sets);
}

/* What is not inheritable any more is not ambient either. */
long walker_inherit_nothing(void) {
  struct caps c;
  long result = get(&c);
  if (result < 0)
    return result;
  c.sets[0].inheritable = c.sets[1].inheritable = 0;
  return raw(SYS_capset, &c.header, c.sets);
}

/* One that is not there needs no privilege to be dropped. */
static long drop(long cap) {
  long result = raw(SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
  if (result < 0 && raw(SYS_prctl, PR_CAPBSET_READ, cap, 0, 0, 0) != 1)
    return 0;
  return result;
}

long walker_keep(const long a[]) {
  struct caps c;
  uint64_t mask = (uint64_t)a[0];
  long result = get(&c);
  for (long cap = 0; cap < a[1] && result >= 0; cap++)
    if ((mask >> cap & 1) == 0)
      result = drop(cap);
  if (result < 0)
    return result;
  for (int i = 0; i < 2; i++) {
    uint32_t half = (uint32_t)(mask >> 32 * i);
    c.sets[i].effective &= half;
    c.sets[i].permitted &= half;
    c.sets[i].inheritable &= half;
  }
  return raw(SYS_capset, &c.header, c.sets);
}

long walker_seccomp(const long a[]) {
  struct sock_fprog program = {(unsigned short)a[1],
                               (struct sock_filter *)a[0]};
  return raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

/*
 * What the network costs in C: requests put together by hand and sent many at
 * a time, an answer asked of the last one only, one queue for each end of a
 * pair, and everything born where it belongs. Beside this Farside is measured.
 *
 *   network pairs N    pairs of veth links in a new network namespace
 *   network routes N   routes in a new network namespace; their addresses are
 *                      text, which is there before, as for all others
 *   network lab N      hosts on a bridge: for each a namespace, a link, its
 *                      loopback and its address; all up
 *   network ip FILE    the requests of FILE through `ip -batch`, in a new
 *                      network namespace
 *
 * For each byte on standard input it does so once, and answers with a byte;
 * then it lets go of what it has made.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 24 * 1024, LARGEST = 512, HOSTS = 1023, FIRST = 1000 };

static int must(int result, const char *what) {
  if (result == -1)
    err(1, "%s", what);
  return result;
}

/* ---- sockets and namespaces ---- */

static int netlink(void) {
  return must(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE),
              "socket");
}

static void new_namespace(void) {
  must(unshare(CLONE_NEWNET), "unshare");
}

static int own_namespace(void) {
  return must(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "open");
}

/* ---- messages: many in one buffer ---- */

static _Alignas(struct nlmsghdr) char buffer[MOST + LARGEST];
static size_t used;
static struct nlmsghdr *last;
static uint32_t sequence;

/* Waits for the answer to the last message; earlier ones answer only what
 * went wrong. */
static void await(int fd) {
  struct { struct nlmsghdr header; struct nlmsgerr error; char rest[LARGEST]; }
    answer;
  do {
    must((int)recv(fd, &answer, sizeof answer, 0), "recv");
    if (answer.header.nlmsg_type != NLMSG_ERROR)
      errx(1, "answer of type %d", answer.header.nlmsg_type);
    if (answer.error.error != 0)
      errx(1, "request %u: %s", answer.header.nlmsg_seq,
           strerror(-answer.error.error));
  } while (answer.header.nlmsg_seq != sequence);
}

static void flush(int fd) {
  if (used == 0)
    return;
  last->nlmsg_flags |= NLM_F_ACK;
  must((int)send(fd, buffer, used, 0), "send");
  await(fd);
  used = 0;
}

static void *reserve(size_t size) {
  void *at = buffer + used;
  memset(at, 0, NLMSG_ALIGN(size));
  used += NLMSG_ALIGN(size);
  return at;
}

/* A message and what follows its header; sends what is there when it is full. */
static void *begin(int fd, int type, int flags, size_t size) {
  if (used > MOST)
    flush(fd);
  last = reserve(sizeof *last);
  last->nlmsg_type = (uint16_t)type;
  last->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
  last->nlmsg_seq = ++sequence;
  return reserve(size);
}

static void end(void) {
  last->nlmsg_len = (uint32_t)(buffer + used - (char *)last);
}

static struct rtattr *put(int type, const void *data, size_t size) {
  struct rtattr *a = reserve(sizeof *a + size);
  a->rta_type = (uint16_t)type;
  a->rta_len = (uint16_t)(sizeof *a + size);
  if (size > 0)
    memcpy(a + 1, data, size);
  return a;
}

static void put_number(int type, uint32_t value) {
  put(type, &value, sizeof value);
}

static void put_name(int type, const char *name) {
  put(type, name, strlen(name) + 1);
}

static void close_nest(struct rtattr *a) {
  a->rta_len = (uint16_t)(buffer + used - (char *)a);
}

/* ---- links ---- */

struct end {
  const char *name;
  int index, master, netns; /* 0 or -1: none is asked for */
  bool up;
};

static void put_end(const struct end *e) {
  put_name(IFLA_IFNAME, e->name);
  put_number(IFLA_NUM_TX_QUEUES, 1);
  put_number(IFLA_NUM_RX_QUEUES, 1);
  if (e->master > 0)
    put_number(IFLA_MASTER, (uint32_t)e->master);
  if (e->netns >= 0)
    put_number(IFLA_NET_NS_FD, (uint32_t)e->netns);
}

static void begin_link(int fd, int flags, int index, bool up) {
  struct ifinfomsg *i = begin(fd, RTM_NEWLINK, flags, sizeof *i);
  i->ifi_index = index;
  i->ifi_flags = i->ifi_change = up ? IFF_UP : 0;
}

static void add_pair(int fd, const struct end *one, const struct end *other) {
  begin_link(fd, NLM_F_CREATE | NLM_F_EXCL, one->index, one->up);
  put_end(one);
  struct rtattr *info = put(IFLA_LINKINFO, NULL, 0);
  put_name(IFLA_INFO_KIND, "veth");
  struct rtattr *data = put(IFLA_INFO_DATA, NULL, 0);
  struct rtattr *peer = put(VETH_INFO_PEER, NULL, 0);
  struct ifinfomsg *i = reserve(sizeof *i);
  i->ifi_index = other->index;
  put_end(other);
  close_nest(peer);
  close_nest(data);
  close_nest(info);
  end();
}

static void add_bridge(int fd, const char *name, int index) {
  begin_link(fd, NLM_F_CREATE | NLM_F_EXCL, index, true);
  put_name(IFLA_IFNAME, name);
  struct rtattr *info = put(IFLA_LINKINFO, NULL, 0);
  put_name(IFLA_INFO_KIND, "bridge");
  close_nest(info);
  end();
}

static void set_up(int fd, int index) {
  begin_link(fd, 0, index, true);
  end();
}

static void add_address(int fd, int index, uint32_t address) {
  struct ifaddrmsg *a = begin(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
                              sizeof *a);
  address = htonl(address);
  *a = (struct ifaddrmsg){AF_INET, 16, 0, 0, (uint32_t)index};
  put(IFA_LOCAL, &address, sizeof address);
  put(IFA_ADDRESS, &address, sizeof address);
  end();
}

static void add_route(int fd, int index, const char *text) {
  struct in_addr to;
  if (inet_pton(AF_INET, text, &to) != 1)
    errx(1, "'%s' is no address", text);
  struct rtmsg *r = begin(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL,
                          sizeof *r);
  *r = (struct rtmsg){.rtm_family = AF_INET, .rtm_dst_len = 32,
    .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT,
    .rtm_scope = RT_SCOPE_LINK, .rtm_type = RTN_UNICAST};
  put(RTA_DST, &to, sizeof to);
  put_number(RTA_OIF, (uint32_t)index);
  end();
}

/* ---- what is measured ---- */

static void make_pairs(int count) {
  char one[16], other[16];
  new_namespace();
  int fd = netlink();
  for (int i = 0; i < count; i++) {
    snprintf(one, sizeof one, "a%d", i);
    snprintf(other, sizeof other, "b%d", i);
    add_pair(fd, &(struct end){.name = one, .netns = -1},
             &(struct end){.name = other, .netns = -1});
  }
  flush(fd);
  close(fd);
}

static char (*addresses)[sizeof "10.1.2147483647.255"];

static void write_addresses(int count) {
  addresses = calloc((size_t)count, sizeof *addresses);
  if (addresses == NULL)
    err(1, "calloc");
  for (int i = 0; i < count; i++)
    snprintf(addresses[i], sizeof *addresses, "10.1.%d.%d", i >> 8, i & 255);
}

static void make_routes(int count) {
  new_namespace();
  int fd = netlink();
  set_up(fd, 1);
  for (int i = 0; i < count; i++)
    add_route(fd, 1, addresses[i]);
  flush(fd);
  close(fd);
}

struct host {
  int netns, socket;
};

static struct host hosts[HOSTS];

static void make_namespaces(int count) {
  for (int i = 0; i < count; i++) {
    new_namespace();
    hosts[i] = (struct host){own_namespace(), netlink()};
  }
  new_namespace(); /* the switch's */
}

static void plug_in(int fd, int count) {
  char name[16];
  add_bridge(fd, "sw", 2);
  for (int i = 0; i < count; i++) {
    snprintf(name, sizeof name, "h%d", i + 1);
    add_pair(fd, &(struct end){name, FIRST + i, 2, -1, true},
             &(struct end){"eth0", 2, 0, hosts[i].netns, false});
  }
  flush(fd);
}

static void set_up_host(int fd, int i) {
  set_up(fd, 1);
  set_up(fd, 2);
  add_address(fd, 2, 0x0a000001u + (uint32_t)i);
  flush(fd);
}

static void make_lab(int count) {
  if (count > HOSTS)
    errx(1, "a bridge has at most %d ports", HOSTS);
  make_namespaces(count);
  int fd = netlink();
  plug_in(fd, count);
  close(fd);
  for (int i = 0; i < count; i++)
    set_up_host(hosts[i].socket, i);
}

/* The descriptors are all that holds the namespaces. */
static void drop_lab(int count) {
  for (int i = 0; i < count; i++) {
    close(hosts[i].socket);
    close(hosts[i].netns);
  }
}

static void run_ip(const char *file) {
  char *const argv[] = {"ip", "-batch", (char *)file, NULL};
  int status;
  pid_t pid;
  new_namespace();
  if ((errno = posix_spawnp(&pid, "ip", NULL, NULL, argv, environ)) != 0)
    err(1, "ip");
  must(waitpid(pid, &status, 0), "waitpid");
  if (status != 0)
    errx(1, "ip: status %#x", (unsigned)status);
}

/* What is wanted leaves the namespace that it was made in. */
static void make(const char *what, const char *how, int count) {
  if (strcmp(what, "pairs") == 0)
    make_pairs(count);
  else if (strcmp(what, "routes") == 0)
    make_routes(count);
  else if (strcmp(what, "lab") == 0)
    make_lab(count);
  else if (strcmp(what, "ip") == 0)
    run_ip(how);
  else
    errx(2, "'%s' is not known", what);
}

int main(int argc, char **argv) {
  if (argc != 3)
    errx(2, "usage: network pairs|routes|lab N | ip FILE");
  int count = atoi(argv[2]), home = own_namespace();
  if (strcmp(argv[1], "routes") == 0)
    write_addresses(count);
  for (char byte; read(0, &byte, 1) == 1;) {
    make(argv[1], argv[2], count);
    must((int)write(1, "\n", 1), "write");
    must(setns(home, CLONE_NEWNET), "setns");
    if (strcmp(argv[1], "lab") == 0)
      drop_lab(count);
  }
  return 0;
}

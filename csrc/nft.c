/*
 * Whether a table of nftables is there. To change one is nft's business, which
 * takes some milliseconds to start: this is for knowing that there is nothing
 * to be asked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "farside.h"
#include "netsocket.h"

#define LONGEST 31 /* bytes of a name here; the kernel takes more */

struct question {
  struct nlmsghdr head;
  struct nfgenmsg family;
  struct nlattr attr;
  char name[LONGEST + 1];
};

static struct question question(uint8_t family, const char *name) {
  struct question q = {
    .head.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE,
    .head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
    .family = {.nfgen_family = family, .version = NFNETLINK_V0},
    .attr.nla_type = NFTA_TABLE_NAME,
  };
  size_t length = strlen(name) + 1;
  memcpy(q.name, name, length);
  q.attr.nla_len = (uint16_t)(NLA_HDRLEN + length);
  q.head.nlmsg_len = (uint32_t)(offsetof(struct question, name) +
                                NLA_ALIGN(length));
  return q;
}

/* 1 when it is there, 0 when not, or -errno. The answer is the table or an
 * error, either of which fits in any datagram's beginning. */
static int ask(int fd, const struct question *q) {
  union {
    struct nlmsghdr head;
    struct {
      struct nlmsghdr head;
      struct nlmsgerr error;
    } refusal;
    char bytes[512];
  } answer;
  ssize_t n;
  if (send(fd, q, q->head.nlmsg_len, 0) == -1)
    return -errno;
  while ((n = far_hear(fd, &answer, sizeof answer, 0)) == -EINTR)
    continue;
  if (n < 0)
    return (int)n;
  if ((size_t)n < sizeof answer.refusal)
    return -EPROTO;
  if (answer.head.nlmsg_type != NLMSG_ERROR)
    return 1;
  int err = answer.refusal.error.error;
  if (err >= 0 || err < -FAR_MAX_ERRNO)
    return -EPROTO;
  return err == -ENOENT ? 0 : err;
}

/* A kernel without nftables has no table. */
static int find(uint8_t family, const char *name) {
  const struct question q = question(family, name);
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd == -1)
    return errno == EPROTONOSUPPORT ? 0 : -errno;
  int found = ask(fd, &q);
  (void)close(fd);
  return found == -EINVAL || found == -EOPNOTSUPP ? 0 : found;
}

static const struct far_word families[] = {
  {"inet", NFPROTO_INET},     {"ip", NFPROTO_IPV4}, {"ip6", NFPROTO_IPV6},
  {"bridge", NFPROTO_BRIDGE}, {"arp", NFPROTO_ARP}, {"netdev", NFPROTO_NETDEV},
  {NULL, 0},
};

/***
Whether the caller's network namespace has a table of nftables.
@function nft_table
@tparam string family "inet", "ip", "ip6", "bridge", "arp" or "netdev"
@tparam string name at most 31 bytes
@treturn boolean
@raise EPERM without CAP_NET_ADMIN. See nft(8).
*/
static int bind_nft_table(lua_State *L) {
  uint8_t family = (uint8_t)far_word(L, 1, families, "family");
  const char *name = far_path(L, 2);
  luaL_argcheck(L, strlen(name) <= LONGEST, 2, "name too long");
  far_at_most(L, 2);
  int found = find(family, name);
  if (found < 0)
    return far_raise(L, -found, "nft_table", name, NULL);
  lua_pushboolean(L, found);
  return 1;
}

static const luaL_Reg functions[] = {
  {"nft_table", bind_nft_table},
  {NULL, NULL},
};

void far_open_nft(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

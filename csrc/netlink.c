/*
 * The netlink loop. Answers are matched by sequence number: what an
 * interrupted request left unread must never pass for an answer to the next.
 * A socket is bound to nothing but the kernel's choice of a port id.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink.h"

#define NETLINK "farside.netlink"

struct far_netlink {
  int fd;
  uint32_t seq;
  const char *call;
  struct nl_msg *msg;  /* the request */
  struct nlmsghdr *at; /* the next message in the buffer */
  int left;            /* bytes from there on */
  bool stale;
  bool done;
  char text[256]; /* what the kernel said of an error, or "" */
  size_t room;    /* of the buffer */
  _Alignas(struct nlmsghdr) char buffer[];
};

static int netlink_close(lua_State *L) {
  struct far_netlink *nl = luaL_checkudata(L, 1, NETLINK);
  nlmsg_free(nl->msg);
  nl->msg = NULL;
  if (nl->fd >= 0)
    close(nl->fd);
  nl->fd = -1;
  return 0;
}

/* Texts with errors, and errors without a copy of the request. Kernels that
 * do not know them (before 4.12) answer all the same. */
static void want_texts(int fd) {
  const int yes = 1;
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &yes, sizeof yes);
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof yes);
}

struct far_netlink *far_netlink_open(lua_State *L, const char *call,
                                     size_t room) {
  struct far_netlink *nl = lua_newuserdatauv(L, sizeof *nl + room, 0);
  *nl = (struct far_netlink){.fd = -1, .call = call, .room = room};
  if (luaL_newmetatable(L, NETLINK)) {
    static const luaL_Reg meta[] = {
      {"__gc", netlink_close}, {"__close", netlink_close}, {NULL, NULL},
    };
    luaL_setfuncs(L, meta, 0);
  }
  lua_setmetatable(L, -2);
  lua_toclose(L, -1);
  nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  far_check(L, nl->fd, call, NULL);
  want_texts(nl->fd);
  return nl;
}

void far_netlink_send(lua_State *L, struct far_netlink *nl,
                      struct nl_msg *msg) {
  nlmsg_free(nl->msg);
  nl->msg = msg;
  if (msg == NULL)
    far_raise(L, ENOMEM, nl->call, NULL, NULL);
  struct nlmsghdr *h = nlmsg_hdr(msg);
  bool dump = (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  h->nlmsg_flags |= NLM_F_REQUEST | (dump ? 0 : NLM_F_ACK);
  h->nlmsg_seq = ++nl->seq;
  nl->left = 0;
  nl->stale = nl->done = false;
  while (send(nl->fd, h, h->nlmsg_len, 0) == -1) {
    if (errno != EINTR)
      far_raise(L, errno, nl->call, NULL, NULL);
    far_interrupted(L);
  }
}

static void fill(lua_State *L, struct far_netlink *nl) {
  ssize_t n;
  while ((n = recv(nl->fd, nl->buffer, nl->room, MSG_TRUNC)) == -1) {
    if (errno != EINTR)
      far_raise(L, errno, nl->call, NULL, NULL);
    far_interrupted(L);
  }
  if ((size_t)n > nl->room)
    far_raise(L, EMSGSIZE, nl->call, NULL, NULL);
  nl->at = (struct nlmsghdr *)nl->buffer;
  nl->left = (int)n;
}

/* Keeps the kernel's own text from the attributes that follow an error. */
static void keep_text(struct far_netlink *nl, const struct nlmsghdr *h,
                      size_t offset) {
  struct nlattr *tb[NLMSGERR_ATTR_MAX + 1];
  if ((h->nlmsg_flags & NLM_F_ACK_TLVS) == 0 ||
      nlmsg_parse((struct nlmsghdr *)h, (int)offset, tb, NLMSGERR_ATTR_MAX,
                  NULL) < 0 || tb[NLMSGERR_ATTR_MSG] == NULL)
    return;
  int length = nla_len(tb[NLMSGERR_ATTR_MSG]);
  snprintf(nl->text, sizeof nl->text, "%.*s", length,
           (const char *)nla_data(tb[NLMSGERR_ATTR_MSG]));
}

/* The errno that a closing message carries, 0 when all went well. */
static int verdict(struct far_netlink *nl, const struct nlmsghdr *h) {
  const struct nlmsgerr *e = nlmsg_data(h);
  size_t offset = sizeof(int);
  if (h->nlmsg_type == NLMSG_ERROR)
    offset = sizeof *e + (h->nlmsg_flags & NLM_F_CAPPED
                            ? 0 : e->msg.nlmsg_len - sizeof e->msg);
  nl->text[0] = '\0';
  if (h->nlmsg_len < NLMSG_HDRLEN + sizeof e->error || e->error == 0)
    return 0;
  keep_text(nl, h, offset);
  return -e->error;
}

/* The kernel's text goes into the error object as `log`. */
static int refuse(lua_State *L, const struct far_netlink *nl, int err,
                  const char *object) {
  far_error_push(L, err, nl->call, object, NULL);
  if (nl->text[0] != '\0') {
    lua_pushstring(L, nl->text);
    lua_setfield(L, -2, "log");
  }
  return far_error_throw(L);
}

static bool closes(const struct nlmsghdr *h) {
  return h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE;
}

struct nlmsghdr *far_netlink_next(lua_State *L, struct far_netlink *nl,
                                  const char *object) {
  while (!nl->done) {
    if (!nlmsg_ok(nl->at, nl->left))
      fill(L, nl);
    struct nlmsghdr *h = nl->at;
    nl->at = nlmsg_next(h, &nl->left);
    if (h->nlmsg_seq != nl->seq)
      continue;
    nl->stale |= (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    if (!closes(h))
      return h;
    nl->done = true;
    int err = verdict(nl, h);
    if (err != 0)
      refuse(L, nl, err, object);
  }
  return NULL;
}

bool far_netlink_stale(const struct far_netlink *nl) {
  return nl->stale;
}

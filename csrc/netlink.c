/*
 * The netlink loop. Answers are matched by sequence number: what an
 * interrupted request left unread must never pass for an answer to the next.
 * A socket is bound to nothing but the kernel's choice of a port id.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netattr.h"
#include "netsocket.h"

/* ---- where requests go ---- */

/* A socket for one call, closed when the binding ends, also by an error. */
static struct far_netlink *passing(lua_State *L, const char *call) {
  struct far_netlink *nl = far_netlink_new(L);
  lua_toclose(L, -1);
  nl->fd = far_socket();
  if (nl->fd < 0)
    far_raise(L, -nl->fd, call, NULL, NULL);
  return nl;
}

/* Both sides of a fork would eat each other's answers. */
void far_usable(lua_State *L, const struct far_netlink *nl) {
  if (nl->fd < 0)
    luaL_error(L, "netlink handle is closed");
  if (nl->pid != getpid())
    luaL_error(L, "netlink handle of another process (open one in this one)");
}

/* The handle or batch that the binding is bound to. */
static struct far_netlink *bound(lua_State *L, struct far_netlink *nl) {
  if (nl->batch != NULL)
    far_batch_begin(nl->batch);
  else
    far_usable(L, nl);
  return nl;
}

void far_request_to(struct far_request *r, struct far_netlink *nl,
                    const struct far_verb *call) {
  r->nl = nl;
  r->call = call;
  r->arg = 1;
  r->within = "";
  r->header = NLMSG_HDRLEN;
  r->bits = 0;
  r->later = false;
  r->first = NLMSG_HDRLEN + NLMSG_ALIGN(call->header);
  r->netns = r->peer_netns = -1;
  r->head = (struct nlmsghdr){
    .nlmsg_len = NLMSG_HDRLEN + NLMSG_ALIGN(call->header),
    .nlmsg_type = call->type,
    .nlmsg_flags = NLM_F_REQUEST | call->flags,
  };
  memset(r->bytes + NLMSG_HDRLEN, 0, NLMSG_ALIGN(call->header));
}

void far_request(lua_State *L, struct far_request *r,
                 const struct far_verb *call) {
  struct far_netlink *nl = lua_touserdata(L, lua_upvalueindex(1));
  far_request_to(r, nl != NULL ? bound(L, nl) : passing(L, call->name), call);
}

void *far_header(struct far_request *r) {
  return r->bytes + r->header;
}

/* ---- writing ---- */

/* Room at the end of the message, its padding zeroed. */
static void *reserve(lua_State *L, struct far_request *r, size_t length) {
  size_t at = r->head.nlmsg_len;
  if (at + NLMSG_ALIGN(length) > sizeof r->bytes)
    luaL_argerror(L, r->arg, "too much for one request");
  r->head.nlmsg_len += NLMSG_ALIGN(length);
  if (length % 4 != 0)
    memset(r->bytes + at + length, 0, NLMSG_ALIGN(length) - length);
  return r->bytes + at;
}

void *far_inner_header(lua_State *L, struct far_request *r, size_t size) {
  r->header = r->head.nlmsg_len;
  r->first = r->header + NLMSG_ALIGN(size);
  return memset(reserve(L, r, size), 0, size);
}

void *far_share(lua_State *L, struct far_request *r, int type, size_t size) {
  struct nlattr *a = nla_find((struct nlattr *)(r->bytes + r->first),
                              (int)(r->head.nlmsg_len - r->first), type);
  if (a == NULL) {
    a = reserve(L, r, NLA_HDRLEN + size);
    memset(a, 0, NLA_HDRLEN + size);
    a->nla_len = (uint16_t)(NLA_HDRLEN + size);
    a->nla_type = (uint16_t)type;
  }
  return nla_data(a);
}

void far_put(lua_State *L, struct far_request *r, int type, const void *data,
             size_t length) {
  struct nlattr *a = reserve(L, r, NLA_HDRLEN + length);
  a->nla_len = (uint16_t)(NLA_HDRLEN + length);
  a->nla_type = (uint16_t)type;
  memcpy((char *)a + NLA_HDRLEN, data, length);
}

struct nlattr *far_put_before(struct far_request *r, int type) {
  int header = r->call->header;
  return nla_find(nlmsg_attrdata(&r->head, header),
                  nlmsg_attrlen(&r->head, header), type);
}

size_t far_nest(lua_State *L, struct far_request *r, int type) {
  size_t at = r->head.nlmsg_len;
  far_put(L, r, type, "", 0);
  return at;
}

void far_unnest(struct far_request *r, size_t nest) {
  struct nlattr *a = (struct nlattr *)(r->bytes + nest);
  a->nla_len = (uint16_t)(r->head.nlmsg_len - nest);
}

/* ---- sending and receiving ---- */

static void post(lua_State *L, struct far_request *r, int flags) {
  r->head.nlmsg_flags |= (uint16_t)flags;
  r->head.nlmsg_seq = ++r->nl->seq;
  while (send(r->nl->fd, r->bytes, r->head.nlmsg_len, 0) == -1) {
    if (errno != EINTR)
      far_raise(L, errno, r->call->name, NULL, NULL);
    far_interrupted(L);
  }
}

void far_receive(lua_State *L, struct far_netlink *nl, struct far_answers *a,
                 const char *call) {
  ssize_t n;
  while ((n = far_hear(nl->fd, a->bytes, sizeof a->bytes, MSG_TRUNC)) < 0) {
    if (n != -EINTR)
      far_raise(L, (int)-n, call, NULL, NULL);
    far_interrupted(L);
  }
  if ((size_t)n > sizeof a->bytes)
    far_raise(L, EMSGSIZE, call, NULL, NULL);
  a->at = &a->head;
  a->left = (int)n;
  if (!nlmsg_ok(a->at, a->left))
    far_raise(L, EBADMSG, call, NULL, NULL);
}

void far_ask(lua_State *L, struct far_request *r, struct far_answers *a) {
  bool dump = (r->head.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  if (r->nl->batch != NULL)
    luaL_error(L, "%s: a batch changes, it does not ask", r->call->name);
  a->request = r;
  a->at = &a->head;
  a->left = 0;
  a->stale = a->done = a->quiet = false;
  a->err = 0;
  a->refusal = NULL;
  post(L, r, dump ? 0 : NLM_F_ACK);
}

struct nlmsghdr *far_next(lua_State *L, struct far_answers *a) {
  const struct far_request *r = a->request;
  while (!a->done) {
    if (!nlmsg_ok(a->at, a->left))
      far_receive(L, r->nl, a, r->call->name);
    struct nlmsghdr *h = a->at;
    a->at = nlmsg_next(h, &a->left);
    if (h->nlmsg_seq != r->head.nlmsg_seq)
      continue;
    a->stale |= (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    if (h->nlmsg_type != NLMSG_ERROR && h->nlmsg_type != NLMSG_DONE)
      return h;
    a->done = true;
    a->err = far_verdict(h);
    a->refusal = h;
    if (a->err != 0 && !a->quiet) {
      far_refusal(L, r, a->err, h);
      far_error_throw(L);
    }
  }
  return NULL;
}

int far_request_do(lua_State *L, struct far_request *r) {
  struct far_answers a;
  if (r->nl->batch != NULL) {
    far_batch_add(L, r->nl->batch, r);
    return 0;
  }
  far_ask(L, r, &a);
  while (far_next(L, &a) != NULL)
    continue;
  return 0;
}

bool far_try(lua_State *L, struct far_request *r, struct far_answers *a) {
  far_ask(L, r, a);
  a->quiet = true;
  while (far_next(L, a) != NULL)
    continue;
  return a->err == 0;
}

int far_list(lua_State *L, struct far_request *r,
             void (*push)(lua_State *L, const struct far_request *r,
                          struct nlmsghdr *h)) {
  struct far_answers a;
  struct nlmsghdr *h;
  for (int tries = 0; tries < 16; tries++) {
    lua_Integer n = 0;
    lua_newtable(L);
    for (far_ask(L, r, &a); (h = far_next(L, &a)) != NULL;) {
      push(L, r, h);
      if (lua_isnil(L, -1)) /* not one to be told */
        lua_pop(L, 1);
      else
        lua_rawseti(L, -2, ++n);
    }
    if (!a.stale)
      return 1;
    lua_pop(L, 1);
  }
  return far_raise(L, EAGAIN, r->call->name, NULL, NULL);
}

/* ---- refusals ---- */

int far_verdict(const struct nlmsghdr *h) {
  const struct nlmsgerr *e = nlmsg_data(h);
  if (h->nlmsg_len < NLMSG_HDRLEN + sizeof e->error)
    return 0;
  return e->error <= 0 && e->error >= -FAR_MAX_ERRNO ? -e->error : EPROTO;
}

/* Where the attributes that follow an error begin, after the header; at the
 * end when there is no room for any. */
static int tlvs(const struct nlmsghdr *h) {
  const struct nlmsgerr *e = nlmsg_data(h);
  size_t room = (size_t)nlmsg_datalen(h), skip = sizeof *e;
  if (h->nlmsg_type == NLMSG_DONE)
    skip = sizeof(int);
  else if (room >= sizeof *e && (h->nlmsg_flags & NLM_F_CAPPED) == 0)
    skip += (size_t)e->msg.nlmsg_len - sizeof e->msg;
  return (int)(skip < room ? skip : room);
}

/* The kernel's text goes into the error object as `log`, the field that it is
 * about as `attribute`. */
static void add_words(lua_State *L, const struct far_request *r,
                      const struct nlmsghdr *h) {
  struct nlattr *tb[NLMSGERR_ATTR_MAX + 1];
  if ((h->nlmsg_flags & NLM_F_ACK_TLVS) == 0 ||
      nlmsg_parse((struct nlmsghdr *)h, tlvs(h), tb, NLMSGERR_ATTR_MAX,
                  NULL) < 0)
    return;
  struct nlattr *text = tb[NLMSGERR_ATTR_MSG];
  if (text != NULL) {
    lua_pushlstring(L, nla_data(text), strnlen(nla_data(text),
                                               (size_t)nla_len(text)));
    lua_setfield(L, -2, "log");
  }
  struct nlattr *offset = tb[NLMSGERR_ATTR_OFFS];
  if (offset != NULL) {
    far_push_attribute(L, r->call, &r->head, nla_get_u32(offset));
    lua_setfield(L, -2, "attribute");
  }
}

void far_refusal(lua_State *L, const struct far_request *r, int err,
                 const struct nlmsghdr *h) {
  if (r->call->object != NULL)
    r->call->object(L, r);
  else
    lua_pushnil(L);
  far_error_push(L, err, r->call->name, lua_tostring(L, -1), NULL);
  lua_remove(L, -2);
  if (h != NULL)
    add_words(L, r, h);
}

/* An alternative name is too long for the ioctl. */
static int find_long(lua_State *L, struct far_netlink *nl, const char *name) {
  static const struct far_verb get = {
    .name = "link.get", .type = RTM_GETLINK, .header = sizeof(struct ifinfomsg),
  };
  struct far_request r;
  struct far_answers a;
  int index = 0;
  far_request_to(&r, nl, &get);
  far_put(L, &r, IFLA_ALT_IFNAME, name, strlen(name) + 1);
  far_ask(L, &r, &a);
  a.quiet = true;
  for (struct nlmsghdr *h; (h = far_next(L, &a)) != NULL;)
    index = ((struct ifinfomsg *)nlmsg_data(h))->ifi_index;
  return index;
}

int far_find_link(lua_State *L, struct far_netlink *nl, const char *name) {
  if (strlen(name) >= IFNAMSIZ)
    return find_long(L, nl, name);
  return far_link_index(nl->fd, name);
}

void far_put_index(lua_State *L, struct far_request *r, void *at,
                   const char *name) {
  if (r->nl->batch != NULL) {
    far_batch_name(L, r->nl->batch, (size_t)((char *)at - r->bytes), name);
    return;
  }
  int32_t index = far_find_link(L, r->nl, name);
  if (index == 0)
    far_raise(L, ENODEV, r->call->name, name, NULL);
  memcpy(at, &index, sizeof index);
}

/*
 * Batches: requests are put together first, all of them, and sent then, many
 * in one system call. So what is wrong with a request itself is found before
 * anything is done.
 *
 * The kernel works on all messages of a call before that returns, one after the
 * other, whatever becomes of each. Who fails is told without being asked, and
 * the last is asked for its answer, which closes the call: a call has no more
 * messages than the receive buffer has room for refusals.
 *
 * A link's name in a request is the business of the call before: its index is
 * found out when all earlier requests that change links have been sent.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink.h"

/* At most so much in one call; what a refusal, with the kernel's words, may
 * take up of the receive buffer, which is asked to be as large as that. */
enum { BYTES = 65536, REFUSAL = 2048, BUFFER = 1 << 20 };

/* What a request is, and where it stands in the user's code: many in a row have
 * that in common. There may be a million of them: a record is small. */
struct origin {
  const struct far_verb *call;
  const char *source; /* NULL: unknown */
  int line;
};

struct record {
  uint32_t at; /* of its message */
  uint32_t origin;
  int err;
};

struct name {
  size_t record, at;
  const char *name;
};

struct far_batch {
  struct far_netlink as; /* what bindings see */
  struct far_netlink *nl;
  char *bytes;
  size_t used, room;
  struct record *records;
  size_t count, records_room;
  struct origin *origins;
  size_t origins_count, origins_room;
  struct name *names;
  size_t names_count, names_done, names_room; /* done: of whole requests */
  size_t sent, next_name;
  size_t most; /* requests in one call */
  const char *missing; /* the link that keeps the next request from going */
  const void *code;    /* the function that the last request stands in */
  const char *source;  /* and its file */
  lua_Integer kept;
};

/* User values: the areas, what is kept. */
enum { AREAS = 1, KEPT = 2 };

static struct far_batch *check(lua_State *L) {
  struct far_batch *b = luaL_checkudata(L, 1, FAR_BATCH);
  luaL_argcheck(L, b->nl != NULL, 1, "the batch has ended");
  return b;
}

/* ---- putting together ---- */

int far_batch_new(lua_State *L) {
  struct far_netlink *nl = luaL_checkudata(L, 1, FAR_NETLINK);
  far_at_most(L, 1);
  luaL_argcheck(L, nl->fd >= 0, 1, "netlink handle is closed");
  struct far_batch *b = lua_newuserdatauv(L, sizeof *b, 2);
  *b = (struct far_batch){.as = {b, -1, nl->pid, 0}, .nl = nl};
  luaL_setmetatable(L, FAR_BATCH);
  lua_newtable(L);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, ++b->kept);
  lua_setiuservalue(L, -2, KEPT);
  return 1;
}

void far_batch_keep(lua_State *L, struct far_batch *b) {
  lua_getiuservalue(L, lua_upvalueindex(1), KEPT);
  lua_insert(L, -2);
  lua_rawseti(L, -2, ++b->kept);
  lua_pop(L, 1);
}

/* The batch owns what this answers: an error leaves it as it was. */
static void *grow(lua_State *L, void *old, size_t *room, size_t needed,
                  size_t size) {
  if (needed <= *room)
    return old;
  size_t more = *room * 2 > needed ? *room * 2 : needed + 16;
  void *new = realloc(old, more * size);
  if (new == NULL)
    luaL_error(L, "not enough memory for the batch");
  *room = more;
  return new;
}

void far_batch_begin(struct far_batch *b) {
  b->names_count = b->names_done;
}

void far_batch_name(lua_State *L, struct far_batch *b, size_t at,
                    const char *name) {
  b->names = grow(L, b->names, &b->names_room, b->names_count + 1,
                  sizeof *b->names);
  lua_pushstring(L, name);
  name = lua_tostring(L, -1);
  far_batch_keep(L, b);
  b->names[b->names_count++] = (struct name){b->count, at, name};
}

/* Finds out where the requests of the caller stand, which is on the stack. If
 * it is not part of the library it is kept, so that no other function comes to
 * its address, and not looked at again. */
static int look(lua_State *L, struct far_batch *b) {
  lua_Debug ar;
  int level = far_where(L, &ar);
  b->code = level == 1 ? lua_topointer(L, -1) : NULL;
  if (b->code != NULL) {
    lua_pushvalue(L, -1);
    far_batch_keep(L, b);
  }
  b->source = level < 0 ? NULL : lua_pushstring(L, ar.short_src);
  if (level >= 0)
    far_batch_keep(L, b);
  return ar.currentline;
}

/* Where the request stands. */
static void set_where(lua_State *L, struct far_batch *b, struct origin *of) {
  lua_Debug caller;
  if (lua_getstack(L, 1, &caller) == 0)
    return;
  lua_getinfo(L, "fl", &caller);
  bool known = b->code != NULL && lua_topointer(L, -1) == b->code;
  of->line = known ? caller.currentline : look(L, b);
  of->source = b->source;
  lua_pop(L, 1);
}

static bool same(const struct origin *a, const struct origin *b) {
  return a->call == b->call && a->source == b->source && a->line == b->line;
}

/* The number of the origin, which is that of the last request as a rule. */
static uint32_t number_of(lua_State *L, struct far_batch *b,
                          const struct origin *of) {
  size_t count = b->origins_count;
  if (count == 0 || !same(&b->origins[count - 1], of)) {
    b->origins = grow(L, b->origins, &b->origins_room, count + 1,
                      sizeof *b->origins);
    b->origins[b->origins_count++] = *of;
  }
  return (uint32_t)b->origins_count - 1;
}

static void append(lua_State *L, struct far_batch *b,
                   const struct far_request *r, const struct origin *of) {
  size_t length = r->head.nlmsg_len;
  if (b->used + length > UINT32_MAX)
    luaL_error(L, "%s: too much for one batch", r->call->name);
  b->bytes = grow(L, b->bytes, &b->room, b->used + length, 1);
  b->records = grow(L, b->records, &b->records_room, b->count + 1,
                    sizeof *b->records);
  b->records[b->count] = (struct record){
    .at = (uint32_t)b->used, .origin = number_of(L, b, of),
  };
  memcpy(b->bytes + b->used, r->bytes, length);
  b->used += length;
  b->names_done = b->names_count;
  b->count++;
}

void far_batch_append(lua_State *L, struct far_batch *b,
                      const struct far_request *r) {
  append(L, b, r, &(struct origin){.call = r->call});
}

void far_batch_add(lua_State *L, struct far_batch *b,
                   const struct far_request *r) {
  if (b->nl == NULL)
    luaL_error(L, "%s: the batch has ended", r->call->name);
  struct origin of = {.call = r->call};
  set_where(L, b, &of);
  append(L, b, r, &of);
}

/* ---- sending ---- */

static struct nlmsghdr *message(const struct far_batch *b, size_t i) {
  return (struct nlmsghdr *)(b->bytes + b->records[i].at);
}

static const struct origin *origin_of(const struct far_batch *b, size_t i) {
  return &b->origins[b->records[i].origin];
}

static bool changes_links(const struct far_batch *b, size_t i) {
  int type = origin_of(b, i)->call->type;
  return type == RTM_NEWLINK || type == RTM_DELLINK ||
         type == RTM_NEWLINKPROP || type == RTM_DELLINKPROP;
}

/* Finds out the indices that request `i` wants. */
static void find_names(lua_State *L, struct far_batch *b, size_t i) {
  for (; b->next_name < b->names_done && b->names[b->next_name].record == i;
       b->next_name++) {
    const struct name *n = &b->names[b->next_name];
    int32_t index = far_find_link(L, b->nl, n->name);
    if (index == 0) {
      b->records[i].err = ENODEV;
      b->missing = n->name;
    }
    memcpy((char *)message(b, i) + n->at, &index, sizeof index);
  }
}

static bool has_names(const struct far_batch *b, size_t i) {
  return b->next_name < b->names_done && b->names[b->next_name].record == i;
}

/* How many requests from `first` on go together: 0 when the first cannot go. */
static size_t together(lua_State *L, struct far_batch *b, size_t first) {
  bool links = false;
  size_t i = first, begin = b->records[first].at;
  for (; i < b->count && i - first < b->most; i++) {
    const struct nlmsghdr *h = message(b, i);
    if (i > first && b->records[i].at + h->nlmsg_len - begin > BYTES)
      break;
    if (links && has_names(b, i))
      break;
    find_names(L, b, i);
    if (b->records[i].err != 0)
      break;
    links |= changes_links(b, i);
  }
  return i - first;
}

/* A request as it was, for errors. */
static void restore(const struct far_batch *b, size_t i,
                    struct far_request *r) {
  const struct nlmsghdr *h = message(b, i);
  r->call = origin_of(b, i)->call;
  r->nl = b->nl;
  r->header = NLMSG_HDRLEN;
  memcpy(r->bytes, h, h->nlmsg_len);
}

/* Adds the failure of request `i` to the list at 2: what the kernel answered,
 * or NULL when it was not sent. */
static void add_failure(lua_State *L, const struct far_batch *b, size_t i,
                        const struct nlmsghdr *h) {
  const struct origin *of = origin_of(b, i);
  struct far_request r;
  luaL_checkstack(L, 8, NULL);
  if (h == NULL) {
    far_error_push(L, b->records[i].err, of->call->name, b->missing, NULL);
  } else {
    restore(b, i, &r);
    far_refusal(L, &r, b->records[i].err, h);
  }
  if (of->source != NULL)
    lua_pushfstring(L, "%s:%d", of->source, of->line);
  else
    lua_pushnil(L);
  lua_setfield(L, -2, "where");
  lua_pushinteger(L, (lua_Integer)i + 1);
  lua_setfield(L, -2, "request");
  lua_rawseti(L, 2, (lua_Integer)lua_rawlen(L, 2) + 1);
}

/* Reads answers until that to the last of `n` requests from `first` on. */
static void collect(lua_State *L, struct far_batch *b, size_t first, size_t n) {
  struct far_answers a = {.at = &a.head};
  uint32_t before = b->nl->seq - (uint32_t)n;
  for (bool last = false; !last;) {
    if (!nlmsg_ok(a.at, a.left))
      far_receive(L, b->nl, &a, "batch");
    struct nlmsghdr *h = a.at;
    a.at = nlmsg_next(h, &a.left);
    uint32_t which = h->nlmsg_seq - before;
    if (which == 0 || which > n || h->nlmsg_type != NLMSG_ERROR)
      continue;
    last = which == n;
    size_t i = first + which - 1;
    b->records[i].err = far_verdict(h);
    if (b->records[i].err != 0)
      add_failure(L, b, i, h);
  }
}

static void post(lua_State *L, struct far_batch *b, size_t first, size_t n) {
  struct nlmsghdr *last = message(b, first + n - 1);
  const char *begin = (const char *)message(b, first);
  size_t length = (size_t)((char *)last - begin) + last->nlmsg_len;
  last->nlmsg_flags |= NLM_F_ACK;
  for (size_t i = 0; i < n; i++)
    message(b, first + i)->nlmsg_seq = ++b->nl->seq;
  while (send(b->nl->fd, begin, length, 0) == -1) {
    if (errno != EINTR)
      far_raise(L, errno, "batch", NULL, NULL);
    far_interrupted(L);
  }
  b->sent = first + n; /* and worked on, whatever happens to the answers */
}

/* How many refusals there is room for: as many as the kernel lets have us. */
static size_t room_for(int fd) {
  int size = BUFFER;
  socklen_t length = sizeof size;
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length) == -1)
    size = 0;
  return size > REFUSAL ? (size_t)size / REFUSAL : 1;
}

/* Sends all requests. Answers the list of failures: error objects, with their
 * number in the batch in the field `request`. */
static int batch_send(lua_State *L) {
  struct far_batch *b = check(L);
  lua_settop(L, 1);
  lua_newtable(L);
  far_usable(L, b->nl);
  b->most = room_for(b->nl->fd);
  while (b->sent < b->count) {
    size_t first = b->sent, n = together(L, b, first);
    if (n > 0) {
      post(L, b, first, n);
      collect(L, b, first, n);
    } else {
      b->sent++;
      add_failure(L, b, first, NULL);
    }
    far_interrupted(L);
  }
  return 1;
}

/* ---- for undoing ---- */

void far_batch_push_handle(lua_State *L) {
  lua_getiuservalue(L, 1, KEPT);
  lua_rawgeti(L, -1, 1);
  lua_remove(L, -2);
}

size_t far_batch_sent(const struct far_batch *b) { return b->sent; }

bool far_batch_made(const struct far_batch *b, size_t i,
                    struct far_request *r) {
  restore(b, i, r);
  return b->records[i].err == 0 && (r->call->flags & NLM_F_EXCL) != 0;
}

/* ---- the object ---- */

static int batch_close(lua_State *L) {
  struct far_batch *b = luaL_checkudata(L, 1, FAR_BATCH);
  free(b->bytes);
  free(b->records);
  free(b->origins);
  free(b->names);
  *b = (struct far_batch){.as = {b, -1, b->as.pid, 0}};
  lua_pushnil(L);
  lua_setiuservalue(L, 1, KEPT);
  return 0;
}

static int batch_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check(L)->count);
  return 1;
}

static const luaL_Reg methods[] = {
  {"send", batch_send},
  {"undo", far_batch_undo},
  {"close", batch_close},
  {NULL, NULL},
};

static const luaL_Reg meta[] = {
  {"__close", batch_close},
  {"__gc", batch_close},
  {"__len", batch_len},
  {NULL, NULL},
};

void far_batch_open(lua_State *L) {
  far_object(L, FAR_BATCH, meta, methods);
  lua_pop(L, 1);
}

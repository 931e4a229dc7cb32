/*
 * Rtnetlink for the areas of the network. A binding puts a request together on
 * its own stack and hands it on: to a socket of the caller's network
 * namespace, which lives as long as the call; to a handle (farside.netlink); or
 * to a batch, which keeps it until all are sent. Which of them it is stands in
 * the binding's first upvalue: none, the handle or the batch.
 *
 * Tables in Lua and attributes in messages are described by one table of
 * fields, used both ways. Reading relies on libnl's attribute functions;
 * writing needs no memory of its own.
 */
#ifndef FARSIDE_NETLINK_H
#define FARSIDE_NETLINK_H

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "farside.h"

/* A request may have 256 next hops, an answer is one part of a list. */
enum { FAR_REQUEST = 16384, FAR_ANSWER = 32768 };

#define FAR_NETLINK "farside.netlink"
#define FAR_BATCH "farside.batch"

/* Where requests go. */
struct far_netlink {
  struct far_batch *batch; /* the one that it is, or NULL */
  int fd;                  /* -1 when closed */
  pid_t pid;               /* the process that may use it */
  uint32_t seq;
};

struct far_request;

/* What a binding does. */
struct far_verb {
  const char *name;               /* "link.add" */
  uint16_t type, flags;           /* RTM_NEWLINK, NLM_F_CREATE */
  uint16_t header;                /* bytes of what precedes attributes */
  const struct far_attr *attrs; /* what errors name attributes by */
  /* Pushes what the request is about, for errors: "10.0.0.1/24 on eth0". */
  void (*object)(lua_State *L, const struct far_request *r);
};

struct far_request {
  const struct far_verb *call;
  struct far_netlink *nl;
  int arg;            /* the argument that is being read, for complaints */
  const char *within; /* "peer." while that table is being read, or "" */
  size_t header;      /* where the header is that fields are put into */
  uint32_t bits;      /* of flags that many fields make together */
  bool later;         /* some fields are to be put after all others */
  size_t first;       /* where the attributes begin that are being put */
  int netns, peer_netns; /* descriptors that its fields stand for, or -1 */
  union {
    struct nlmsghdr head;
    char bytes[FAR_REQUEST];
  };
};

/* ---- putting a request together (netlink.c) ---- */

/* Begins one for the binding that runs. Must be called at the binding's own
 * level, all arguments being in their places: it may push a socket. */
void far_request(lua_State *L, struct far_request *r,
                 const struct far_verb *call);

/* Raises unless the handle is open, and this process's own. */
void far_usable(lua_State *L, const struct far_netlink *nl);

/* Begins one for a handle. */
void far_request_to(struct far_request *r, struct far_netlink *nl,
                    const struct far_verb *call);

/* Its fixed header, zeroed; the first byte is the family in all of them. */
void *far_header(struct far_request *r);

/* An attribute that is in the message by now, or NULL. */
struct nlattr *far_put_before(struct far_request *r, int type);

/* The data of an attribute that many fields make together, among those that are
 * being put: made of zeros when it is not there. */
void *far_share(lua_State *L, struct far_request *r, int type, size_t size);

/* Room for a second header, which is then the one that fields are put into. */
void *far_inner_header(lua_State *L, struct far_request *r, size_t size);

void far_put(lua_State *L, struct far_request *r, int type, const void *data,
             size_t length);
size_t far_nest(lua_State *L, struct far_request *r, int type);
void far_unnest(struct far_request *r, size_t nest);

/* The descriptor of the network namespace that the value on top stands for. In
 * its place comes what is closed when the binding ends, or is the batch's. */
int far_netns(lua_State *L, struct far_request *r);

/* Sees to it that the four bytes at `at` of the message become the index of a
 * link: now, or in a batch when it is sent. */
void far_put_index(lua_State *L, struct far_request *r, void *at,
                   const char *name);

/* ---- sending it ---- */

/* Sends a request that changes something and waits, or leaves it to the
 * batch. Answers 0, the number of results. */
int far_request_do(lua_State *L, struct far_request *r);

struct far_answers {
  const struct far_request *request;
  struct nlmsghdr *at; /* the next message in the buffer */
  int left;            /* bytes from there on */
  bool stale;          /* the list changed while it was read: ask again */
  bool done;
  bool quiet;          /* a refusal ends the list */
  int err;             /* of a refusal, and the message in the buffer */
  struct nlmsghdr *refusal;
  union {
    struct nlmsghdr head;
    char bytes[FAR_ANSWER];
  };
};

/* Sends a request that asks for something. */
void far_ask(lua_State *L, struct far_request *r, struct far_answers *a);

/* Sends a request, waits, and tells whether it went well. */
bool far_try(lua_State *L, struct far_request *r, struct far_answers *a);

/* The next answer, NULL after the last. Raises what the kernel refused. */
struct nlmsghdr *far_next(lua_State *L, struct far_answers *a);

/* Pushes the list of all answers, each by `push`; nil is left out. */
int far_list(lua_State *L, struct far_request *r,
             void (*push)(lua_State *L, const struct far_request *r,
                          struct nlmsghdr *h));

/* What a closing message says: its errno, or 0. */
int far_verdict(const struct nlmsghdr *h);

/* Pushes the error object of a request, with the kernel's own text and the
 * field that it is about from the message that refused it, or NULL. */
void far_refusal(lua_State *L, const struct far_request *r, int err,
                 const struct nlmsghdr *h);

/* Receives what is there into the answers' buffer. */
void far_receive(lua_State *L, struct far_netlink *nl, struct far_answers *a,
                 const char *call);

/* ---- batches (batch.c) ---- */

/* A method of handles: pushes an empty batch of the handle at 1. */
int far_batch_new(lua_State *L);
void far_batch_open(lua_State *L);

/* Adds a message as it is; for who is not a binding of the batch. */
void far_batch_append(lua_State *L, struct far_batch *b,
                      const struct far_request *r);

/* The request with the number `i` that was sent and not refused. */
bool far_batch_made(const struct far_batch *b, size_t i,
                    struct far_request *r);
size_t far_batch_sent(const struct far_batch *b);

/* Pushes the handle of the batch at 1. */
void far_batch_push_handle(lua_State *L);

/* Makes a request of what removes a next hop: its number, nothing else. */
void far_nexthop_delete(lua_State *L, struct far_request *r,
                        struct far_netlink *nl, uint32_t id);

/* The method that takes back what was made (undo.c). */
int far_batch_undo(lua_State *L);

/* A request is about to be put together: what is left of one that was not
 * finished is forgotten. */
void far_batch_begin(struct far_batch *b);

/* A link in it whose index is still to be found out, at an offset. */
void far_batch_name(lua_State *L, struct far_batch *b, size_t at,
                    const char *name);

/* Adds it. */
void far_batch_add(lua_State *L, struct far_batch *b,
                   const struct far_request *r);

/* Keeps the value on top of the stack until the batch ends, and pops it. */
void far_batch_keep(lua_State *L, struct far_batch *b);

/* ---- events (monitor.c) ---- */

/* A method of handles: pushes a monitor of what is named by the arguments. */
int far_monitor_new(lua_State *L);
void far_monitor_open(lua_State *L);

/* ---- links by name: an ioctl in the socket's own namespace ---- */

int far_find_link(lua_State *L, struct far_netlink *nl, const char *name);
int far_link_index(int fd, const char *name);           /* 0: no such link */
const char *far_link_name(int fd, int index, char *to); /* NULL: no such link */
unsigned far_link_flags(int fd, const char *name);      /* 0: no such link */

/* ---- the areas (nethandle.c): each is a table of functions in the core, in
 * every handle and in every batch ---- */

struct far_area {
  const char *name; /* "link" */
  const luaL_Reg *functions;
};

extern const struct far_area far_areas[]; /* ends with a NULL name */
extern const luaL_Reg far_link_functions[];
extern const luaL_Reg far_address_functions[];
extern const luaL_Reg far_route_functions[];
extern const luaL_Reg far_rule_functions[];
extern const luaL_Reg far_neighbour_functions[];
extern const luaL_Reg far_fdb_functions[];
extern const luaL_Reg far_qdisc_functions[];
extern const luaL_Reg far_class_functions[];
extern const luaL_Reg far_nexthop_functions[];
extern const luaL_Reg far_nsid_functions[];

/* Pushes a new handle, closed. */
struct far_netlink *far_netlink_new(lua_State *L);

/* Makes a metatable whose objects have these methods and all areas; pushes the
 * table of methods. */
void far_object(lua_State *L, const char *type, const luaL_Reg *meta,
                const luaL_Reg *methods);

#endif

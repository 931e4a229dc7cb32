/*
 * Queueing disciplines of links and their classes, under the names of
 * `tc -json`.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/pkt_sched.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "netobject.h"
#include "qdisc.h"

#define AT(member) offsetof(struct tcmsg, member)

/* ---- handles: "1:", "1:10", both hexadecimal; "root" ---- */

static bool parse_handle(const char *text, uint32_t *handle) {
  unsigned major, minor = 0;
  int end = 0;
  if (strcmp(text, "root") == 0) {
    *handle = TC_H_ROOT;
    return true;
  }
  if (sscanf(text, "%4x:%n", &major, &end) != 1 || end == 0)
    return false;
  if (text[end] != '\0' && (sscanf(text + end, "%4x%n", &minor, &end) != 1 ||
                            strchr(text, ':')[1 + end] != '\0'))
    return false;
  *handle = TC_H_MAKE(major << 16, minor);
  return true;
}

static void put_handle(lua_State *L, struct far_request *r,
                       const struct far_attr *a) {
  uint32_t handle = 0;
  if (lua_type(L, -1) != LUA_TSTRING ||
      !parse_handle(lua_tostring(L, -1), &handle))
    far_bad_value(L, r, a->name, "handle such as \"1:\" or \"1:10\"");
  memcpy((char *)far_header(r) + a->type, &handle, sizeof handle);
}

static void push_handle(lua_State *L, const struct far_source *s,
                        const struct far_attr *a, struct nlattr *n) {
  uint32_t handle;
  char text[sizeof "ffff:ffff"];
  (void)n;
  memcpy(&handle, (const char *)s->header + a->type, sizeof handle);
  if (handle == TC_H_ROOT || (handle == 0 && a->type == AT(tcm_parent))) {
    lua_pushnil(L);
    return;
  }
  if (TC_H_MIN(handle) == 0)
    snprintf(text, sizeof text, "%x:", TC_H_MAJ(handle) >> 16);
  else
    snprintf(text, sizeof text, "%x:%x", TC_H_MAJ(handle) >> 16,
             TC_H_MIN(handle));
  lua_pushstring(L, text);
}

static void put_root(lua_State *L, struct far_request *r,
                     const struct far_attr *a) {
  if (!lua_isboolean(L, -1))
    far_bad_value(L, r, a->name, "boolean");
  if (lua_toboolean(L, -1))
    ((struct tcmsg *)far_header(r))->tcm_parent = TC_H_ROOT;
}

static void push_root(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  (void)a, (void)n;
  if (((const struct tcmsg *)s->header)->tcm_parent == TC_H_ROOT)
    lua_pushboolean(L, true);
  else
    lua_pushnil(L);
}

static const struct far_codec handle_of = {
  put_handle, push_handle, .header = true,
};
static const struct far_codec root = {put_root, push_root, .header = true};

static const struct far_attr attrs[] = {
  {"kind", TCA_KIND, &far_text, NULL, 0},
  {"dev", AT(tcm_ifindex), &far_head_link, NULL, 0},
  {"ifindex", AT(tcm_ifindex), &far_head_link_at, NULL, FAR_TOLD},
  {"handle", AT(tcm_handle), &handle_of, NULL, 0},
  {"parent", AT(tcm_parent), &handle_of, NULL, 0},
  {"root", 0, &root, NULL, 0},
  {"refcnt", AT(tcm_info), &far_head_u32, NULL, FAR_TOLD},
  {"options", TCA_OPTIONS, &far_later, NULL, FAR_WRITE},
  {NULL, 0, NULL, NULL, 0},
};

static const struct far_attr class_attrs[] = {
  {"kind", TCA_KIND, &far_text, NULL, FAR_WRITE},
  {"class", TCA_KIND, &far_text, NULL, 0},
  {"dev", AT(tcm_ifindex), &far_head_link, NULL, 0},
  {"ifindex", AT(tcm_ifindex), &far_head_link_at, NULL, FAR_TOLD},
  {"handle", AT(tcm_handle), &handle_of, NULL, 0},
  {"classid", AT(tcm_handle), &handle_of, NULL, FAR_WRITE},
  {"parent", AT(tcm_parent), &handle_of, NULL, 0},
  {"root", 0, &root, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

/* "netem on eth0", "root on eth0" */
static void object(lua_State *L, const struct far_request *r) {
  const struct tcmsg *m = nlmsg_data((struct nlmsghdr *)&r->head);
  struct nlattr *kind = far_put_before((struct far_request *)r, TCA_KIND);
  const struct far_source s = {r->nl, m};
  if (kind != NULL)
    lua_pushstring(L, nla_get_string(kind));
  else if (m->tcm_handle == 0 && m->tcm_parent == TC_H_ROOT)
    lua_pushliteral(L, "root");
  else
    push_handle(L, &s, &attrs[m->tcm_handle != 0 ? 3 : 4], NULL);
  if (lua_isnil(L, -1))
    lua_pushliteral(L, "what has no name");
  far_push_on(L, r, m->tcm_ifindex);
}

#define CALL(verb, type, flags, fields) \
  {verb, type, flags, sizeof(struct tcmsg), fields, object}

static const struct far_verb
  add = CALL("qdisc.add", RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, attrs),
  replace = CALL("qdisc.replace", RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE,
                 attrs),
  change = CALL("qdisc.change", RTM_NEWQDISC, 0, attrs),
  delete = CALL("qdisc.delete", RTM_DELQDISC, 0, attrs),
  list = CALL("qdisc.list", RTM_GETQDISC, NLM_F_DUMP, attrs),
  class_add = CALL("class.add", RTM_NEWTCLASS, NLM_F_CREATE | NLM_F_EXCL,
                   class_attrs),
  class_replace = CALL("class.replace", RTM_NEWTCLASS,
                       NLM_F_CREATE | NLM_F_REPLACE, class_attrs),
  class_delete = CALL("class.delete", RTM_DELTCLASS, 0, class_attrs),
  class_list = CALL("class.list", RTM_GETTCLASS, NLM_F_DUMP, class_attrs);

/* The kind that the table at 1 names, or NULL. */
static const struct far_qdisc *kind_of(lua_State *L,
                                       const struct far_request *r) {
  bool class = r->call->attrs == class_attrs;
  if (lua_getfield(L, 1, "kind") == LUA_TNIL && class) {
    lua_pop(L, 1);
    lua_getfield(L, 1, "class");
  }
  if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING)
    far_bad_value(L, r, "kind", "string");
  const char *name = lua_isnil(L, -1) ? "" : lua_tostring(L, -1);
  return (class ? far_class_find : far_qdisc_find)(name);
}

static void put_options(lua_State *L, struct far_request *r,
                        const struct far_qdisc *kind) {
  size_t nest = far_nest(L, r, TCA_OPTIONS);
  size_t header = r->header, first = r->first;
  r->first = nest + NLA_HDRLEN;
  if (kind->header > 0)
    (void)far_inner_header(L, r, kind->header);
  far_put_some(L, r, 1, kind->attrs);
  if (kind->complete != NULL)
    kind->complete(L, r, 1);
  r->header = header;
  r->first = first;
  far_unnest(r, nest);
}

static int make(lua_State *L, const struct far_verb *call) {
  struct far_request r;
  far_request_table(L, &r, call);
  struct tcmsg *m = far_header(&r);
  m->tcm_parent = call->attrs == attrs ? TC_H_ROOT : 0;
  const struct far_qdisc *kind = kind_of(L, &r);
  bool making = call->type == RTM_NEWQDISC || call->type == RTM_NEWTCLASS;
  int options = far_put_table(L, &r, 1, call->attrs,
                              kind != NULL ? kind->attrs : NULL);
  far_need(L, &r, 1, "dev");
  if (making && kind != NULL && (options > 0 || kind->complete != NULL))
    put_options(L, &r, kind);
  return far_request_do(L, &r);
}

/***
Gives a link a queueing discipline.
@function qdisc.add
@tparam table qdisc dev (name or index of a link), kind, parent ("1:10"; the
root of the link when not given), handle ("1:"), and the options of its kind:

- netem: delay, jitter ("5ms", seconds), loss, duplicate, reorder, corrupt
  ("1%"), each of these with a NAME_correlation, rate ("10mbit"),
  packetoverhead (bytes), limit (packets), gap, ecn (boolean)
- tbf: rate ("10mbit"), burst (bytes, "32K"), limit (bytes) or latency ("50ms"),
  peakrate with mtu (bytes)
- htb: default (a class's minor number), r2q, direct_qlen; its classes are added
  by class.add
- pfifo, bfifo: limit; fq_codel: limit, flows, quantum, target and interval
  (microseconds), memory_limit, ecn, drop_batch
@raise EEXIST; ENOENT for a kind that the kernel has not; EPERM without
CAP_NET_ADMIN. See rtnetlink(7), tc(8).
*/
static int bind_add(lua_State *L) { return make(L, &add); }

/***
The same, in the place of the one that is there.
@function qdisc.replace
@tparam table qdisc
@raise as add
*/
static int bind_replace(lua_State *L) { return make(L, &replace); }

/***
Changes the options of the one that is there.
@function qdisc.change
@tparam table qdisc
@raise as add
*/
static int bind_change(lua_State *L) { return make(L, &change); }

/***
Takes one away; the link gets the default one.
@function qdisc.delete
@tparam table qdisc dev, and parent or handle
@raise ENOENT, EINVAL. See tc(8).
*/
static int bind_delete(lua_State *L) { return make(L, &delete); }

/* Pushes what the kind tells: a table of its own, or fields beside others. */
static void push_options(lua_State *L, const struct far_source *s,
                         const struct far_qdisc *kind, struct nlattr *n) {
  if (kind->push != NULL) {
    kind->push(L, s, n);
    return;
  }
  const struct far_source inner = {s->nl, nla_data(n)};
  int header = (int)kind->header;
  lua_newtable(L);
  if (nla_len(n) >= header)
    far_push_table(L, &inner, kind->attrs,
                   (struct nlattr *)((char *)nla_data(n) + header),
                   nla_len(n) - header);
}

static const struct far_qdisc *push_common(lua_State *L,
                                           const struct far_source *s,
                                           struct nlmsghdr *h,
                                           const struct far_attr *fields) {
  const int size = sizeof(struct tcmsg);
  struct nlattr *kind = nlmsg_find_attr(h, size, TCA_KIND);
  lua_createtable(L, 0, 8);
  far_push_table(L, s, fields, nlmsg_attrdata(h, size),
                 nlmsg_attrlen(h, size));
  const char *name = kind != NULL ? nla_get_string(kind) : "";
  return fields == attrs ? far_qdisc_find(name) : far_class_find(name);
}

void far_push_qdisc(lua_State *L, const struct far_request *r,
                    struct nlmsghdr *h) {
  const struct far_source s = {r->nl, nlmsg_data(h)};
  struct nlattr *options =
    nlmsg_find_attr(h, sizeof(struct tcmsg), TCA_OPTIONS);
  const struct far_qdisc *kind = push_common(L, &s, h, attrs);
  if (kind != NULL && options != NULL)
    push_options(L, &s, kind, options);
  else
    lua_newtable(L);
  lua_setfield(L, -2, "options");
}

/* Those of a class stand beside the rest. */
static void push_class(lua_State *L, const struct far_request *r,
                       struct nlmsghdr *h) {
  const struct far_source s = {r->nl, nlmsg_data(h)};
  struct nlattr *options =
    nlmsg_find_attr(h, sizeof(struct tcmsg), TCA_OPTIONS);
  const struct far_qdisc *kind = push_common(L, &s, h, class_attrs);
  if (kind == NULL || options == NULL)
    return;
  push_options(L, &s, kind, options);
  for (lua_pushnil(L); lua_next(L, -2) != 0;) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -5);
  }
  lua_pop(L, 1);
}

static const struct far_attr filters[] = {
  {"dev", AT(tcm_ifindex), &far_head_link, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

/* The kernel lists those of all links. */
static void keep_link(lua_State *L, int index) {
  lua_Integer kept = 0, count = luaL_len(L, -1);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, i);
    lua_getfield(L, -1, "ifindex");
    bool same = lua_tointeger(L, -1) == index;
    lua_pop(L, 1);
    if (same)
      lua_rawseti(L, -2, ++kept);
    else
      lua_pop(L, 1);
  }
  for (lua_Integer i = kept + 1; i <= count; i++) {
    lua_pushnil(L);
    lua_rawseti(L, -2, i);
  }
}

/***
The queueing disciplines of all links, or of one.
@function qdisc.list
@tparam[opt] table filter dev (name or index of a link)
@treturn {table,...} as `tc -json qdisc` tells them: kind, dev, handle, root
(true or nil), parent, refcnt, options (a table); and ifindex
@raise EAGAIN when they would not stand still. See tc(8).
*/
static int bind_list(lua_State *L) {
  struct far_request r;
  far_request_list(L, &r, &list, filters);
  int index = ((struct tcmsg *)far_header(&r))->tcm_ifindex;
  far_list(L, &r, far_push_qdisc);
  if (index != 0)
    keep_link(L, index);
  return 1;
}

/***
Adds a class to a queueing discipline.
@function class.add
@tparam table class dev, kind ("htb"), parent ("1:" or "1:1"), classid ("1:10"),
and its options: rate and ceil ("10mbit"), burst and cburst (bytes, "32K"),
prio, quantum (bytes)
@raise EEXIST; ENOENT; EPERM without CAP_NET_ADMIN. See tc-htb(8).
*/
static int bind_class_add(lua_State *L) { return make(L, &class_add); }

/***
The same, in the place of the one that is there.
@function class.replace
@tparam table class
@raise as add
*/
static int bind_class_replace(lua_State *L) {
  return make(L, &class_replace);
}

/***
Removes a class.
@function class.delete
@tparam table class dev and classid
@raise ENOENT; EBUSY. See tc(8).
*/
static int bind_class_delete(lua_State *L) { return make(L, &class_delete); }

/***
The classes of one link.
@function class.list
@tparam table filter dev (name or index of a link)
@treturn {table,...} as `tc -json class` tells them: class (the kind), handle,
parent, root and, of htb, rate, ceil, burst, cburst, prio, quantum
@raise ENODEV. See tc(8).
*/
static int bind_class_list(lua_State *L) {
  struct far_request r;
  far_at_most(L, 1);
  luaL_checktype(L, 1, LUA_TTABLE);
  far_request_list(L, &r, &class_list, filters);
  far_need(L, &r, 1, "dev");
  return far_list(L, &r, push_class);
}

const luaL_Reg far_qdisc_functions[] = {
  {"add", bind_add},       {"replace", bind_replace}, {"change", bind_change},
  {"delete", bind_delete}, {"list", bind_list},       {NULL, NULL},
};

const luaL_Reg far_class_functions[] = {
  {"add", bind_class_add},       {"replace", bind_class_replace},
  {"delete", bind_class_delete}, {"list", bind_class_list},
  {NULL, NULL},
};

/*
 * Next hops as objects of their own, which routes name by `nhid`, under the
 * names of `ip -json nexthop`: one router, a link, a black hole, or a group of
 * others. A route need not be touched when its next hop changes.
 */
#define _GNU_SOURCE
#include <linux/nexthop.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>

#include "netobject.h"
#include "routehop.h"
#include "routeword.h"

#define AT(member) offsetof(struct nhmsg, member)

static const struct far_word types[] = {
  {"mpath", NEXTHOP_GRP_TYPE_MPATH}, {"resilient", NEXTHOP_GRP_TYPE_RES},
  {NULL, 0},
};

/* ---- groups: { 1, { id = 2, weight = 3 } } ---- */

enum { MOST = 256 };

static struct nexthop_grp member_of(lua_State *L, struct far_request *r,
                                    const struct far_attr *a) {
  struct nexthop_grp g = {0};
  if (lua_isinteger(L, -1)) {
    g.id = (uint32_t)far_integer(L, r, a->name, 1, UINT32_MAX);
    return g;
  }
  if (!lua_istable(L, -1))
    far_bad_value(L, r, a->name, "list of ids, or of tables with id, weight,");
  r->within = "group.";
  g.id = (uint32_t)far_integer_in(L, r, "id", UINT32_MAX);
  if (lua_getfield(L, -1, "weight") != LUA_TNIL)
    g.weight = (uint8_t)(far_integer(L, r, "weight", 1, 256) - 1);
  lua_pop(L, 1);
  r->within = "";
  return g;
}

static void put_group(lua_State *L, struct far_request *r,
                      const struct far_attr *a) {
  struct nexthop_grp group[MOST];
  size_t n = 0;
  if (!lua_istable(L, -1))
    far_bad_value(L, r, a->name, "list");
  while (lua_geti(L, -1, (lua_Integer)n + 1) != LUA_TNIL) {
    if (n == MOST)
      luaL_argerror(L, r->arg, "group: more than 256 next hops");
    group[n++] = member_of(L, r, a);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  far_put(L, r, a->type, group, n * sizeof *group);
}

static void push_group(lua_State *L, const struct far_source *s,
                       const struct far_attr *a, struct nlattr *n) {
  const struct nexthop_grp *group = nla_data(n);
  size_t count = (size_t)nla_len(n) / sizeof *group;
  (void)s, (void)a;
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, group[i].id);
    lua_setfield(L, -2, "id");
    lua_pushinteger(L, group[i].weight + 1);
    lua_setfield(L, -2, "weight");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static const struct far_codec members = {put_group, push_group, .size = 0};

/* How a resilient group keeps flows where they are; times in hundredths of a
 * second on the wire. */
static void put_time(lua_State *L, struct far_request *r,
                     const struct far_attr *a) {
  uint32_t ticks = far_seconds(L, r, a->name) * 100;
  far_put(L, r, a->type, &ticks, sizeof ticks);
}

static void push_time(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  uint64_t ticks = 0;
  (void)s, (void)a;
  memcpy(&ticks, nla_data(n), nla_len(n) < 8 ? 4 : 8);
  lua_pushnumber(L, (lua_Number)ticks / 100);
}

static const struct far_codec time_span = {put_time, push_time, .size = 4};

static const struct far_attr resilient_attrs[] = {
  {"buckets", NHA_RES_GROUP_BUCKETS, &far_u16, NULL, 0},
  {"idle_timer", NHA_RES_GROUP_IDLE_TIMER, &time_span, NULL, 0},
  {"unbalanced_timer", NHA_RES_GROUP_UNBALANCED_TIMER, &time_span, NULL, 0},
  {"unbalanced_time", NHA_RES_GROUP_UNBALANCED_TIME, &time_span, NULL,
   FAR_TOLD},
  {NULL, 0, NULL, NULL, 0},
};

static void put_resilient(lua_State *L, struct far_request *r,
                          const struct far_attr *a) {
  if (!lua_istable(L, -1))
    far_bad_value(L, r, a->name, "table");
  size_t nest = far_nest(L, r, a->type | NLA_F_NESTED);
  r->within = "resilient_args.";
  far_put_table(L, r, -1, resilient_attrs, NULL);
  r->within = "";
  far_unnest(r, nest);
}

static void push_resilient(lua_State *L, const struct far_source *s,
                           const struct far_attr *a, struct nlattr *n) {
  (void)a;
  lua_createtable(L, 0, 4);
  far_push_table(L, s, resilient_attrs, nla_data(n), nla_len(n));
}

static const struct far_codec resilient = {
  put_resilient, push_resilient, .size = 0,
};

/* ---- next hops ---- */

/* A group has no family, which lists tell as "unspec". */
static void put_family(lua_State *L, struct far_request *r,
                       const struct far_attr *a) {
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  if (strcmp(text, "unspec") != 0)
    far_head_family.put(L, r, a);
}

static void push_family(lua_State *L, const struct far_source *s,
                        const struct far_attr *a, struct nlattr *n) {
  far_head_family.push(L, s, a, n);
}

static const struct far_codec family = {put_family, push_family, .size = 1,
                                        .header = true};

static const struct far_attr attrs[] = {
  {"id", NHA_ID, &far_u32, NULL, 0},
  {"via", NHA_GATEWAY, &far_ip, NULL, FAR_WRITE},
  {"gateway", NHA_GATEWAY, &far_ip, NULL, 0},
  {"dev", NHA_OIF, &far_link, NULL, 0},
  {"family", AT(nh_family), &family, NULL, 0},
  {"blackhole", NHA_BLACKHOLE, &far_present, NULL, 0},
  {"fdb", NHA_FDB, &far_present, NULL, 0},
  {"group", NHA_GROUP, &members, NULL, 0},
  {"type", NHA_GROUP_TYPE, &far_word16, types, 0},
  {"resilient_args", NHA_RES_GROUP, &resilient, NULL, 0},
  {"scope", AT(nh_scope), &far_head_word, far_scopes, FAR_TOLD},
  {"protocol", AT(nh_protocol), &far_head_word, far_route_protocols, 0},
  {"flags", AT(nh_flags), &far_head_bits32, far_route_flags, FAR_READ},
  {"flags", AT(nh_flags), &far_flag_list, NULL, FAR_WRITE},
  {"onlink", AT(nh_flags), &far_onlink, NULL, FAR_WRITE},
  {NULL, 0, NULL, NULL, 0},
};

static void object(lua_State *L, const struct far_request *r) {
  struct nlattr *id = far_put_before((struct far_request *)r, NHA_ID);
  lua_pushfstring(L, "%I", (LUAI_UACINT)(id != NULL ? nla_get_u32(id) : 0));
}

#define CALL(verb, type, flags) \
  {"nexthop." verb, type, flags, sizeof(struct nhmsg), attrs, object}

static const struct far_verb
  add = CALL("add", RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_EXCL),
  replace = CALL("replace", RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_REPLACE),
  delete = CALL("delete", RTM_DELNEXTHOP, 0),
  list = CALL("list", RTM_GETNEXTHOP, NLM_F_DUMP);

/* Puts what the table at 1 describes. */
static uint32_t describe(lua_State *L, struct far_request *r,
                         const struct far_verb *call) {
  far_request_table(L, r, call);
  far_put_table(L, r, 1, attrs, NULL);
  struct nlattr *id = far_put_before(r, NHA_ID);
  if (id == NULL)
    luaL_argerror(L, 1, "id: integer expected, got nil");
  return nla_get_u32(id);
}

static int change(lua_State *L, const struct far_verb *call) {
  struct far_request r;
  (void)describe(L, &r, call);
  struct nhmsg *m = far_header(&r);
  if (m->nh_family == AF_UNSPEC && far_put_before(&r, NHA_GROUP) == NULL)
    m->nh_family = AF_INET;
  return far_request_do(L, &r);
}

/***
Makes a next hop that routes can name: `route.add { to = …, nhid = 1 }`.
@function nexthop.add
@tparam table nexthop id; via (a router's address) and dev (a link), or dev and
family, or blackhole (true); or group: a list of ids, or of tables with id and
weight, with type ("mpath", "resilient") and resilient_args (a table with
buckets, idle_timer, unbalanced_timer); protocol, onlink, fdb (booleans). What
`list` tells of one can be used as well
@raise EEXIST; ENETDOWN when the link is down; EPERM without CAP_NET_ADMIN. See
rtnetlink(7), ip-nexthop(8).
*/
static int bind_add(lua_State *L) { return change(L, &add); }

/***
The same, in the place of the one that is there: routes go by it at once.
@function nexthop.replace
@tparam table nexthop
@raise as add
*/
static int bind_replace(lua_State *L) { return change(L, &replace); }

void far_nexthop_delete(lua_State *L, struct far_request *r,
                        struct far_netlink *nl, uint32_t id) {
  far_request_to(r, nl, &delete);
  far_put(L, r, NHA_ID, &id, sizeof id);
}

/***
Removes a next hop, with the routes that go by it.
@function nexthop.delete
@tparam table nexthop id; the rest of what `list` tells does not matter
@raise ENOENT. See rtnetlink(7).
*/
static int bind_delete(lua_State *L) {
  struct far_request r;
  uint32_t id = describe(L, &r, &delete);
  far_nexthop_delete(L, &r, r.nl, id); /* more than that is refused */
  return far_request_do(L, &r);
}

void far_push_nexthop(lua_State *L, const struct far_request *r,
                      struct nlmsghdr *h) {
  far_push_message(L, r, attrs, h, sizeof(struct nhmsg));
}

static const struct far_attr filters[] = {
  {"family", AT(nh_family), &far_head_family, NULL, 0},
  {"dev", NHA_OIF, &far_link, NULL, 0},
  {"master", NHA_MASTER, &far_link, NULL, 0},
  {"groups", NHA_GROUPS, &far_present, NULL, 0},
  {"fdb", NHA_FDB, &far_present, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

/***
The next hops that there are, or those that are asked for.
@function nexthop.list
@tparam[opt] table filter family ("inet", "inet6"), dev and master (name or
index of a link), groups, fdb (true: those only)
@treturn {table,...} as `ip -json nexthop` tells them: id, gateway, dev, group,
type, scope, protocol, flags…; and family
@raise EAGAIN when they would not stand still. See rtnetlink(7).
*/
static int bind_list(lua_State *L) {
  struct far_request r;
  far_request_list(L, &r, &list, filters);
  return far_list(L, &r, far_push_nexthop);
}

const luaL_Reg far_nexthop_functions[] = {
  {"add", bind_add},       {"replace", bind_replace},
  {"delete", bind_delete}, {"list", bind_list},
  {NULL, NULL},
};

/*
 * Routes, under the names that `ip -json route` uses; requests may say `to`,
 * `via` and `source`, as on ip's command line.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "netobject.h"
#include "routehop.h"
#include "routeword.h"

#define AT(member) offsetof(struct rtmsg, member)

static const struct far_word types[] = {
  {"unicast", RTN_UNICAST},         {"local", RTN_LOCAL},
  {"broadcast", RTN_BROADCAST},     {"anycast", RTN_ANYCAST},
  {"multicast", RTN_MULTICAST},     {"blackhole", RTN_BLACKHOLE},
  {"unreachable", RTN_UNREACHABLE}, {"prohibit", RTN_PROHIBIT},
  {"throw", RTN_THROW},             {"nat", RTN_NAT},
  {NULL, 0},
};

static const struct far_word preferences[] = {
  {"medium", 0}, {"high", 1}, {"low", 3}, {NULL, 0},
};

/* ---- prefixes; `more` is where their length stands in the header ---- */

static const size_t dst_length = AT(rtm_dst_len), src_length = AT(rtm_src_len);

static void put_prefix(lua_State *L, struct far_request *r,
                       const struct far_attr *a) {
  uint8_t *length = (uint8_t *)far_header(r) + *(const size_t *)a->more;
  const char *text = lua_tostring(L, -1);
  if (lua_type(L, -1) == LUA_TSTRING && strcmp(text, "default") == 0)
    return;
  struct far_address ip = far_ip_check(L, r, a->name, true);
  *length = ip.length != FAR_WHOLE ? ip.length : (uint8_t)far_ip_bits(&ip);
  far_put(L, r, a->type, ip.bytes, far_ip_size(&ip));
}

static void push_prefix(lua_State *L, const struct far_source *s,
                        const struct far_attr *a, struct nlattr *n) {
  const struct rtmsg *m = s->header;
  int length = ((const uint8_t *)m)[*(const size_t *)a->more];
  bool whole = length == (m->rtm_family == AF_INET ? 32 : 128);
  if (nla_len(n) == (m->rtm_family == AF_INET ? 4 : 16))
    far_ip_push(L, m->rtm_family, nla_data(n), whole ? FAR_WHOLE : length);
  else
    lua_pushnil(L);
}

static const struct far_codec prefix = {put_prefix, push_prefix, .size = 0};

/* ---- metrics: ip tells a list of one table ---- */

static void put_metrics(lua_State *L, struct far_request *r,
                        const struct far_attr *a);
static void push_metrics(lua_State *L, const struct far_source *s,
                         const struct far_attr *a, struct nlattr *n);

static void put_inner(lua_State *L, struct far_request *r,
                      const struct far_attr *a);

static const struct far_attr *within_metrics(struct nlattr *n,
                                             struct nlattr **first,
                                             int *length);

static const struct far_codec metrics = {
  put_metrics, push_metrics, .inner = within_metrics,
};
static const struct far_codec inner = {.put = put_inner};

static const struct far_attr metric_attrs[] = {
  {"1", 0, &inner, NULL, FAR_WRITE},
  {"mtu", RTAX_MTU, &far_u32, NULL, 0},
  {"window", RTAX_WINDOW, &far_u32, NULL, 0},
  {"rtt", RTAX_RTT, &far_u32, NULL, 0},
  {"rttvar", RTAX_RTTVAR, &far_u32, NULL, 0},
  {"ssthresh", RTAX_SSTHRESH, &far_u32, NULL, 0},
  {"cwnd", RTAX_CWND, &far_u32, NULL, 0},
  {"advmss", RTAX_ADVMSS, &far_u32, NULL, 0},
  {"reordering", RTAX_REORDERING, &far_u32, NULL, 0},
  {"hoplimit", RTAX_HOPLIMIT, &far_u32, NULL, 0},
  {"initcwnd", RTAX_INITCWND, &far_u32, NULL, 0},
  {"rto_min", RTAX_RTO_MIN, &far_u32, NULL, 0},
  {"initrwnd", RTAX_INITRWND, &far_u32, NULL, 0},
  {"quickack", RTAX_QUICKACK, &far_u32, NULL, 0},
  {"lock", RTAX_LOCK, &far_u32, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

static const struct far_attr *within_metrics(struct nlattr *n,
                                             struct nlattr **first,
                                             int *length) {
  *first = nla_data(n);
  *length = nla_len(n);
  return metric_attrs;
}

static void put_inner(lua_State *L, struct far_request *r,
                      const struct far_attr *a) {
  if (!lua_istable(L, -1))
    far_bad_value(L, r, a->name, "table");
  far_put_table(L, r, -1, metric_attrs, NULL);
}

static void put_metrics(lua_State *L, struct far_request *r,
                        const struct far_attr *a) {
  size_t nest = far_nest(L, r, a->type);
  r->within = "metrics.";
  put_inner(L, r, a);
  r->within = "";
  far_unnest(r, nest);
}

static void push_metrics(lua_State *L, const struct far_source *s,
                         const struct far_attr *a, struct nlattr *n) {
  (void)a;
  lua_createtable(L, 1, 0);
  lua_newtable(L);
  far_push_table(L, s, metric_attrs, nla_data(n), nla_len(n));
  lua_rawseti(L, -2, 1);
}

/* ---- how long: told in ticks, asked for in seconds ---- */

static void put_expires(lua_State *L, struct far_request *r,
                        const struct far_attr *a) {
  uint32_t seconds = far_seconds(L, r, a->name);
  far_put(L, r, RTA_EXPIRES, &seconds, sizeof seconds);
}

static void push_expires(lua_State *L, const struct far_source *s,
                         const struct far_attr *a, struct nlattr *n) {
  const struct rta_cacheinfo *info = nla_data(n);
  (void)s, (void)a;
  if (nla_len(n) >= (int)sizeof *info && info->rta_expires != 0)
    lua_pushinteger(L, (int32_t)info->rta_expires / sysconf(_SC_CLK_TCK));
  else
    lua_pushnil(L);
}

static const struct far_codec expires = {
  put_expires, push_expires, .size = 0,
};

/* ---- routes ---- */

static const struct far_attr attrs[] = {
  {"to", RTA_DST, &prefix, &dst_length, FAR_WRITE},
  {"dev", RTA_OIF, &far_link, NULL, 0},
  {"dst", RTA_DST, &prefix, &dst_length, 0},
  {"from", RTA_SRC, &prefix, &src_length, 0},
  {"family", AT(rtm_family), &far_head_family, NULL, 0},
  {"via", RTA_VIA, &far_via, NULL, 0},
  {"gateway", RTA_GATEWAY, &far_ip, NULL, FAR_READ},
  {"gateway", 0, &far_gateway, NULL, FAR_WRITE},
  {"source", RTA_PREFSRC, &far_ip, NULL, FAR_WRITE},
  {"prefsrc", RTA_PREFSRC, &far_ip, NULL, 0},
  {"metric", RTA_PRIORITY, &far_u32, NULL, 0},
  {"table", RTA_TABLE, &far_word32, far_tables, 0},
  {"protocol", AT(rtm_protocol), &far_head_word, far_route_protocols, 0},
  {"scope", AT(rtm_scope), &far_head_word, far_scopes, 0},
  {"type", AT(rtm_type), &far_head_word, types, 0},
  {"tos", AT(rtm_tos), &far_head_u8, NULL, 0},
  {"flags", AT(rtm_flags), &far_head_bits32, far_route_flags, FAR_READ},
  {"flags", AT(rtm_flags), &far_flag_list, NULL, FAR_WRITE},
  {"onlink", AT(rtm_flags), &far_onlink, NULL, FAR_WRITE},
  {"nexthops", RTA_MULTIPATH, &far_hops, NULL, 0},
  {"nhid", RTA_NH_ID, &far_u32, NULL, 0},
  {"metrics", RTA_METRICS, &metrics, NULL, 0},
  {"pref", RTA_PREF, &far_word8, preferences, 0},
  {"expires", RTA_CACHEINFO, &expires, NULL, 0},
  {"uid", RTA_UID, &far_u32, NULL, FAR_TOLD},
  {NULL, 0, NULL, NULL, 0},
};

static void object(lua_State *L, const struct far_request *r) {
  const struct rtmsg *m = nlmsg_data((struct nlmsghdr *)&r->head);
  struct nlattr *dst = far_put_before((struct far_request *)r, RTA_DST);
  if (dst == NULL || m->rtm_dst_len == 0)
    lua_pushliteral(L, "default");
  else
    far_ip_push(L, m->rtm_family, nla_data(dst),
                m->rtm_dst_len == 8 * nla_len(dst) ? FAR_WHOLE
                                                   : m->rtm_dst_len);
}

#define CALL(verb, type, flags) \
  {"route." verb, type, flags, sizeof(struct rtmsg), attrs, object}

static const struct far_verb
  add = CALL("add", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL),
  replace = CALL("replace", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE),
  append = CALL("append", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND),
  delete = CALL("delete", RTM_DELROUTE, 0),
  get = CALL("get", RTM_GETROUTE, 0),
  list = CALL("list", RTM_GETROUTE, NLM_F_DUMP);

/* The scope that ip chooses for a new IPv4 route: that of a neighbour unless
 * there is a router on the way. */
static uint8_t scope_of(const struct rtmsg *m, bool router) {
  if (m->rtm_family != AF_INET)
    return RT_SCOPE_UNIVERSE;
  if (m->rtm_type == RTN_LOCAL || m->rtm_type == RTN_NAT)
    return RT_SCOPE_HOST;
  if (m->rtm_type == RTN_BROADCAST || m->rtm_type == RTN_MULTICAST ||
      m->rtm_type == RTN_ANYCAST)
    return RT_SCOPE_LINK;
  return m->rtm_type == RTN_UNICAST && !router ? RT_SCOPE_LINK
                                               : RT_SCOPE_UNIVERSE;
}

/* The table that ip chooses; one that is an attribute goes before it. */
static uint8_t table_of(const struct rtmsg *m) {
  return m->rtm_type == RTN_LOCAL || m->rtm_type == RTN_BROADCAST ||
         m->rtm_type == RTN_ANYCAST ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
}

/* What is not said. To delete, what is not said may be anything. */
static void complete(struct far_request *r) {
  struct rtmsg *m = far_header(r);
  if (m->rtm_family == AF_UNSPEC)
    m->rtm_family = AF_INET;
  if (r->call->type == RTM_NEWROUTE && m->rtm_scope == RT_SCOPE_NOWHERE)
    m->rtm_scope = scope_of(m, r->later || far_put_before(r, RTA_NH_ID));
  m->rtm_table = table_of(m);
}

static int change(lua_State *L, const struct far_verb *call) {
  struct far_request r;
  far_request_table(L, &r, call);
  struct rtmsg *m = far_header(&r);
  m->rtm_scope = RT_SCOPE_NOWHERE;
  if (call->type == RTM_NEWROUTE) {
    m->rtm_type = RTN_UNICAST;
    m->rtm_protocol = RTPROT_BOOT;
  }
  far_put_table(L, &r, 1, attrs, NULL);
  if (r.later) { /* it leads over routers */
    far_put_via(L, &r, 1);
    far_put_hops(L, &r, 1);
  }
  complete(&r);
  return far_request_do(L, &r);
}

/***
Makes a route.
@function route.add
@tparam table route to ("10.0.0.0/8", "default" when not given), via (a router's
address, of either family), dev (a link), metric, table ("main", "local",
"default" or a number), source (the address that packets get), type
("blackhole", "unreachable", "prohibit", "local"…), scope, protocol, tos, onlink
(boolean), nexthops (a list of tables with via, dev, weight), nhid, metrics (a
table with mtu, advmss…), pref, family. What `list` tells of one can be used as
well
@raise EEXIST; ENETUNREACH when nothing leads to the router; EPERM without
CAP_NET_ADMIN. See rtnetlink(7), ip-route(8).
*/
static int bind_add(lua_State *L) { return change(L, &add); }

/***
The same, in the place of the one that is there.
@function route.replace
@tparam table route
@raise as add
*/
static int bind_replace(lua_State *L) { return change(L, &replace); }

/***
The same, behind those to the same place.
@function route.append
@tparam table route
@raise as add
*/
static int bind_append(lua_State *L) { return change(L, &append); }

/***
Takes a route away: the first that is as described.
@function route.delete
@tparam table route
@raise ESRCH when there is none. See rtnetlink(7).
*/
static int bind_delete(lua_State *L) { return change(L, &delete); }

void far_push_route(lua_State *L, const struct far_request *r,
                    struct nlmsghdr *h) {
  const struct rtmsg *m = nlmsg_data(h);
  far_push_message(L, r, attrs, h, sizeof *m);
  if (m->rtm_dst_len == 0) {
    lua_pushliteral(L, "default");
    lua_setfield(L, -2, "dst");
  }
}

static void put_table(lua_State *L, struct far_request *r,
                      const struct far_attr *a) {
  const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  if (strcmp(word, "all") != 0)
    far_word32.put(L, r, a);
}

static const struct far_codec which_table = {.put = put_table, .size = 4};

static const struct far_attr filters[] = {
  {"family", AT(rtm_family), &far_head_family, NULL, 0},
  {"table", RTA_TABLE, &which_table, far_tables, 0},
  {"dev", RTA_OIF, &far_link, NULL, 0},
  {"protocol", AT(rtm_protocol), &far_head_word, far_route_protocols, 0},
  {"type", AT(rtm_type), &far_head_word, types, 0},
  {NULL, 0, NULL, NULL, 0},
};

/***
The routes of one table, or of all.
@function route.list
@tparam[opt] table filter family ("inet", "inet6"), table ("main" when not
given; "all"), dev, protocol, type
@treturn {table,...} as `ip -json -details route` tells them: dst, gateway or
via, dev, prefsrc, metric, protocol, scope, type, flags, nexthops, metrics…; and
family and table
@raise EAGAIN when they would not stand still. See rtnetlink(7).
*/
static int bind_list(lua_State *L) {
  struct far_request r;
  static const uint32_t main_table = RT_TABLE_MAIN;
  far_at_most(L, 1);
  lua_settop(L, 1);
  far_request(L, &r, &list);
  bool given = false;
  if (!lua_isnil(L, 1)) {
    luaL_checktype(L, 1, LUA_TTABLE);
    given = lua_getfield(L, 1, "table") != LUA_TNIL;
    lua_pop(L, 1);
    far_put_table(L, &r, 1, filters, NULL);
  }
  if (!given)
    far_put(L, &r, RTA_TABLE, &main_table, sizeof main_table);
  return far_list(L, &r, far_push_route);
}

/***
The route that a packet would take.
@function route.get
@tparam string to an address
@treturn table see list
@raise ENETUNREACH. See ip-route(8).
*/
static int bind_get(lua_State *L) {
  struct far_request r;
  struct far_answers a;
  far_at_most(L, 1);
  lua_settop(L, 1);
  far_request(L, &r, &get);
  struct rtmsg *m = far_header(&r);
  m->rtm_flags = RTM_F_LOOKUP_TABLE;
  lua_pushvalue(L, 1);
  struct far_address ip = far_ip_check(L, &r, "to", false);
  m->rtm_dst_len = (uint8_t)far_ip_bits(&ip);
  far_put(L, &r, RTA_DST, ip.bytes, far_ip_size(&ip));
  far_ask(L, &r, &a);
  struct nlmsghdr *h = far_next(L, &a);
  if (h == NULL)
    return far_raise(L, ENETUNREACH, "route.get", lua_tostring(L, 1), NULL);
  far_push_route(L, &r, h);
  return 1;
}

const luaL_Reg far_route_functions[] = {
  {"add", bind_add},       {"replace", bind_replace}, {"append", bind_append},
  {"delete", bind_delete}, {"list", bind_list},       {"get", bind_get},
  {NULL, NULL},
};

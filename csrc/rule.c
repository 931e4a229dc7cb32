/*
 * Rules: which table of routes a packet is looked up in, under the names of
 * `ip -json rule`. Requests may say `from` and `to`, prefixes in one word;
 * lists tell an address and its length.
 */
#define _GNU_SOURCE
#include <linux/fib_rules.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "netobject.h"
#include "routeword.h"

#define AT(member) offsetof(struct fib_rule_hdr, member)

static const struct far_word actions[] = {
  {"to_tbl", FR_ACT_TO_TBL},           {"goto", FR_ACT_GOTO},
  {"nop", FR_ACT_NOP},                 {"blackhole", FR_ACT_BLACKHOLE},
  {"unreachable", FR_ACT_UNREACHABLE}, {"prohibit", FR_ACT_PROHIBIT},
  {NULL, 0},
};

static const struct far_word ip_protocols[] = {
  {"icmp", 1},       {"igmp", 2},   {"tcp", 6},   {"udp", 17}, {"gre", 47},
  {"ipv6-icmp", 58}, {"ospf", 89},  {"sctp", 132}, {NULL, 0},
};

/* ---- prefixes; `more` is where their length stands in the header ---- */

static const size_t src_len = AT(src_len), dst_len = AT(dst_len);

static void put_prefix(lua_State *L, struct far_request *r,
                       const struct far_attr *a) {
  uint8_t *length = (uint8_t *)far_header(r) + *(const size_t *)a->more;
  if (lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "all") == 0)
    return;
  struct far_address ip = far_ip_check(L, r, a->name, true);
  if (ip.length != FAR_WHOLE)
    *length = ip.length;
  else if (*length == 0)
    *length = (uint8_t)far_ip_bits(&ip);
  far_put(L, r, a->type, ip.bytes, far_ip_size(&ip));
}

static void push_ip(lua_State *L, const struct far_source *s,
                    const struct far_attr *a, struct nlattr *n) {
  far_ip.push(L, s, a, n);
}

/* That of a whole address is not told. */
static void push_length(lua_State *L, const struct far_source *s,
                        const struct far_attr *a, struct nlattr *n) {
  const struct fib_rule_hdr *m = s->header;
  int length = ((const uint8_t *)m)[a->type];
  (void)n;
  if (length != 0 && length != (m->family == AF_INET ? 32 : 128))
    lua_pushinteger(L, length);
  else
    lua_pushnil(L);
}

static void put_length(lua_State *L, struct far_request *r,
                       const struct far_attr *a) {
  far_head_u8.put(L, r, a);
}

static const struct far_codec prefix = {put_prefix, push_ip, .size = 0};
static const struct far_codec length_of = {
  put_length, push_length, .size = 1, .header = true,
};

/* ---- what is the other way round ---- */

static void put_not(lua_State *L, struct far_request *r,
                    const struct far_attr *a) {
  if (!lua_isboolean(L, -1))
    far_bad_value(L, r, a->name, "boolean");
  if (lua_toboolean(L, -1))
    ((struct fib_rule_hdr *)far_header(r))->flags |= FIB_RULE_INVERT;
}

static void push_not(lua_State *L, const struct far_source *s,
                     const struct far_attr *a, struct nlattr *n) {
  (void)a, (void)n;
  if (((const struct fib_rule_hdr *)s->header)->flags & FIB_RULE_INVERT)
    lua_pushboolean(L, true);
  else
    lua_pushnil(L);
}

static const struct far_codec inverted = {put_not, push_not, .header = true};

/* ---- ranges: 80, or "80-90"; lists tell the two ends of the latter ---- */

/* Half of a range. */
struct edge {
  bool last;
  uint8_t size; /* of each */
};

static const struct edge port = {false, 2}, first_port = {false, 2},
                         last_port = {true, 2}, uid = {false, 4},
                         first_uid = {false, 4}, last_uid = {true, 4};

/* Writes an edge of the attribute, which is made when it is not there. */
static void put_at(lua_State *L, struct far_request *r,
                   const struct far_attr *a, bool last, lua_Integer value) {
  const struct edge *e = a->more;
  const uint16_t narrow = (uint16_t)value;
  const uint32_t wide = (uint32_t)value;
  char *data = far_share(L, r, a->type, 2 * (size_t)e->size);
  memcpy(data + (last ? e->size : 0),
         e->size == 2 ? (const void *)&narrow : &wide, e->size);
}

static lua_Integer most_of(const struct edge *e) {
  return e->size == 2 ? UINT16_MAX : UINT32_MAX;
}

static void put_edge(lua_State *L, struct far_request *r,
                     const struct far_attr *a) {
  const struct edge *e = a->more;
  put_at(L, r, a, e->last, far_integer(L, r, a->name, 0, most_of(e)));
}

static void put_range(lua_State *L, struct far_request *r,
                      const struct far_attr *a) {
  const struct edge *e = a->more;
  unsigned first, last;
  char end;
  if (lua_type(L, -1) == LUA_TSTRING &&
      sscanf(lua_tostring(L, -1), "%9u-%9u%c", &first, &last, &end) == 2 &&
      first <= last && last <= most_of(e)) {
    put_at(L, r, a, false, first);
    put_at(L, r, a, true, last);
  } else if (lua_type(L, -1) == LUA_TSTRING) {
    far_bad_value(L, r, a->name, "integer, or a range such as \"80-90\",");
  } else {
    lua_Integer one = far_integer(L, r, a->name, 0, most_of(e));
    put_at(L, r, a, false, one);
    put_at(L, r, a, true, one);
  }
}

static lua_Integer edge_of(struct nlattr *n, const struct edge *e, bool last) {
  uint16_t narrow;
  uint32_t wide;
  const char *data = (char *)nla_data(n) + (last ? e->size : 0);
  memcpy(&narrow, data, sizeof narrow);
  if (e->size == 2)
    return narrow;
  memcpy(&wide, data, sizeof wide);
  return wide;
}

static void push_edge(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  const struct edge *e = a->more;
  (void)s;
  if (e->size == 2 && edge_of(n, e, false) == edge_of(n, e, true))
    lua_pushnil(L);
  else
    lua_pushinteger(L, edge_of(n, e, e->last));
}

static void push_single(lua_State *L, const struct far_source *s,
                        const struct far_attr *a, struct nlattr *n) {
  const struct edge *e = a->more;
  (void)s;
  if (edge_of(n, e, false) == edge_of(n, e, true))
    lua_pushinteger(L, edge_of(n, e, false));
  else
    lua_pushnil(L);
}

static const struct far_codec edge = {put_edge, push_edge, .size = 0};
static const struct far_codec range = {put_range, push_single, .size = 0};

static const struct far_attr attrs[] = {
  {"from", FRA_SRC, &prefix, &src_len, FAR_WRITE},
  {"to", FRA_DST, &prefix, &dst_len, FAR_WRITE},
  {"src", FRA_SRC, &prefix, &src_len, 0},
  {"srclen", AT(src_len), &length_of, NULL, 0},
  {"dst", FRA_DST, &prefix, &dst_len, 0},
  {"dstlen", AT(dst_len), &length_of, NULL, 0},
  {"family", AT(family), &far_head_family, NULL, 0},
  {"priority", FRA_PRIORITY, &far_u32, NULL, 0},
  {"table", FRA_TABLE, &far_word32, far_tables, 0},
  {"action", AT(action), &far_head_word, actions, 0},
  {"goto", FRA_GOTO, &far_u32, NULL, 0},
  {"not", 0, &inverted, NULL, 0},
  {"iif", FRA_IIFNAME, &far_name, NULL, 0},
  {"oif", FRA_OIFNAME, &far_name, NULL, 0},
  {"fwmark", FRA_FWMARK, &far_u32, NULL, 0},
  {"fwmask", FRA_FWMASK, &far_u32, NULL, 0},
  {"tos", AT(tos), &far_head_u8, NULL, 0},
  {"ipproto", FRA_IP_PROTO, &far_word8, ip_protocols, 0},
  {"sport", FRA_SPORT_RANGE, &range, &port, 0},
  {"sport_start", FRA_SPORT_RANGE, &edge, &first_port, 0},
  {"sport_end", FRA_SPORT_RANGE, &edge, &last_port, 0},
  {"dport", FRA_DPORT_RANGE, &range, &port, 0},
  {"dport_start", FRA_DPORT_RANGE, &edge, &first_port, 0},
  {"dport_end", FRA_DPORT_RANGE, &edge, &last_port, 0},
  {"uidrange", FRA_UID_RANGE, &range, &uid, FAR_WRITE},
  {"uid_start", FRA_UID_RANGE, &edge, &first_uid, 0},
  {"uid_end", FRA_UID_RANGE, &edge, &last_uid, 0},
  {"l3mdev", FRA_L3MDEV, &far_flag, NULL, 0},
  {"protocol", FRA_PROTOCOL, &far_word8, far_route_protocols, 0},
  {"suppress_prefixlen", FRA_SUPPRESS_PREFIXLEN, &far_s32, NULL, 0},
  {"suppress_ifgroup", FRA_SUPPRESS_IFGROUP, &far_s32, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

static void object(lua_State *L, const struct far_request *r) {
  struct nlattr *n = far_put_before((struct far_request *)r, FRA_PRIORITY);
  if (n != NULL)
    lua_pushfstring(L, "%d", (int)nla_get_u32(n));
  else
    lua_pushnil(L);
}

#define CALL(verb, type, flags) \
  {"rule." verb, type, flags, sizeof(struct fib_rule_hdr), attrs, object}

static const struct far_verb
  add = CALL("add", RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL),
  delete = CALL("delete", RTM_DELRULE, 0),
  list = CALL("list", RTM_GETRULE, NLM_F_DUMP);

/* What is not said. To delete, what is not said may be anything. */
static void complete(lua_State *L, struct far_request *r) {
  const uint32_t main_table = RT_TABLE_MAIN;
  struct fib_rule_hdr *m = far_header(r);
  if (m->family == AF_UNSPEC)
    m->family = AF_INET;
  if (r->call->type == RTM_DELRULE)
    return;
  if (m->action == 0)
    m->action = far_put_before(r, FRA_GOTO) ? FR_ACT_GOTO : FR_ACT_TO_TBL;
  if (m->action == FR_ACT_TO_TBL && !far_put_before(r, FRA_TABLE) &&
      !far_put_before(r, FRA_L3MDEV))
    far_put(L, r, FRA_TABLE, &main_table, sizeof main_table);
}

static int change(lua_State *L, const struct far_verb *call) {
  struct far_request r;
  far_request_table(L, &r, call);
  far_put_table(L, &r, 1, attrs, NULL);
  complete(L, &r);
  return far_request_do(L, &r);
}

/***
Makes a rule.
@function rule.add
@tparam table rule from and to ("10.0.0.0/8"), iif and oif (names of links),
fwmark, fwmask, tos, ipproto ("tcp", "udp"… or a number), sport and dport (80,
or "80-90"), uidrange ("0-7"), `not` (true: for all others), priority; and what
then: table ("main" when not given, "local", "default" or a number), goto (a
priority), or action ("blackhole", "unreachable", "prohibit", "nop");
suppress_prefixlen, suppress_ifgroup, l3mdev (boolean), protocol, family ("inet"
when no address tells). What `list` tells of one can be used as well
@raise EEXIST; EPERM without CAP_NET_ADMIN. See rtnetlink(7), ip-rule(8).
*/
static int bind_add(lua_State *L) { return change(L, &add); }

/***
Removes the first rule that is as described.
@function rule.delete
@tparam table rule
@raise ENOENT. See rtnetlink(7).
*/
static int bind_delete(lua_State *L) { return change(L, &delete); }

void far_push_rule(lua_State *L, const struct far_request *r,
                   struct nlmsghdr *h) {
  const struct far_source s = {r->nl, nlmsg_data(h)};
  const int size = sizeof(struct fib_rule_hdr);
  lua_createtable(L, 0, 8);
  lua_pushinteger(L, 0); /* of a rule that has none */
  lua_setfield(L, -2, "priority");
  lua_pushliteral(L, "all");
  lua_setfield(L, -2, "src");
  far_push_table(L, &s, attrs, nlmsg_attrdata(h, size),
                 nlmsg_attrlen(h, size));
}

static const struct far_attr filters[] = {
  {"family", AT(family), &far_head_family, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

/***
The rules of both families, or of one.
@function rule.list
@tparam[opt] table filter family ("inet", "inet6")
@treturn {table,...} as `ip -json -details rule` tells them: priority, src
("all" for any), srclen, dst, dstlen, table, iif, oif, fwmark, protocol…; and
family and action
@raise EAGAIN when they would not stand still. See rtnetlink(7).
*/
static int bind_list(lua_State *L) {
  struct far_request r;
  far_request_list(L, &r, &list, filters);
  return far_list(L, &r, far_push_rule);
}

const luaL_Reg far_rule_functions[] = {
  {"add", bind_add}, {"delete", bind_delete}, {"list", bind_list},
  {NULL, NULL},
};

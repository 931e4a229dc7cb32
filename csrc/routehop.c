/*
 * Where a route goes next: one router, or several next hops. Both are put into
 * a request after everything else, when its family is known: a router may be
 * of the other one.
 */
#define _GNU_SOURCE
#include <net/if.h>
#include <stddef.h>
#include <string.h>

#include "routehop.h"
#include "routeword.h"

/* ---- the next router, which may be of the other family ---- */

/* Puts the address that the value on top is. */
static void put_gateway(lua_State *L, struct far_request *r,
                        const char *field) {
  const struct rtmsg *m = far_header(r);
  struct far_address ip = {0};
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  if (!far_ip_parse(text, &ip) || ip.length != FAR_WHOLE)
    far_bad_value(L, r, field, "address such as \"10.0.0.1\" or \"fd00::1\"");
  if (m->rtm_family == AF_UNSPEC)
    far_family(L, r, field, ip.family);
  if (m->rtm_family == ip.family) {
    far_put(L, r, RTA_GATEWAY, ip.bytes, far_ip_size(&ip));
    return;
  }
  uint8_t other[2 + 16];
  const uint16_t family = ip.family;
  memcpy(other, &family, sizeof family);
  memcpy(other + 2, ip.bytes, far_ip_size(&ip));
  far_put(L, r, RTA_VIA, other, 2 + far_ip_size(&ip));
}

/* The same for a field of the table at `index`: "10.0.0.1", or what lists tell
 * of one of the other family, { family =, host = }. */
void far_put_via(lua_State *L, struct far_request *r, int index) {
  static const char *const names[] = {"via", "gateway"};
  for (size_t i = 0; i < FAR_COUNT(names); i++) {
    bool given = lua_getfield(L, index, names[i]) != LUA_TNIL;
    if (lua_istable(L, -1)) {
      lua_getfield(L, -1, "host");
      lua_remove(L, -2);
    }
    if (given)
      put_gateway(L, r, names[i]);
    lua_pop(L, 1);
  }
}

static void push_via(lua_State *L, const struct far_source *s,
                     const struct far_attr *a, struct nlattr *n) {
  const char *data = nla_data(n);
  uint16_t family;
  (void)s, (void)a;
  memcpy(&family, data, sizeof family);
  lua_createtable(L, 0, 2);
  lua_pushstring(L, family == AF_INET ? "inet" : "inet6");
  lua_setfield(L, -2, "family");
  far_ip_push(L, family, data + sizeof family, FAR_WHOLE);
  lua_setfield(L, -2, "host");
}

static void later(lua_State *L, struct far_request *r,
                  const struct far_attr *a) {
  (void)L, (void)a;
  r->later = true;
}

const struct far_codec far_via = {later, push_via, .size = 6};
const struct far_codec far_gateway = {.put = later};

/* ---- flags ---- */

static void set_flags(struct far_request *r, const struct far_attr *a,
                      uint32_t bits) {
  uint32_t *flags = (uint32_t *)((char *)far_header(r) + a->type);
  *flags |= bits & RTNH_F_ONLINK;
}

static void put_flags(lua_State *L, struct far_request *r,
                      const struct far_attr *a) {
  set_flags(r, a, (uint32_t)far_words_of(L, r, a->name, far_route_flags));
}

static void put_onlink(lua_State *L, struct far_request *r,
                       const struct far_attr *a) {
  if (!lua_isboolean(L, -1))
    far_bad_value(L, r, a->name, "boolean");
  set_flags(r, a, lua_toboolean(L, -1) ? RTNH_F_ONLINK : 0);
}

const struct far_codec far_flag_list = {.put = put_flags, .header = true};
const struct far_codec far_onlink = {.put = put_onlink, .header = true};

/* ---- several next hops ---- */

#define HOP(member) offsetof(struct rtnexthop, member)

/* The weight is one more than what is sent. */
static void put_weight(lua_State *L, struct far_request *r,
                       const struct far_attr *a) {
  int whole;
  lua_Integer n = lua_tointegerx(L, -1, &whole);
  if (!whole || n < 1 || n > 256)
    far_bad_value(L, r, a->name, "integer from 1 to 256");
  ((uint8_t *)far_header(r))[a->type] = (uint8_t)(n - 1);
}

static void push_weight(lua_State *L, const struct far_source *s,
                        const struct far_attr *a, struct nlattr *n) {
  (void)n;
  lua_pushinteger(L, ((const uint8_t *)s->header)[a->type] + 1);
}

static void put_hop_onlink(lua_State *L, struct far_request *r,
                           const struct far_attr *a) {
  if (!lua_isboolean(L, -1))
    far_bad_value(L, r, a->name, "boolean");
  if (lua_toboolean(L, -1))
    ((struct rtnexthop *)far_header(r))->rtnh_flags |= RTNH_F_ONLINK;
}

static const struct far_codec weight = {put_weight, push_weight,
                                        .header = true};
static const struct far_codec hop_onlink = {.put = put_hop_onlink};

static const struct far_attr hop_attrs[] = {
  {"dev", HOP(rtnh_ifindex), &far_head_link, NULL, 0},
  {"gateway", RTA_GATEWAY, &far_ip, NULL, FAR_READ},
  {"gateway", 0, &far_gateway, NULL, FAR_WRITE},
  {"via", RTA_VIA, &far_via, NULL, 0},
  {"weight", HOP(rtnh_hops), &weight, NULL, 0},
  {"flags", HOP(rtnh_flags), &far_head_bits8, far_route_flags, FAR_TOLD},
  {"onlink", 0, &hop_onlink, NULL, FAR_WRITE},
  {NULL, 0, NULL, NULL, 0},
};

static void put_hop(lua_State *L, struct far_request *r) {
  size_t at = r->head.nlmsg_len, header = r->header, first = r->first;
  if (!lua_istable(L, -1))
    far_bad_value(L, r, "nexthops", "list of tables");
  (void)far_inner_header(L, r, sizeof(struct rtnexthop));
  far_put_table(L, r, -1, hop_attrs, NULL);
  r->first = first;
  r->header = header; /* the family of the address stands in the outer one */
  far_put_via(L, r, lua_absindex(L, -1));
  struct rtnexthop *hop = (struct rtnexthop *)(r->bytes + at);
  hop->rtnh_len = (uint16_t)(r->head.nlmsg_len - at);
}

/* After everything else, when the family is known. */
void far_put_hops(lua_State *L, struct far_request *r, int table) {
  if (lua_getfield(L, table, "nexthops") != LUA_TNIL) {
    if (!lua_istable(L, -1))
      far_bad_value(L, r, "nexthops", "list of tables");
    size_t nest = far_nest(L, r, RTA_MULTIPATH);
    r->within = "nexthops.";
    for (lua_Integer i = 1; lua_geti(L, -1, i) != LUA_TNIL; i++) {
      put_hop(L, r);
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
    r->within = "";
    far_unnest(r, nest);
  }
  lua_pop(L, 1);
}

static void push_hops(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  struct rtnexthop *hop = nla_data(n);
  int left = nla_len(n);
  lua_Integer count = 0;
  (void)a;
  lua_newtable(L);
  for (; RTNH_OK(hop, left); left -= RTNH_ALIGN(hop->rtnh_len),
                             hop = RTNH_NEXT(hop)) {
    const struct far_source one = {s->nl, hop};
    lua_createtable(L, 0, 4);
    far_push_table(L, &one, hop_attrs, (struct nlattr *)RTNH_DATA(hop),
                   (int)hop->rtnh_len - (int)RTNH_LENGTH(0));
    lua_rawseti(L, -2, ++count);
  }
}

const struct far_codec far_hops = {later, push_hops, .size = 0};

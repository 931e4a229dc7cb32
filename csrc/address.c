/*
 * IP addresses of links, under the names that `ip -json address` uses.
 *
 * On the wire IFA_LOCAL is the address and IFA_ADDRESS the other end of the
 * link; without another end that is the address again, which for IPv6 then is
 * the only one.
 */
#define _GNU_SOURCE
#include <linux/if_addr.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>

#include "netobject.h"
#include "routeword.h"

#define FOREVER UINT32_MAX
#define AT(member) offsetof(struct ifaddrmsg, member)

static const struct far_word protocols[] = {
  {"kernel_lo", 1}, {"kernel_ra", 2}, {"kernel_ll", 3}, {NULL, 0},
};

/* ---- the address ---- */

/* Its own, or the other end's: the length of the prefix may stand at either. */
static void put_end(lua_State *L, struct far_request *r,
                    const struct far_attr *a) {
  struct ifaddrmsg *i = far_header(r);
  struct far_address ip = far_ip_check(L, r, a->name, true);
  if (ip.length != FAR_WHOLE)
    i->ifa_prefixlen = ip.length;
  far_put(L, r, a->type, ip.bytes, far_ip_size(&ip));
}

static const struct far_codec end = {.put = put_end};

/* ---- flags, together in one attribute ---- */

static const struct flag {
  uint32_t bit;
  bool unset; /* the field tells that the flag is not there */
} secondary = {IFA_F_SECONDARY, false}, nodad = {IFA_F_NODAD, false},
  optimistic = {IFA_F_OPTIMISTIC, false}, failed = {IFA_F_DADFAILED, false},
  home = {IFA_F_HOMEADDRESS, false}, deprecated = {IFA_F_DEPRECATED, false},
  tentative = {IFA_F_TENTATIVE, false}, dynamic = {IFA_F_PERMANENT, true},
  managed = {IFA_F_MANAGETEMPADDR, false},
  noroute = {IFA_F_NOPREFIXROUTE, false}, join = {IFA_F_MCAUTOJOIN, false},
  stable = {IFA_F_STABLE_PRIVACY, false};

static void put_flag(lua_State *L, struct far_request *r,
                     const struct far_attr *a) {
  const struct flag *flag = a->more;
  if (!lua_isboolean(L, -1))
    far_bad_value(L, r, a->name, "boolean");
  if (lua_toboolean(L, -1))
    r->bits |= flag->bit;
}

/* Told when it is so, as ip does. */
static void push_flag(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  const struct flag *flag = a->more;
  (void)s;
  if (((nla_get_u32(n) & flag->bit) == 0) == flag->unset)
    lua_pushboolean(L, true);
  else
    lua_pushnil(L);
}

static const struct far_codec one_flag = {put_flag, push_flag, .size = 4};

/* ---- lifetimes, together in one attribute; `more` says which ---- */

static const size_t valid = offsetof(struct ifa_cacheinfo, ifa_valid),
                    preferred = offsetof(struct ifa_cacheinfo, ifa_prefered);

static void put_life(lua_State *L, struct far_request *r,
                     const struct far_attr *a) {
  static const struct ifa_cacheinfo forever = {FOREVER, FOREVER, 0, 0};
  uint32_t seconds = FOREVER;
  if (far_put_before(r, IFA_CACHEINFO) == NULL)
    far_put(L, r, IFA_CACHEINFO, &forever, sizeof forever);
  if (lua_type(L, -1) != LUA_TSTRING ||
      strcmp(lua_tostring(L, -1), "forever") != 0)
    seconds = far_seconds(L, r, a->name);
  memcpy((char *)nla_data(far_put_before(r, IFA_CACHEINFO)) +
         *(const size_t *)a->more, &seconds, sizeof seconds);
}

static void push_life(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  uint32_t seconds;
  (void)s;
  memcpy(&seconds, (char *)nla_data(n) + *(const size_t *)a->more,
         sizeof seconds);
  lua_pushinteger(L, seconds);
}

static const struct far_codec life = {
  put_life, push_life, .size = sizeof(struct ifa_cacheinfo),
};

static const struct far_attr attrs[] = {
  {"1", IFA_LOCAL, &end, NULL, FAR_WRITE},
  {"local", IFA_LOCAL, &end, NULL, FAR_WRITE},
  {"peer", IFA_ADDRESS, &end, NULL, FAR_WRITE},
  {"address", IFA_ADDRESS, &end, NULL, FAR_WRITE},
  {"family", AT(ifa_family), &far_head_family, NULL, 0},
  {"prefixlen", AT(ifa_prefixlen), &far_head_u8, NULL, 0},
  {"ifindex", AT(ifa_index), &far_head_link_at, NULL, FAR_TOLD},
  {"dev", AT(ifa_index), &far_head_link, NULL, FAR_TOLD},
  {"scope", AT(ifa_scope), &far_head_word, far_scopes, 0},
  {"broadcast", IFA_BROADCAST, &far_ip, NULL, 0},
  {"anycast", IFA_ANYCAST, &far_ip, NULL, FAR_TOLD},
  {"label", IFA_LABEL, &far_text, NULL, 0},
  {"metric", IFA_RT_PRIORITY, &far_u32, NULL, 0},
  {"protocol", IFA_PROTO, &far_word8, protocols, 0},
  {"valid", 0, &life, &valid, FAR_WRITE},
  {"preferred", 0, &life, &preferred, FAR_WRITE},
  {"valid_life_time", IFA_CACHEINFO, &life, &valid, 0},
  {"preferred_life_time", IFA_CACHEINFO, &life, &preferred, 0},
  {"secondary", IFA_FLAGS, &one_flag, &secondary, FAR_TOLD},
  {"nodad", IFA_FLAGS, &one_flag, &nodad, 0},
  {"optimistic", IFA_FLAGS, &one_flag, &optimistic, 0},
  {"dadfailed", IFA_FLAGS, &one_flag, &failed, FAR_TOLD},
  {"home", IFA_FLAGS, &one_flag, &home, 0},
  {"deprecated", IFA_FLAGS, &one_flag, &deprecated, FAR_TOLD},
  {"tentative", IFA_FLAGS, &one_flag, &tentative, FAR_TOLD},
  {"dynamic", IFA_FLAGS, &one_flag, &dynamic, FAR_TOLD},
  {"mngtmpaddr", IFA_FLAGS, &one_flag, &managed, 0},
  {"noprefixroute", IFA_FLAGS, &one_flag, &noroute, 0},
  {"autojoin", IFA_FLAGS, &one_flag, &join, 0},
  {"stable-privacy", IFA_FLAGS, &one_flag, &stable, FAR_TOLD},
  {NULL, 0, NULL, NULL, 0},
};

/* ---- requests ---- */

/* "10.0.0.1/24 on eth0" */
static void object(lua_State *L, const struct far_request *r) {
  const struct ifaddrmsg *i = nlmsg_data((struct nlmsghdr *)&r->head);
  struct nlattr *ip = far_put_before((struct far_request *)r, IFA_LOCAL);
  if (ip == NULL)
    lua_pushliteral(L, "addresses");
  else
    far_ip_push(L, i->ifa_family, nla_data(ip), i->ifa_prefixlen);
  far_push_on(L, r, (int)i->ifa_index);
}

#define CALL(verb, type, flags) \
  {"address." verb, type, flags, sizeof(struct ifaddrmsg), attrs, object}

static const struct far_verb
  add = CALL("add", RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL),
  replace = CALL("replace", RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE),
  delete = CALL("delete", RTM_DELADDR, 0),
  list = CALL("list", RTM_GETADDR, NLM_F_DUMP);

/* What is not said. */
static void complete(lua_State *L, struct far_request *r) {
  struct ifaddrmsg *i = far_header(r);
  struct nlattr *ip = far_put_before(r, IFA_LOCAL);
  if (ip == NULL)
    luaL_argerror(L, 2, "address expected");
  if (i->ifa_prefixlen == FAR_WHOLE)
    i->ifa_prefixlen = i->ifa_family == AF_INET ? 32 : 128;
  if (far_put_before(r, IFA_ADDRESS) == NULL)
    far_put(L, r, IFA_ADDRESS, nla_data(ip), (size_t)nla_len(ip));
  if (r->bits != 0)
    far_put(L, r, IFA_FLAGS, &r->bits, sizeof r->bits);
  if (i->ifa_scope == RT_SCOPE_NOWHERE)
    i->ifa_scope = i->ifa_family == AF_INET &&
                   *(const uint8_t *)nla_data(ip) == 127 ? RT_SCOPE_HOST : 0;
}

static int change(lua_State *L, const struct far_verb *call) {
  struct far_request r;
  far_at_most(L, 2);
  lua_settop(L, 2);
  far_request(L, &r, call);
  struct ifaddrmsg *i = far_header(&r);
  i->ifa_prefixlen = FAR_WHOLE;
  i->ifa_scope = RT_SCOPE_NOWHERE;
  lua_pushvalue(L, 1);
  far_head_link.put(L, &r, &(struct far_attr){
    .name = "link", .type = AT(ifa_index), .codec = &far_head_link});
  r.arg = 2;
  lua_pushvalue(L, 2);
  if (lua_istable(L, 2))
    far_put_table(L, &r, 2, attrs, NULL);
  else
    put_end(L, &r, &(struct far_attr){.name = "address", .type = IFA_LOCAL});
  complete(L, &r);
  return far_request_do(L, &r);
}

/***
Gives a link an address.
@function address.add
@tparam string|int link name or index
@tparam string|table address "10.0.0.1/24" or "fd00::1/64"; or a table with that
in the first place and `peer` (the other end of the link), scope ("global",
"link", "host" or a number), broadcast, label, metric, valid and preferred
(seconds, "1h", "forever"), nodad, noprefixroute, home, optimistic, mngtmpaddr,
autojoin (booleans). What `list` tells of one can be used as well
@raise EEXIST; ENODEV; EPERM without CAP_NET_ADMIN. See rtnetlink(7),
ip-address(8).
*/
static int bind_add(lua_State *L) { return change(L, &add); }

/***
The same, and changes the address when it is there.
@function address.replace
@tparam string|int link
@tparam string|table address
@raise as add
*/
static int bind_replace(lua_State *L) { return change(L, &replace); }

/***
Takes an address away.
@function address.delete
@tparam string|int link
@tparam string|table address
@raise EADDRNOTAVAIL when the link does not have it. See rtnetlink(7).
*/
static int bind_delete(lua_State *L) { return change(L, &delete); }

/* IPv6 without another end has IFA_ADDRESS alone. */
static void push_ends(lua_State *L, const struct far_source *s,
                      struct nlattr *mine, struct nlattr *other) {
  if (mine == NULL)
    mine = other;
  if (mine == NULL)
    return;
  far_ip.push(L, s, NULL, mine);
  lua_setfield(L, -2, "local");
  if (other == NULL || (nla_len(other) == nla_len(mine) &&
      memcmp(nla_data(other), nla_data(mine), (size_t)nla_len(mine)) == 0))
    return;
  far_ip.push(L, s, NULL, other);
  lua_setfield(L, -2, "address");
}

void far_push_address(lua_State *L, const struct far_request *r,
                      struct nlmsghdr *h) {
  const struct far_source s = {r->nl, nlmsg_data(h)};
  const int size = sizeof(struct ifaddrmsg);
  lua_createtable(L, 0, 12);
  far_push_table(L, &s, attrs, nlmsg_attrdata(h, size),
                 nlmsg_attrlen(h, size));
  push_ends(L, &s, nlmsg_find_attr(h, size, IFA_LOCAL),
            nlmsg_find_attr(h, size, IFA_ADDRESS));
}

static const struct far_attr filters[] = {
  {"dev", AT(ifa_index), &far_head_link, NULL, 0},
  {"family", AT(ifa_family), &far_head_family, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

/***
The addresses of all links, or those that are asked for.
@function address.list
@tparam[opt] table filter dev (name or index of a link), family ("inet",
"inet6")
@treturn {table,...} as `ip -json address` tells them: family, local, prefixlen,
address (the other end), broadcast, scope, label, valid_life_time and
preferred_life_time (seconds, 4294967295 for ever), nodad, tentative, dynamic…
(true or nil); and ifindex and dev, the link's name
@raise EAGAIN when they would not stand still. See rtnetlink(7).
*/
static int bind_list(lua_State *L) {
  struct far_request r;
  far_request_list(L, &r, &list, filters);
  return far_list(L, &r, far_push_address);
}

const luaL_Reg far_address_functions[] = {
  {"add", bind_add},       {"replace", bind_replace},
  {"delete", bind_delete}, {"list", bind_list},
  {NULL, NULL},
};

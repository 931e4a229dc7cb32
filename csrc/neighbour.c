/*
 * Neighbours (ARP and NDP). The forwarding database of bridges is made of the
 * same messages: see fdb.c.
 */
#define _GNU_SOURCE
#include <linux/neighbour.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "netobject.h"

#define AT(member) offsetof(struct ndmsg, member)

static const struct far_word states[] = {
  {"INCOMPLETE", NUD_INCOMPLETE}, {"REACHABLE", NUD_REACHABLE},
  {"STALE", NUD_STALE},           {"DELAY", NUD_DELAY},
  {"PROBE", NUD_PROBE},           {"FAILED", NUD_FAILED},
  {"NOARP", NUD_NOARP},           {"PERMANENT", NUD_PERMANENT},
  {NULL, 0},
};

/* As ip says them. */
static const struct far_word nud[] = {
  {"permanent", NUD_PERMANENT}, {"reachable", NUD_REACHABLE},
  {"noarp", NUD_NOARP},         {"none", NUD_NONE},
  {"stale", NUD_STALE},         {"incomplete", NUD_INCOMPLETE},
  {"delay", NUD_DELAY},         {"probe", NUD_PROBE},
  {"failed", NUD_FAILED},       {NULL, 0},
};

static const struct far_word protocols[] = {
  {"kernel", RTPROT_KERNEL}, {"boot", RTPROT_BOOT}, {"static", RTPROT_STATIC},
  {"zebra", RTPROT_ZEBRA}, {NULL, 0},
};

/* The list of words that lists tell. */
static void put_states(lua_State *L, struct far_request *r,
                       const struct far_attr *a) {
  struct ndmsg *m = far_header(r);
  m->ndm_state = (uint16_t)far_words_of(L, r, a->name, states);
}

static void push_states(lua_State *L, const struct far_source *s,
                        const struct far_attr *a, struct nlattr *n) {
  (void)a, (void)n;
  far_words_push(L, ((const struct ndmsg *)s->header)->ndm_state, states);
}

/* A flag: true, or nothing; `type` is its bit. */
static void put_flag(lua_State *L, struct far_request *r,
                     const struct far_attr *a) {
  struct ndmsg *m = far_header(r);
  if (!lua_isboolean(L, -1))
    far_bad_value(L, r, a->name, "boolean");
  if (lua_toboolean(L, -1))
    m->ndm_flags |= (uint8_t)a->type;
}

static void push_flag(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  (void)n;
  if (((const struct ndmsg *)s->header)->ndm_flags & a->type)
    lua_pushboolean(L, true);
  else
    lua_pushnil(L);
}

static const struct far_codec state_list = {
  put_states, push_states, .header = true,
};
const struct far_codec far_neighbour_flag = {
  put_flag, push_flag, .header = true,
};

static const struct far_attr attrs[] = {
  {"to", NDA_DST, &far_ip, NULL, FAR_WRITE},
  {"dst", NDA_DST, &far_ip, NULL, 0},
  {"family", AT(ndm_family), &far_head_family, NULL, 0},
  {"dev", AT(ndm_ifindex), &far_head_link, NULL, 0},
  {"ifindex", AT(ndm_ifindex), &far_head_link_at, NULL, FAR_TOLD},
  {"lladdr", NDA_LLADDR, &far_lladdr, NULL, 0},
  {"nud", AT(ndm_state), &far_head_word16, nud, FAR_WRITE},
  {"state", 0, &state_list, NULL, 0},
  {"router", NTF_ROUTER, &far_neighbour_flag, NULL, 0},
  {"proxy", NTF_PROXY, &far_neighbour_flag, NULL, 0},
  {"extern_learn", NTF_EXT_LEARNED, &far_neighbour_flag, NULL, 0},
  {"offload", NTF_OFFLOADED, &far_neighbour_flag, NULL, FAR_TOLD},
  {"protocol", NDA_PROTOCOL, &far_word8, protocols, 0},
  {"probes", NDA_PROBES, &far_u32, NULL, FAR_TOLD},
  {NULL, 0, NULL, NULL, 0},
};

/* "10.0.0.2 on eth0" */
static void object(lua_State *L, const struct far_request *r) {
  const struct ndmsg *m = nlmsg_data((struct nlmsghdr *)&r->head);
  struct nlattr *dst = far_put_before((struct far_request *)r, NDA_DST);
  if (dst == NULL)
    lua_pushliteral(L, "neighbours");
  else
    far_ip_push(L, m->ndm_family, nla_data(dst), FAR_WHOLE);
  far_push_on(L, r, m->ndm_ifindex);
}

#define CALL(verb, type, flags) \
  {"neighbour." verb, type, flags, sizeof(struct ndmsg), attrs, object}

static const struct far_verb
  add = CALL("add", RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL),
  replace = CALL("replace", RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE),
  delete = CALL("delete", RTM_DELNEIGH, 0),
  list = CALL("list", RTM_GETNEIGH, NLM_F_DUMP);

static int change(lua_State *L, const struct far_verb *call) {
  struct far_request r;
  far_request_table(L, &r, call);
  struct ndmsg *m = far_header(&r);
  m->ndm_state = NUD_PERMANENT;
  far_put_table(L, &r, 1, attrs, NULL);
  far_need(L, &r, 1, "dev");
  if (far_put_before(&r, NDA_DST) == NULL)
    luaL_argerror(L, 1, "to: address expected, got nil");
  return far_request_do(L, &r);
}

/***
Makes a neighbour known.
@function neighbour.add
@tparam table neighbour to (its address), dev (name or index of a link), lladdr
("02:00:00:00:00:01"), nud ("permanent" when not given, "reachable", "stale",
"noarp"…), router, proxy, extern_learn (booleans), protocol. What `list` tells
of one can be used as well
@raise EEXIST; EPERM without CAP_NET_ADMIN. See rtnetlink(7), ip-neighbour(8).
*/
static int bind_add(lua_State *L) { return change(L, &add); }

/***
The same, in the place of the one that is there.
@function neighbour.replace
@tparam table neighbour
@raise as add
*/
static int bind_replace(lua_State *L) { return change(L, &replace); }

/***
Forgets a neighbour.
@function neighbour.delete
@tparam table neighbour to and dev
@raise ENOENT. See rtnetlink(7).
*/
static int bind_delete(lua_State *L) { return change(L, &delete); }

void far_push_neighbour(lua_State *L, const struct far_request *r,
                        struct nlmsghdr *h) {
  far_push_message(L, r, attrs, h, sizeof(struct ndmsg));
}

/* What ip does not show: links' own addresses and the like, and what is not
 * there yet. */
static void push_known(lua_State *L, const struct far_request *r,
                       struct nlmsghdr *h) {
  const struct ndmsg *m = nlmsg_data(h);
  if ((m->ndm_state & ~NUD_NOARP) == 0 &&
      (m->ndm_flags & (NTF_PROXY | NTF_EXT_LEARNED)) == 0)
    lua_pushnil(L);
  else
    far_push_neighbour(L, r, h);
}

static void put_all(lua_State *L, struct far_request *r,
                    const struct far_attr *a) {
  if (!lua_isboolean(L, -1))
    far_bad_value(L, r, a->name, "boolean");
  r->bits = lua_toboolean(L, -1);
}

static const struct far_codec all = {.put = put_all};

static const struct far_attr filters[] = {
  {"family", AT(ndm_family), &far_head_family, NULL, 0},
  {"dev", NDA_IFINDEX, &far_link, NULL, 0},
  {"master", NDA_MASTER, &far_link, NULL, 0},
  {"proxy", NTF_PROXY, &far_neighbour_flag, NULL, 0},
  {"all", 0, &all, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

/***
The neighbours of all links, or those that are asked for.
@function neighbour.list
@tparam[opt] table filter family ("inet", "inet6"), dev, master (name or index
of a link), proxy (boolean: those that are answered for), all (boolean: also
those that need no finding out, such as multicast addresses)
@treturn {table,...} as `ip -json neighbour` tells them: dst, dev, lladdr, state
(a list: "REACHABLE"), router, proxy… (true or nil); and family, ifindex
@raise EAGAIN when they would not stand still. See rtnetlink(7).
*/
static int bind_list(lua_State *L) {
  struct far_request r;
  far_request_list(L, &r, &list, filters);
  return far_list(L, &r, r.bits ? far_push_neighbour : push_known);
}

const luaL_Reg far_neighbour_functions[] = {
  {"add", bind_add},       {"replace", bind_replace},
  {"delete", bind_delete}, {"list", bind_list},
  {NULL, NULL},
};

/*
 * The forwarding database of bridges and of links like them, under the names of
 * `bridge -json fdb`: neighbours of the family AF_BRIDGE.
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
  {"permanent", NUD_PERMANENT}, {"static", NUD_NOARP}, {"stale", NUD_STALE},
  {"dynamic", NUD_REACHABLE},   {NULL, 0},
};

static const struct far_word flags[] = {
  {"self", NTF_SELF}, {"router", NTF_ROUTER},
  {"extern_learn", NTF_EXT_LEARNED}, {"offload", NTF_OFFLOADED},
  {"sticky", NTF_STICKY}, {NULL, 0},
};

/* A list of words, of which "master" is one for requests only. */
static void put_flags(lua_State *L, struct far_request *r,
                      const struct far_attr *a) {
  struct ndmsg *m = far_header(r);
  m->ndm_flags |= (uint8_t)far_words_of(L, r, a->name, flags);
}

/* A master that is told, or true: the entry is for the bridge. */
static void put_master(lua_State *L, struct far_request *r,
                       const struct far_attr *a) {
  struct ndmsg *m = far_header(r);
  if (lua_isboolean(L, -1)) {
    far_neighbour_flag.put(L, r, a);
    return;
  }
  if (lua_type(L, -1) != LUA_TSTRING)
    far_bad_value(L, r, a->name, "boolean, or what a list tells");
  m->ndm_flags |= NTF_MASTER;
}

static void put_state(lua_State *L, struct far_request *r,
                      const struct far_attr *a) {
  ((struct ndmsg *)far_header(r))->ndm_state =
    (uint16_t)far_word_of(L, r, a->name, states);
}

/* A permanent entry may be a static one, too. */
static void push_state(lua_State *L, const struct far_source *s,
                       const struct far_attr *a, struct nlattr *n) {
  const struct far_word *w = states;
  (void)a, (void)n;
  while (w->name != NULL &&
         (((const struct ndmsg *)s->header)->ndm_state & w->bits) == 0)
    w++;
  lua_pushstring(L, w->name);
}

static const struct far_codec state = {put_state, push_state, .header = true};
static const struct far_codec flag_list = {.put = put_flags};
static const struct far_codec master = {.put = put_master};

static const struct far_attr attrs[] = {
  {"mac", NDA_LLADDR, &far_lladdr, NULL, 0},
  {"dev", AT(ndm_ifindex), &far_head_link, NULL, FAR_WRITE},
  {"ifname", AT(ndm_ifindex), &far_head_link, NULL, 0},
  {"ifindex", AT(ndm_ifindex), &far_head_link_at, NULL, FAR_TOLD},
  {"master", NDA_MASTER, &far_link, NULL, FAR_READ},
  {"master", NTF_MASTER, &master, NULL, FAR_WRITE},
  {"self", NTF_SELF, &far_neighbour_flag, NULL, FAR_WRITE},
  {"state", 0, &state, NULL, 0},
  {"flags", AT(ndm_flags), &far_head_bits8, flags, FAR_READ},
  {"flags", 0, &flag_list, NULL, FAR_WRITE},
  {"vlan", NDA_VLAN, &far_u16, NULL, 0},
  {"dst", NDA_DST, &far_end, NULL, 0},
  {"port", NDA_PORT, &far_be16, NULL, 0},
  {"vni", NDA_VNI, &far_u32, NULL, 0},
  {"src_vni", NDA_SRC_VNI, &far_u32, NULL, 0},
  {"viaIf", NDA_IFINDEX, &far_link, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

/* "02:00:00:00:00:01 on eth0" */
static void object(lua_State *L, const struct far_request *r) {
  const struct ndmsg *m = nlmsg_data((struct nlmsghdr *)&r->head);
  struct nlattr *mac = far_put_before((struct far_request *)r, NDA_LLADDR);
  if (mac == NULL)
    lua_pushliteral(L, "entries");
  else
    far_lladdr.push(L, NULL, NULL, mac);
  far_push_on(L, r, m->ndm_ifindex);
}

#define CALL(verb, type, flags) \
  {"fdb." verb, type, flags, sizeof(struct ndmsg), attrs, object}

static const struct far_verb
  add = CALL("add", RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL),
  append = CALL("append", RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_APPEND),
  replace = CALL("replace", RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE),
  delete = CALL("delete", RTM_DELNEIGH, 0),
  list = CALL("list", RTM_GETNEIGH, NLM_F_DUMP);

static int change(lua_State *L, const struct far_verb *call) {
  struct far_request r;
  far_request_table(L, &r, call);
  struct ndmsg *m = far_header(&r);
  m->ndm_family = AF_BRIDGE;
  m->ndm_state = NUD_PERMANENT;
  far_put_table(L, &r, 1, attrs, NULL);
  far_need(L, &r, 1, "mac");
  if ((m->ndm_flags & (NTF_SELF | NTF_MASTER)) == 0)
    m->ndm_flags |= NTF_SELF; /* as bridge(8) does */
  return far_request_do(L, &r);
}

/***
Adds an entry to the forwarding database of a link or of its bridge.
@function fdb.add
@tparam table entry mac ("02:00:00:00:00:01"), dev (name or index of a link),
master (true: in the bridge that the link is a port of) or self (true, and so
when neither is given: in the link's own), state ("permanent" when not given,
"static", "dynamic"), flags, vlan; for vxlan dst (an address), port, vni,
viaIf (a link). What `list` tells of one can be used as well
@raise EEXIST; EOPNOTSUPP; EPERM without CAP_NET_ADMIN. See rtnetlink(7),
bridge(8).
*/
static int bind_add(lua_State *L) { return change(L, &add); }

/***
The same, beside those for the same mac: one more place to send to.
@function fdb.append
@tparam table entry
@raise as add
*/
static int bind_append(lua_State *L) { return change(L, &append); }

/***
The same, in the place of the one that is there.
@function fdb.replace
@tparam table entry
@raise as add
*/
static int bind_replace(lua_State *L) { return change(L, &replace); }

/***
Removes an entry.
@function fdb.delete
@tparam table entry
@raise ENOENT. See rtnetlink(7).
*/
static int bind_delete(lua_State *L) { return change(L, &delete); }

void far_push_fdb(lua_State *L, const struct far_request *r,
                  struct nlmsghdr *h) {
  far_push_message(L, r, attrs, h, sizeof(struct ndmsg));
}

static const struct far_attr filters[] = {
  {"dev", AT(ndm_ifindex), &far_head_link, NULL, 0},
  {"master", NDA_MASTER, &far_link, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

/***
The forwarding entries of all links, or those that are asked for.
@function fdb.list
@tparam[opt] table filter dev (a port), master (a bridge)
@treturn {table,...} as `bridge -json fdb` tells them: mac, ifname, master,
state, flags, vlan, dst…; and ifindex
@raise EAGAIN when they would not stand still. See rtnetlink(7).
*/
static int bind_list(lua_State *L) {
  struct far_request r;
  far_request_list(L, &r, &list, filters);
  ((struct ndmsg *)far_header(&r))->ndm_family = AF_BRIDGE;
  return far_list(L, &r, far_push_fdb);
}

const luaL_Reg far_fdb_functions[] = {
  {"add", bind_add},         {"append", bind_append},
  {"replace", bind_replace}, {"delete", bind_delete},
  {"list", bind_list},       {NULL, NULL},
};

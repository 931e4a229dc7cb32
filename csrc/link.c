/*
 * Network links: made, changed, removed, listed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>

#include "linkkind.h"

/* ---- which link ---- */

/* What errors call it: its name in the request or, if it has one by now, by its
 * index. */
static void object(lua_State *L, const struct far_request *r) {
  const struct ifinfomsg *i = nlmsg_data((struct nlmsghdr *)&r->head);
  char name[IFNAMSIZ];
  struct nlattr *first = nlmsg_attrdata(&r->head, sizeof *i);
  int length = nlmsg_attrlen(&r->head, sizeof *i);
  struct nlattr *a = nla_find(first, length, IFLA_IFNAME);
  if (a == NULL)
    a = nla_find(first, length, IFLA_ALT_IFNAME);
  if (i->ifi_index != 0 && r->call->flags == 0) {
    if (far_link_name(r->nl->fd, i->ifi_index, name) != NULL)
      lua_pushstring(L, name);
    else
      lua_pushfstring(L, "%d", i->ifi_index);
  } else if (a != NULL) {
    lua_pushstring(L, nla_get_string(a));
  } else {
    lua_pushnil(L);
  }
}

/* Puts the link that argument 1 is: by index, or by name. When it gets another
 * name, a name in the request is that one. */
static void put_who(lua_State *L, struct far_request *r, bool renamed) {
  struct ifinfomsg *i = far_header(r);
  r->arg = 1;
  lua_pushvalue(L, 1);
  if (lua_isinteger(L, -1)) {
    lua_Integer index = lua_tointeger(L, -1);
    luaL_argcheck(L, index > 0 && index <= INT32_MAX, 1, "no link index");
    i->ifi_index = (int)index;
  } else {
    const char *name = far_link_check(L, r, "link");
    if (renamed)
      far_put_index(L, r, &i->ifi_index, name);
    else
      far_put(L, r, strlen(name) < IFNAMSIZ ? IFLA_IFNAME : IFLA_ALT_IFNAME,
              name, strlen(name) + 1);
  }
  lua_pop(L, 1);
}

/* ---- asking ---- */

static const struct far_verb list_all = {
  "link.list", RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg),
  far_link_attrs, NULL,
};

static const struct far_verb get = {
  "link.get", RTM_GETLINK, 0, sizeof(struct ifinfomsg), far_link_attrs,
  object,
};

/* What a list may be asked for; `statistics` is no filter. */
static void put_statistics(lua_State *L, struct far_request *r,
                           const struct far_attr *a) {
  if (!lua_isboolean(L, -1))
    far_bad_value(L, r, a->name, "boolean");
  r->bits = lua_toboolean(L, -1) ? 0 : RTEXT_FILTER_SKIP_STATS;
}

static void put_kind_filter(lua_State *L, struct far_request *r,
                            const struct far_attr *a) {
  size_t nest = far_nest(L, r, a->type);
  far_text.put(L, r, &(struct far_attr){a->name, IFLA_INFO_KIND, &far_text,
                                        NULL, 0});
  far_unnest(r, nest);
}

static const struct far_codec with_statistics = {.put = put_statistics};
static const struct far_codec kind_filter = {.put = put_kind_filter};

static const struct far_attr filters[] = {
  {"kind", IFLA_LINKINFO, &kind_filter, NULL, 0},
  {"master", IFLA_MASTER, &far_link, NULL, 0},
  {"statistics", 0, &with_statistics, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

/* Puts what the table at `arg` asks for, if there is one. */
static void put_options(lua_State *L, struct far_request *r, int arg,
                        const struct far_attr *options) {
  r->bits = RTEXT_FILTER_SKIP_STATS;
  r->arg = arg;
  if (!lua_isnil(L, arg)) {
    luaL_checktype(L, arg, LUA_TTABLE);
    far_put_table(L, r, arg, options, NULL);
  }
  far_put(L, r, IFLA_EXT_MASK, &r->bits, sizeof r->bits);
}

/* To the kernel, a kind that it does not know is no filter: it answers all
 * links, lo first. There are none of that kind. */
static void heed_kind(lua_State *L, int filter, int list) {
  if (lua_geti(L, list, 1) == LUA_TTABLE) {
    lua_getfield(L, -1, "kind");
    lua_getfield(L, filter, "kind");
    if (!lua_rawequal(L, -1, -2)) {
      lua_newtable(L);
      lua_replace(L, list);
    }
  }
  lua_settop(L, list);
}

/***
All links of the network namespace, or those that are asked for.
@function link.list
@tparam[opt] table filter kind ("veth"), master (name or index of a link);
statistics (boolean): with `stats64`
@treturn {table,...} see get
@raise EAGAIN when they would not stand still. See rtnetlink(7).
*/
static int bind_list(lua_State *L) {
  struct far_request r;
  far_at_most(L, 1);
  lua_settop(L, 1);
  far_request(L, &r, &list_all);
  put_options(L, &r, 1, filters);
  far_list(L, &r, far_push_link);
  if (far_put_before(&r, IFLA_LINKINFO) != NULL)
    heed_kind(L, 1, lua_gettop(L));
  return 1;
}

/***
One link, by name (also an alternative one) or index.
@function link.get
@tparam string|int link
@tparam[opt] table options statistics (boolean): with `stats64`
@treturn table as `ip -json -details link` tells it: ifindex, ifname, flags (a
list: "UP", "LOWER_UP"), mtu, operstate ("UP"), link_type ("ether"), address,
broadcast, group, qdisc, txqlen, master, link, linkinfo…; and up (boolean), kind
("veth"), link_index and master_index
@raise ENODEV. See rtnetlink(7).
*/
static int bind_get(lua_State *L) {
  struct far_request r;
  struct far_answers a;
  far_at_most(L, 2);
  lua_settop(L, 2);
  far_request(L, &r, &get);
  put_options(L, &r, 2, filters + 2);
  put_who(L, &r, false);
  far_ask(L, &r, &a);
  struct nlmsghdr *h = far_next(L, &a);
  if (h == NULL)
    return far_raise(L, ENODEV, "link.get", lua_tostring(L, 1), NULL);
  far_push_link(L, &r, h);
  return 1;
}

/* ---- changing ---- */

static const struct far_verb add = {
  "link.add", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg),
  far_link_attrs, object,
};

static const struct far_verb set = {
  "link.set", RTM_NEWLINK, 0, sizeof(struct ifinfomsg), far_link_attrs,
  object,
};

static const struct far_verb delete = {
  "link.delete", RTM_DELLINK, 0, sizeof(struct ifinfomsg), far_link_attrs,
  object,
};

/* Opens what the `netns` of the table and of its peer stand for; that stays on
 * the stack, to be closed. */
static void open_netns(lua_State *L, struct far_request *r, int table) {
  if (lua_getfield(L, table, "netns") != LUA_TNIL)
    r->netns = far_netns(L, r);
  if (lua_getfield(L, table, "peer") == LUA_TTABLE &&
      lua_getfield(L, -1, "netns") != LUA_TNIL)
    r->peer_netns = far_netns(L, r);
}

/* Pushes the kind that the table says. */
static const struct far_kind *kind_in(lua_State *L, struct far_request *r,
                                      int table) {
  int type = lua_getfield(L, table, "kind");
  if (type != LUA_TNIL && type != LUA_TSTRING)
    far_bad_value(L, r, "kind", "string");
  return type == LUA_TNIL ? NULL : far_kind_find(lua_tostring(L, -1));
}

/* The options of its kind; those of a port, "bridge_slave", go to a master. */
static void put_options_of(lua_State *L, struct far_request *r, int table,
                           const struct far_kind *kind, bool port) {
  size_t first = r->first;
  size_t data = far_nest(L, r, port ? IFLA_INFO_SLAVE_DATA : IFLA_INFO_DATA);
  r->first = data + NLA_HDRLEN;
  far_put_some(L, r, table, kind->options);
  r->first = first;
  far_unnest(r, data);
}

/* The link as the table at `table` has it. */
static void put_link(lua_State *L, struct far_request *r, int table) {
  open_netns(L, r, table);
  const struct far_kind *kind = kind_in(L, r, table);
  size_t length;
  const char *name = lua_tolstring(L, -1, &length);
  int options = far_put_table(L, r, table, far_link_attrs,
                              kind != NULL ? kind->options : NULL);
  if (name == NULL)
    return;
  bool port = kind != NULL && kind->port;
  size_t info = far_nest(L, r, IFLA_LINKINFO);
  if (port)
    lua_pushlstring(L, name, length - strlen("_slave"));
  name = lua_tostring(L, -1);
  far_put(L, r, port ? IFLA_INFO_SLAVE_KIND : IFLA_INFO_KIND, name,
          strlen(name) + 1);
  if (options > 0)
    put_options_of(L, r, table, kind, port);
  far_unnest(r, info);
}

/* Begins the request that gives the link that `made` makes what is left. */
static void follow(lua_State *L, struct far_request *r,
                   struct far_request *made, char *name) {
  nla_strlcpy(name, far_put_before(made, IFLA_IFNAME), IFNAMSIZ);
  far_request_to(r, made->nl, &set);
  far_put(L, r, IFLA_IFNAME, name, strlen(name) + 1);
}

/* Sends it. A link that does not get it goes again. */
static int settle(lua_State *L, struct far_request *r, const char *name) {
  struct far_answers a;
  if (far_try(L, r, &a))
    return 0;
  far_refusal(L, r, a.err, a.refusal);
  far_request_to(r, r->nl, &delete);
  far_put(L, r, IFLA_IFNAME, name, strlen(name) + 1);
  (void)far_try(L, r, &a);
  return far_error_throw(L);
}

/* What a link gets only when it is there. */
static int finish(lua_State *L, struct far_request *made) {
  struct far_request r;
  char name[IFNAMSIZ];
  if (made->netns >= 0)
    luaL_argerror(L, 1, "alias and inet6_addr_gen_mode cannot be set in "
                        "another netns (use a handle of that)");
  follow(L, &r, made, name);
  far_put_some(L, &r, 1, far_link_later);
  far_request_do(L, made);
  return r.nl->batch != NULL ? far_request_do(L, &r) : settle(L, &r, name);
}

/* One that is not made by a request, and gets all the rest by one. */
static int finish_tun(lua_State *L, struct far_request *made,
                      const struct far_kind *kind) {
  struct far_request r;
  char name[IFNAMSIZ];
  far_tun_add(L, made);
  follow(L, &r, made, name);
  r.netns = made->netns;
  far_put_table(L, &r, 1, far_link_attrs, kind->options);
  return settle(L, &r, name);
}

/***
Makes a link, in one request.
@function link.add
@tparam table link name, kind ("veth", "bridge", …); ifindex, mtu (bytes),
address ("02:00:00:00:00:01"), broadcast, up (boolean), arp, promisc,
allmulticast, multicast (booleans), master and link (name or index of
another link), alias, group, txqlen, num_tx_queues, num_rx_queues; netns, where
it is to be (a process, a pid, a namespace, a descriptor, a path, or a name of
`ip netns`); and the options of its kind: of a veth `peer`, a table with the
fields of the other end; of a tun `type` ("tun" or "tap"), pi, vnet_hdr,
multi_queue (booleans), user and user_group (ids that may use it). A veth has
one queue unless asked otherwise
@raise EEXIST; EOPNOTSUPP for a kind that the kernel has not; EPERM without
CAP_NET_ADMIN; the kernel's own words are in the error's field `log`, the field
that they are about in `attribute`. See rtnetlink(7), ip-link(8).
*/
static int bind_add(lua_State *L) {
  struct far_request r;
  far_request_table(L, &r, &add);
  far_need(L, &r, 1, "name");
  far_need(L, &r, 1, "kind");
  const struct far_kind *kind = kind_in(L, &r, 1);
  lua_pushvalue(L, 1);
  if (kind != NULL && kind->many_queues)
    far_link_queues(L, &r);
  put_link(L, &r, 1);
  if (kind != NULL && strcmp(kind->name, "tun") == 0)
    return finish_tun(L, &r, kind);
  return r.bits & FAR_LINK_LATER ? finish(L, &r) : far_request_do(L, &r);
}

/***
Changes a link, in one request.
@function link.set
@tparam string|int link name or index
@tparam table change the fields of add; name is a new one; `master = false`
takes it away from its master; options of a kind want `kind`
@raise as add; ENODEV.
*/
static int bind_set(lua_State *L) {
  struct far_request r;
  far_at_most(L, 2);
  luaL_checktype(L, 2, LUA_TTABLE);
  far_request(L, &r, &set);
  bool renamed = lua_getfield(L, 2, "name") != LUA_TNIL;
  put_who(L, &r, renamed);
  r.arg = 2;
  put_link(L, &r, 2);
  return far_request_do(L, &r);
}

/***
Removes a link.
@function link.delete
@tparam string|int link name or index
@raise ENODEV; EOPNOTSUPP for one that is not there to be removed, such as lo.
See rtnetlink(7).
*/
static int bind_delete(lua_State *L) {
  struct far_request r;
  far_at_most(L, 1);
  lua_settop(L, 1);
  far_request(L, &r, &delete);
  put_who(L, &r, false);
  return far_request_do(L, &r);
}

/* ---- alternative names ---- */

static const struct far_verb name_add = {
  "link.add_altname", RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL,
  sizeof(struct ifinfomsg), far_link_attrs, object,
};

static const struct far_verb name_delete = {
  "link.delete_altname", RTM_DELLINKPROP, 0, sizeof(struct ifinfomsg),
  far_link_attrs, object,
};

static int change_names(lua_State *L, const struct far_verb *verb) {
  struct far_request r;
  int last = lua_gettop(L);
  luaL_checkany(L, 2);
  far_request(L, &r, verb);
  put_who(L, &r, false);
  size_t nest = far_nest(L, &r, IFLA_PROP_LIST | NLA_F_NESTED);
  for (r.arg = 2; r.arg <= last; r.arg++) {
    lua_pushvalue(L, r.arg);
    const char *name = far_link_check(L, &r, "alternative name");
    far_put(L, &r, IFLA_ALT_IFNAME, name, strlen(name) + 1);
    lua_pop(L, 1);
  }
  far_unnest(&r, nest);
  return far_request_do(L, &r);
}

/***
Gives a link more names, under which it is found as well; of up to 127 bytes.
@function link.add_altname
@tparam string|int link name or index
@tparam string ... names
@raise EEXIST; ENODEV; EPERM without CAP_NET_ADMIN. See ip-link(8), `property`.
*/
static int bind_add_altname(lua_State *L) {
  return change_names(L, &name_add);
}

/***
Takes alternative names away.
@function link.delete_altname
@tparam string|int link name or index
@tparam string ... names
@raise ENODEV, also for a name that it does not have. See ip-link(8).
*/
static int bind_delete_altname(lua_State *L) {
  return change_names(L, &name_delete);
}

const luaL_Reg far_link_functions[] = {
  {"list", bind_list}, {"get", bind_get},       {"add", bind_add},
  {"set", bind_set},   {"delete", bind_delete},
  {"add_altname", bind_add_altname}, {"delete_altname", bind_delete_altname},
  {NULL, NULL},
};

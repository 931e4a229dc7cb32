/*
 * Handles: netlink sockets as objects, each of one network namespace. The
 * areas (`link`, `address`…) are tables in them, made when first used, with
 * functions bound to the handle.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "netlink.h"
#include "netsocket.h"

const struct far_area far_areas[] = {
  {"link", far_link_functions},
  {"address", far_address_functions},
  {"route", far_route_functions},
  {"rule", far_rule_functions},
  {"neighbour", far_neighbour_functions},
  {"fdb", far_fdb_functions},
  {"qdisc", far_qdisc_functions},
  {"class", far_class_functions},
  {"nexthop", far_nexthop_functions},
  {"nsid", far_nsid_functions},
  {NULL, NULL},
};

/* Pushes the functions of an area, bound to the value at `target`, or nil. */
static void push_area(lua_State *L, const char *name, int target) {
  const struct far_area *area = far_areas;
  while (area->name != NULL && strcmp(area->name, name) != 0)
    area++;
  if (area->name == NULL) {
    lua_pushnil(L);
    return;
  }
  lua_newtable(L);
  lua_pushvalue(L, target);
  luaL_setfuncs(L, area->functions, 1);
}

static int index_area(lua_State *L) {
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_gettable(L, lua_upvalueindex(1)) != LUA_TNIL) /* a method */
    return 1;
  if (lua_getiuservalue(L, 1, 1) == LUA_TNIL) {
    lua_newtable(L);
    lua_copy(L, -1, -2);
    lua_setiuservalue(L, 1, 1);
  }
  lua_pushvalue(L, 2);
  if (lua_rawget(L, -2) != LUA_TNIL || lua_type(L, 2) != LUA_TSTRING)
    return 1;
  push_area(L, lua_tostring(L, 2), 1);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  lua_rawset(L, -5);
  return 1;
}

/* Pushes the table of methods, which is made once. */
void far_object(lua_State *L, const char *type, const luaL_Reg *meta,
                const luaL_Reg *methods) {
  if (luaL_newmetatable(L, type)) {
    luaL_setfuncs(L, meta, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "methods"); /* kept when the core is opened again */
    lua_pushcclosure(L, index_area, 1);
    lua_setfield(L, -2, "__index");
  }
  lua_getfield(L, -1, "methods");
  lua_remove(L, -2);
}

struct far_netlink *far_netlink_new(lua_State *L) {
  struct far_netlink *nl = lua_newuserdatauv(L, sizeof *nl, 1);
  *nl = (struct far_netlink){.fd = -1, .pid = getpid()};
  luaL_setmetatable(L, FAR_NETLINK);
  return nl;
}

/* ---- methods ---- */

static int netlink_close(lua_State *L) {
  struct far_netlink *nl = luaL_checkudata(L, 1, FAR_NETLINK);
  if (nl->fd >= 0)
    (void)close(nl->fd);
  nl->fd = -1;
  return 0;
}

static int check_open(lua_State *L) {
  struct far_netlink *nl = luaL_checkudata(L, 1, FAR_NETLINK);
  luaL_argcheck(L, nl->fd >= 0, 1, "netlink handle is closed");
  return nl->fd;
}

static int netlink_fileno(lua_State *L) {
  lua_pushinteger(L, check_open(L));
  return 1;
}

/***
The descriptor of the network namespace that the handle speaks to.
@function netlink:namespace
@treturn fd
@raise EPERM without CAP_NET_ADMIN over it. See ioctl_nsfs(2).
*/
static int netlink_namespace(lua_State *L) {
  int number = check_open(L);
  int *fd = far_fd_new(L);
  *fd = far_socket_namespace(number);
  if (*fd < 0)
    return far_raise(L, -*fd, "namespace", NULL, NULL);
  return 1;
}

static int netlink_tostring(lua_State *L) {
  struct far_netlink *nl = luaL_checkudata(L, 1, FAR_NETLINK);
  if (nl->fd < 0)
    lua_pushliteral(L, "netlink (closed)");
  else
    lua_pushfstring(L, "netlink (%d)", nl->fd);
  return 1;
}

/* ---- making ---- */

/***
A netlink socket of a network namespace.
@function netlink
@tparam[opt] handle|fd namespace; that of the caller when not given. The caller
does not move
@treturn netlink
@raise EPERM without CAP_SYS_ADMIN over it. See rtnetlink(7), setns(2).
*/
static int bind_netlink(lua_State *L) {
  far_at_most(L, 1);
  int netns = far_fd_opt(L, 1, -1);
  struct far_netlink *nl = far_netlink_new(L);
  nl->fd = netns < 0 ? far_socket() : far_socket_in(netns);
  if (nl->fd < 0) {
    int err = -nl->fd;
    const char *of = netns < 0 ? NULL : luaL_tolstring(L, 1, NULL);
    return far_raise(L, err, "netlink", NULL, of != NULL ? "%s" : NULL, of);
  }
  return 1;
}

/***
Makes network namespaces, each of them held by nothing but its netlink socket.
@function netlink_namespaces
@tparam integer count
@tparam[opt] handle|fd user the user namespace that is to own them
@treturn {netlink,...}
@raise EPERM without CAP_SYS_ADMIN; EMFILE, ENOSPC when there are too many. See
network_namespaces(7).
*/
static int bind_namespaces(lua_State *L) {
  lua_Integer count = luaL_checkinteger(L, 1);
  far_at_most(L, 2);
  luaL_argcheck(L, count >= 0 && count <= 1 << 20, 1, "count out of range");
  int user = far_fd_opt(L, 2, -1);
  lua_settop(L, 2);
  int *fds = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *fds, 0);
  lua_createtable(L, (int)count, 0);
  for (lua_Integer i = 0; i < count; i++) {
    (void)far_netlink_new(L);
    lua_rawseti(L, 4, i + 1);
  }
  int err = far_sockets_of_new(user, fds, (size_t)count);
  if (err != 0)
    return far_raise(L, -err, "netlink_namespaces", NULL, NULL);
  for (lua_Integer i = 0; i < count; i++) {
    lua_rawgeti(L, 4, i + 1);
    ((struct far_netlink *)lua_touserdata(L, -1))->fd = fds[i];
    lua_pop(L, 1);
  }
  return 1;
}

/***
Makes a network namespace, which nothing else holds: what `new "net"` does.
@function network_namespace
@tparam[opt] handle|fd user the user namespace that is to own it
@treturn fd
@raise EPERM without CAP_SYS_ADMIN; ENOSPC when there are too many. See
network_namespaces(7).
*/
static int bind_network_namespace(lua_State *L) {
  far_at_most(L, 1);
  int user = far_fd_opt(L, 1, -1);
  int *fd = far_fd_new(L);
  *fd = far_namespace_of_new(user);
  if (*fd < 0)
    return far_raise(L, -*fd, "new", NULL, "net");
  return 1;
}

/* ---- network namespaces in requests ---- */

/* A name without a slash is one of `ip netns`. */
static void complete_path(lua_State *L) {
  if (lua_type(L, -1) != LUA_TSTRING || strchr(lua_tostring(L, -1), '/'))
    return;
  lua_pushfstring(L, "/run/netns/%s", lua_tostring(L, -1));
  lua_replace(L, -2);
}

/* Replaces the value on top by the descriptor of its network namespace. */
static int open_netns(lua_State *L) {
  bool socket = luaL_testudata(L, -1, FAR_NETLINK) != NULL;
  complete_path(L);
  lua_pushcfunction(L, socket ? netlink_namespace : far_namespace_open);
  lua_insert(L, -2);
  lua_pushstring(L, socket ? NULL : "net");
  lua_call(L, 2, 1);
  return far_fd_check(L, -1);
}

int far_netns(lua_State *L, struct far_request *r) {
  bool handle = luaL_testudata(L, -1, FAR_NAMESPACE) != NULL;
  int fd = handle ? far_fd_check(L, -1) : open_netns(L);
  if (r->nl->batch != NULL)
    far_batch_keep(L, r->nl->batch);
  else if (!handle)
    lua_toclose(L, -1);
  return fd;
}

static const luaL_Reg functions[] = {
  {"netlink_socket", bind_netlink},
  {"netlink_namespaces", bind_namespaces},
  {"network_namespace", bind_network_namespace},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"close", netlink_close},
  {"fileno", netlink_fileno},
  {"namespace", netlink_namespace},
  {"requests", far_batch_new},
  {"events", far_monitor_new},
  {NULL, NULL},
};

static const luaL_Reg meta[] = {
  {"__close", netlink_close},
  {"__gc", netlink_close},
  {"__tostring", netlink_tostring},
  {NULL, NULL},
};

/* The areas of the caller's own network namespace are tables of the core; the
 * table of methods is core.netlink: the library adds its own there. */
void far_open_netlink(lua_State *L) {
  far_object(L, FAR_NETLINK, meta, methods);
  lua_setfield(L, -2, "netlink");
  far_batch_open(L);
  far_monitor_open(L);
  for (const struct far_area *a = far_areas; a->name != NULL; a++) {
    lua_newtable(L);
    luaL_setfuncs(L, a->functions, 0);
    lua_setfield(L, -2, a->name);
  }
  luaL_setfuncs(L, functions, 0);
}

/*
 * Namespaces: the one table of kinds, and handles. A handle is a descriptor
 * of the namespace; its identity is the device and inode of that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "farside.h"
#include "sys.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

const struct far_nskind far_nskinds[] = {
  {"mnt", "mnt", CLONE_NEWNS, 3, false},
  {"uts", "uts", CLONE_NEWUTS, 10, false},
  {"ipc", "ipc", CLONE_NEWIPC, 2, false},
  {"net", "net", CLONE_NEWNET, 4, false},
  {"pid", "pid", CLONE_NEWPID, 5, true},
  {"user", "user", CLONE_NEWUSER, 9, false},
  {"cgroup", "cgroup", CLONE_NEWCGROUP, 1, false},
  {"time", "time", CLONE_NEWTIME, 7, true},
  {NULL, NULL, 0, 0, false},
};

const struct far_word far_nswords[] = {
  {"mnt", CLONE_NEWNS},     {"uts", CLONE_NEWUTS},
  {"ipc", CLONE_NEWIPC},    {"net", CLONE_NEWNET},
  {"pid", CLONE_NEWPID},    {"user", CLONE_NEWUSER},
  {"cgroup", CLONE_NEWCGROUP}, {"time", CLONE_NEWTIME},
  {"mount", CLONE_NEWNS},   {"network", CLONE_NEWNET},
  {NULL, 0},
};

/* ---- opening: raw descriptors, -1 and errno ---- */

/* What is asked of a process: a kind, its own or the one for its children. */
struct wanted {
  const struct far_nskind *kind; /* NULL: any */
  bool children;
};

static int open_in(int dir, const struct wanted *w) {
  char file[40];
  snprintf(file, sizeof file, "ns/%s%s", w->kind->file,
           w->children ? "_for_children" : "");
  return openat(dir, file, O_RDONLY | O_CLOEXEC);
}

static int open_of_pidfd(int pidfd, const struct wanted *w) {
  int fd = ioctl(pidfd, FAR_PIDFD_GET_NAMESPACE(w->kind->get + w->children),
                 0L);
  if (fd != -1 || (errno != ENOTTY && errno != EINVAL))
    return fd;
  long pid;
  int dir = far_proc_dir(pidfd, &pid); /* before 6.11 */
  if (dir == -1)
    return -1;
  fd = open_in(dir, w);
  far_close_keeping_errno(dir);
  return fd;
}

static int open_of_pid(pid_t pid, const struct wanted *w) {
  int pidfd = pidfd_open(pid, 0);
  if (pidfd == -1)
    return -1;
  int fd = open_of_pidfd(pidfd, w);
  far_close_keeping_errno(pidfd);
  return fd;
}

/* The calling thread's own; a pidfd names the whole process, so it comes
 * second, for where there is no /proc. */
static int open_own(const struct wanted *w) {
  int dir = open("/proc/thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (dir == -1)
    return open_of_pid(getpid(), w);
  int fd = open_in(dir, w);
  far_close_keeping_errno(dir);
  return fd;
}

/* 1 or 0; -1 when it cannot be told. */
static int is_namespace(int fd) {
  struct statfs fs;
  return fstatfs(fd, &fs) == -1 ? -1 : fs.f_type == NSFS_MAGIC;
}

/* ---- handles ---- */

struct handle {
  int fd;
  const struct far_nskind *kind;
  dev_t dev;
  ino_t id;
};

/* Pushes a closed handle; user value 1 is what :keep() was given. */
static struct handle *handle_new(lua_State *L) {
  struct handle *h = lua_newuserdatauv(L, sizeof *h, 1);
  *h = (struct handle){.fd = -1};
  luaL_setmetatable(L, FAR_NAMESPACE);
  return h;
}

static struct handle *check_handle(lua_State *L, int index) {
  return luaL_checkudata(L, index, FAR_NAMESPACE);
}

static int check_open(lua_State *L, int index) {
  struct handle *h = check_handle(L, index);
  luaL_argcheck(L, h->fd >= 0, index, "namespace handle is closed");
  return h->fd;
}

static const struct far_nskind *kind_by_flag(int flag) {
  const struct far_nskind *kind = far_nskinds;
  while (kind->name != NULL && kind->flag != flag)
    kind++;
  return kind->name != NULL ? kind : NULL;
}

/* Learns what the handle's descriptor is; errno of what failed, or 0. */
static int identify(struct handle *h) {
  struct stat st;
  int flag = 0;
  if (h->kind == NULL)
    flag = is_namespace(h->fd);
  if (flag == 1)
    flag = ioctl(h->fd, NS_GET_NSTYPE);
  if (flag == -1 || fstat(h->fd, &st) == -1)
    return errno;
  if (h->kind == NULL)
    h->kind = kind_by_flag(flag);
  h->dev = st.st_dev;
  h->id = st.st_ino;
  return h->kind != NULL ? 0 : EINVAL;
}

/* "net", "pid_for_children", or nothing. */
static struct wanted check_wanted(lua_State *L, int index) {
  static const char suffix[] = "_for_children";
  struct wanted w = {NULL, false};
  if (lua_isnoneornil(L, index))
    return w;
  if (lua_type(L, index) == LUA_TSTRING) {
    const char *word = lua_tostring(L, index);
    const char *end = strstr(word, suffix);
    w.children = end != NULL && end[sizeof suffix - 1] == '\0';
    if (w.children) {
      lua_pushlstring(L, word, (size_t)(end - word));
      lua_replace(L, index);
    }
  }
  w.kind = kind_by_flag((int)far_word(L, index, far_nswords, "namespace"));
  luaL_argcheck(L, w.kind != NULL, index, "namespace out of range");
  luaL_argcheck(L, !w.children || w.kind->children, index,
                "only pid and time have a namespace for children");
  return w;
}

/* The one that is wanted of a process, which is what the kernel then gives:
 * the handle knows its kind. */
static int open_of_process(lua_State *L, struct handle *h,
                           const struct wanted *w) {
  luaL_argcheck(L, w->kind != NULL, 2, "namespace expected");
  h->kind = w->kind;
  if (far_fd_is(L, 1))
    return open_of_pidfd(far_fd_check(L, 1), w);
  if (!lua_isinteger(L, 1))
    return open_own(w);
  lua_Integer pid = lua_tointeger(L, 1);
  luaL_argcheck(L, pid > 0 && pid == (pid_t)pid, 1, "PID out of range");
  return open_of_pid((pid_t)pid, w);
}

static int open_target(lua_State *L, struct handle *h, const struct wanted *w) {
  bool text = lua_type(L, 1) == LUA_TSTRING;
  bool own = lua_isnil(L, 1) || (text && !strcmp(lua_tostring(L, 1), "self"));
  if (text && !own) /* NONBLOCK: a pipe of that name must not hold us up */
    return open(lua_tostring(L, 1), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  bool object = far_fd_is(L, 1);
  if (!own && !object && !lua_isinteger(L, 1))
    return luaL_typeerror(L, 1, "PID, process, path or namespace");
  int is = object && luaL_testudata(L, 1, FAR_PROCESS) == NULL
             ? is_namespace(far_fd_check(L, 1)) : 0;
  if (is == 0)
    return open_of_process(L, h, w);
  return is == 1 ? fcntl(far_fd_check(L, 1), F_DUPFD_CLOEXEC, 0) : -1;
}

static int cannot_open(lua_State *L, int err, const struct wanted *w) {
  const char *target = lua_isnil(L, 1) ? "self" : luaL_tolstring(L, 1, NULL);
  const char *path = lua_type(L, 1) == LUA_TSTRING ? target : NULL;
  if (w->kind == NULL)
    return far_raise(L, err, "open", path, "%s%s", target,
                     err == EINVAL ? " (not a namespace)" : "");
  return far_raise(L, err, "open", path, "%s namespace of %s%s",
                   w->kind->name, target,
                   w->children ? " for its children" : "");
}

/***
Opens a namespace. A handle has the fields `kind` and `type` ("net"), `id`
(inode number) and `dev`, which stay when it is closed, and `owner` (the uid
that made its user namespace; nil when that is out of sight). Handles of one
namespace are equal.
@function open
@param[opt] target a PID, a process object or pidfd, a path, another handle;
nil or "self" for the calling thread's own
@tparam[opt] string kind "mnt", "uts", "ipc", "net", "pid", "user", "cgroup",
"time", "pid_for_children", "time_for_children"; a path or a handle needs
none, but is checked against it
@treturn namespace
@raise ESRCH when the process is gone, EACCES when it may not be looked at,
ENOENT. See namespaces(7), ioctl_nsfs(2).
*/
int far_namespace_open(lua_State *L) {
  far_at_most(L, 2);
  lua_settop(L, 2);
  struct wanted w = check_wanted(L, 2);
  struct handle *h = handle_new(L);
  h->fd = open_target(L, h, &w);
  if (h->fd == -1)
    return cannot_open(L, errno, &w);
  int err = identify(h);
  if (err != 0)
    return cannot_open(L, err, &(struct wanted){NULL, false});
  if (w.kind != NULL && w.kind != h->kind)
    return luaL_argerror(L, 2, lua_pushfstring(L,
      "the namespace is of kind %s, not %s", h->kind->name, w.kind->name));
  return 1;
}

/* ---- methods ---- */

/* A relative of the handle, or nil when the kernel keeps it out of sight. */
static int relative(lua_State *L, unsigned long which, const char *call) {
  int fd = check_open(L, 1);
  far_at_most(L, 1);
  struct handle *h = handle_new(L);
  h->fd = ioctl(fd, which);
  if (h->fd == -1 && errno == EPERM)
    return lua_pushnil(L), 1;
  int err = h->fd == -1 ? errno : identify(h);
  if (err != 0)
    return far_raise(L, err, call, NULL, "of %s", luaL_tolstring(L, 1, NULL));
  return 1;
}

/***
The namespace that this pid or user namespace was made in.
@function namespace:parent
@treturn namespace|nil nil for the initial one and for one out of sight
@raise EINVAL for the other kinds, which have no parent. See ioctl_nsfs(2).
*/
static int handle_parent(lua_State *L) {
  return relative(L, NS_GET_PARENT, "parent");
}

/***
The user namespace that owns this namespace (for a user namespace: its
parent).
@function namespace:user
@treturn namespace|nil nil when it is out of sight
@raise as namespace:parent. See ioctl_nsfs(2).
*/
static int handle_user(lua_State *L) {
  return relative(L, NS_GET_USERNS, "user");
}

/***
PID 1 of a pid namespace.
@function namespace:init
@treturn integer its PID as the caller sees it
@raise ESRCH when there is none or it is out of sight; EINVAL for the other
kinds; ENOTTY before Linux 6.11. See ioctl_nsfs(2).
*/
static int handle_init(lua_State *L) {
  int fd = check_open(L, 1);
  far_at_most(L, 1);
  int pid = ioctl(fd, NS_GET_TGID_FROM_PIDNS, 1);
  if (pid == -1)
    return far_raise(L, errno, "init", NULL, "of %s",
                     luaL_tolstring(L, 1, NULL));
  lua_pushinteger(L, pid);
  return 1;
}

/***
The handle's descriptor.
@function namespace:fileno
@treturn integer
*/
static int handle_fileno(lua_State *L) {
  lua_pushinteger(L, check_open(L, 1));
  return 1;
}

/***
Keeps an object with the handle, to be closed with it.
@function namespace:keep
@param object one with a close method, or nil
@return the one that was kept before
*/
static int handle_keep(lua_State *L) {
  check_handle(L, 1);
  lua_settop(L, 2);
  lua_getiuservalue(L, 1, 1);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 1, 1);
  return 1;
}

static int handle_gc(lua_State *L) {
  struct handle *h = check_handle(L, 1);
  if (h->fd >= 0)
    (void)close(h->fd);
  h->fd = -1;
  return 0;
}

/***
Closes the handle, and what is kept with it. Closing it again does nothing.
@function namespace:close
*/
static int handle_close(lua_State *L) {
  handle_gc(L);
  if (lua_getiuservalue(L, 1, 1) == LUA_TNIL)
    return 0;
  lua_pushnil(L);
  lua_setiuservalue(L, 1, 1);
  lua_getfield(L, -1, "close");
  lua_insert(L, -2);
  lua_call(L, 1, 0);
  return 0;
}

/* The uid of who made the user namespace that the handle's belongs to. */
static int owner_of(const struct handle *h, uid_t *uid) {
  if (h->kind->flag == CLONE_NEWUSER)
    return ioctl(h->fd, NS_GET_OWNER_UID, uid);
  int user = ioctl(h->fd, NS_GET_USERNS);
  if (user == -1)
    return -1;
  int result = ioctl(user, NS_GET_OWNER_UID, uid);
  far_close_keeping_errno(user);
  return result;
}

static int field_kind(lua_State *L, const struct handle *h) {
  lua_pushstring(L, h->kind->name);
  return 1;
}

static int field_id(lua_State *L, const struct handle *h) {
  lua_pushinteger(L, (lua_Integer)h->id);
  return 1;
}

static int field_dev(lua_State *L, const struct handle *h) {
  lua_pushinteger(L, (lua_Integer)h->dev);
  return 1;
}

static int field_owner(lua_State *L, const struct handle *h) {
  uid_t uid;
  if (h->fd < 0 || owner_of(h, &uid) == -1)
    lua_pushnil(L);
  else
    lua_pushinteger(L, uid);
  return 1;
}

static const struct field {
  const char *name;
  int (*push)(lua_State *L, const struct handle *h);
} fields[] = {
  {"kind", field_kind}, {"type", field_kind}, {"id", field_id},
  {"dev", field_dev},   {"owner", field_owner},
};

static int handle_index(lua_State *L) {
  struct handle *h = check_handle(L, 1);
  const char *key = luaL_checkstring(L, 2);
  for (size_t i = 0; i < FAR_COUNT(fields); i++)
    if (strcmp(fields[i].name, key) == 0)
      return fields[i].push(L, h);
  lua_pushvalue(L, 2);
  lua_gettable(L, lua_upvalueindex(1));
  return 1;
}

static int handle_eq(lua_State *L) {
  const struct handle *a = luaL_testudata(L, 1, FAR_NAMESPACE);
  const struct handle *b = luaL_testudata(L, 2, FAR_NAMESPACE);
  lua_pushboolean(L, a != NULL && b != NULL && a->dev == b->dev &&
                     a->id == b->id);
  return 1;
}

static int handle_tostring(lua_State *L) {
  const struct handle *h = check_handle(L, 1);
  if (h->kind == NULL)
    lua_pushliteral(L, "namespace (closed)");
  else
    lua_pushfstring(L, "%s:[%I]%s", h->kind->name, (LUAI_UACINT)h->id,
                    h->fd < 0 ? " (closed)" : "");
  return 1;
}

static const luaL_Reg functions[] = {
  {"open", far_namespace_open},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"parent", handle_parent},
  {"user", handle_user},
  {"init", handle_init},
  {"fileno", handle_fileno},
  {"keep", handle_keep},
  {"close", handle_close},
  {NULL, NULL},
};

static const luaL_Reg meta[] = {
  {"__close", handle_close},
  {"__gc", handle_gc},
  {"__eq", handle_eq},
  {"__tostring", handle_tostring},
  {NULL, NULL},
};

/* The table of methods is core.namespace: the library adds its own there. */
void far_open_namespace(lua_State *L) {
  if (luaL_newmetatable(L, FAR_NAMESPACE)) {
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "methods"); /* kept when the core is opened again */
    lua_pushcclosure(L, handle_index, 1);
    lua_setfield(L, -2, "__index");
  }
  lua_getfield(L, -1, "methods");
  lua_setfield(L, -3, "namespace");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}

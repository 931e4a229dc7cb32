/*
 * File system contexts: a file system is configured one parameter at a time,
 * made, then mounted detached. On failure the kernel tells why in words,
 * which the error carries.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>

#include "farside.h"
#include "mount.h"
#include "sys.h"

/* A context always is; what was taken for one by mistake may block. */
static bool readable(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

/* Pushes what the kernel has to say about a file system context, nil when
 * it says nothing. Each read is one message, "e tmpfs: Bad value for 'size'",
 * and the last gives ENODATA. */
static void push_log(lua_State *L, int fd) {
  char text[1024];
  luaL_Buffer b;
  ssize_t n;
  luaL_buffinit(L, &b);
  while (readable(fd) && (n = read(fd, text, sizeof text)) > 2) {
    n -= text[n - 1] == '\n';
    if (luaL_bufflen(&b) > 0)
      luaL_addstring(&b, "; ");
    luaL_addlstring(&b, text + 2, (size_t)n - 2);
  }
  luaL_pushresult(&b);
  if (lua_rawlen(L, -1) == 0) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}

/* Raises with the kernel's own words, `log`, about a context. */
static int context_failed(lua_State *L, int err, int fd, const char *call,
                          const char *detail) {
  push_log(L, fd);
  far_error_push(L, err, call, NULL, detail);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "log");
  return far_error_throw(L);
}

/***
A context for a file system to be made.
@function fsopen
@tparam string fstype such as `tmpfs`
@treturn fd
@raise ENODEV for a type that the kernel does not have. See fsopen(2).
*/
static int bind_fsopen(lua_State *L) {
  const char *fstype = far_path(L, 1);
  far_at_most(L, 1);
  int *fd = far_fd_new(L);
  *fd = sys_fsopen(fstype, SYS_FS_CLOEXEC);
  far_check(L, *fd, "fsopen", fstype);
  return 1;
}

static const struct far_word pick_words[] = {
  {"nofollow", SYS_FSPICK_NOFOLLOW},
  {"no_automount", SYS_FSPICK_NO_AUTOMOUNT},
  {"empty_path", SYS_FSPICK_EMPTY_PATH},
  {NULL, 0},
};

/***
A context for a file system that is there, to be configured anew.
@function fspick
@tparam ?fd dir
@tparam string path "" is the descriptor itself
@tparam[opt] string flags `nofollow`, `no_automount`, `empty_path`
@treturn fd
@raise see fspick(2).
*/
static int bind_fspick(lua_State *L) {
  int dir = far_fd_opt(L, 1, AT_FDCWD);
  const char *path = far_path(L, 2);
  unsigned flags = (unsigned)far_words_rest(L, 3, pick_words, "fspick flag");
  flags |= SYS_FS_CLOEXEC | far_empty(path, SYS_FSPICK_EMPTY_PATH);
  int *fd = far_fd_new(L);
  *fd = sys_fspick(dir, path, flags);
  return far_check_place(L, *fd, "fspick", dir, path) + 1;
}

static const struct far_word command_words[] = {
  {"flag", SYS_FSCONFIG_FLAG},
  {"string", SYS_FSCONFIG_STRING},
  {"binary", SYS_FSCONFIG_BINARY},
  {"path", SYS_FSCONFIG_PATH},
  {"path_empty", SYS_FSCONFIG_PATH_EMPTY},
  {"fd", SYS_FSCONFIG_FD},
  {"create", SYS_FSCONFIG_CREATE},
  {"reconfigure", SYS_FSCONFIG_RECONFIGURE},
  {"create_excl", SYS_FSCONFIG_CREATE_EXCL},
  {NULL, 0},
};

struct parameter {
  const char *key;
  const void *value;
  int aux;
};

/* How many arguments a command takes: value and directory come last. */
static const int arguments[] = {
  [SYS_FSCONFIG_FLAG] = 3,        [SYS_FSCONFIG_STRING] = 4,
  [SYS_FSCONFIG_BINARY] = 4,      [SYS_FSCONFIG_PATH] = 5,
  [SYS_FSCONFIG_PATH_EMPTY] = 5,  [SYS_FSCONFIG_FD] = 4,
  [SYS_FSCONFIG_CREATE] = 2,      [SYS_FSCONFIG_RECONFIGURE] = 2,
  [SYS_FSCONFIG_CREATE_EXCL] = 2,
};

static int check_command(lua_State *L, uint64_t command) {
  if (command >= FAR_COUNT(arguments))
    return luaL_argerror(L, 2, "fsconfig command out of range");
  far_at_most(L, arguments[command]);
  return arguments[command];
}

static void check_parameter(lua_State *L, uint64_t command,
                            struct parameter *p) {
  size_t length;
  int count = check_command(L, command);
  if (count >= 3)
    p->key = far_path(L, 3);
  if (command == SYS_FSCONFIG_FD)
    p->aux = far_fd_check(L, 4);
  else if (command == SYS_FSCONFIG_BINARY) {
    p->value = luaL_checklstring(L, 4, &length);
    luaL_argcheck(L, length <= 1 << 20, 4, "value too long");
    p->aux = (int)length;
  } else if (count >= 4)
    p->value = far_path(L, 4);
  if (count == 5)
    p->aux = far_fd_opt(L, 5, AT_FDCWD);
}

/* "size=1x" of a string or path, else the key or the command. */
static const char *parameter_name(lua_State *L, uint64_t command,
                                  const struct parameter *p) {
  if (p->key == NULL)
    return far_word_name(command, command_words);
  if (p->value == NULL || command == SYS_FSCONFIG_BINARY)
    return p->key;
  return lua_pushfstring(L, "%s=%s", p->key, (const char *)p->value);
}

/***
Sets one parameter of a file system context, or makes what it describes.
@function fsconfig
@tparam fd fd a context
@tparam string command `flag`, `string`, `binary`, `path`, `path_empty`, `fd`
set a parameter; `create`, `create_excl` make the file system, `reconfigure`
changes the one picked
@tparam[opt] string key the parameter's name
@tparam[opt] string|fd value none for a flag
@tparam[opt] fd dir where the path of `path` and `path_empty` starts
@raise the error has the kernel's own words as `log`. See fsconfig(2).
*/
static int bind_fsconfig(lua_State *L) {
  struct parameter p = {0};
  int fd = far_fd_check(L, 1);
  uint64_t command = far_word(L, 2, command_words, "fsconfig command");
  check_parameter(L, command, &p);
  if (sys_fsconfig(fd, (unsigned)command, p.key, p.value, p.aux) == 0)
    return 0;
  int err = errno;
  return context_failed(L, err, fd, "fsconfig", parameter_name(L, command, &p));
}

/***
A detached mount of the file system that was made in a context.
@function fsmount
@tparam fd fd a context, after `create`
@tparam[opt] string attributes as `set` of `mount_setattr`
@treturn fd the mount, for `move_mount`
@raise EPERM for a proc, sysfs or the like that would show more than the one
that is mounted already; the error has the kernel's own words as `log`. See
fsmount(2).
*/
static int bind_fsmount(lua_State *L) {
  int fd = far_fd_check(L, 1);
  unsigned attributes = far_mount_attributes(L, 2);
  int *mount = far_fd_new(L);
  *mount = sys_fsmount(fd, SYS_FS_CLOEXEC, attributes);
  if (*mount == -1)
    return context_failed(L, errno, fd, "fsmount", NULL);
  return 1;
}

static const luaL_Reg functions[] = {
  {"fsopen", bind_fsopen},
  {"fspick", bind_fspick},
  {"fsconfig", bind_fsconfig},
  {"fsmount", bind_fsmount},
  {NULL, NULL},
};

void far_open_context(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

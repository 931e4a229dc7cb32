/*
 * Mounts by descriptor: made or copied where nobody sees them, given their
 * attributes, then attached in one step. What is never attached vanishes
 * with its descriptor.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "farside.h"
#include "mount.h"
#include "program.h"
#include "sys.h"

/* The three ways of keeping access times share a field in which relatime is
 * 0, so each has a bit of its own above those of the kernel. */
#define ATIME_SHIFT 40
#define ATIME(n) (UINT64_C(1) << (ATIME_SHIFT + (n)))
#define KERNEL(bits) ((bits) & (ATIME(0) - 1))

static const struct far_word attribute_words[] = {
  {"ro", MOUNT_ATTR_RDONLY},
  {"nosuid", MOUNT_ATTR_NOSUID},
  {"nodev", MOUNT_ATTR_NODEV},
  {"noexec", MOUNT_ATTR_NOEXEC},
  {"noatime", MOUNT_ATTR_NOATIME | ATIME(0)},
  {"strictatime", MOUNT_ATTR_STRICTATIME | ATIME(1)},
  {"relatime", ATIME(2)},
  {"nodiratime", MOUNT_ATTR_NODIRATIME},
  {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW},
  {"idmap", MOUNT_ATTR_IDMAP},
  {NULL, 0},
};

static const struct far_word propagation_words[] = {
  {"shared", MS_SHARED},
  {"slave", MS_SLAVE},
  {"private", MS_PRIVATE},
  {"unbindable", MS_UNBINDABLE},
  {NULL, 0},
};

static const struct far_word tree_words[] = {
  {"clone", OPEN_TREE_CLONE},
  {"recursive", AT_RECURSIVE},
  {"nofollow", AT_SYMLINK_NOFOLLOW},
  {"no_automount", AT_NO_AUTOMOUNT},
  {"empty_path", AT_EMPTY_PATH},
  {NULL, 0},
};

unsigned far_empty(const char *path, unsigned flag) {
  return *path == '\0' ? flag : 0;
}

const char *far_place(lua_State *L, int dir, const char *path) {
  return *path != '\0' ? path : lua_pushfstring(L, "descriptor %d", dir);
}

int far_check_place(lua_State *L, int result, const char *call, int dir,
                    const char *path) {
  int err = errno;
  if (result == -1)
    return far_raise(L, err, call, path, "%s", far_place(L, dir, path));
  return 0;
}

void far_describe_open_tree(lua_State *L, struct far_call *c) {
  c->number = SYS_open_tree;
  far_arg_fd(c, far_fd_opt(L, 1, AT_FDCWD));
  const char *path = far_path(L, 2);
  far_arg_text(c, path);
  far_arg(c, far_words_rest(L, 3, tree_words, "open_tree flag") |
             OPEN_TREE_CLOEXEC | far_empty(path, AT_EMPTY_PATH));
}

/***
A descriptor of a place, or, with `clone`, of a detached copy of the mount
there.
@function open_tree
@tparam ?fd dir where a relative path starts; nil for the working directory
@tparam string path "" is the descriptor itself
@tparam[opt] string flags `clone`, `recursive` (with what is mounted below),
`nofollow`, `no_automount`, `empty_path`
@treturn fd
@raise EPERM for a clone without CAP_SYS_ADMIN; EINVAL for a clone without
`recursive` of a tree with locked mounts. See open_tree(2).
*/
static int bind_open_tree(lua_State *L) {
  struct far_call c = {0};
  far_describe_open_tree(L, &c);
  int *fd = far_fd_new(L);
  *fd = far_perform(&c);
  return far_check_place(L, *fd, "open_tree", (int)c.args[0].value,
                         lua_tostring(L, 2)) + 1;
}

static const struct far_word move_words[] = {
  {"f_symlinks", MOVE_MOUNT_F_SYMLINKS},
  {"f_automounts", MOVE_MOUNT_F_AUTOMOUNTS},
  {"t_symlinks", MOVE_MOUNT_T_SYMLINKS},
  {"t_automounts", MOVE_MOUNT_T_AUTOMOUNTS},
  {"set_group", MOVE_MOUNT_SET_GROUP},
  {"beneath", MOVE_MOUNT_BENEATH},
  {NULL, 0},
};

void far_describe_move_mount(lua_State *L, struct far_call *c) {
  int fromdir = far_fd_opt(L, 1, AT_FDCWD);
  const char *from = far_path(L, 2);
  int todir = far_fd_opt(L, 3, AT_FDCWD);
  const char *to = far_path(L, 4);
  uint64_t flags = far_words_rest(L, 5, move_words, "move_mount flag");
  flags |= far_empty(from, MOVE_MOUNT_F_EMPTY_PATH);
  flags |= far_empty(to, MOVE_MOUNT_T_EMPTY_PATH);
  c->number = SYS_move_mount;
  far_arg_fd(c, fromdir);
  far_arg_text(c, from);
  far_arg_fd(c, todir);
  far_arg_text(c, to);
  far_arg(c, flags);
}

/***
Attaches a detached mount, or moves one that is attached.
@function move_mount
@tparam ?fd fromdir
@tparam string frompath "" is the descriptor itself
@tparam ?fd todir
@tparam string topath "" is the descriptor itself
@tparam[opt] string flags `f_symlinks`, `t_symlinks` (follow a symbolic link
at the end of from, of to), `f_automounts`, `t_automounts`, `set_group`,
`beneath`
@raise see move_mount(2).
*/
static int bind_move_mount(lua_State *L) {
  struct far_call c = {0};
  far_describe_move_mount(L, &c);
  if (far_perform(&c) == 0)
    return 0;
  int err = errno;
  const char *from = lua_tostring(L, 2), *to = lua_tostring(L, 4);
  return far_raise(L, err, "move_mount", to, "%s to %s",
                   far_place(L, (int)c.args[0].value, from),
                   far_place(L, (int)c.args[2].value, to));
}

/* Of the words about access times only one may stand. */
static uint64_t check_atime(lua_State *L, uint64_t bits, int arg) {
  uint64_t atime = bits >> ATIME_SHIFT;
  luaL_argcheck(L, (atime & (atime - 1)) == 0, arg,
                "'noatime', 'strictatime' and 'relatime' contradict "
                "each other");
  return bits;
}

unsigned far_mount_attributes(lua_State *L, int first) {
  uint64_t bits = far_words_rest(L, first, attribute_words, "mount attribute");
  luaL_argcheck(L, !(bits & MOUNT_ATTR_IDMAP), first,
                "'idmap' is for mount_setattr");
  return (unsigned)KERNEL(check_atime(L, bits, first));
}

/* The kernel changes how access times are kept only as a whole. */
static uint64_t with_atime(uint64_t bits, uint64_t clear) {
  bool atime = bits >> ATIME_SHIFT != 0 || clear >> ATIME_SHIFT != 0;
  return KERNEL(clear) | (atime ? MOUNT_ATTR__ATIME : 0);
}

/* The table of changes is argument 3; a copy of it at index 4 is asked, and
 * each value takes the argument's place in turn. */
static uint64_t field_attributes(lua_State *L, const char *name) {
  return far_field(L, 3, 4, name)
           ? far_words(L, 3, attribute_words, "mount attribute") : 0;
}

/* A user namespace for an idmapped mount: an integer would look like a pid. */
static void check_userns(lua_State *L, struct sys_mount_attr *attr) {
  bool given = far_field(L, 3, 4, "userns");
  luaL_argcheck(L, given || !(attr->set & MOUNT_ATTR_IDMAP), 3,
                "'idmap' needs a userns");
  if (!given)
    return;
  luaL_argcheck(L, far_fd_is(L, 3), 3,
                "userns: namespace handle or descriptor object expected");
  attr->userns = (uint64_t)far_fd_check(L, 3);
  attr->set |= MOUNT_ATTR_IDMAP;
}

static void check_setattr(lua_State *L, struct sys_mount_attr *attr) {
  uint64_t set = check_atime(L, field_attributes(L, "set"), 3);
  uint64_t clear = field_attributes(L, "clear");
  far_words_push(L, set & clear, attribute_words);
  if (lua_rawgeti(L, -1, 1) != LUA_TNIL)
    luaL_argerror(L, 3, lua_pushfstring(L, "'%s' is both set and cleared",
                                        lua_tostring(L, -1)));
  attr->set = KERNEL(set);
  attr->clear = with_atime(set, clear);
  if (far_field(L, 3, 4, "propagation"))
    attr->propagation = far_word(L, 3, propagation_words, "propagation");
  check_userns(L, attr);
}

/* Not every file system can be shown with other ids: the hint looks which it
 * is. */
static int setattr_failed(lua_State *L, int err, int dir, const char *path,
                          const struct sys_mount_attr *attr) {
  far_error_push(L, err, "mount_setattr", path, far_place(L, dir, path));
  if (attr->set & MOUNT_ATTR_IDMAP) {
    lua_pushinteger(L, dir);
    lua_setfield(L, -2, "fd");
    lua_pushboolean(L, true);
    lua_setfield(L, -2, "idmap");
  }
  return far_error_throw(L);
}

void far_describe_mount_setattr(lua_State *L, struct far_call *c) {
  static const char *const fields[] = {
    "set", "clear", "propagation", "userns", "recursive", NULL,
  };
  struct sys_mount_attr *attr = (struct sys_mount_attr *)(void *)c->scratch;
  c->number = SYS_mount_setattr;
  far_arg_fd(c, far_fd_opt(L, 1, AT_FDCWD));
  far_arg_text(c, far_path(L, 2));
  far_fields(L, 3, fields, false);
  far_at_most(L, 3);
  lua_pushvalue(L, 3);
  check_setattr(L, attr);
  far_field(L, 3, 4, "recursive");
  far_arg(c, (lua_toboolean(L, 3) ? AT_RECURSIVE : 0) |
             far_empty(lua_tostring(L, 2), AT_EMPTY_PATH));
  far_arg_bytes(c, attr, sizeof *attr);
  far_arg(c, sizeof *attr);
}

/***
Changes the attributes of a mount; those not named stay.
@function mount_setattr
@tparam ?fd dir
@tparam string path "" is the descriptor itself
@tparam table change `set` and `clear`: `ro`, `nosuid`, `nodev`, `noexec`,
`noatime`, `strictatime`, `relatime`, `nodiratime`, `nosymfollow`;
`propagation`: `shared`, `slave`, `private`, `unbindable`; `userns`: the user
namespace, as a handle or descriptor object, whose ids a detached mount shall
show; `recursive`: with what is mounted below, all or nothing
@raise EPERM for clearing what is locked. See mount_setattr(2).
*/
static int bind_mount_setattr(lua_State *L) {
  struct far_call c = {0};
  far_describe_mount_setattr(L, &c);
  if (far_perform(&c) == -1)
    return setattr_failed(L, errno, (int)c.args[0].value, lua_tostring(L, 2),
                          (const struct sys_mount_attr *)(void *)c.scratch);
  return 0;
}

static const luaL_Reg functions[] = {
  {"open_tree", bind_open_tree},
  {"move_mount", bind_move_mount},
  {"mount_setattr", bind_mount_setattr},
  {NULL, NULL},
};

void far_open_mountfd(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

/*
 * The classic calls: mount, umount, pivot_root, chroot.
 *
 * mount(2) ignores flags such as ro on a bind. Here a bind with attributes
 * or a propagation is a detached copy that gets them before, or in the same
 * call as, anyone can see it; so it is never writable in between, and
 * nothing is left behind on failure.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "farside.h"
#include "mount.h"
#include "program.h"
#include "sys.h"

static int new_mount(const struct far_mount *m) {
  return mount(m->source, m->target, m->fstype, m->set, m->data);
}

static int move(const struct far_mount *m) {
  return mount(m->source, m->target, NULL, MS_MOVE | m->set, NULL);
}

static int set_propagation(const struct far_mount *m) {
  return mount(NULL, m->target, NULL, m->propagation | m->set, NULL);
}

static int set_attributes(int dir, const char *path, unsigned flags,
                          const struct far_mount *m) {
  struct sys_mount_attr attr = {.set = m->attr_set, .clear = m->attr_clear};
  flags |= m->recursive ? AT_RECURSIVE : 0;
  return sys_mount_setattr(dir, path, flags, &attr);
}

/* Unmounts what a descriptor stands for; a path might not lead there. */
static void detach(int tree) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", tree);
  (void)umount2(path, MNT_DETACH); /* the first error is the one to tell */
}

/* A mount that arrives below a shared one becomes shared itself, so this can
 * only come after the attaching. */
static int propagate(int tree, const struct far_mount *m) {
  struct sys_mount_attr attr = {.propagation = m->propagation & ~MS_REC};
  unsigned flags = m->propagation & MS_REC ? AT_RECURSIVE : 0;
  if (m->propagation == 0 ||
      sys_mount_setattr(tree, "", AT_EMPTY_PATH | flags, &attr) == 0)
    return 0;
  int err = errno;
  detach(tree);
  errno = err;
  return -1;
}

static int attach(int tree, const struct far_mount *m) {
  unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS;
  if (set_attributes(tree, "", AT_EMPTY_PATH, m) == -1 ||
      sys_move_mount(tree, "", AT_FDCWD, m->target, flags) == -1)
    return -1;
  return propagate(tree, m);
}

static int bind_mount_tree(const struct far_mount *m) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  flags |= m->recursive ? AT_RECURSIVE : 0;
  int tree = sys_open_tree(AT_FDCWD, m->source, flags);
  if (tree == -1)
    return -1;
  int result = attach(tree, m), err = errno;
  close(tree);
  errno = err;
  return result;
}

/* One call does where there is nothing to change. */
static int bind(const struct far_mount *m) {
  unsigned long flags = MS_BIND | (m->recursive ? MS_REC : 0);
  if ((m->attr_set | m->attr_clear | m->propagation) != 0)
    return bind_mount_tree(m);
  return mount(m->source, m->target, NULL, flags | m->set, NULL);
}

static int rebind(const struct far_mount *m) {
  return set_attributes(AT_FDCWD, m->target, 0, m);
}

/* statfs tells the flags in numbers of its own. */
static const struct { long st; unsigned long ms; } kept_flags[] = {
  {ST_RDONLY, MS_RDONLY},
  {ST_NOSUID, MS_NOSUID},
  {ST_NODEV, MS_NODEV},
  {ST_NOEXEC, MS_NOEXEC},
  {ST_SYNCHRONOUS, MS_SYNCHRONOUS},
  {ST_MANDLOCK, MS_MANDLOCK},
  {ST_NOATIME, MS_NOATIME},
  {ST_NODIRATIME, MS_NODIRATIME},
  {ST_RELATIME, MS_RELATIME},
  {ST_NOSYMFOLLOW, MS_NOSYMFOLLOW},
};

static unsigned long flags_now(const struct statfs *s) {
  unsigned long flags = 0;
  for (size_t i = 0; i < FAR_COUNT(kept_flags); i++)
    if (s->f_flags & kept_flags[i].st)
      flags |= kept_flags[i].ms;
  if (!(flags & (MS_NOATIME | MS_RELATIME)))
    flags |= MS_STRICTATIME;
  return flags;
}

/* The kernel would drop every flag that is not told again, nosuid too. */
static int remount(const struct far_mount *m) {
  struct statfs s;
  if (statfs(m->target, &s) == -1)
    return -1;
  unsigned long flags = (flags_now(&s) & ~m->clear) | m->set;
  return mount(NULL, m->target, NULL, MS_REMOUNT | flags, m->data);
}

static int (*const kinds[])(const struct far_mount *) = {
  [FAR_MOUNT_NEW] = new_mount,
  [FAR_MOUNT_BIND] = bind,
  [FAR_MOUNT_MOVE] = move,
  [FAR_MOUNT_REMOUNT] = remount,
  [FAR_MOUNT_REBIND] = rebind,
  [FAR_MOUNT_PROPAGATION] = set_propagation,
};

/* Pushes what was tried on what: "proc on /srv/r/proc". */
static const char *push_detail(lua_State *L, const struct far_mount *m) {
  switch (m->kind) {
  case FAR_MOUNT_NEW:
    return lua_pushfstring(L, "%s on %s",
                           m->source != NULL ? m->source : m->fstype,
                           m->target);
  case FAR_MOUNT_BIND:
    return lua_pushfstring(L, "%s on %s", m->source, m->target);
  case FAR_MOUNT_MOVE:
    return lua_pushfstring(L, "%s to %s", m->source, m->target);
  case FAR_MOUNT_PROPAGATION:
    return lua_pushfstring(L, "%s %s", m->target, m->word);
  default:
    return lua_pushstring(L, m->target);
  }
}

/* The verb of the error's text, where mount alone would mislead. */
static const char *verb(const struct far_mount *m) {
  if (m->kind == FAR_MOUNT_NEW)
    return "mount";
  return m->kind == FAR_MOUNT_PROPAGATION ? "make" : m->word;
}

static int mount_failed(lua_State *L, int err, const struct far_mount *m) {
  far_error_push(L, err, "mount", m->target, push_detail(L, m));
  const struct { const char *name, *value; } fields[] = {
    {"verb", verb(m)}, {"source", m->source}, {"target", m->target},
    {"fstype", m->fstype}, {"options", m->options},
  };
  for (size_t i = 0; i < FAR_COUNT(fields); i++) {
    lua_pushstring(L, fields[i].value);
    lua_setfield(L, -2, fields[i].name);
  }
  return far_error_throw(L);
}

/***
Mounts a file system, or binds, moves or changes a mount.

Options are words of mount(8), separated by commas, as any number of strings
or tables: `ro`, `rw`, `nosuid`, `suid`, `nodev`, `dev`, `noexec`, `exec`,
`noatime`, `relatime`, `strictatime`, `nodiratime`, `diratime`, `nosymfollow`,
`symfollow`, `sync`, `async`, `dirsync`, `lazytime`, `nolazytime`, `mand`,
`nomand`, `silent`, `loud`, `defaults`; `bind`, `rbind`, `move`, `remount`;
`shared`, `slave`, `private`, `unbindable`, with `r` before them for the
mounts below as well (`rslave`, also `make-rslave`). Any other word of a new
mount or a remount goes to the file system: `size=16M`. A comma within a word
is written `\,`, which not every file system understands: `fsconfig` takes
any value. `atime` and `nostrictatime` mean `relatime`, which is the kernel's
default; `norelatime` means `strictatime`.

A bind with flags has them from the start, and `rbind` has them on every mount
in it; those not named are those of the source. A remount changes only what is
named: with `bind` the flags of that mount, without it also those of its file
system. The propagation of a new mount is set by a call of its own.
@function mount
@tparam ?string source what to mount: a device, a directory to bind; nil or ""
for none
@tparam string target
@tparam ?string fstype such as `proc`; nil or "" for all but a new mount
@param[opt] ... options
@raise bad arguments for words that contradict each other or mean nothing
together. The error has `source`, `target`, `fstype`, `options`, and `verb`
for what was tried (`mount`, `bind`, `rbind`, `move`, `remount`, `make`). See
mount(2), and mount_setattr(2) for a bind with flags.
@usage ns.mount("tmpfs", "/mnt", "tmpfs", "nosuid,nodev,size=16M")
ns.mount("/srv", "/mnt", nil, "rbind,ro")
ns.mount(nil, "/", nil, "rslave")
*/
static int bind_mount(lua_State *L) {
  struct far_mount m;
  far_mount_check(L, &m);
  if (kinds[m.kind](&m) == -1)
    return mount_failed(L, errno, &m);
  return 0;
}

/* A new mount, or a propagation: what is one call. */
void far_describe_mount(lua_State *L, struct far_call *c) {
  struct far_mount m;
  far_mount_check(L, &m);
  bool new = m.kind == FAR_MOUNT_NEW;
  luaL_argcheck(L, new || m.kind == FAR_MOUNT_PROPAGATION, 4,
                "more than one call");
  c->number = SYS_mount;
  far_arg_text(c, new ? m.source : NULL);
  far_arg_text(c, m.target);
  far_arg_text(c, new ? m.fstype : NULL);
  far_arg(c, m.set | (new ? 0 : m.propagation));
  far_arg_text(c, new ? m.data : NULL);
}

static const struct far_word umount_words[] = {
  {"detach", MNT_DETACH},
  {"force", MNT_FORCE},
  {"expire", MNT_EXPIRE},
  {"nofollow", UMOUNT_NOFOLLOW},
  {NULL, 0},
};

void far_describe_umount(lua_State *L, struct far_call *c) {
  c->number = SYS_umount2;
  far_arg_text(c, far_path(L, 1));
  far_arg(c, far_words_rest(L, 2, umount_words, "umount flag"));
}

/***
Unmounts what is mounted on top at a path.
@function umount
@tparam string target
@tparam[opt] string flags `detach` (now from the tree, for good when nobody
uses it), `force`, `expire`, `nofollow`
@raise EBUSY when in use; EINVAL when it is no mount or is locked, as what a
user namespace inherits. See umount2(2).
*/
static int bind_umount(lua_State *L) {
  return far_do(L, far_describe_umount, "umount", lua_tostring(L, 1));
}

void far_describe_pivot_root(lua_State *L, struct far_call *c) {
  c->number = SYS_pivot_root;
  far_arg_text(c, far_path(L, 1));
  far_arg_text(c, far_path(L, 2));
  far_at_most(L, 2);
}

/***
Makes a mount the root of the mount namespace, for every process whose root
was the old one.
@function pivot_root
@tparam string new a mount
@tparam string old where the old root goes, at or below `new`
@raise EBUSY when `new` is no mount or is the root; EINVAL when one of them is
shared. See pivot_root(2).
@usage ns.chdir("/srv/root") ns.pivot_root(".", ".") ns.umount(".", "detach")
*/
static int bind_pivot_root(lua_State *L) {
  struct far_call c = {0};
  far_describe_pivot_root(L, &c);
  if (far_perform(&c) == 0)
    return 0;
  int err = errno;
  const char *new = lua_tostring(L, 1);
  return far_raise(L, err, "pivot_root", new, "to %s, old root at %s", new,
                   lua_tostring(L, 2));
}

/***
Makes a directory the root for paths of this process. This contains nobody:
who may chroot can leave again; what contains is `pivot_root` in a mount
namespace.
@function chroot
@tparam string path
@raise EPERM without CAP_SYS_CHROOT. See chroot(2).
*/
static int bind_chroot(lua_State *L) {
  const char *path = far_path(L, 1);
  far_at_most(L, 1);
  return far_check(L, chroot(path), "chroot", path);
}

static const luaL_Reg functions[] = {
  {"mount", bind_mount},
  {"umount", bind_umount},
  {"pivot_root", bind_pivot_root},
  {"chroot", bind_chroot},
  {NULL, NULL},
};

void far_open_mount(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

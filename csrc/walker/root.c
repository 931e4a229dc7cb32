/*
 * Paths inside the new root and what is put there: what farside.root does in
 * Lua, call by call. Every path is resolved inside the root by the kernel, and
 * then only the descriptor is used. A link to something that is still missing
 * (EEXIST for what was not found) is a failure here and left to Lua.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "walker.h"

/* The resolve flags promise nothing when a rename or mount runs beside them:
 * EAGAIN; that many tries are enough on a busy machine. */
enum { TRIES = 128 };

static long open_how(long dir, const char *path, const struct open_how *how) {
  long fd;
  int tries = TRIES;
  do
    fd = raw(SYS_openat2, dir, path, how, sizeof *how);
  while (fd == -EAGAIN && --tries > 0);
  return fd;
}

static long open_inside(long root, const char *path, uint64_t flags) {
  const struct open_how how = {
    .flags = flags | O_CLOEXEC,
    .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
  };
  return open_how(root, path, &how);
}

static long find(long root, const char *path) {
  return open_inside(root, path, O_PATH);
}

static long open_in(long dir, const char *name, uint64_t flags, mode_t mode) {
  struct open_how how = {.flags = flags | O_NOFOLLOW | O_CLOEXEC,
                         .mode = mode};
  return open_how(dir, name, &how);
}

static long create(long dir, const char *name, mode_t mode) {
  return open_in(dir, name, O_WRONLY | O_CREAT | O_EXCL, mode);
}

/* Closes after a call; answers its result. */
static long closing(long fd, long result) {
  walker_close(fd);
  return result;
}

/* A path's last name, cut off in place from the directory above; `cut` is
 * where a slash was. "/a/b/" becomes "/a" and "b". */
static char *split(char *path, char **cut) {
  size_t n = 0;
  while (path[n] != '\0')
    n++;
  while (n > 1 && path[n - 1] == '/')
    path[--n] = '\0';
  while (n > 0 && path[n - 1] != '/')
    n--;
  char *name = path + n;
  while (n > 1 && path[n - 2] == '/')
    n--;
  *cut = n > 0 ? path + n - 1 : NULL;
  if (*cut != NULL)
    **cut = '\0';
  return name;
}

static long directory(long root, char *path, mode_t mode, bool exact);

/* The directory that a path is in, made when it is missing; *name is the
 * path's last name. */
static long above(long root, char *path, const char **name) {
  char *cut;
  *name = split(path, &cut);
  char top[] = "/";
  long fd = directory(root, cut == NULL || cut == path ? top : path, 0755,
                      false);
  if (cut != NULL)
    *cut = '/';
  return fd;
}

static long directory(long root, char *path, mode_t mode, bool exact) {
  const char *name;
  long fd = find(root, path);
  if (fd != -ENOENT)
    return fd;
  long parent = above(root, path, &name);
  if (parent < 0)
    return parent;
  long result = raw(SYS_mkdirat, parent, name, mode);
  if (result == 0 && exact)
    result = raw(SYS_fchmodat, parent, name, mode);
  if (result == 0)
    result = open_in(parent, name, O_PATH | O_DIRECTORY, 0);
  return closing(parent, result);
}

long walker_directory(const long a[]) {
  return directory(a[0], (char *)a[1], (mode_t)a[2], a[3] != 0);
}

/* A file to mount on, made when it is missing. */
static long mountpoint(long root, char *path) {
  const char *name;
  long fd = find(root, path);
  if (fd != -ENOENT)
    return fd;
  long parent = above(root, path, &name);
  if (parent < 0)
    return parent;
  return closing(parent, create(parent, name, 0644));
}

static long status(long fd, struct statx *is) {
  return raw(SYS_statx, fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT,
             STATX_BASIC_STATS, is);
}

static long put(long tree, long at, const char *name) {
  return raw(SYS_move_mount, tree, "", at, name, MOVE_MOUNT_F_EMPTY_PATH |
             (*name == '\0' ? MOVE_MOUNT_T_EMPTY_PATH : 0));
}

static long attach(long root, long tree, char *path) {
  struct statx is;
  long result = status(tree, &is);
  if (result < 0)
    return result;
  long point = S_ISDIR(is.stx_mode) ? directory(root, path, 0755, false)
                                    : mountpoint(root, path);
  return point < 0 ? point : closing(point, put(tree, point, ""));
}

long walker_attach(const long a[]) {
  return closing(a[1], attach(a[0], a[1], (char *)a[2]));
}

/* "/proc/self/fd/N", the name by which a call that takes only a path finds a
 * descriptor. */
static void magic(char name[32], long fd) {
  static const char start[] = "/proc/self/fd/";
  char digits[12];
  int n = 0;
  do
    digits[n++] = (char)('0' + fd % 10);
  while ((fd /= 10) > 0);
  for (const char *c = start; *c != '\0'; c++)
    *name++ = *c;
  while (n > 0)
    *name++ = digits[--n];
  *name = '\0';
}

long walker_mount(const long a[]) {
  char name[32];
  long point = directory(a[0], (char *)a[1], 0755, false);
  if (point < 0)
    return point;
  magic(name, point);
  return closing(point, raw(SYS_mount, a[2], name, a[2], a[3], a[4]));
}

static long set_attributes(long tree, unsigned flags, uint64_t set,
                           uint64_t propagation) {
  struct sys_mount_attr attr = {.set = set, .propagation = propagation};
  return raw(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | flags, &attr,
             sizeof attr);
}

static long clone_tree(long dir, const char *path, unsigned flags) {
  return raw(SYS_open_tree, dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
             (*path == '\0' ? AT_EMPTY_PATH : 0) | flags);
}

/* A tree of our own, private; of another type than is wanted (0: any) it is
 * refused. */
long walker_tree(const long a[]) {
  struct statx is;
  long tree = clone_tree(AT_FDCWD, (const char *)a[0], (unsigned)a[1]);
  if (tree < 0)
    return tree;
  long result = a[3] == 0 ? 0 : status(tree, &is);
  if (result == 0 && a[3] != 0 && (is.stx_mode & S_IFMT) != (mode_t)a[3])
    result = -ENOTDIR;
  if (result == 0)
    result = set_attributes(tree, (unsigned)a[1], (uint64_t)a[2], MS_PRIVATE);
  return result == 0 ? tree : closing(tree, result);
}

/* A file or link that is there gives way. */
long walker_symlink(const long a[]) {
  const char *name;
  long dir = above(a[0], (char *)a[2], &name);
  if (dir < 0)
    return dir;
  long result = raw(SYS_symlinkat, a[1], dir, name);
  if (result == -EEXIST)
    result = raw(SYS_unlinkat, dir, name, 0) < 0 ? result
             : raw(SYS_symlinkat, a[1], dir, name);
  return closing(dir, result);
}

static long fill(long fd, const char *bytes, long size) {
  while (size > 0) {
    long n = raw(SYS_write, fd, bytes, size);
    if (n < 0)
      return n;
    bytes += n;
    size -= n;
  }
  return 0;
}

long walker_file(const long a[]) {
  const char *name;
  long dir = above(a[0], (char *)a[1], &name);
  if (dir < 0)
    return dir;
  long fd = create(dir, name, (mode_t)a[4]);
  if (fd == -EEXIST && raw(SYS_unlinkat, dir, name, 0) == 0)
    fd = create(dir, name, (mode_t)a[4]);
  walker_close(dir);
  if (fd < 0)
    return fd;
  long result = a[5] == 0 ? 0 : raw(SYS_fchmod, fd, a[4]);
  return closing(fd, result < 0 ? result : fill(fd, (const char *)a[2], a[3]));
}

long walker_chmod(const long a[]) {
  long fd = open_inside(a[0], (const char *)a[1], O_RDONLY);
  return fd < 0 ? fd : closing(fd, raw(SYS_fchmod, fd, a[2]));
}

/* The host's device as a detached mount, once it is known to be that. Its owner
 * and mode are not to be changed. */
static long device(const char *name, unsigned major, unsigned minor) {
  char path[64] = "/dev/";
  struct statx is;
  for (size_t n = 5; n < sizeof path - 1 && *name != '\0'; n++)
    path[n] = *name++;
  long tree = clone_tree(AT_FDCWD, path, 0);
  if (tree < 0)
    return tree;
  long result = status(tree, &is);
  if (result == 0 && (!S_ISCHR(is.stx_mode) || is.stx_rdev_major != major ||
                      is.stx_rdev_minor != minor))
    result = -ENODEV;
  if (result == 0)
    result = set_attributes(tree, 0, MOUNT_ATTR_RDONLY, 0);
  return result == 0 ? tree : closing(tree, result);
}

long walker_device(const long a[]) {
  const char *name = (const char *)a[1];
  long tree = device(name, (unsigned)a[2], (unsigned)a[3]);
  if (tree < 0)
    return tree;
  long result = raw(SYS_mknodat, a[0], name, S_IFREG | 0666, 0);
  return closing(tree, result == 0 ? put(tree, a[0], name) : result);
}

/* An empty directory that cannot be written to. */
static long nothing(void) {
  long context = raw(SYS_fsopen, "tmpfs", SYS_FS_CLOEXEC);
  if (context < 0)
    return context;
  long result = raw(SYS_fsconfig, context, SYS_FSCONFIG_STRING, "size", "4k",
                    0);
  if (result == 0)
    result = raw(SYS_fsconfig, context, SYS_FSCONFIG_CREATE, NULL, NULL, 0);
  if (result == 0)
    result = raw(SYS_fsmount, context, SYS_FS_CLOEXEC, MOUNT_ATTR_RDONLY |
                 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  return closing(context, result);
}

/* What covers a directory or a file, made once: once it is attached, a mount
 * can be cloned for the next place. */
static long covers[2];

static long cover(bool directory_) {
  if (covers[directory_] > 0)
    return clone_tree(covers[directory_], "", 0);
  long tree = directory_ ? nothing() : device("null", 1, 3);
  return tree < 0 ? tree : (covers[directory_] = tree);
}

static long mask(long root, const char *path) {
  struct statx is;
  long point = find(root, path);
  if (point < 0)
    return point == -ENOENT ? 0 : point;
  long result = status(point, &is);
  long tree = result < 0 ? result : cover(S_ISDIR(is.stx_mode));
  if (tree < 0)
    return closing(point, tree);
  result = put(tree, point, "");
  if (tree != covers[0] && tree != covers[1])
    walker_close(tree);
  return closing(point, result);
}

static long protect(long root, const char *path) {
  long point = find(root, path);
  if (point < 0)
    return point == -ENOENT ? 0 : point;
  long tree = clone_tree(point, "", AT_RECURSIVE);
  if (tree < 0)
    return closing(point, tree);
  long result = set_attributes(tree, AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0);
  if (result == 0)
    result = put(tree, point, "");
  walker_close(tree);
  return closing(point, result);
}

/* For each of many paths, which stand one behind the other. */
static long for_each(const long a[], long (*call)(long, const char *)) {
  const char *path = (const char *)a[1];
  long result = 0;
  for (long left = a[2]; left > 0 && result >= 0; left--) {
    result = call(a[0], path);
    while (*path++ != '\0')
      continue;
  }
  return result;
}

long walker_mask(const long a[]) {
  return for_each(a, mask);
}

long walker_protect(const long a[]) {
  return for_each(a, protect);
}

/*
 * The files of the container in C: an overlay over the host's, as root; as an
 * ordinary user, one over each top directory with no mounts below. Then /proc,
 * /sys, /dev, /tmp, /run, what is hidden and what is write-protected. Paths
 * inside are resolved inside, as farside's root does.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "container.h"
#include "sys.h"

#define SAFE (MS_NOSUID | MS_NODEV)
#define STRICT (SAFE | MS_NOEXEC)

/* ---- trees ---- */

int take_tree(const char *path, bool recursive, uint64_t attributes) {
  unsigned deep = recursive ? AT_RECURSIVE : 0;
  struct sys_mount_attr attr = {.set = attributes, .propagation = MS_PRIVATE};
  int tree = must(sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE |
                                OPEN_TREE_CLOEXEC | deep), "open_tree", path);
  must(sys_mount_setattr(tree, "", AT_EMPTY_PATH | deep, &attr),
       "mount_setattr", path);
  return tree;
}

void map_tree(int tree, int userns) {
  struct sys_mount_attr attr = {.set = MOUNT_ATTR_IDMAP,
                                .userns = (unsigned)userns};
  must(sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr), "mount_setattr",
       "idmap");
}

static void put_tree(int tree, int at, const char *path) {
  must(sys_move_mount(tree, "", at, path, MOVE_MOUNT_F_EMPTY_PATH |
                      (*path == '\0' ? MOVE_MOUNT_T_EMPTY_PATH : 0)),
       "move_mount", path);
}

/* ---- paths inside the root ---- */

static int root = -1;

static int open_inside(const char *path) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve =
                         RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  return sys_openat2(root, path, &how);
}

static int open_in(int dir, const char *name, uint64_t flags, mode_t mode) {
  struct open_how how = {.flags = flags | O_NOFOLLOW | O_CLOEXEC,
                         .mode = mode};
  return must(sys_openat2(dir, name, &how), "openat2", name);
}

/* The directory that a path is in; the path's last name. */
static const char *split(const char *path, char parent[PATH_MAX]) {
  const char *name = strrchr(path, '/');
  snprintf(parent, PATH_MAX, "%.*s", name == path ? 1 : (int)(name - path),
           path);
  return name + 1;
}

/* A directory, made when it is missing; all above it are there. */
static int directory_inside(const char *path) {
  char parent[PATH_MAX];
  int fd = open_inside(path);
  if (fd != -1)
    return fd;
  const char *name = split(path, parent);
  int dir = must(open_inside(parent), "openat2", parent);
  must(mkdirat(dir, name, 0755), "mkdirat", path);
  fd = open_in(dir, name, O_PATH | O_DIRECTORY, 0);
  close(dir);
  return fd;
}

static int file_inside(const char *path) {
  char parent[PATH_MAX];
  int fd = open_inside(path);
  if (fd != -1)
    return fd;
  const char *name = split(path, parent);
  int dir = must(open_inside(parent), "openat2", parent);
  fd = open_in(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
  close(dir);
  return fd;
}

static mode_t type_of(int fd) {
  struct statx is;
  must(statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &is),
       "statx", "");
  return is.stx_mode & S_IFMT;
}

/* The host's tree at a path, where the same path is inside. */
static void bind(const char *path) {
  int tree = take_tree(path, true, MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY);
  int point = type_of(tree) == S_IFDIR ? directory_inside(path)
                                       : file_inside(path);
  put_tree(tree, point, "");
  close(point);
  close(tree);
}

static void symlink_inside(const char *target, const char *path) {
  char parent[PATH_MAX];
  const char *name = split(path, parent);
  int dir = must(open_inside(parent), "openat2", parent);
  must(symlinkat(target, dir, name), "symlinkat", path);
  close(dir);
}

static void mount_inside(const char *type, const char *path,
                         unsigned long flags, const char *options) {
  char magic[32];
  int point = directory_inside(path);
  snprintf(magic, sizeof magic, "/proc/self/fd/%d", point);
  must(mount(type, magic, type, flags, options), "mount", path);
  close(point);
}

/* ---- the container's files ---- */

static void directory(const char *name, mode_t mode) {
  must(mkdirat(AT_FDCWD, name, mode), "mkdirat", name);
}

static void open_root(void) {
  struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC};
  root = must(sys_openat2(AT_FDCWD, "root", &how), "openat2", "root");
}

static void overlay(const char *at, const char *lower, const char *upper,
                    const char *work, bool readonly) {
  char data[4 * NAME_MAX];
  snprintf(data, sizeof data, "lowerdir=%s,upperdir=%s,workdir=%s,userxattr",
           lower, upper, work);
  must(mount("overlay", at, "overlay", MS_NODEV | (readonly ? MS_RDONLY : 0),
             data), "mount overlay", at);
}

static void files_for_root(int files) {
  directory("lower", 0755);
  directory("upper", 0755);
  directory("work", 0755);
  put_tree(files, AT_FDCWD, "lower");
  overlay("root", "lower", "upper", "work", false);
  open_root();
}

static void layer(const char *path, mode_t mode, bool readonly) {
  char at[NAME_MAX + 8], upper[NAME_MAX + 8], work[NAME_MAX + 8];
  snprintf(upper, sizeof upper, "upper%s", path);
  snprintf(work, sizeof work, "work%s", path);
  snprintf(at, sizeof at, "root%s", path);
  directory(upper, mode);
  directory(work, 0755);
  directory(at, 0755);
  overlay(at, path, upper, work, readonly);
}

static void files_for_user(const struct facts *f) {
  directory("upper", 0755);
  directory("work", 0755);
  must(mount("tmpfs", "root", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"),
       "mount tmpfs", "root");
  open_root();
  for (const struct entry *e = f->top; e < f->top + f->count; e++) {
    char path[NAME_MAX + 2];
    snprintf(path, sizeof path, "/%.*s", NAME_MAX, e->name);
    if (e->link)
      symlink_inside(e->target, path);
    else if (!e->directory || e->busy)
      bind(path);
    else if (e->empty)
      directory_inside(path); /* stays open until the payload runs */
    else
      layer(path, e->mode, f->readonly);
  }
}

/* ---- /proc, /sys, /dev and the rest ---- */

static int device(const char *name) {
  struct sys_mount_attr attr = {.set = MOUNT_ATTR_RDONLY};
  char path[32];
  snprintf(path, sizeof path, "/dev/%s", name);
  int tree = must(sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE |
                                OPEN_TREE_CLOEXEC), "open_tree", path);
  if (type_of(tree) != S_IFCHR)
    errx(125, "%s is no device", path);
  must(sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr), "mount_setattr",
       path);
  return tree;
}

static void devices(void) {
  static const char *const names[] = {"null", "zero", "full", "random",
                                      "urandom", "tty"};
  int dir = directory_inside("/dev");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    int tree = device(names[i]);
    must(mknodat(dir, names[i], S_IFREG | 0666, 0), "mknodat", names[i]);
    put_tree(tree, dir, names[i]);
    close(tree);
  }
  close(dir);
}

static void symlinks(void) {
  static const char *const links[][2] = {
    {"/proc/self/fd/2", "stderr"}, {"/proc/self/fd/0", "stdin"},
    {"/proc/self/fd", "fd"}, {"pts/ptmx", "ptmx"},
    {"/proc/self/fd/1", "stdout"},
  };
  int dir = directory_inside("/dev");
  for (size_t i = 0; i < sizeof links / sizeof *links; i++)
    must(symlinkat(links[i][0], dir, links[i][1]), "symlinkat", links[i][1]);
  close(dir);
}

static void parts(void) {
  mount_inside("proc", "/proc", STRICT, NULL);
  mount_inside("sysfs", "/sys", MS_RDONLY | STRICT, NULL);
  mount_inside("cgroup2", "/sys/fs/cgroup", MS_RDONLY | STRICT, NULL);
  mount_inside("tmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k");
  devices();
  mount_inside("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC,
               "newinstance,ptmxmode=0666,mode=0620");
  mount_inside("tmpfs", "/dev/shm", SAFE, "mode=1777");
  mount_inside("mqueue", "/dev/mqueue", STRICT, NULL);
  symlinks();
}

/* An empty directory that cannot be written to. */
static int nothing(void) {
  int context = must(sys_fsopen("tmpfs", SYS_FS_CLOEXEC), "fsopen", "tmpfs");
  must(sys_fsconfig(context, SYS_FSCONFIG_STRING, "size", "4k", 0), "fsconfig",
       "size");
  must(sys_fsconfig(context, SYS_FSCONFIG_CREATE, NULL, NULL, 0), "fsconfig",
       "tmpfs");
  int tree = must(sys_fsmount(context, SYS_FS_CLOEXEC, MOUNT_ATTR_RDONLY |
                              MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                              MOUNT_ATTR_NOEXEC), "fsmount", "tmpfs");
  close(context);
  return tree;
}

/* What covers a directory or a file, made once and then cloned; the clones
 * stay open until the payload runs. */
static int cover(int made[2], bool directory) {
  if (made[directory] != -1)
    return must(sys_open_tree(made[directory], "", AT_EMPTY_PATH |
                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
                "open_tree", "cover");
  return made[directory] = directory ? nothing() : device("null");
}

static void hide(const char *path, int made[2]) {
  int point = open_inside(path);
  if (point == -1)
    return;
  put_tree(cover(made, type_of(point) == S_IFDIR), point, "");
  close(point);
}

static void protect(const char *path) {
  struct sys_mount_attr attr = {.set = MOUNT_ATTR_RDONLY};
  int point = open_inside(path);
  if (point == -1)
    return;
  int tree = must(sys_open_tree(point, "", AT_EMPTY_PATH | OPEN_TREE_CLONE |
                                OPEN_TREE_CLOEXEC | AT_RECURSIVE),
                  "open_tree", path);
  must(sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr),
       "mount_setattr", path);
  put_tree(tree, point, "");
  close(tree);
  close(point);
}

static void mask(void) {
  static const char *const hidden[] = {
    "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys",
    "/proc/key-users", "/proc/kmsg", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
    "/proc/timer_stats", "/proc/interrupts", "/sys/devices/virtual/powercap",
    "/sys/firmware", "/sys/fs/selinux", "/sys/kernel/security",
    "/sys/kernel/debug", NULL};
  static const char *const readable[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
    NULL};
  int made[] = {-1, -1};
  for (const char *const *path = hidden; *path != NULL; path++)
    hide(*path, made);
  for (const char *const *path = readable; *path != NULL; path++)
    protect(*path);
  close(made[0]);
  close(made[1]);
}

/* Moves a mount of the place to build on into the root, whole. */
static void move_in(const char *path) {
  int tree = must(sys_open_tree(AT_FDCWD, path + 1, OPEN_TREE_CLOEXEC),
                  "open_tree", path);
  (void)type_of(tree);
  int point = directory_inside(path);
  put_tree(tree, point, "");
  close(point);
}

/* /proc, /sys and /dev are put together where nobody else can reach them. */
static void furniture(void) {
  struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC};
  int real = root;
  root = must(sys_openat2(AT_FDCWD, ".", &how), "openat2", ".");
  parts();
  mask();
  root = real; /* the other stays open until the payload runs */
  move_in("/proc");
  move_in("/sys");
  move_in("/dev");
  mount_inside("tmpfs", "/tmp", SAFE, "mode=1777");
  mount_inside("tmpfs", "/run", SAFE, "mode=0755");
}

int make_root(const struct facts *f, int files) {
  umask(022);
  must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount", "/");
  must(mount("tmpfs", "/tmp", "tmpfs", SAFE, "mode=0755"), "mount", "/tmp");
  must(chdir("/tmp"), "chdir", "/tmp");
  directory("root", 0755);
  if (f->root)
    files_for_root(files);
  else
    files_for_user(f);
  furniture();
  return root;
}

void enter_root(const struct facts *f, int fd) {
  struct sys_mount_attr attr = {.set = MOUNT_ATTR_RDONLY};
  if (f->readonly)
    must(sys_mount_setattr(fd, "", AT_EMPTY_PATH, &attr), "mount_setattr",
         "root");
  must(fchdir(fd), "fchdir", "root");
  must(sys_pivot_root(".", "."), "pivot_root", ".");
  must(umount2(".", MNT_DETACH), "umount", ".");
  must(chdir("/"), "chdir", "/");
}

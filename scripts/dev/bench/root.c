/*
 * The files of the container in C: an overlay over the host's, as root; as an
 * ordinary user, one over each top directory with no mounts below. Then /proc,
 * /sys, /dev, /tmp, /run, what is hidden and what is write-protected. Paths
 * inside are resolved inside, as farside's root does.
 */
#define _GNU_SOURCE
#include <dirent.h>
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

#define SAFE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/* ---- what must be known of the host ---- */

static char *read_file(const char *path, char *buffer, size_t size) {
  size_t length = 0;
  int fd = must(open(path, O_RDONLY | O_CLOEXEC), "open", path);
  for (ssize_t n; (n = read(fd, buffer + length, size - 1 - length)) > 0;)
    length += (size_t)n;
  buffer[length] = '\0';
  close(fd);
  return buffer;
}

static bool own(const char *name) {
  static const char *const names[] = {"proc", "sys", "dev", "tmp", "run", ".",
                                      ".."};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0)
      return true;
  return false;
}

/* Whether something is mounted at or below /NAME. */
static bool busy(const char *mountinfo, const char *name) {
  char at[4096];
  size_t length = strlen(name);
  for (const char *line = mountinfo; *line != '\0';) {
    if (sscanf(line, "%*d %*d %*s %*s %4095s", at) == 1 &&
        strncmp(at + 1, name, length) == 0 &&
        (at[length + 1] == '/' || at[length + 1] == '\0'))
      return true;
    line += strcspn(line, "\n");
    line += *line == '\n';
  }
  return false;
}

static void add_entry(struct facts *f, const struct dirent *d,
                      const char *mountinfo) {
  char path[NAME_MAX + 2];
  struct entry *e = &f->top[f->count++];
  if (f->count == ENTRIES)
    errx(125, "more than %d entries in /", ENTRIES);
  snprintf(e->name, sizeof e->name, "%s", d->d_name);
  snprintf(path, sizeof path, "/%s", d->d_name);
  e->link = d->d_type == DT_LNK;
  e->directory = d->d_type == DT_DIR;
  e->layered = e->directory && !busy(mountinfo, e->name);
  if (e->link)
    e->target[must((int)readlink(path, e->target, sizeof e->target - 1),
                   "readlink", path)] = '\0';
}

void read_facts(struct facts *f) {
  static char mountinfo[1 << 20];
  char map[128];
  f->count = 0;
  f->uid = geteuid();
  f->gid = getegid();
  f->root = f->uid == 0 &&
            strstr(read_file("/proc/self/uid_map", map, sizeof map),
                   " 4294967295") != NULL;
  read_file("/proc/self/mountinfo", mountinfo, sizeof mountinfo);
  if (f->root)
    return;
  DIR *dir = opendir("/");
  for (struct dirent *d; (d = readdir(dir)) != NULL;)
    if (!own(d->d_name))
      add_entry(f, d, mountinfo);
  closedir(dir);
}

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

/* What a mount is to cover, made when missing; all parents are there. */
static int mountpoint(const char *path, bool directory) {
  char parent[PATH_MAX];
  int fd = open_inside(path);
  if (fd != -1)
    return fd;
  const char *name = split(path, parent);
  int dir = must(open_inside(parent), "openat2", parent);
  if (directory) {
    must(mkdirat(dir, name, 0755), "mkdirat", path);
    fd = open_in(dir, name, O_PATH | O_DIRECTORY, 0);
  } else {
    fd = open_in(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
  }
  close(dir);
  return fd;
}

static void attach(int tree, const char *path, bool directory) {
  int point = mountpoint(path, directory);
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

/* ---- file systems ---- */

struct option {
  const char *key, *value; /* no value: a flag */
};

static int filesystem(const char *type, unsigned attributes,
                      const struct option *options) {
  int context = must(sys_fsopen(type, SYS_FS_CLOEXEC), "fsopen", type);
  for (const struct option *o = options; o != NULL && o->key != NULL; o++)
    must(sys_fsconfig(context, o->value != NULL ? SYS_FSCONFIG_STRING
                      : SYS_FSCONFIG_FLAG, o->key, o->value, 0),
         "fsconfig", o->key);
  must(sys_fsconfig(context, SYS_FSCONFIG_CREATE, NULL, NULL, 0), "fsconfig",
       type);
  int tree = must(sys_fsmount(context, SYS_FS_CLOEXEC, attributes), "fsmount",
                  type);
  close(context);
  return tree;
}

static void mount_inside(const char *type, const char *path, unsigned attr,
                         const struct option *options) {
  attach(filesystem(type, attr, options), path, true);
}

#define OPTIONS(...) ((const struct option[]){__VA_ARGS__, {NULL, NULL}})

/* ---- the container's files ---- */

static void directory(const char *name) {
  must(mkdirat(AT_FDCWD, name, 0755), "mkdirat", name);
}

static void open_root(void) {
  struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC};
  root = must(sys_openat2(AT_FDCWD, "root", &how), "openat2", "root");
}

static void overlay(const char *at, const char *lower, const char *upper,
                    const char *work) {
  char data[4 * NAME_MAX];
  snprintf(data, sizeof data, "lowerdir=%s,upperdir=%s,workdir=%s,userxattr",
           lower, upper, work);
  must(mount("overlay", at, "overlay", MS_NODEV, data), "mount overlay", at);
}

static void files_for_root(int files) {
  directory("lower");
  directory("upper");
  directory("work");
  put_tree(files, AT_FDCWD, "lower");
  overlay("root", "lower", "upper", "work");
  open_root();
}

static void layer(const char *path) {
  char at[NAME_MAX + 8], upper[NAME_MAX + 8], work[NAME_MAX + 8];
  snprintf(upper, sizeof upper, "upper%s", path);
  snprintf(work, sizeof work, "work%s", path);
  snprintf(at, sizeof at, "root%s", path);
  directory(upper);
  directory(work);
  directory(at);
  overlay(at, path, upper, work);
}

static void files_for_user(const struct facts *f) {
  directory("upper");
  directory("work");
  must(mount("tmpfs", "root", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"),
       "mount tmpfs", "root");
  open_root();
  for (const struct entry *e = f->top; e < f->top + f->count; e++) {
    char path[NAME_MAX + 2];
    snprintf(path, sizeof path, "/%.*s", NAME_MAX, e->name);
    if (e->link)
      symlink_inside(e->target, path);
    else if (e->layered)
      layer(path);
    else
      attach(take_tree(path, true, MOUNT_ATTR_RDONLY), path, e->directory);
  }
}

/* ---- /proc, /sys, /dev and the rest ---- */

static int device(const char *path) {
  struct stat is;
  int tree = must(sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE |
                                OPEN_TREE_CLOEXEC), "open_tree", path);
  must(fstatat(tree, "", &is, AT_EMPTY_PATH), "fstatat", path);
  if (!S_ISCHR(is.st_mode))
    errx(125, "%s is no device", path);
  return tree;
}

static void devices(void) {
  static const char *const nodes[] = {"/dev/null", "/dev/zero", "/dev/full",
                                      "/dev/random", "/dev/urandom",
                                      "/dev/tty"};
  mount_inside("tmpfs", "/dev", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
               OPTIONS({"mode", "0755"}, {"size", "64k"}));
  for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
    attach(device(nodes[i]), nodes[i], false);
  mount_inside("devpts", "/dev/pts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
               OPTIONS({"newinstance", NULL}, {"ptmxmode", "0666"},
                       {"mode", "0620"}));
  mount_inside("tmpfs", "/dev/shm", SAFE, OPTIONS({"mode", "1777"}));
  mount_inside("mqueue", "/dev/mqueue", SAFE | MOUNT_ATTR_NOEXEC, NULL);
  symlink_inside("pts/ptmx", "/dev/ptmx");
  symlink_inside("/proc/self/fd", "/dev/fd");
  symlink_inside("/proc/self/fd/0", "/dev/stdin");
  symlink_inside("/proc/self/fd/1", "/dev/stdout");
  symlink_inside("/proc/self/fd/2", "/dev/stderr");
}

/* What covers a directory or a file, made once and then cloned. */
static int cover(int made[2], bool directory) {
  if (made[directory] != -1)
    return must(sys_open_tree(made[directory], "", AT_EMPTY_PATH |
                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
                "open_tree", "cover");
  return made[directory] = directory
    ? filesystem("tmpfs", MOUNT_ATTR_RDONLY | SAFE | MOUNT_ATTR_NOEXEC,
                 OPTIONS({"size", "4k"}))
    : device("/dev/null");
}

static void hide(const char *path, int made[2]) {
  struct stat is;
  int point = open_inside(path);
  if (point == -1)
    return;
  must(fstatat(point, "", &is, AT_EMPTY_PATH), "fstatat", path);
  put_tree(cover(made, S_ISDIR(is.st_mode)), point, "");
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

int make_root(const struct facts *f, int files) {
  unsigned strict = SAFE | MOUNT_ATTR_NOEXEC;
  umask(022);
  must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount", "/");
  must(mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"),
       "mount tmpfs", "/tmp");
  must(chdir("/tmp"), "chdir", "/tmp");
  directory("root");
  if (f->root)
    files_for_root(files);
  else
    files_for_user(f);
  mount_inside("proc", "/proc", strict, NULL);
  mount_inside("sysfs", "/sys", MOUNT_ATTR_RDONLY | strict, NULL);
  mount_inside("cgroup2", "/sys/fs/cgroup", MOUNT_ATTR_RDONLY | strict, NULL);
  devices();
  mount_inside("tmpfs", "/tmp", SAFE, OPTIONS({"mode", "1777"}));
  mount_inside("tmpfs", "/run", SAFE, OPTIONS({"mode", "0755"}));
  mask();
  return root;
}

void enter_root(int fd) {
  must(fchdir(fd), "fchdir", "root");
  must(sys_pivot_root(".", "."), "pivot_root", ".");
  must(umount2(".", MNT_DETACH), "umount", ".");
  must(chdir("/"), "chdir", "/");
}

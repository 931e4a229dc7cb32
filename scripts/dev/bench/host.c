/*
 * What the container in C must know of the host, asked as farside.host does.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container.h"
#include "sys.h"

static char mountinfo[1 << 20];

static void read_mountinfo(void) {
  struct open_how how = {.flags = O_RDONLY | O_CLOEXEC};
  size_t length = 0;
  int fd = must(sys_openat2(AT_FDCWD, "/proc/self/mountinfo", &how),
                "openat2", "mountinfo");
  for (ssize_t n; (n = read(fd, mountinfo + length, 4096)) > 0;)
    length += (size_t)n;
  mountinfo[length] = '\0';
  close(fd);
}

/* Whether something is mounted at or below /NAME. */
static bool is_busy(const char *name) {
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

/* Calls for each entry but "." and "..", until it says that this is enough. */
static void list(const char *path, void *into,
                 bool (*enough)(void *into, const struct dirent64 *)) {
  _Alignas(struct dirent64) char buffer[32768];
  bool done = false;
  ssize_t n;
  int fd = must(openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                "open", path);
  while (!done && (n = getdents64(fd, buffer, sizeof buffer)) > 0)
    for (ssize_t at = 0; at < n && !done;) {
      const struct dirent64 *d = (const void *)(buffer + at);
      at += d->d_reclen;
      if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
        done = enough(into, d);
    }
  close(fd);
}

static bool found(void *any, const struct dirent64 *d) {
  (void)d;
  return *(bool *)any = true;
}

static bool is_empty(const char *path) {
  bool any = false;
  if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0)
    list(path, &any, found);
  return !any;
}

static void describe(struct entry *e) {
  struct statx is;
  char path[NAME_MAX + 2];
  snprintf(path, sizeof path, "/%.*s", NAME_MAX, e->name);
  if (e->link)
    e->target[must((int)readlinkat(AT_FDCWD, path, e->target,
                                   sizeof e->target - 1), "readlinkat", path)] = '\0';
  if (!e->directory)
    return;
  e->busy = is_busy(e->name);
  e->empty = !e->busy && is_empty(path);
  must(statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &is),
       "statx", path);
  e->mode = is.stx_mode & 07777;
}

static bool add_entry(void *facts, const struct dirent64 *d) {
  struct facts *f = facts;
  static const char *const own[] = {"proc", "sys", "dev", "tmp", "run", NULL};
  for (const char *const *name = own; *name != NULL; name++)
    if (strcmp(d->d_name, *name) == 0)
      return false;
  if (f->count == ENTRIES)
    errx(125, "more than %d entries in /", ENTRIES);
  struct entry *e = &f->top[f->count++];
  snprintf(e->name, sizeof e->name, "%s", d->d_name);
  e->link = d->d_type == DT_LNK;
  e->directory = d->d_type == DT_DIR;
  return false;
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct entry *)a)->name,
                ((const struct entry *)b)->name);
}

void read_facts(struct facts *f) {
  char user[64] = "";
  f->count = 0;
  f->uid = geteuid();
  f->gid = getegid();
  if (f->uid == 0)
    must((int)readlinkat(AT_FDCWD, "/proc/self/ns/user", user,
                         sizeof user - 1), "readlinkat", "user");
  f->root = strcmp(user, "user:[4026531837]") == 0;
  read_mountinfo();
  must(getrlimit(RLIMIT_NOFILE, &(struct rlimit){0}), "getrlimit", "nofile");
  if (f->root)
    return;
  list("/", f, add_entry);
  for (int i = 0; i < f->count; i++)
    describe(&f->top[i]);
  qsort(f->top, (size_t)f->count, sizeof *f->top, by_name);
}

/*
 * What the bare system calls of a task cost, and nothing else:
 *
 *   floor binds N   N read-only binds of /usr/share in a new mount namespace,
 *                   of a new user namespace for those who are not root; for
 *                   each byte on standard input once, answered with a byte
 *   floor list      the namespaces of all processes, as /proc tells them
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys.h"

static int must(int result, const char *what) {
  if (result == -1)
    err(1, "%s", what);
  return result;
}

/* ---- binds ---- */

static void write_file(const char *path, const char *text) {
  int fd = must(open(path, O_WRONLY | O_CLOEXEC), path);
  must((int)write(fd, text, strlen(text)), path);
  close(fd);
}

static void new_namespaces(void) {
  char map[64];
  uid_t uid = geteuid();
  must(unshare(CLONE_NEWNS | (uid == 0 ? 0 : CLONE_NEWUSER)), "unshare");
  if (uid != 0) {
    snprintf(map, sizeof map, "0 %u 1", uid);
    write_file("/proc/self/uid_map", map);
  }
  must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
  must(mount("tmpfs", "/tmp", "tmpfs", 0, NULL), "tmpfs");
}

static void bind_one(int number) {
  struct sys_mount_attr attr = {.set = MOUNT_ATTR_RDONLY};
  char path[32];
  snprintf(path, sizeof path, "/tmp/%d", number);
  must(mkdir(path, 0755), path);
  int tree = must(sys_open_tree(AT_FDCWD, "/usr/share", OPEN_TREE_CLONE |
                                OPEN_TREE_CLOEXEC), "open_tree");
  must(sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr), "mount_setattr");
  must(sys_move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH),
       "move_mount");
  close(tree);
}

static void bind_all(int count) {
  int status;
  pid_t pid = must(fork(), "fork");
  if (pid == 0) {
    new_namespaces();
    for (int i = 0; i < count; i++)
      bind_one(i);
    _exit(0);
  }
  must(waitpid(pid, &status, 0), "waitpid");
  if (status != 0)
    errx(1, "the child ended with %d", status);
}

static void answer(int count) {
  for (char byte; read(0, &byte, 1) == 1;) {
    bind_all(count);
    must((int)write(1, "\n", 1), "write");
  }
}

/* ---- a list ---- */

/* A process may end under our hands, or be none of ours. */
static void look(int proc, const char *pid) {
  static const char *const kinds[] = {
    "cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time",
    "time_for_children", "user", "uts",
  };
  char path[64], link[64];
  snprintf(path, sizeof path, "%.20s/ns", pid);
  int ns = openat(proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (size_t i = 0; ns != -1 && i < sizeof kinds / sizeof *kinds; i++)
    (void)!readlinkat(ns, kinds[i], link, sizeof link);
  if (ns != -1)
    close(ns);
}

static void list(void) {
  DIR *proc = opendir("/proc");
  if (proc == NULL)
    err(1, "/proc");
  for (struct dirent *entry; (entry = readdir(proc)) != NULL;)
    if (isdigit((unsigned char)*entry->d_name))
      look(dirfd(proc), entry->d_name);
  closedir(proc);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "binds") == 0)
    answer(atoi(argv[2]));
  else if (argc == 2 && strcmp(argv[1], "list") == 0)
    list();
  else
    errx(2, "usage: floor binds N | list");
  return 0;
}

/*
 * /proc/PID as a descriptor: what is opened beneath it belongs to that
 * process, and fails once it is gone, whoever has its number then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "farside.h"

void far_close_keeping_errno(int fd) {
  int err = errno;
  if (fd >= 0)
    (void)close(fd);
  errno = err;
}

/* The PID behind a pidfd as our /proc tells it, or -1 and errno. */
static long pid_of(int pidfd) {
  char text[512];
  snprintf(text, sizeof text, "/proc/self/fdinfo/%d", pidfd);
  int info = open(text, O_RDONLY | O_CLOEXEC);
  if (info == -1)
    return -1;
  ssize_t n = read(info, text, sizeof text - 1);
  far_close_keeping_errno(info);
  if (n == -1)
    return -1;
  text[n] = '\0';
  const char *line = strstr(text, "\nPid:");
  long pid = line != NULL ? strtol(line + 5, NULL, 10) : 0;
  errno = line != NULL ? ESRCH : EBADF; /* gone or out of sight; no pidfd */
  return pid > 0 ? pid : -1;
}

int far_proc_dir(int pidfd, long *pid) {
  char path[32];
  *pid = pid_of(pidfd);
  if (*pid == -1)
    return -1;
  snprintf(path, sizeof path, "/proc/%ld", *pid);
  int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  /* alive after the directory was opened: the number was still its own */
  if (dir != -1 && pidfd_send_signal(pidfd, 0, NULL, 0) == -1 &&
      errno == ESRCH) {
    far_close_keeping_errno(dir);
    return -1;
  }
  return dir;
}

static int open_pid(pid_t number, long *pid) {
  int pidfd = pidfd_open(number, 0);
  if (pidfd == -1)
    return -1;
  int dir = far_proc_dir(pidfd, pid);
  far_close_keeping_errno(pidfd);
  return dir;
}

/***
Opens the directory of a process in /proc, so that what is opened beneath it
belongs to that process and to no later one with its number.
@function open_proc
@param[opt] target a PID, a process object or pidfd; nil for the caller
@treturn fd O_PATH
@treturn integer the PID that /proc shows
@raise ESRCH when the process is gone, ENOENT when /proc does not show it.
See proc(5), pidfd_open(2).
*/
static int bind_open_proc(lua_State *L) {
  far_at_most(L, 1);
  lua_settop(L, 1);
  bool object = far_fd_is(L, 1);
  lua_Integer number = object ? 1 : luaL_optinteger(L, 1, getpid());
  luaL_argcheck(L, number > 0 && number == (pid_t)number, 1,
                "PID out of range");
  long pid;
  int *dir = far_fd_new(L);
  *dir = object ? far_proc_dir(far_fd_check(L, 1), &pid)
                : open_pid((pid_t)number, &pid);
  if (*dir == -1) {
    int err = errno;
    return far_raise(L, err, "open_proc", NULL, "of %s",
                     luaL_tolstring(L, 1, NULL));
  }
  lua_pushinteger(L, pid);
  return 2;
}

/* Where the kernel has put the words that the program was started with, from
 * the 48th and 49th field of its status; -1 and errno. */
static int find_arguments(uintptr_t *from, uintptr_t *to) {
  char text[1024];
  int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (file == -1)
    return -1;
  ssize_t n = read(file, text, sizeof text - 1);
  far_close_keeping_errno(file);
  if (n == -1)
    return -1;
  text[n] = '\0';
  char *field = strrchr(text, ')'); /* of the second, which may be anything */
  for (int i = 2; field != NULL && i < 48; i++)
    field = strchr(field + 1, ' ');
  errno = EIO;
  return field != NULL &&
         sscanf(field, " %" SCNuPTR " %" SCNuPTR, from, to) == 2 ? 0 : -1;
}

/***
Empties the command line that others see of the calling process in
/proc/PID/cmdline. For a child that is still what its parent was, among those
who should not know how that was started.
@function forget_cmdline
@raise as open. See proc_pid_cmdline(5).
*/
static int bind_forget_cmdline(lua_State *L) {
  uintptr_t from, to;
  far_at_most(L, 0);
  if (find_arguments(&from, &to) == -1)
    return far_raise(L, errno, "forget_cmdline", "/proc/self/stat", NULL);
  memset((void *)from, 0, to - from);
  return 0;
}

static const luaL_Reg functions[] = {
  {"forget_cmdline", bind_forget_cmdline},
  {"open_proc", bind_open_proc},
  {NULL, NULL},
};

void far_open_proc(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

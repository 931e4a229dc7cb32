/*
 * Processes by number: who one is, sessions and groups, waitpid, and the way
 * from a number to a pidfd.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "farside.h"

/* A process number; `otherwise` for none or nil, -2 when there must be one. */
static pid_t check_pid(lua_State *L, int index, pid_t otherwise) {
  if (otherwise != -2 && lua_isnoneornil(L, index))
    return otherwise;
  lua_Integer pid = luaL_checkinteger(L, index);
  luaL_argcheck(L, pid >= INT32_MIN && pid <= INT32_MAX, index,
                "process id out of range");
  return (pid_t)pid;
}

/* Pushes a process number, or raises for -1. */
static int push_pid(lua_State *L, pid_t pid, const char *call, pid_t of) {
  if (pid == -1)
    return far_raise(L, errno, call, NULL, "process %d", (int)of);
  lua_pushinteger(L, pid);
  return 1;
}

/***
The calling process's id, as its own pid namespace counts. See getpid(2).
@function getpid
@treturn integer
@raise nothing
*/
static int bind_getpid(lua_State *L) {
  far_at_most(L, 0);
  return push_pid(L, getpid(), "getpid", 0);
}

/***
The parent's id, 0 when it is outside of the pid namespace. See getppid(2).
@function getppid
@treturn integer
@raise nothing
*/
static int bind_getppid(lua_State *L) {
  far_at_most(L, 0);
  return push_pid(L, getppid(), "getppid", 0);
}

/***
The calling thread's id. See gettid(2).
@function gettid
@treturn integer
@raise nothing
*/
static int bind_gettid(lua_State *L) {
  far_at_most(L, 0);
  return push_pid(L, gettid(), "gettid", 0);
}

/***
The process group of a process.
@function getpgid
@tparam[opt] integer pid the caller without it
@treturn integer
@raise ESRCH. See getpgid(2).
*/
static int bind_getpgid(lua_State *L) {
  pid_t pid = check_pid(L, 1, 0);
  far_at_most(L, 1);
  return push_pid(L, getpgid(pid), "getpgid", pid);
}

/***
Moves a process into a process group.
@function setpgid
@tparam[opt] integer pid the caller without it or with 0
@tparam[opt] integer group its own, a new one, without it or with 0
@raise EPERM; EACCES when the child has called exec; ESRCH. See setpgid(2).
*/
static int bind_setpgid(lua_State *L) {
  pid_t pid = check_pid(L, 1, 0), group = check_pid(L, 2, 0);
  far_at_most(L, 2);
  if (setpgid(pid, group) == -1)
    return far_raise(L, errno, "setpgid", NULL, "process %d to group %d",
                     (int)pid, (int)group);
  return 0;
}

/***
The session of a process.
@function getsid
@tparam[opt] integer pid the caller without it
@treturn integer
@raise ESRCH. See getsid(2).
*/
static int bind_getsid(lua_State *L) {
  pid_t pid = check_pid(L, 1, 0);
  far_at_most(L, 1);
  return push_pid(L, getsid(pid), "getsid", pid);
}

/***
Makes the caller the leader of a new session without a terminal.
@function setsid
@treturn integer the session
@raise EPERM when the caller leads a process group already. See setsid(2).
*/
static int bind_setsid(lua_State *L) {
  far_at_most(L, 0);
  return push_pid(L, setsid(), "setsid", getpid());
}

static const struct far_word wait_words[] = {
  {"nohang", WNOHANG},
  {"all", __WALL},
  {NULL, 0},
};

/***
Reaps a child by number, as a process with the id 1 must do for all.
@function waitpid
@tparam[opt=-1] integer pid -1 for any child, -N for one of group N
@tparam[opt] string flags "nohang", "all" (clones without SIGCHLD too)
@treturn integer|nil its pid; nothing else with nil, when none has ended yet
@treturn string "exit" or "signal"
@treturn integer the exit code or the signal
@raise ECHILD without such a child. See waitpid(2).
*/
static int bind_waitpid(lua_State *L) {
  int status;
  pid_t pid = check_pid(L, 1, -1), found;
  int flags = (int)far_words_rest(L, 2, wait_words, "flag");
  while ((found = waitpid(pid, &status, flags)) == -1 && errno == EINTR)
    far_interrupted(L);
  if (found == 0) {
    luaL_pushfail(L);
    return 1;
  }
  push_pid(L, found, "waitpid", pid);
  bool killed = WIFSIGNALED(status);
  lua_pushstring(L, killed ? "signal" : "exit");
  lua_pushinteger(L, killed ? WTERMSIG(status) : WEXITSTATUS(status));
  return 3;
}

/***
A descriptor that stands for a process.
@function pidfd_open
@tparam integer pid
@treturn fd
@raise ESRCH. See pidfd_open(2).
*/
static int bind_pidfd_open(lua_State *L) {
  pid_t pid = check_pid(L, 1, -2);
  far_at_most(L, 1);
  int *fd = far_fd_new(L);
  *fd = pidfd_open(pid, 0);
  if (*fd == -1)
    return far_raise(L, errno, "pidfd_open", NULL, "process %d", (int)pid);
  return 1;
}

/***
A descriptor of one's own for what another process has open.
@function pidfd_getfd
@tparam fd|process pidfd
@tparam integer number the descriptor's number over there
@treturn fd
@raise EPERM without the right to trace the process; EBADF; ESRCH. See
pidfd_getfd(2).
*/
static int bind_pidfd_getfd(lua_State *L) {
  int pidfd = far_fd_check(L, 1);
  int number = (int)luaL_checkinteger(L, 2);
  far_at_most(L, 2);
  int *fd = far_fd_new(L);
  *fd = pidfd_getfd(pidfd, number, 0);
  if (*fd == -1)
    return far_raise(L, errno, "pidfd_getfd", NULL, "descriptor %d", number);
  return 1;
}

/***
Ends the process at once; nothing is flushed, closed or collected.
@function _exit
@tparam[opt=0] integer code
See _exit(2).
@raise nothing
*/
static int bind_exit(lua_State *L) {
  int code = (int)luaL_optinteger(L, 1, 0);
  far_at_most(L, 1);
  _exit(code);
}

static const luaL_Reg functions[] = {
  {"getpid", bind_getpid},
  {"getppid", bind_getppid},
  {"gettid", bind_gettid},
  {"getpgid", bind_getpgid},
  {"setpgid", bind_setpgid},
  {"getsid", bind_getsid},
  {"setsid", bind_setsid},
  {"waitpid", bind_waitpid},
  {"pidfd_open", bind_pidfd_open},
  {"pidfd_getfd", bind_pidfd_getfd},
  {"_exit", bind_exit},
  {NULL, NULL},
};

void far_open_pid(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

/*
 * Processes as objects. One owns a pidfd, so it never means another process
 * that was given the same number later. It is made closed, before the child
 * is: whatever fails afterwards, the child is not lost.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "farside.h"
#include "sys.h"

struct far_process *far_process_new(lua_State *L) {
  struct far_process *p = lua_newuserdatauv(L, sizeof *p, 1);
  *p = (struct far_process){.pidfd = -1};
  luaL_setmetatable(L, FAR_PROCESS);
  return p;
}

static struct far_process *check(lua_State *L) {
  return luaL_checkudata(L, 1, FAR_PROCESS);
}

static struct far_process *check_open(lua_State *L) {
  struct far_process *p = check(L);
  luaL_argcheck(L, p->pidfd >= 0, 1, "process is closed");
  return p;
}

/* Takes an end as waitpid(2) tells it. */
static void ended(struct far_process *p, int status) {
  p->how = WIFSIGNALED(status) ? "signal" : "exit";
  p->code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* What a pidfd remembers of a process that somebody else reaped, or nobody
 * because the caller ignores SIGCHLD (Linux 6.15). */
static int recall(struct far_process *p) {
  struct far_pidfd_info info = {.mask = FAR_PIDFD_INFO_EXIT};
  int result = ioctl(p->pidfd, FAR_PIDFD_GET_INFO, &info);
  if (result == -1 || (info.mask & FAR_PIDFD_INFO_EXIT) == 0)
    return -ECHILD;
  ended(p, info.exit_code);
  return 0;
}

/* Reaps a process that has ended, or waits for that: 0 or -errno. */
static int reap(struct far_process *p) {
  siginfo_t info;
  if (waitid((idtype_t)P_PIDFD, (id_t)p->pidfd, &info, WEXITED) == -1)
    return errno == ECHILD ? recall(p) : -errno;
  p->how = info.si_code == CLD_EXITED ? "exit" : "signal";
  p->code = info.si_status;
  return 0;
}

/* Tells whoever collects the child's last words (see onend) that it ended
 * or was closed; what that raises, the caller raises. */
static void collect(lua_State *L, bool waited) {
  if (lua_getiuservalue(L, 1, 1) == LUA_TFUNCTION) {
    lua_pushboolean(L, waited);
    lua_call(L, 1, 0);
  } else {
    lua_pop(L, 1);
  }
}

/* true|nil, "exit"|"signal", number: what os.execute answers. */
static int push_end(lua_State *L, const struct far_process *p) {
  if (p->how[0] == 'e' && p->code == 0)
    lua_pushboolean(L, true);
  else
    luaL_pushfail(L);
  lua_pushstring(L, p->how);
  lua_pushinteger(L, p->code);
  return 3;
}

/***
Waits for the end of the process and says how it ended, as os.execute does;
again later as well. A child whose status the kernel has thrown away, because
this program ignores SIGCHLD, still tells it since Linux 6.15.
@function process:wait
@tparam[opt] number|string timeout seconds, or "5ms"; for ever without it
@treturn boolean|nil true when it exited with 0
@treturn string "exit", "signal", or "timeout" when the time has passed
@treturn integer the exit code or the signal
@raise ECHILD when the status is lost or the process is no child of this one;
for a child of ns.clone, what its function raised. See waitid(2).
*/
static int process_wait(lua_State *L) {
  struct far_process *p = check(L);
  far_at_most(L, 2);
  int64_t deadline = far_deadline(L, 2);
  struct pollfd end = {.events = POLLIN};
  if (p->how == NULL)
    end.fd = check_open(L)->pidfd;
  if (p->how == NULL && far_poll(L, &end, 1, deadline) == 0) {
    luaL_pushfail(L);
    lua_pushliteral(L, "timeout");
    return 2;
  }
  int err = p->how == NULL ? -reap(p) : 0;
  if (err != 0)
    return far_raise(L, err, "wait", NULL, "for process %d", (int)p->pid);
  collect(L, true);
  return push_end(L, p);
}

/***
Sends a signal to the process.
@function process:signal
@tparam string|integer signal "TERM", "SIGTERM" or 15; 0 only asks
@raise ESRCH after its end; EPERM. See pidfd_send_signal(2).
*/
static int process_signal(lua_State *L) {
  struct far_process *p = check(L);
  int signal = far_signal(L, 2);
  far_at_most(L, 2);
  int result = p->how != NULL ? (errno = ESRCH, -1)
               : pidfd_send_signal(check_open(L)->pidfd, signal, NULL, 0);
  if (result == -1)
    return far_raise(L, errno, "signal", NULL, "process %d", (int)p->pid);
  return 0;
}

/***
The pidfd: it is readable once the process has ended. See pidfd_open(2).
@function process:fileno
@treturn integer
*/
static int process_fileno(lua_State *L) {
  lua_pushinteger(L, check_open(L)->pidfd);
  return 1;
}

/* 0 or -errno; a process that is gone already is killed well enough. */
static int kill_and_reap(struct far_process *p) {
  int err;
  if (pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0) == -1 && errno != ESRCH)
    return -errno;
  do
    err = reap(p);
  while (err == -EINTR);
  /* no child of ours, or reaped by somebody else: nothing is left to do */
  return err == -ECHILD ? 0 : err;
}

static int process_gc(lua_State *L) {
  struct far_process *p = check(L);
  if (p->pidfd >= 0)
    (void)close(p->pidfd);
  p->pidfd = -1;
  return 0;
}

/***
Ends the process with SIGKILL if it runs, reaps it, and closes the pidfd; so
does `<close>`. The collector only closes the pidfd: it kills nothing.
@function process:close
@raise EPERM when the process has become somebody else's; it stays open.
*/
static int process_close(lua_State *L) {
  struct far_process *p = check(L);
  if (p->pidfd >= 0 && p->how == NULL) {
    int err = -kill_and_reap(p);
    if (err != 0)
      return far_raise(L, err, "close", NULL, "process %d", (int)p->pid);
  }
  process_gc(L);
  collect(L, false);
  return 0;
}

static int process_tostring(lua_State *L) {
  lua_pushfstring(L, "process %d", (int)check(L)->pid);
  return 1;
}

/* Methods, and the field pid. */
static int process_index(lua_State *L) {
  struct far_process *p = luaL_checkudata(L, 1, FAR_PROCESS);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL &&
      lua_rawequal(L, 2, lua_upvalueindex(2)))
    lua_pushinteger(L, p->pid);
  return 1;
}

/***
Has a function called when the end of a process is waited for (with true) and
when the process is closed (with false); what it raises, wait raises. It is
how the library brings a child's error back.
@function onend
@tparam process process
@tparam function collect
@raise bad arguments only
*/
static int bind_onend(lua_State *L) {
  check(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  far_at_most(L, 2);
  lua_setiuservalue(L, 1, 1);
  return 0;
}

pid_t far_pid(lua_State *L, int index) {
  if (lua_isnoneornil(L, index))
    return 0;
  if (!lua_isinteger(L, index)) {
    if (!lua_istable(L, index) && !lua_isuserdata(L, index))
      luaL_typeerror(L, index, "process");
    lua_getfield(L, index, "pid");
    lua_replace(L, index);
  }
  lua_Integer pid = lua_tointeger(L, index);
  luaL_argcheck(L, pid > 0 && pid <= INT32_MAX, index, "process expected");
  return (pid_t)pid;
}

/***
A process object for a process that somebody else has started, a child of the
caller or not.
@function process
@tparam integer pid
@tparam fd pidfd of the same process; the object has a copy of it
@treturn process
@raise EBADF; EMFILE
*/
static int bind_process(lua_State *L) {
  lua_Integer pid = luaL_checkinteger(L, 1);
  int pidfd = far_fd_check(L, 2);
  luaL_argcheck(L, pid > 0 && pid <= INT32_MAX, 1, "process id out of range");
  far_at_most(L, 2);
  struct far_process *p = far_process_new(L);
  p->pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 0);
  far_check(L, p->pidfd, "process", NULL);
  p->pid = (pid_t)pid;
  return 1;
}

static const luaL_Reg functions[] = {
  {"onend", bind_onend},
  {"process", bind_process},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"wait", process_wait},
  {"signal", process_signal},
  {"fileno", process_fileno},
  {"close", process_close},
  {NULL, NULL},
};

static const luaL_Reg meta[] = {
  {"__close", process_close},
  {"__gc", process_gc},
  {"__tostring", process_tostring},
  {NULL, NULL},
};

void far_open_process(lua_State *L) {
  luaL_newmetatable(L, FAR_PROCESS);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  lua_pushliteral(L, "pid");
  lua_pushcclosure(L, process_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}

/*
 * A child in new namespaces that runs a Lua function.
 *
 * The child has a copy of everything, the caller's Lua stack included, and
 * none of that may ever run again in it. So the order is:
 *
 *   parent: all that can raise is done, what the child will call is on the
 *           stack, stdio is flushed (or the child would write it again)
 *   child:  no Lua call outside of a pcall; a guard stands between the
 *           child and each way that C and Lua have to unwind: atexit, and
 *           the close variables and finalisers of a lua_State
 *   child:  leaves by _exit
 *
 * The clone shares no memory and sets no thread id: with CLONE_VM the child
 * would run in the parent's heap. The raw call skips the handlers of
 * pthread_atfork, so in a program with threads the child must do no more
 * than the threads' locks allow.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "farside.h"
#include "sys.h"

#define GUARD "farside.guard"

static _Noreturn void leave(int status) {
  (void)fflush(NULL);
  _exit(status);
}

/* Registered last, so it runs first and keeps the parent's atexit handlers
 * from running when the child calls exit(3) by some way of its own. */
static void leave_early(int status, void *unused) {
  (void)unused;
  leave(status);
}

/* Armed in the child only. Closed or collected there, it means that somebody
 * kept the original os.exit and closes the state with it: what comes next
 * is the parent's, so the child ends here. The code is lost by then. */
static int guard_close(lua_State *L) {
  bool *armed = luaL_checkudata(L, 1, GUARD);
  if (*armed) {
    (void)fputs("farside: a cloned child cannot close the Lua state of its "
                "parent: call os.exit by its name\n", stderr);
    leave(EXIT_FAILURE);
  }
  return 0;
}

/* It is called once, so that Lua has what closing it takes: there must be no
 * lack of memory any more when the child is there. */
static bool *guard_new(lua_State *L) {
  bool *armed = lua_newuserdatauv(L, sizeof *armed, 0);
  *armed = false;
  luaL_setmetatable(L, GUARD);
  lua_toclose(L, -1);
  lua_pushcfunction(L, guard_close);
  lua_pushvalue(L, -2);
  lua_call(L, 1, 0);
  return armed;
}

/* os.exit in a child: the same arguments, but no state is closed. */
static int child_exit(lua_State *L) {
  int status = lua_isboolean(L, 1)
                 ? (lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE)
                 : (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
  leave(status);
}

static int traceback(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

static int child_main(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "os") == LUA_TTABLE) {
    lua_pushcfunction(L, child_exit);
    lua_setfield(L, -2, "exit");
  }
  lua_settop(L, 1);
  lua_call(L, 0, 0);
  return 0;
}

/* On the stack: traceback, child_main, the function. */
static _Noreturn void child(lua_State *L) {
  (void)on_exit(leave_early, NULL);
  if (lua_pcall(L, 1, 0, -3) == LUA_OK)
    leave(EXIT_SUCCESS);
  (void)fprintf(stderr, "%s\n", lua_type(L, -1) == LUA_TSTRING
                                  ? lua_tostring(L, -1)
                                  : "error without a message");
  leave(EXIT_FAILURE);
}

uint64_t far_clone_options(lua_State *L, struct clone_args *args) {
  static const char *const fields[] = {"cgroup", "parent", NULL};
  far_fields(L, 1, fields, true);
  uint64_t namespaces = far_words(L, 1, far_nswords, "namespace");
  args->flags = namespaces | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  args->exit_signal = SIGCHLD;
  if (lua_getfield(L, 1, "cgroup") != LUA_TNIL) {
    args->flags |= CLONE_INTO_CGROUP;
    args->cgroup = (unsigned)far_fd_check(L, -1);
  }
  lua_getfield(L, 1, "parent");
  if (lua_toboolean(L, -1)) { /* tells its end as the caller's would be */
    args->flags |= CLONE_PARENT;
    args->exit_signal = 0;
  }
  lua_pop(L, 2);
  return namespaces;
}

/***
Makes a child process in new namespaces, which runs a function and exits:
with 0 when the function returns, with 1 and a traceback on the standard
error stream when it raises. Handlers of signals are reset in the child.
In the child os.exit runs nothing that belongs to the parent. A time
namespace made here has no offsets and can be given none: ns.clone can.
@function clone
@tparam table options a list of namespaces ("mnt", "uts", "ipc", "net",
"pid", "user", "cgroup", "time"), and `cgroup`: the descriptor of the cgroup
directory that the child starts in; `parent`: true for a child of the caller's
parent, which is the one to wait for it
@tparam function fn what the child does
@treturn process
@raise EPERM without the right to make the namespaces; ENOSPC when there are
too many. See clone(2).
*/
static int bind_clone(lua_State *L) {
  struct clone_args args = {0};
  uint64_t namespaces = far_clone_options(L, &args);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  far_at_most(L, 2);
  struct far_process *p = far_process_new(L);
  bool *armed = guard_new(L);
  lua_pushcfunction(L, traceback);
  lua_pushcfunction(L, child_main);
  lua_pushvalue(L, 2);
  args.pidfd = (uintptr_t)&p->pidfd;
  (void)fflush(NULL); /* a stream that cannot be written is not our failure */
  p->pid = far_clone3(&args);
  if (p->pid == 0) {
    *armed = true;
    child(L);
  }
  if (p->pid == -1)
    return far_namespaces_raise(L, errno, "clone", NULL, namespaces);
  lua_settop(L, 3); /* closes the guard, unarmed */
  return 1;
}

static const luaL_Reg functions[] = {{"clone", bind_clone}, {NULL, NULL}};

void far_open_clone(lua_State *L) {
  luaL_newmetatable(L, GUARD);
  lua_pushcfunction(L, guard_close);
  lua_setfield(L, -2, "__close");
  lua_pushcfunction(L, guard_close);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}

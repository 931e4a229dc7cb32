/*
 * Questions to the kernel about what it can do, which change nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "farside.h"
#include "sys.h"

#define LANDLOCK_VERSION 1 /* LANDLOCK_CREATE_RULESET_VERSION */

static const struct far_word actions[] = {
  {"kill_process", SECCOMP_RET_KILL_PROCESS},
  {"kill_thread", SECCOMP_RET_KILL_THREAD},
  {"trap", SECCOMP_RET_TRAP},
  {"errno", SECCOMP_RET_ERRNO},
  {"user_notif", SECCOMP_RET_USER_NOTIF},
  {"trace", SECCOMP_RET_TRACE},
  {"log", SECCOMP_RET_LOG},
  {"allow", SECCOMP_RET_ALLOW},
  {NULL, 0},
};

/***
Whether the kernel's seccomp filters may take an action.
@function seccomp_action
@tparam string action "kill_process", "kill_thread", "trap", "errno",
"user_notif", "trace", "log", "allow"
@raise EOPNOTSUPP when it does not know the action, ENOSYS or EINVAL when it has
no filters. See seccomp(2).
*/
static int bind_seccomp_action(lua_State *L) {
  uint32_t action = (uint32_t)far_word(L, 1, actions, "action");
  far_at_most(L, 1);
  int r = (int)syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action);
  return far_check(L, r, "seccomp_action", NULL);
}

/***
Which version of Landlock the kernel has.
@function landlock_abi
@treturn integer
@raise ENOSYS when it has none, EOPNOTSUPP when it is switched off. See
landlock(7).
*/
static int bind_landlock_abi(lua_State *L) {
  far_at_most(L, 0);
  int r = sys_landlock_create_ruleset(NULL, 0, LANDLOCK_VERSION);
  far_check(L, r, "landlock_abi", NULL);
  lua_pushinteger(L, r);
  return 1;
}

static const luaL_Reg functions[] = {
  {"seccomp_action", bind_seccomp_action},
  {"landlock_abi", bind_landlock_abi},
  {NULL, NULL},
};

void far_open_feature(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

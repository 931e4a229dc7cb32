/*
 * Filters of system calls. Rules become a program that the kernel runs at each
 * call (filter.c); it is a string in Lua, so it can be kept, sent, and
 * installed as often as it is wanted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "farside.h"
#include "filter.h"

static const struct far_word actions[] = {
  {"allow", SECCOMP_RET_ALLOW},
  {"log", SECCOMP_RET_LOG},
  {"deny", SECCOMP_RET_ERRNO | EPERM},
  {"kill", SECCOMP_RET_KILL_PROCESS},
  {"kill_thread", SECCOMP_RET_KILL_THREAD},
  {"trap", SECCOMP_RET_TRAP},
  {NULL, 0},
};

static const struct far_word operators[] = {
  {"==", FILTER_EQ}, {"~=", FILTER_NE}, {"<", FILTER_LT}, {"<=", FILTER_LE},
  {">", FILTER_GT},  {">=", FILTER_GE}, {"&", FILTER_MASKED}, {NULL, 0},
};

/* An errno from "ENOSYS", 0 when there is none of that name. */
static uint32_t errno_of(const char *name) {
  for (int err = 1; err < 134; err++) {
    const char *known = strerrorname_np(err);
    if (known != NULL && strcmp(known, name) == 0)
      return (uint32_t)err;
  }
  return 0;
}

static uint32_t check_action(lua_State *L, int index) {
  uint32_t err = errno_of(luaL_checkstring(L, index));
  if (err != 0)
    return SECCOMP_RET_ERRNO | err;
  return (uint32_t)far_word(L, index, actions, "action");
}

/* Element `i` of the table on top. */
static lua_Integer element(lua_State *L, int i) {
  int is;
  lua_geti(L, -1, i);
  lua_Integer value = lua_tointegerx(L, -1, &is);
  luaL_argcheck(L, is, 2, "condition { argument, operator, value [, mask] } "
                          "expected");
  lua_pop(L, 1);
  return value;
}

/* The condition on top: { 1, "==", 0x5412 }, { 1, "&", 0x5412, 0xffffffff }. */
static struct filter_condition check_condition(lua_State *L) {
  struct filter_condition c = {0};
  luaL_argcheck(L, lua_istable(L, -1), 2, "table of a condition expected");
  lua_Integer argument = element(L, 1);
  luaL_argcheck(L, argument >= 0 && argument <= 5, 2,
                "argument from 0 to 5 expected");
  c.argument = (unsigned)argument;
  lua_geti(L, -1, 2);
  c.operator = (enum filter_operator)far_word(L, lua_gettop(L), operators,
                                              "operator");
  lua_pop(L, 1);
  c.value = (uint64_t)element(L, 3);
  if (c.operator == FILTER_MASKED)
    c.mask = (uint64_t)element(L, 4);
  return c;
}

/* Raises on a name that nobody knows, which cannot be meant. */
static void check_names(lua_State *L, const char *calls) {
  static const char white[] = " \t\n";
  for (calls += strspn(calls, white); *calls != '\0';
       calls += strspn(calls, white)) {
    size_t length = strcspn(calls, white);
    lua_pushlstring(L, calls, length);
    if (!far_filter_known(calls, length))
      luaL_argerror(L, 2, lua_pushfstring(L, "unknown system call '%s'",
                                          lua_tostring(L, -1)));
    lua_pop(L, 1);
    calls += length;
  }
}

/* The rule on top, whose strings its table keeps alive. */
static struct filter_rule check_rule(lua_State *L) {
  struct filter_rule rule = {0};
  luaL_argcheck(L, lua_istable(L, -1), 2, "list of rules expected");
  int at = lua_gettop(L);
  size_t length = lua_rawlen(L, at);
  luaL_argcheck(L, length >= 2 && length <= 2 + FILTER_CONDITIONS, 2,
                "rules { action, calls [, condition...] } expected");
  rule.count = length - 2;
  for (size_t i = 0; i < rule.count; i++) {
    lua_geti(L, at, (lua_Integer)i + 3);
    rule.conditions[i] = check_condition(L);
    lua_pop(L, 1);
  }
  lua_geti(L, at, 1);
  rule.action = check_action(L, at + 1);
  lua_geti(L, at, 2);
  rule.calls = luaL_checkstring(L, at + 2);
  lua_getfield(L, at, "optional");
  if (!lua_toboolean(L, -1))
    check_names(L, rule.calls);
  lua_settop(L, at);
  return rule;
}

/***
Makes a program from rules, for each architecture that the machine runs: the
first rule that is about a call decides. Calls of other architectures, x32
among them, get ENOSYS.
@function seccomp.compile
@tparam string otherwise what is done about a call that no rule is about:
"allow", "log" (and allow), "deny" (EPERM), another errno ("ENOSYS"), "kill"
(the process, with SIGSYS), "kill_thread", "trap" (SIGSYS)
@tparam table rules a list of { action, calls, condition… }: the names of one
or more calls with white space between them, and conditions of which all must
hold: { argument from 0, operator, value }, the operator one of == ~= < <= >
>=, or { argument, "&", value, mask }: equal in the bits of the mask. Arguments
are compared as unsigned numbers of 64 bits: what the kernel takes as an int,
compare with the mask 0xffffffff. With the field `optional` names that are not
known are passed over
@treturn string the program
@raise E2BIG when it would be too long. See seccomp(2).
*/
static int bind_compile(lua_State *L) {
  uint32_t otherwise = check_action(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  far_at_most(L, 2);
  size_t n = lua_rawlen(L, 2);
  struct filter_rule *rules = lua_newuserdatauv(L, (n + 1) * sizeof *rules, 0);
  struct filter_program *program = lua_newuserdatauv(L, sizeof *program, 0);
  for (size_t i = 0; i < n; i++) {
    lua_geti(L, 2, (lua_Integer)i + 1);
    rules[i] = check_rule(L);
    lua_pop(L, 1);
  }
  int result = far_filter_make(program, otherwise, rules, n);
  if (result != 0)
    return far_raise(L, -result, "seccomp.compile", NULL, NULL);
  lua_pushlstring(L, (const char *)program->code,
                  program->length * sizeof *program->code);
  return 1;
}

/***
From now on the calls of this thread, of its children and of all programs that
they execute pass through a program, and through those installed before.
There is no way back.
@function seccomp.install
@tparam string program of seccomp.compile
@raise EACCES without no_new_privs or CAP_SYS_ADMIN; EINVAL for what is no
program. See seccomp(2).
*/
static int bind_install(lua_State *L) {
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  size_t length = size / sizeof(struct sock_filter);
  luaL_argcheck(L, length > 0 && length <= BPF_MAXINSNS &&
                   size % sizeof(struct sock_filter) == 0, 1,
                "program of seccomp.compile expected");
  far_at_most(L, 1);
  struct sock_fprog program = {(unsigned short)length,
                               (struct sock_filter *)bytes};
  return far_check(L, (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0UL,
                                   &program), "seccomp.install", NULL);
}

/***
Whether a system call can be named in rules.
@function seccomp.known
@tparam string name
@treturn boolean false for what libseccomp has never heard of
@raise nothing
*/
static int bind_known(lua_State *L) {
  size_t length;
  const char *name = luaL_checklstring(L, 1, &length);
  far_at_most(L, 1);
  lua_pushboolean(L, far_filter_known(name, length));
  return 1;
}

static const luaL_Reg functions[] = {
  {"compile", bind_compile},
  {"install", bind_install},
  {"known", bind_known},
  {NULL, NULL},
};

void far_open_seccomp(lua_State *L) {
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "seccomp");
}

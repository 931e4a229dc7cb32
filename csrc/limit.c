/*
 * What a process may use and keep: prctl's attributes, resource limits, and
 * which keys and descriptors go along.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "program.h"

/* How an attribute's value travels: as prctl's result or through a pointer,
 * and what it is in Lua. */
enum shape { FLAG, STORED_FLAG, SIGNAL, NAME };

static const struct attribute {
  const char *name;
  int get, set;
  enum shape shape;
} attributes[] = {
  {"no_new_privs", PR_GET_NO_NEW_PRIVS, PR_SET_NO_NEW_PRIVS, FLAG},
  {"dumpable", PR_GET_DUMPABLE, PR_SET_DUMPABLE, FLAG},
  {"keepcaps", PR_GET_KEEPCAPS, PR_SET_KEEPCAPS, FLAG},
  {"thp_disable", PR_GET_THP_DISABLE, PR_SET_THP_DISABLE, FLAG},
  {"child_subreaper", PR_GET_CHILD_SUBREAPER, PR_SET_CHILD_SUBREAPER,
   STORED_FLAG},
  {"pdeathsig", PR_GET_PDEATHSIG, PR_SET_PDEATHSIG, SIGNAL},
  {"name", PR_GET_NAME, PR_SET_NAME, NAME},
};

static const struct attribute *check_attribute(lua_State *L, int index) {
  const char *name = luaL_checkstring(L, index);
  for (size_t i = 0; i < FAR_COUNT(attributes); i++)
    if (strcmp(attributes[i].name, name) == 0)
      return &attributes[i];
  luaL_argerror(L, index, lua_pushfstring(L,
    "unknown attribute '%s' (expected no_new_privs, dumpable, keepcaps, "
    "thp_disable, child_subreaper, pdeathsig, name)", name));
  return NULL;
}

static int get_attribute(lua_State *L, const struct attribute *a) {
  int stored = 0;
  char name[16];
  void *place = a->shape == NAME ? (void *)name : &stored;
  int result = a->shape == FLAG ? prctl(a->get, 0L, 0L, 0L, 0L)
                                : prctl(a->get, place, 0L, 0L, 0L);
  far_check(L, result, "prctl", a->name);
  if (a->shape == NAME)
    lua_pushstring(L, name);
  else if (a->shape != SIGNAL)
    lua_pushboolean(L, (a->shape == FLAG ? result : stored) == 1);
  else if (stored != 0) // cppcheck-suppress knownConditionTrueFalse; by place
    far_signal_push(L, stored);
  else
    lua_pushnil(L);
  return 1;
}

/* What prctl takes for the value at `index`. */
static unsigned long check_value(lua_State *L, int index, enum shape shape) {
  size_t length;
  if (shape == NAME) {
    const char *name = luaL_checklstring(L, index, &length);
    luaL_argcheck(L, length <= 15 && strlen(name) == length, index,
                  "name of at most 15 bytes expected");
    return (unsigned long)name;
  }
  if (shape == SIGNAL && !lua_isboolean(L, index))
    return (unsigned long)far_signal(L, index);
  luaL_checktype(L, index, LUA_TBOOLEAN);
  luaL_argcheck(L, shape != SIGNAL || !lua_toboolean(L, index), index,
                "signal or false expected");
  return (unsigned long)lua_toboolean(L, index);
}

void far_describe_prctl(lua_State *L, struct far_call *c) {
  const struct attribute *a = check_attribute(L, 1);
  far_at_most(L, 2);
  unsigned long value = check_value(L, 2, a->shape);
  c->number = SYS_prctl;
  far_arg(c, (uint64_t)a->set);
  if (a->shape == NAME)
    far_arg_text(c, (const char *)value);
  else
    far_arg(c, value);
}

/***
Gets or sets an attribute of the process (name: of the calling thread).
@function prctl
@tparam string name "no_new_privs", "dumpable", "keepcaps", "thp_disable",
"child_subreaper" (booleans), "pdeathsig" (a signal's word; sent when the
parent's thread ends) or "name" (at most 15 bytes, what ps shows)
@param[opt] value what to set; false clears pdeathsig
@return the value when none is given. A process that only root may dump
(suid_dumpable 2) is not dumpable here.
@raise EINVAL, EPERM. See prctl(2).
*/
static int bind_prctl(lua_State *L) {
  const struct attribute *a = check_attribute(L, 1);
  far_at_most(L, 2);
  if (lua_isnoneornil(L, 2))
    return get_attribute(L, a);
  return far_do(L, far_describe_prctl, "prctl", a->name);
}

static const struct far_word resources[] = {
  {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},
  {"cpu", RLIMIT_CPU},         {"data", RLIMIT_DATA},
  {"fsize", RLIMIT_FSIZE},     {"locks", RLIMIT_LOCKS},
  {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE},
  {"nice", RLIMIT_NICE},       {"nofile", RLIMIT_NOFILE},
  {"nproc", RLIMIT_NPROC},     {"rss", RLIMIT_RSS},
  {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},
  {"sigpending", RLIMIT_SIGPENDING}, {"stack", RLIMIT_STACK},
  {NULL, 0},
};

static rlim_t check_limit(lua_State *L, int index, rlim_t otherwise) {
  if (lua_isnoneornil(L, index))
    return otherwise;
  if (lua_type(L, index) == LUA_TSTRING &&
      strcmp(lua_tostring(L, index), "unlimited") == 0)
    return RLIM_INFINITY;
  return far_size(L, index);
}

static void push_limit(lua_State *L, rlim_t limit) {
  if (limit > (rlim_t)LUA_MAXINTEGER)
    lua_pushliteral(L, "unlimited");
  else
    lua_pushinteger(L, (lua_Integer)limit);
}

/* getrlimit, setrlimit and prlimit: the resource at `index`, the limits after
 * it; the old ones are pushed. */
static int limits(lua_State *L, pid_t pid, int index, const char *call) {
  struct rlimit old = {0, 0}, new;
  int resource = (int)far_word(L, index, resources, "resource");
  const char *name = far_word_name((uint64_t)resource, resources);
  bool soft = !lua_isnoneornil(L, index + 1);
  bool hard = !lua_isnoneornil(L, index + 2);
  if (!soft || !hard) /* what is not given stays */
    far_check(L, prlimit(pid, resource, NULL, &old), call, name);
  if (soft || hard) {
    new.rlim_cur = check_limit(L, index + 1, old.rlim_cur);
    new.rlim_max = check_limit(L, index + 2, old.rlim_max);
    far_check(L, prlimit(pid, resource, &new, &old), call, name);
  }
  push_limit(L, old.rlim_cur);
  push_limit(L, old.rlim_max);
  return 2;
}

/* Both limits, so that the old ones are of no interest. */
void far_describe_setrlimit(lua_State *L, struct far_call *c) {
  struct rlimit *new = (struct rlimit *)(void *)c->scratch;
  far_at_most(L, 3);
  luaL_checkany(L, 3);
  luaL_argcheck(L, !lua_isnil(L, 2) && !lua_isnil(L, 3), 2,
                "both limits expected");
  c->number = SYS_prlimit64;
  far_arg(c, 0);
  far_arg(c, far_word(L, 1, resources, "resource"));
  new->rlim_cur = check_limit(L, 2, 0);
  new->rlim_max = check_limit(L, 3, 0);
  far_arg_bytes(c, new, sizeof *new);
}

/***
A resource limit of the process.
@function getrlimit
@tparam string resource "nofile", "nproc", "memlock", "core"…: the names of
getrlimit(2) in small letters
@treturn integer|string the soft limit, or "unlimited"
@treturn integer|string the hard limit
@raise EINVAL. See getrlimit(2).
*/
static int bind_getrlimit(lua_State *L) {
  far_at_most(L, 1);
  return limits(L, 0, 1, "getrlimit");
}

/***
Sets a resource limit of the process.
@function setrlimit
@tparam string resource as in getrlimit
@tparam[opt] integer|string soft a number, "64M" or "unlimited"; nil keeps it
@tparam[opt] integer|string hard the same
@treturn integer|string the soft limit before
@treturn integer|string the hard limit before
@raise EPERM when the hard limit is raised without CAP_SYS_RESOURCE; EINVAL
when soft is above hard. See setrlimit(2).
*/
static int bind_setrlimit(lua_State *L) {
  far_at_most(L, 3);
  return limits(L, 0, 1, "setrlimit");
}

/***
Gets or sets a resource limit of another process.
@function prlimit
@tparam integer|process pid
@tparam string resource as in getrlimit
@tparam[opt] integer|string soft as in setrlimit
@tparam[opt] integer|string hard the same
@treturn integer|string the soft limit before
@treturn integer|string the hard limit before
@raise EPERM, ESRCH. See prlimit(2).
*/
static int bind_prlimit(lua_State *L) {
  luaL_checkany(L, 1);
  pid_t pid = lua_isinteger(L, 1) && lua_tointeger(L, 1) == 0
                ? 0 : far_pid(L, 1);
  far_at_most(L, 4);
  return limits(L, pid, 2, "prlimit");
}

static const struct far_word rangeflags[] = {
  {"cloexec", CLOSE_RANGE_CLOEXEC},
  {"unshare", CLOSE_RANGE_UNSHARE},
  {NULL, 0},
};

/***
Closes descriptors, or marks them to be closed by an exec.
@function close_range
@tparam integer first
@tparam[opt] integer last included; nil for all from first on
@tparam[opt] string ... "cloexec", "unshare"
@raise EINVAL. See close_range(2).
*/
static int bind_close_range(lua_State *L) {
  lua_Integer first = luaL_checkinteger(L, 1);
  lua_Integer last = luaL_optinteger(L, 2, UINT_MAX);
  luaL_argcheck(L, first >= 0 && first <= UINT_MAX, 1,
                "descriptor out of range");
  luaL_argcheck(L, last >= first && last <= UINT_MAX, 2,
                "descriptor out of range");
  int flags = (int)far_words_rest(L, 3, rangeflags, "flag");
  return far_check(L, close_range((unsigned)first, (unsigned)last, flags),
                   "close_range", NULL);
}

static const struct far_word keyctls[] = {
  {"join_session_keyring", KEYCTL_JOIN_SESSION_KEYRING},
  {NULL, 0},
};

void far_describe_keyctl(lua_State *L, struct far_call *c) {
  c->number = SYS_keyctl;
  c->tolerated = ENOSYS; /* the kernel keeps no keys */
  far_arg(c, far_word(L, 1, keyctls, "operation"));
  far_at_most(L, 1);
}

/***
Leaves the keys of the session for a new, empty keyring.
@function keyctl
@tparam string operation "join_session_keyring"
@treturn integer|nil its serial number; nil where the kernel keeps no keys
@raise EDQUOT when the user has too many. See keyctl(2), session-keyring(7).
*/
static int bind_keyctl(lua_State *L) {
  struct far_call c = {0};
  far_describe_keyctl(L, &c);
  int serial = far_perform(&c);
  if (serial == -1 && errno != c.tolerated)
    return far_raise(L, errno, "keyctl", NULL, "%s", lua_tostring(L, 1));
  if (serial == -1)
    luaL_pushfail(L);
  else
    lua_pushinteger(L, serial);
  return 1;
}

static const luaL_Reg functions[] = {
  {"keyctl", bind_keyctl},
  {"prctl", bind_prctl},
  {"getrlimit", bind_getrlimit},
  {"setrlimit", bind_setrlimit},
  {"prlimit", bind_prlimit},
  {"close_range", bind_close_range},
  {NULL, NULL},
};

void far_open_limit(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

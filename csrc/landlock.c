/*
 * Landlock: a process gives up what it may do with files, ports and processes,
 * for itself and all that come after it. A ruleset says which rights it is
 * about, and its rules where these still hold.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "farside.h"
#include "sys.h"

#define BIT(n) (UINT64_C(1) << (n))

/* In the kernel's order; who is newer than 5.13 says since which version of
 * Landlock. */
static const struct far_word files[] = {
  {"execute", BIT(0)},     {"write_file", BIT(1)},  {"read_file", BIT(2)},
  {"read_dir", BIT(3)},    {"remove_dir", BIT(4)},  {"remove_file", BIT(5)},
  {"make_char", BIT(6)},   {"make_dir", BIT(7)},    {"make_reg", BIT(8)},
  {"make_sock", BIT(9)},   {"make_fifo", BIT(10)},  {"make_block", BIT(11)},
  {"make_sym", BIT(12)},   {"refer", BIT(13)},      /* 2 */
  {"truncate", BIT(14)},   /* 3 */
  {"ioctl_dev", BIT(15)},  /* 5 */
  {NULL, 0},
};

static const struct far_word ports[] = { /* 4 */
  {"bind_tcp", BIT(0)}, {"connect_tcp", BIT(1)}, {NULL, 0},
};

static const struct far_word scopes[] = { /* 6 */
  {"abstract_unix_socket", BIT(0)}, {"signal", BIT(1)}, {NULL, 0},
};

static const struct {
  const char *name;
  const struct far_word *words;
  const char *what;
} fields[] = {
  {"files", files, "right"}, {"ports", ports, "right"},
  {"scoped", scopes, "scope"},
};

/***
Makes a ruleset: what it is about is forbidden wherever no rule allows it.
@function landlock.create_ruleset
@tparam table about `files`, rights on files ("execute", "write_file",
"read_file", "read_dir", "remove_dir", "remove_file", "make_char", "make_dir",
"make_reg", "make_sock", "make_fifo", "make_block", "make_sym", "refer",
"truncate", "ioctl_dev"); `ports`, rights on ports ("bind_tcp",
"connect_tcp"); `scoped`, what is kept to processes of the same ruleset
("abstract_unix_socket", "signal")
@treturn fd
@raise ENOSYS, EOPNOTSUPP without Landlock; EINVAL, E2BIG for what this kernel
does not know. See landlock_create_ruleset(2).
*/
static int bind_create_ruleset(lua_State *L) {
  static const char *const names[] = {"files", "ports", "scoped", NULL};
  uint64_t about[3] = {0}; /* as the kernel's struct has them */
  far_at_most(L, 1);
  far_fields(L, 1, names, false);
  for (size_t i = 0; i < FAR_COUNT(fields); i++) {
    if (lua_getfield(L, 1, fields[i].name) != LUA_TNIL)
      about[i] = far_words(L, 2, fields[i].words, fields[i].what);
    lua_pop(L, 1);
  }
  int *fd = far_fd_new(L);
  *fd = sys_landlock_create_ruleset(about, sizeof about, 0);
  far_check(L, *fd, "landlock.create_ruleset", NULL);
  return 1;
}

/***
Allows rights on a file, or on a directory and all beneath it.
@function landlock.allow_files
@tparam fd ruleset
@tparam string|table rights as of create_ruleset
@tparam fd file O_PATH will do
@raise EINVAL for rights that the ruleset is not about, or that a file which
is no directory cannot have. See landlock_add_rule(2).
*/
static int bind_allow_files(lua_State *L) {
  struct sys_landlock_path rule = {far_words(L, 2, files, "right"), 0};
  int ruleset = far_fd_check(L, 1);
  rule.parent = far_fd_check(L, 3);
  far_at_most(L, 3);
  return far_check(L, sys_landlock_add_rule(ruleset, SYS_LANDLOCK_PATH, &rule),
                   "landlock.allow_files", NULL);
}

/***
Allows rights on a port.
@function landlock.allow_port
@tparam fd ruleset
@tparam string|table rights as of create_ruleset
@tparam integer port
@raise EINVAL. See landlock_add_rule(2).
*/
static int bind_allow_port(lua_State *L) {
  struct sys_landlock_port rule = {far_words(L, 2, ports, "right"), 0};
  int ruleset = far_fd_check(L, 1);
  lua_Integer port = luaL_checkinteger(L, 3);
  luaL_argcheck(L, port >= 0 && port <= UINT16_MAX, 3, "port expected");
  rule.port = (uint64_t)port;
  far_at_most(L, 3);
  return far_check(L, sys_landlock_add_rule(ruleset, SYS_LANDLOCK_PORT, &rule),
                   "landlock.allow_port", NULL);
}

/***
From now on the ruleset holds for the calling thread, its children and all
programs that they execute. There is no way back.
@function landlock.restrict_self
@tparam fd ruleset
@raise EPERM without no_new_privs or CAP_SYS_ADMIN; E2BIG when 16 rulesets hold
already. See landlock_restrict_self(2).
*/
static int bind_restrict_self(lua_State *L) {
  int ruleset = far_fd_check(L, 1);
  far_at_most(L, 1);
  return far_check(L, sys_landlock_restrict_self(ruleset),
                   "landlock.restrict_self", NULL);
}

static const luaL_Reg functions[] = {
  {"create_ruleset", bind_create_ruleset},
  {"allow_files", bind_allow_files},
  {"allow_port", bind_allow_port},
  {"restrict_self", bind_restrict_self},
  {NULL, NULL},
};

void far_open_landlock(lua_State *L) {
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "landlock");
}

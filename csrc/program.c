/* Programs for the walker: the calls of a container's set-up, each written
 * down instead of made, with its arguments as numbers and bytes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/capability.h>
#include <unistd.h>

#include "mount.h"
#include "program.h"
#include "sys.h"

/* ---- one call ---- */

static struct far_arg *next_arg(struct far_call *call) {
  return &call->args[call->count++];
}

void far_arg(struct far_call *call, uint64_t value) {
  *next_arg(call) = (struct far_arg){WALK_VALUE, value, 0};
}

void far_arg_fd(struct far_call *call, int fd) {
  *next_arg(call) = (struct far_arg){WALK_FD, (uint64_t)(int64_t)fd, 0};
}

void far_arg_bytes(struct far_call *call, const void *bytes, size_t size) {
  *next_arg(call) = (struct far_arg){WALK_OFFSET, (uintptr_t)bytes, size};
}

void far_arg_text(struct far_call *call, const char *text) {
  if (text != NULL)
    far_arg_bytes(call, text, strlen(text) + 1);
  else
    far_arg(call, 0);
}

int far_perform(const struct far_call *c) {
  return (int)syscall(c->number, c->args[0].value, c->args[1].value,
                      c->args[2].value, c->args[3].value, c->args[4].value,
                      c->args[5].value);
}

int far_do(lua_State *L, far_describer *describe, const char *name,
           const char *path) {
  struct far_call c = {0};
  describe(L, &c);
  return far_check(L, far_perform(&c), name, path);
}

/* ---- the walker's own calls ---- */

static void begin(struct far_call *c, int number) {
  c->number = (uint16_t)number;
}

static void describe_fail(lua_State *L, struct far_call *c) {
  begin(c, WALK_FAIL);
  far_arg(c, (uint64_t)luaL_checkinteger(L, 1));
}

static void describe_pass(lua_State *L, struct far_call *c) {
  far_at_most(L, 0);
  begin(c, WALK_PASS);
}

static void describe_await(lua_State *L, struct far_call *c) {
  far_at_most(L, 0);
  begin(c, WALK_AWAIT);
}

static void describe_setns(lua_State *L, struct far_call *c) {
  begin(c, WALK_SETNS);
  far_arg_text(c, far_path(L, 1));
  far_arg(c, far_words_rest(L, 2, far_nswords, "namespace"));
}

static void describe_write(lua_State *L, struct far_call *c) {
  size_t size;
  begin(c, WALK_WRITE);
  far_arg_text(c, far_path(L, 1));
  const char *bytes = luaL_checklstring(L, 2, &size);
  far_arg_bytes(c, bytes, size);
  far_arg(c, size);
}

static void describe_link_up(lua_State *L, struct far_call *c) {
  size_t size;
  begin(c, WALK_LINK_UP);
  const char *name = luaL_checklstring(L, 1, &size);
  luaL_argcheck(L, size < 16, 1, "name of a link expected");
  far_arg_text(c, name);
  far_arg(c, size + 1);
}

static void describe_keep(lua_State *L, struct far_call *c) {
  far_at_most(L, 1);
  begin(c, WALK_KEEP);
  far_arg(c, far_capabilities(L, 1, 1));
  far_arg(c, (uint64_t)cap_max_bits());
}

static void describe_directory(lua_State *L, struct far_call *c) {
  begin(c, WALK_DIRECTORY);
  far_arg_fd(c, far_fd_check(L, 1));
  far_arg_text(c, far_path(L, 2));
  far_arg(c, far_mode(L, 3, 0755));
  far_arg(c, !lua_isnoneornil(L, 3));
}

static void describe_attach(lua_State *L, struct far_call *c) {
  begin(c, WALK_ATTACH);
  far_arg_fd(c, far_fd_check(L, 1));
  far_arg_fd(c, far_fd_check(L, 2));
  far_arg_text(c, far_path(L, 3));
}

/* root, fstype, path, options: read as for mount, without a source. */
static void describe_root_mount(lua_State *L, struct far_call *c) {
  struct far_mount m;
  begin(c, WALK_MOUNT);
  far_arg_fd(c, far_fd_check(L, 1));
  lua_pushvalue(L, 2);
  lua_replace(L, 1);
  lua_pushvalue(L, 2);
  lua_insert(L, 4);
  lua_remove(L, 2);
  far_mount_check(L, &m);
  luaL_argcheck(L, m.kind == FAR_MOUNT_NEW, 4, "more than one call");
  far_arg_text(c, m.target);
  far_arg_text(c, m.fstype);
  far_arg(c, m.set);
  far_arg_text(c, m.data);
}

static const struct far_word tree_types[] = {
  {"directory", S_IFDIR}, {NULL, 0},
};

/* path, alone, type, attributes */
static void describe_tree(lua_State *L, struct far_call *c) {
  uint64_t type = lua_isnil(L, 3) ? 0 : far_word(L, 3, tree_types, "type");
  begin(c, WALK_TREE);
  far_arg_text(c, far_path(L, 1));
  far_arg(c, lua_toboolean(L, 2) ? 0 : AT_RECURSIVE);
  far_arg(c, far_mount_attributes(L, 4));
  far_arg(c, type);
}

/* root, path, text, mode */
static void describe_file(lua_State *L, struct far_call *c) {
  size_t size;
  begin(c, WALK_FILE);
  far_arg_fd(c, far_fd_check(L, 1));
  far_arg_text(c, far_path(L, 2));
  const char *text = luaL_checklstring(L, 3, &size);
  far_arg_bytes(c, text, size);
  far_arg(c, size);
  far_arg(c, far_mode(L, 4, 0644));
  far_arg(c, !lua_isnoneornil(L, 4));
}

static void describe_chmod(lua_State *L, struct far_call *c) {
  begin(c, WALK_CHMOD);
  far_arg_fd(c, far_fd_check(L, 1));
  far_arg_text(c, far_path(L, 2));
  luaL_checkany(L, 3);
  far_arg(c, far_mode(L, 3, 0));
}

static void describe_symlink(lua_State *L, struct far_call *c) {
  begin(c, WALK_SYMLINK);
  far_arg_fd(c, far_fd_check(L, 1));
  far_arg_text(c, far_path(L, 2));
  far_arg_text(c, far_path(L, 3));
}

static void describe_device(lua_State *L, struct far_call *c) {
  begin(c, WALK_DEVICE);
  far_arg_fd(c, far_fd_check(L, 1));
  far_arg_text(c, far_path(L, 2));
  far_arg(c, (uint64_t)luaL_checkinteger(L, 3));
  far_arg(c, (uint64_t)luaL_checkinteger(L, 4));
}

/* Adds the string on top with its zero, and pops it. */
static void add_top(lua_State *L, luaL_Buffer *b, int arg) {
  size_t length;
  luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, arg, "string expected");
  const char *word = lua_tolstring(L, -1, &length);
  luaL_argcheck(L, strlen(word) == length, arg, "zero byte in a string");
  luaL_addvalue(b);
  luaL_addchar(b, '\0');
}

/* root, then paths */
static void describe_paths(lua_State *L, struct far_call *c, int number) {
  luaL_Buffer b;
  size_t size;
  int last = lua_gettop(L);
  begin(c, number);
  far_arg_fd(c, far_fd_check(L, 1));
  luaL_buffinit(L, &b);
  for (int i = 2; i <= last; i++) {
    lua_pushvalue(L, i);
    add_top(L, &b, i);
  }
  luaL_pushresult(&b);
  const char *bytes = lua_tolstring(L, -1, &size);
  far_arg_bytes(c, bytes, size);
  far_arg(c, (uint64_t)last - 1);
}

static void describe_mask(lua_State *L, struct far_call *c) {
  describe_paths(L, c, WALK_MASK);
}

static void describe_protect(lua_State *L, struct far_call *c) {
  describe_paths(L, c, WALK_PROTECT);
}

/* ---- the program that is started ---- */

static void describe_close(lua_State *L, struct far_call *c) {
  begin(c, SYS_close);
  far_arg_fd(c, far_fd_check(L, 1));
}

/* All descriptors from 3 on, when the walker becomes another program. */
static void describe_close_others(lua_State *L, struct far_call *c) {
  far_at_most(L, 0);
  begin(c, SYS_close_range);
  far_arg(c, 3);
  far_arg(c, ~0U);
  far_arg(c, CLOSE_RANGE_CLOEXEC);
}

/* descriptor, whether */
static void describe_cloexec(lua_State *L, struct far_call *c) {
  begin(c, SYS_fcntl);
  far_arg_fd(c, far_fd_check(L, 1));
  far_arg(c, F_SETFD);
  far_arg(c, lua_toboolean(L, 2) ? FD_CLOEXEC : 0);
}

static void describe_inside(lua_State *L, struct far_call *c) {
  far_at_most(L, 0);
  begin(c, WALK_INSIDE);
}

/* session, terminal, stdin, stdout, stderr */
static void describe_place(lua_State *L, struct far_call *c) {
  begin(c, WALK_PLACE);
  far_arg(c, (uint64_t)lua_toboolean(L, 1));
  far_arg_text(c, lua_isnoneornil(L, 2) ? NULL : far_path(L, 2));
  for (int i = 3; i <= 5; i++)
    far_arg_fd(c, far_fd_opt(L, i, -1));
}

/* Adds the strings of the list at `index`. */
static void add_words(lua_State *L, luaL_Buffer *b, int index) {
  lua_Integer count = (lua_Integer)lua_rawlen(L, index);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, index, i);
    add_top(L, b, index);
  }
}

/* files, arguments, variables: lists of strings */
static void describe_words(lua_State *L, struct far_call *c) {
  size_t size;
  lua_Unsigned counts[3], total = 3; /* each list ends with a NULL */
  luaL_Buffer b;
  far_at_most(L, 3);
  for (int i = 0; i < 3; i++) {
    luaL_checktype(L, i + 1, LUA_TTABLE);
    total += counts[i] = lua_rawlen(L, i + 1);
  }
  luaL_argcheck(L, total <= WALK_WORDS, 2, "too many words");
  luaL_buffinit(L, &b);
  for (int i = 0; i < 3; i++)
    add_words(L, &b, i + 1);
  luaL_pushresult(&b);
  const char *bytes = lua_tolstring(L, -1, &size);
  far_arg_bytes(c, bytes, size);
  for (int i = 0; i < 3; i++)
    far_arg(c, counts[i]);
}

static void describe_exec(lua_State *L, struct far_call *c) {
  begin(c, WALK_EXEC);
  describe_words(L, c);
}

static void describe_spawn(lua_State *L, struct far_call *c) {
  begin(c, WALK_SPAWN);
  describe_words(L, c);
}

static void describe_seccomp(lua_State *L, struct far_call *c) {
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  far_at_most(L, 1);
  begin(c, WALK_SECCOMP);
  far_arg_bytes(c, bytes, size);
  far_arg(c, size / sizeof(struct sock_filter));
}

static void describe_setsid(lua_State *L, struct far_call *c) {
  far_at_most(L, 0);
  begin(c, SYS_setsid);
}

/* ---- a program ---- */

static const struct { const char *name; far_describer *describe; } calls[] = {
  {"attach", describe_attach},
  {"await", describe_await},
  {"capability.keep", describe_keep},
  {"chdir", far_describe_chdir},
  {"chmod", describe_chmod},
  {"cloexec", describe_cloexec},
  {"close", describe_close},
  {"close_others", describe_close_others},
  {"device", describe_device},
  {"directory", describe_directory},
  {"exec", describe_exec},
  {"fail", describe_fail},
  {"file", describe_file},
  {"inside", describe_inside},
  {"keyctl", far_describe_keyctl},
  {"link_up", describe_link_up},
  {"mask", describe_mask},
  {"mkdirat", far_describe_mkdirat},
  {"mount", far_describe_mount},
  {"mount_inside", describe_root_mount},
  {"mount_setattr", far_describe_mount_setattr},
  {"move_mount", far_describe_move_mount},
  {"open_tree", far_describe_open_tree},
  {"openat2", far_describe_openat2},
  {"pass", describe_pass},
  {"pivot_root", far_describe_pivot_root},
  {"place", describe_place},
  {"prctl", far_describe_prctl},
  {"protect", describe_protect},
  {"sched_setaffinity", far_describe_sched_setaffinity},
  {"seccomp.install", describe_seccomp},
  {"setdomainname", far_describe_setdomainname},
  {"setgroups", far_describe_setgroups},
  {"sethostname", far_describe_sethostname},
  {"setitimer", far_describe_setitimer},
  {"setns", describe_setns},
  {"setpriority", far_describe_setpriority},
  {"setresgid", far_describe_setresgid},
  {"setresuid", far_describe_setresuid},
  {"setrlimit", far_describe_setrlimit},
  {"setsid", describe_setsid},
  {"spawn", describe_spawn},
  {"symlink", describe_symlink},
  {"symlinkat", far_describe_symlinkat},
  {"tree", describe_tree},
  {"umask", far_describe_umask},
  {"umount", far_describe_umount},
  {"unshare", far_describe_unshare},
  {"write", describe_write},
};

/* The describer by the name at `index`: the table of names gives its place. */
static far_describer *find(lua_State *L, int names, int index) {
  luaL_checkstring(L, index);
  lua_pushvalue(L, index);
  if (lua_rawget(L, names) != LUA_TNUMBER)
    luaL_argerror(L, index, lua_pushfstring(L, "no call of a walker: '%s'",
                                            lua_tostring(L, index)));
  size_t place = (size_t)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return calls[place].describe;
}

/* What the function that adds calls keeps: both areas grow. */
enum { HEAD = 1, CALLS, BYTES, NAMES };

/* Makes room for `more` bytes in an area that has `used`; answers it. Beyond
 * `most` there would be none in the walker. */
static char *room(lua_State *L, int area, size_t used, size_t more,
                  size_t most) {
  char *bytes = lua_touserdata(L, lua_upvalueindex(area));
  size_t size = lua_rawlen(L, lua_upvalueindex(area));
  if (more > most - used)
    luaL_error(L, "program too long for a walker");
  if (more <= size - used)
    return bytes;
  char *larger = lua_newuserdatauv(L, 2 * size + more, 0);
  memcpy(larger, bytes, used);
  lua_replace(L, lua_upvalueindex(area));
  return larger;
}

static uint64_t add_bytes(lua_State *L, struct walk_head *head,
                          const struct far_arg *arg) {
  enum { ALIGN = sizeof(uint64_t) }; /* some are structs */
  uint32_t at = head->bytes;
  size_t size = (arg->size + ALIGN - 1) / ALIGN * ALIGN;
  char *bytes = room(L, BYTES, at, size, WALK_BYTES);
  memcpy(bytes + at, (const void *)(uintptr_t)arg->value, arg->size);
  memset(bytes + at + arg->size, 0, size - arg->size);
  head->bytes += (uint32_t)size;
  return at;
}

static void add(lua_State *L, struct walk_head *head,
                const struct far_call *call, struct walk_call *c) {
  size_t used = head->calls * sizeof *c;
  c->number = call->number;
  c->tolerated = call->tolerated;
  for (int i = 0; i < call->count; i++) {
    const struct far_arg *arg = &call->args[i];
    c->kinds[i] = (uint8_t)arg->kind;
    c->args[i] = arg->kind == WALK_OFFSET ? add_bytes(L, head, arg)
                                          : arg->value;
  }
  memcpy(room(L, CALLS, used, sizeof *c, WALK_CALLS * sizeof *c) + used, c,
         sizeof *c);
  head->calls++;
}

static int push_program(lua_State *L, const struct walk_head *head) {
  luaL_Buffer b;
  size_t size = head->calls * sizeof(struct walk_call);
  char *all = luaL_buffinitsize(L, &b, sizeof *head + size + head->bytes);
  memcpy(all, head, sizeof *head);
  memcpy(all + sizeof *head, lua_touserdata(L, lua_upvalueindex(CALLS)), size);
  memcpy(all + sizeof *head + size, lua_touserdata(L, lua_upvalueindex(BYTES)),
         head->bytes);
  luaL_pushresultsize(&b, sizeof *head + size + head->bytes);
  return 1;
}

static lua_Integer check_small(lua_State *L, int index, lua_Integer most) {
  lua_Integer n = luaL_checkinteger(L, index);
  luaL_argcheck(L, n >= 0 && n <= most, index, "out of range");
  return n;
}

/* The function that core.program answers. */
static int extend(lua_State *L) {
  struct walk_head *head = lua_touserdata(L, lua_upvalueindex(HEAD));
  struct far_call call = {0};
  struct walk_call c = {0};
  if (lua_gettop(L) == 0)
    return push_program(L, head);
  c.step = (uint16_t)check_small(L, 1, UINT16_MAX);
  c.result = (uint8_t)check_small(L, 2, WALK_REGISTERS);
  far_describer *describe = find(L, lua_upvalueindex(NAMES), 3);
  lua_rotate(L, 1, -3); /* only the call's own arguments stay */
  lua_pop(L, 3);
  describe(L, &call);
  add(L, head, &call, &c);
  return 0;
}

/***
A program for a walker, empty.
@function program
@tparam fd channel over which the walker gets it and answers
@tparam fd status where the end of what is started is told
@treturn function adds a call: the number of its step, that of the register
for its result (0 for none), its name, its arguments. Without any it answers
the program, a string. The descriptor in register N is `register + N`.
@raise bad arguments only, also when a call is added
*/
static int bind_program(lua_State *L) {
  int channel = far_fd_check(L, 1), status = far_fd_check(L, 2);
  far_at_most(L, 2);
  struct walk_head *head = lua_newuserdatauv(L, sizeof *head, 0);
  *head = (struct walk_head){.channel = channel, .status = status};
  (void)lua_newuserdatauv(L, 96 * sizeof(struct walk_call), 0);
  (void)lua_newuserdatauv(L, 2048, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushcclosure(L, extend, NAMES);
  return 1;
}

void far_open_program(lua_State *L) {
  lua_createtable(L, 0, FAR_COUNT(calls));
  for (size_t i = 0; i < FAR_COUNT(calls); i++) {
    lua_pushinteger(L, (lua_Integer)i);
    lua_setfield(L, -2, calls[i].name);
  }
  lua_pushcclosure(L, bind_program, 1);
  lua_setfield(L, -2, "program");
  lua_pushinteger(L, WALK_REGISTER - 1);
  lua_setfield(L, -2, "register");
}

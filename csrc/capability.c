/*
 * Capabilities of the calling thread: the five sets, libcap's names and text
 * form, and the secure bits. A set is a 64-bit mask inside and a list of
 * words outside; a capability newer than libcap is known by its number.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "farside.h"

#define BIT(n) (UINT64_C(1) << (n))

enum { EFFECTIVE, PERMITTED, INHERITABLE, BOUNDING, AMBIENT, SETS };

struct caps {
  uint64_t set[SETS];
};

static const struct far_word sets[] = {
  {"effective", BIT(EFFECTIVE)},     {"permitted", BIT(PERMITTED)},
  {"inheritable", BIT(INHERITABLE)}, {"bounding", BIT(BOUNDING)},
  {"ambient", BIT(AMBIENT)},         {NULL, 0},
};

static const char *const fields[] = {
  "effective", "permitted", "inheritable", NULL,
};

static const struct far_word securebits[] = {
  {"noroot", SECBIT_NOROOT},
  {"noroot_locked", SECBIT_NOROOT_LOCKED},
  {"no_setuid_fixup", SECBIT_NO_SETUID_FIXUP},
  {"no_setuid_fixup_locked", SECBIT_NO_SETUID_FIXUP_LOCKED},
  {"keep_caps", SECBIT_KEEP_CAPS},
  {"keep_caps_locked", SECBIT_KEEP_CAPS_LOCKED},
  {"no_cap_ambient_raise", SECBIT_NO_CAP_AMBIENT_RAISE},
  {"no_cap_ambient_raise_locked", SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED},
  {"exec_restrict_file", BIT(8)}, /* 6.14; not in older headers */
  {"exec_restrict_file_locked", BIT(9)},
  {"exec_deny_interactive", BIT(10)},
  {"exec_deny_interactive_locked", BIT(11)},
  {NULL, 0},
};

#define PREFIX "cap_"

static uint64_t all(void) {
  int count = cap_max_bits();
  return count >= 64 ? UINT64_MAX : BIT(count) - 1;
}

/* The word for one capability: "net_admin", or "41" when libcap is older. */
static const char *name_of(int cap, char name[32]) {
  char *full = cap_to_name(cap);
  bool known = full != NULL && strncmp(full, PREFIX, strlen(PREFIX)) == 0;
  if (known)
    snprintf(name, 32, "%s", full + strlen(PREFIX));
  else
    snprintf(name, 32, "%d", cap);
  cap_free(full);
  return name;
}

/* The bits of one word, 0 when there is no such capability. */
static uint64_t bits_of(const char *word, size_t length) {
  char full[40], name[32];
  cap_value_t cap;
  size_t prefix = strlen(PREFIX);
  if (length >= sizeof name)
    return 0;
  bool whole = strncasecmp(word, PREFIX, prefix) == 0;
  snprintf(full, sizeof full, "%s%.*s", whole ? "" : PREFIX, (int)length, word);
  if (strcmp(full + prefix, "all") == 0)
    return all();
  if (cap_from_name(full, &cap) == 0)
    return BIT(cap);
  for (cap = 0; cap < cap_max_bits(); cap++)
    if (strcmp(name_of(cap, name), full + prefix) == 0)
      return BIT(cap);
  return 0;
}

static uint64_t parse(lua_State *L, int arg, const char *list) {
  uint64_t mask = 0;
  while (*list != '\0') {
    size_t length = strcspn(list, ",");
    uint64_t bits = bits_of(list, length);
    lua_pushlstring(L, list, length);
    if (bits == 0)
      luaL_argerror(L, arg, lua_pushfstring(L,
        "unknown capability '%s' (see capabilities(7))", lua_tostring(L, -1)));
    lua_pop(L, 1);
    mask |= bits;
    list += length + (list[length] == ',');
  }
  return mask;
}

uint64_t far_capabilities(lua_State *L, int index, int arg) {
  uint64_t mask = 0;
  index = lua_absindex(L, index);
  if (lua_isinteger(L, index))
    return (uint64_t)lua_tointeger(L, index);
  if (lua_type(L, index) == LUA_TSTRING)
    return parse(L, arg, lua_tostring(L, index));
  if (!lua_istable(L, index))
    luaL_typeerror(L, arg, "capabilities");
  for (lua_Integer i = 1; lua_geti(L, index, i) != LUA_TNIL; i++) {
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_typeerror(L, arg, "list of capabilities");
    mask |= parse(L, arg, lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return mask;
}

static void push_mask(lua_State *L, uint64_t mask) {
  char name[32];
  lua_Integer n = 0;
  lua_newtable(L);
  for (int cap = 0; cap < 64; cap++) {
    if ((mask & BIT(cap)) == 0)
      continue;
    lua_pushstring(L, name_of(cap, name));
    lua_rawseti(L, -2, ++n);
  }
}

/* ---- the kernel's calls: 0, or -1 and errno ---- */

static int get_sets(pid_t pid, struct caps *c) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, pid};
  struct __user_cap_data_struct d[2];
  if (capget(&h, d) == -1)
    return -1;
  c->set[EFFECTIVE] = d[0].effective | (uint64_t)d[1].effective << 32;
  c->set[PERMITTED] = d[0].permitted | (uint64_t)d[1].permitted << 32;
  c->set[INHERITABLE] = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
  return 0;
}

static int put_sets(const struct caps *c) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2];
  for (int i = 0; i < 2; i++) {
    d[i].effective = (uint32_t)(c->set[EFFECTIVE] >> 32 * i);
    d[i].permitted = (uint32_t)(c->set[PERMITTED] >> 32 * i);
    d[i].inheritable = (uint32_t)(c->set[INHERITABLE] >> 32 * i);
  }
  return capset(&h, d);
}

static bool in_bounding(int cap) {
  return prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1;
}

static bool in_ambient(int cap) {
  return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1;
}

static void own_vectors(struct caps *c) {
  c->set[BOUNDING] = c->set[AMBIENT] = 0;
  for (int cap = 0; cap < cap_max_bits(); cap++) {
    c->set[BOUNDING] |= in_bounding(cap) ? BIT(cap) : 0;
    c->set[AMBIENT] |= in_ambient(cap) ? BIT(cap) : 0;
  }
}

/* Only the status file tells these two of another process. */
static int other_vectors(pid_t pid, struct caps *c) {
  char text[256];
  c->set[BOUNDING] = c->set[AMBIENT] = 0;
  snprintf(text, sizeof text, "/proc/%d/status", (int)pid);
  FILE *f = fopen(text, "re");
  if (f == NULL)
    return -1;
  while (fgets(text, sizeof text, f) != NULL)
    if (sscanf(text, "CapBnd: %" SCNx64, &c->set[BOUNDING]) != 1)
      (void)sscanf(text, "CapAmb: %" SCNx64, &c->set[AMBIENT]);
  fclose(f);
  return 0;
}

/* Drops `mask` from the bounding set; answers the capability that failed, or
 * -1. One that is not there needs no privilege to be dropped. */
static int bounding_drop(uint64_t mask) {
  for (int cap = 0; cap < cap_max_bits(); cap++)
    if ((mask & BIT(cap)) != 0 &&
        prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1 && in_bounding(cap))
      return cap;
  return -1;
}

/* Raises or lowers `mask` in the ambient set; answers as bounding_drop. */
static int ambient_change(uint64_t mask, int how) {
  if (how == PR_CAP_AMBIENT_LOWER && mask == all())
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1
             ? 0 : -1;
  for (int cap = 0; cap < 64; cap++)
    if ((mask & BIT(cap)) != 0 &&
        prctl(PR_CAP_AMBIENT, how, cap, 0, 0) == -1)
      return cap;
  return -1;
}

static void push_sets(lua_State *L, const struct caps *c, int count) {
  lua_createtable(L, 0, count);
  for (int i = 0; i < count; i++) {
    push_mask(L, c->set[i]);
    lua_setfield(L, -2, sets[i].name);
  }
}

/* The fields of the table at `index` over what `c` holds. */
static void check_sets(lua_State *L, int index, struct caps *c) {
  far_fields(L, index, fields, false);
  for (int i = 0; fields[i] != NULL; i++) {
    if (lua_getfield(L, index, fields[i]) != LUA_TNIL)
      c->set[i] = far_capabilities(L, -1, index);
    lua_pop(L, 1);
  }
}

/* Ends a vector call: `cap` is -1, or the capability that failed. */
static void check_cap(lua_State *L, int cap, const char *call,
                      const char *which) {
  int err = errno;
  char name[32];
  if (cap != -1)
    far_raise(L, err, call, NULL, "%s, %s set", name_of(cap, name), which);
}

/***
The capability sets of a process, each a list of words without "cap_".
@function get
@tparam[opt] int|process pid the calling thread when left out
@treturn table effective, permitted, inheritable, bounding, ambient
@raise ESRCH; ENOENT when /proc does not show the process. See capget(2),
capabilities(7).
*/
static int bind_get(lua_State *L) {
  struct caps c;
  far_at_most(L, 1);
  pid_t pid = far_pid(L, 1);
  far_check(L, get_sets(pid, &c), "capability.get", NULL);
  if (pid == 0)
    own_vectors(&c);
  else
    far_check(L, other_vectors(pid, &c), "capability.get", NULL);
  push_sets(L, &c, SETS);
  return 1;
}

/***
Sets whole sets of the calling thread; one that is left out stays as it is.
@function set
@tparam table new effective, permitted, inheritable: lists of words, or "all"
@raise EPERM for what is not permitted already. See capset(2).
*/
static int bind_set(lua_State *L) {
  struct caps c;
  far_at_most(L, 1);
  far_check(L, get_sets(0, &c), "capability.set", NULL);
  check_sets(L, 1, &c);
  return far_check(L, put_sets(&c), "capability.set", NULL);
}

/* words and sets of raise and drop; the sets' bits in *which. */
static uint64_t change(lua_State *L, uint64_t *which, struct caps *c) {
  uint64_t mask = far_capabilities(L, 1, 1);
  *which = far_words_rest(L, 2, sets, "capability set");
  luaL_argcheck(L, *which != 0, 2, "capability set expected");
  far_check(L, get_sets(0, c), "capget", NULL);
  return mask;
}

/***
Adds capabilities to sets of the calling thread.
@function raise
@tparam string|{string,...} words "net_admin,net_raw"
@tparam string ... sets: "effective", "permitted", "inheritable", "ambient"
@raise EPERM for what is not permitted already; ambient needs permitted and
inheritable. See capset(2), capabilities(7).
*/
static int bind_raise(lua_State *L) {
  struct caps c;
  uint64_t which, mask = change(L, &which, &c);
  luaL_argcheck(L, (which & BIT(BOUNDING)) == 0, 2,
                "the bounding set can only shrink");
  for (int i = EFFECTIVE; i <= INHERITABLE; i++)
    c.set[i] |= which & BIT(i) ? mask : 0;
  if ((which & ~BIT(AMBIENT)) != 0)
    far_check(L, put_sets(&c), "capability.raise", NULL);
  if ((which & BIT(AMBIENT)) != 0)
    check_cap(L, ambient_change(mask, PR_CAP_AMBIENT_RAISE),
              "capability.raise", "ambient");
  return 0;
}

/***
Takes capabilities from sets of the calling thread.
@function drop
@tparam string|{string,...} words "sys_time", or "all"
@tparam string ... sets: "effective", "permitted", "inheritable", "bounding",
"ambient"
@raise EPERM without CAP_SETPCAP for the bounding set. See prctl(2), capset(2).
*/
static int bind_drop(lua_State *L) {
  struct caps c;
  uint64_t which, mask = change(L, &which, &c);
  for (int i = EFFECTIVE; i <= INHERITABLE; i++)
    c.set[i] &= which & BIT(i) ? ~mask : UINT64_MAX;
  if ((which & BIT(BOUNDING)) != 0) /* while setpcap is still there */
    check_cap(L, bounding_drop(mask), "capability.drop", "bounding");
  if ((which & BIT(AMBIENT)) != 0)
    check_cap(L, ambient_change(mask, PR_CAP_AMBIENT_LOWER),
              "capability.drop", "ambient");
  return far_check(L, put_sets(&c), "capability.drop", NULL);
}

/***
Drops all but the given capabilities from every set of the calling thread,
the bounding set included: what a container keeps. Nothing is added.
@function keep
@tparam string|{string,...} words "chown,setuid"; "" keeps none
@raise EPERM without CAP_SETPCAP. See capabilities(7).
*/
static int bind_keep(lua_State *L) {
  struct caps c;
  far_at_most(L, 1);
  uint64_t mask = far_capabilities(L, 1, 1);
  far_check(L, get_sets(0, &c), "capability.keep", NULL);
  check_cap(L, bounding_drop(~mask), "capability.keep", "bounding");
  for (int i = EFFECTIVE; i <= INHERITABLE; i++)
    c.set[i] &= mask;
  /* the kernel takes from ambient what leaves permitted or inheritable */
  return far_check(L, put_sets(&c), "capability.keep", NULL);
}

/***
Whether the calling thread has all of some capabilities.
@function has
@tparam string|{string,...} words "sys_admin"
@tparam[opt="effective"] string set
@treturn boolean
@raise nothing
*/
static int bind_has(lua_State *L) {
  struct caps c;
  far_at_most(L, 2);
  uint64_t mask = far_capabilities(L, 1, 1), which = BIT(EFFECTIVE);
  if (!lua_isnoneornil(L, 2))
    which = far_word(L, 2, sets, "capability set");
  far_check(L, get_sets(0, &c), "capability.has", NULL);
  if ((which & (BIT(BOUNDING) | BIT(AMBIENT))) != 0)
    own_vectors(&c);
  for (int i = 0; i < SETS; i++)
    mask &= which & BIT(i) ? c.set[i] : UINT64_MAX;
  lua_pushboolean(L, mask == far_capabilities(L, 1, 1));
  return 1;
}

/***
The capabilities that the running kernel knows, in its order.
@function names
@treturn {string,...} words; one that libcap has no name for is its number
@raise nothing
*/
static int bind_names(lua_State *L) {
  far_at_most(L, 0);
  push_mask(L, all());
  return 1;
}

/***
The secure bits of the calling thread, or sets them.
@function securebits
@tparam[opt] string|{string,...} words the whole new value: "noroot",
"no_setuid_fixup", "keep_caps", "no_cap_ambient_raise", each also with
"_locked"; "" clears
@treturn {string,...} words, when nothing is set
@raise EPERM without CAP_SETPCAP, or locked. See capabilities(7).
*/
static int bind_securebits(lua_State *L) {
  far_at_most(L, 1);
  if (lua_isnoneornil(L, 1)) {
    int bits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
    far_check(L, bits, "capability.securebits", NULL);
    far_words_push(L, (uint64_t)bits, securebits);
    return 1;
  }
  unsigned long bits = far_words(L, 1, securebits, "secure bit");
  return far_check(L, prctl(PR_SET_SECUREBITS, bits, 0, 0, 0),
                   "capability.securebits", lua_tostring(L, 1));
}

#define TEXT 2048 /* libcap's own limit is 1124 */

static int text_of(pid_t pid, char buffer[TEXT]) {
  cap_t cap = cap_get_pid(pid);
  char *text = cap != NULL ? cap_to_text(cap, NULL) : NULL;
  int err = errno;
  if (text != NULL)
    snprintf(buffer, TEXT, "%s", text);
  cap_free(text);
  cap_free(cap);
  errno = err;
  return text == NULL ? -1 : 0;
}

/***
Three sets of a process in libcap's text form, as getpcaps(8) prints them.
@function text
@tparam[opt] int|process pid the calling thread when left out
@treturn string such as "cap_net_admin=ep"
@raise ESRCH. See cap_to_text(3).
*/
static int bind_text(lua_State *L) {
  char text[TEXT];
  far_at_most(L, 1);
  far_check(L, text_of(far_pid(L, 1), text), "capability.text", NULL);
  lua_pushstring(L, text);
  return 1;
}

static int from_text(const char *text, struct caps *c) {
  static const cap_flag_t flags[] = {
    CAP_EFFECTIVE, CAP_PERMITTED, CAP_INHERITABLE,
  };
  cap_t cap = cap_from_text(text);
  if (cap == NULL)
    return -1;
  for (int i = EFFECTIVE; i <= INHERITABLE; i++)
    for (cap_value_t v = 0; v < cap_max_bits(); v++) {
      cap_flag_value_t is = CAP_CLEAR;
      cap_get_flag(cap, v, flags[i], &is);
      c->set[i] |= is == CAP_SET ? BIT(v) : 0;
    }
  cap_free(cap);
  return 0;
}

/***
The sets that a text stands for; a table that set takes.
@function parse
@tparam string text such as "cap_net_admin=ep"
@treturn table effective, permitted, inheritable
@raise EINVAL when it is no such text. See cap_from_text(3).
*/
static int bind_parse(lua_State *L) {
  struct caps c = {{0}};
  const char *text = luaL_checkstring(L, 1);
  far_at_most(L, 1);
  far_check(L, from_text(text, &c), "capability.parse", text);
  push_sets(L, &c, INHERITABLE + 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"get", bind_get},
  {"set", bind_set},
  {"raise", bind_raise},
  {"drop", bind_drop},
  {"keep", bind_keep},
  {"has", bind_has},
  {"names", bind_names},
  {"securebits", bind_securebits},
  {"text", bind_text},
  {"parse", bind_parse},
  {NULL, NULL},
};

void far_open_capability(lua_State *L) {
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "capability");
}

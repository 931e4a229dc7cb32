/*
 * The options of mount: words in groups of which one word may stand, and
 * kinds of mounts in which only some groups mean anything. What the kernel
 * would ignore is refused here, so that nobody counts on it.
 */
#define _GNU_SOURCE
#include <string.h>

#include "farside.h"
#include "mount.h"
#include "sys.h"

enum group {
  NOTHING,
  HOW, /* bind, rbind, move */
  REMOUNT,
  PROPAGATION,
  RO,
  SUID,
  DEV,
  EXEC,
  ATIME,
  DIRATIME,
  SYMFOLLOW,
  SYNC,
  DIRSYNC,
  LAZYTIME,
  MAND,
  SILENT,
  GROUPS
};

#define BIT(group) (1u << (group))

/* what a mount has, and what its file system has */
#define OF_MOUNT (BIT(RO) | BIT(SUID) | BIT(DEV) | BIT(EXEC) | BIT(ATIME) | \
                  BIT(DIRATIME) | BIT(SYMFOLLOW))
#define OF_FS (BIT(RO) | BIT(SYNC) | BIT(DIRSYNC) | BIT(LAZYTIME) | BIT(MAND))

struct option {
  const char *name;
  enum group group;
  unsigned long set; /* MS_ flags; none for the word that clears them */
  uint64_t attr;     /* MOUNT_ATTR_ likewise */
};

static const struct option options[] = {
  {"defaults", NOTHING, 0, 0},
  {"bind", HOW, MS_BIND, 0},
  {"rbind", HOW, MS_BIND | MS_REC, 0},
  {"move", HOW, MS_MOVE, 0},
  {"remount", REMOUNT, MS_REMOUNT, 0},
  {"shared", PROPAGATION, MS_SHARED, 0},
  {"slave", PROPAGATION, MS_SLAVE, 0},
  {"private", PROPAGATION, MS_PRIVATE, 0},
  {"unbindable", PROPAGATION, MS_UNBINDABLE, 0},
  {"rshared", PROPAGATION, MS_SHARED | MS_REC, 0},
  {"rslave", PROPAGATION, MS_SLAVE | MS_REC, 0},
  {"rprivate", PROPAGATION, MS_PRIVATE | MS_REC, 0},
  {"runbindable", PROPAGATION, MS_UNBINDABLE | MS_REC, 0},
  {"ro", RO, MS_RDONLY, MOUNT_ATTR_RDONLY},
  {"rw", RO, 0, 0},
  {"nosuid", SUID, MS_NOSUID, MOUNT_ATTR_NOSUID},
  {"suid", SUID, 0, 0},
  {"nodev", DEV, MS_NODEV, MOUNT_ATTR_NODEV},
  {"dev", DEV, 0, 0},
  {"noexec", EXEC, MS_NOEXEC, MOUNT_ATTR_NOEXEC},
  {"exec", EXEC, 0, 0},
  {"noatime", ATIME, MS_NOATIME, MOUNT_ATTR_NOATIME},
  {"relatime", ATIME, MS_RELATIME, 0},
  {"atime", ATIME, MS_RELATIME, 0},
  {"nostrictatime", ATIME, MS_RELATIME, 0},
  {"strictatime", ATIME, MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
  {"norelatime", ATIME, MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
  {"nodiratime", DIRATIME, MS_NODIRATIME, MOUNT_ATTR_NODIRATIME},
  {"diratime", DIRATIME, 0, 0},
  {"nosymfollow", SYMFOLLOW, MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
  {"symfollow", SYMFOLLOW, 0, 0},
  {"sync", SYNC, MS_SYNCHRONOUS, 0},
  {"async", SYNC, 0, 0},
  {"dirsync", DIRSYNC, MS_DIRSYNC, 0},
  {"lazytime", LAZYTIME, MS_LAZYTIME, 0},
  {"nolazytime", LAZYTIME, 0, 0},
  {"mand", MAND, MS_MANDLOCK, 0},
  {"nomand", MAND, 0, 0},
  {"silent", SILENT, MS_SILENT, 0},
  {"loud", SILENT, 0, 0},
};

/* What each kind of mount takes. */
static const struct {
  unsigned groups;
  bool source, fstype, data;
} takes[] = {
  [FAR_MOUNT_NEW] = {OF_MOUNT | OF_FS | BIT(SILENT), true, true, true},
  [FAR_MOUNT_BIND] =
    {BIT(HOW) | BIT(PROPAGATION) | OF_MOUNT | BIT(SILENT), true, false, false},
  [FAR_MOUNT_MOVE] = {BIT(HOW) | BIT(SILENT), true, false, false},
  [FAR_MOUNT_REMOUNT] =
    {BIT(REMOUNT) | OF_MOUNT | OF_FS | BIT(SILENT), false, false, true},
  [FAR_MOUNT_REBIND] =
    {BIT(REMOUNT) | BIT(HOW) | OF_MOUNT | BIT(SILENT), false, false, false},
  [FAR_MOUNT_PROPAGATION] =
    {BIT(PROPAGATION) | BIT(SILENT), false, false, false},
};

/* What the words chose, one of each group. */
struct choice {
  const struct option *of[GROUPS];
};

static const struct option *find(const char *word, size_t length) {
  for (size_t i = 0; i < FAR_COUNT(options); i++)
    if (strlen(options[i].name) == length &&
        memcmp(options[i].name, word, length) == 0)
      return &options[i];
  return NULL;
}

/* mount(8) spells some as --make-rslave, with a word after "make-". */
static const struct option *find_make(const char *word, size_t length) {
  static const char make[] = "make-";
  size_t skip = sizeof make - 1;
  if (length <= skip || memcmp(word, make, skip) != 0)
    return find(word, length);
  const struct option *option = find(word + skip, length - skip);
  return option != NULL && option->group == PROPAGATION ? option : NULL;
}

static void choose(lua_State *L, struct choice *choice,
                   const struct option *option) {
  const struct option *other = choice->of[option->group];
  if (other != NULL && other->set != option->set)
    luaL_argerror(L, 4, lua_pushfstring(L, "'%s' contradicts '%s'",
                                        option->name, other->name));
  if (option->group != NOTHING)
    choice->of[option->group] = option;
}

/* A comma after a backslash belongs to the word. */
static size_t word_length(const char *list) {
  size_t n = 0;
  while (list[n] != '\0' && list[n] != ',')
    n += list[n] == '\\' && list[n + 1] != '\0' ? 2 : 1;
  return n;
}

/* Sorts the words of the joined options; leaves those that are no flags,
 * joined again, as a string on the stack. */
static const char *sort(lua_State *L, struct choice *choice,
                        const char *list) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  while (*list != '\0') {
    size_t length = word_length(list);
    const struct option *option = find_make(list, length);
    if (option != NULL) {
      choose(L, choice, option);
    } else if (length > 0) {
      if (luaL_bufflen(&b) > 0)
        luaL_addchar(&b, ',');
      luaL_addlstring(&b, list, length);
    }
    list += length + (list[length] == ',');
  }
  luaL_pushresult(&b);
  return lua_tostring(L, -1);
}

/* Adds the value on top, an option or several, to the string at `joined`. */
static void join(lua_State *L, int joined, int arg) {
  if (lua_type(L, -1) != LUA_TSTRING)
    luaL_argerror(L, arg, lua_pushfstring(L, "mount option expected, got %s",
                                          luaL_typename(L, -1)));
  size_t length;
  const char *word = lua_tolstring(L, -1, &length);
  const char *list = lua_tostring(L, joined);
  luaL_argcheck(L, strlen(word) == length, arg, "zero byte in an option");
  lua_pushfstring(L, "%s%s%s", list, *list != '\0' ? "," : "", word);
  lua_replace(L, joined);
  lua_pop(L, 1);
}

static void join_table(lua_State *L, int joined, int arg) {
  static const char *const none[] = {NULL};
  far_fields(L, arg, none, true);
  for (lua_Integer i = 1; lua_geti(L, arg, i) != LUA_TNIL; i++)
    join(L, joined, arg);
  lua_pop(L, 1);
}

/* Leaves all options, joined by commas, as a string on the stack. */
static const char *join_options(lua_State *L) {
  int top = lua_gettop(L), joined = top + 1;
  lua_pushliteral(L, "");
  for (int arg = 4; arg <= top; arg++) {
    if (lua_istable(L, arg)) {
      join_table(L, joined, arg);
    } else if (!lua_isnil(L, arg)) {
      lua_pushvalue(L, arg);
      join(L, joined, arg);
    }
  }
  return lua_tostring(L, joined);
}

static void decide(struct far_mount *m, const struct choice *choice) {
  const struct option *how = choice->of[HOW];
  const struct option *propagation = choice->of[PROPAGATION];
  if (choice->of[REMOUNT] != NULL) {
    bool rebind = how != NULL && how->set == MS_BIND;
    m->kind = rebind ? FAR_MOUNT_REBIND : FAR_MOUNT_REMOUNT;
    m->word = choice->of[REMOUNT]->name;
  } else if (how != NULL) {
    m->kind = how->set == MS_MOVE ? FAR_MOUNT_MOVE : FAR_MOUNT_BIND;
    m->word = how->name;
  } else if (propagation != NULL && m->fstype == NULL) {
    m->kind = FAR_MOUNT_PROPAGATION;
    m->word = propagation->name;
  }
}

static void check_groups(lua_State *L, const struct far_mount *m,
                         const struct choice *choice) {
  for (int group = 0; group < GROUPS; group++) {
    const struct option *option = choice->of[group];
    if (option == NULL || (takes[m->kind].groups & BIT(group)) != 0)
      continue;
    if (m->kind == FAR_MOUNT_NEW)
      luaL_argerror(L, 4, lua_pushfstring(L,
        "'%s' of a new mount is a call of its own: mount(nil, target, nil, "
        "\"%s\")", option->name, option->name));
    luaL_argerror(L, 4, lua_pushfstring(L, "'%s' means nothing with '%s'",
                                        option->name, m->word));
  }
}

static bool given(const char *name) {
  return name != NULL && strcmp(name, "none") != 0;
}

static void check_names(lua_State *L, const struct far_mount *m) {
  if (m->kind == FAR_MOUNT_NEW) {
    luaL_argcheck(L, m->fstype != NULL, 3,
                  "file system type expected, or an option such as 'bind'");
    return;
  }
  if (takes[m->kind].source && m->source == NULL)
    luaL_argerror(L, 1, lua_pushfstring(L, "source expected with '%s'",
                                        m->word));
  if (!takes[m->kind].source && given(m->source))
    luaL_argerror(L, 1, lua_pushfstring(L, "no source expected with '%s'",
                                        m->word));
  if (given(m->fstype))
    luaL_argerror(L, 3, lua_pushfstring(L,
      "no file system type expected with '%s'", m->word));
}

/* The kernel cuts data at a page and says nothing. */
static void check_data(lua_State *L, const struct far_mount *m) {
  if (m->data == NULL)
    return;
  if (!takes[m->kind].data)
    luaL_argerror(L, 4, lua_pushfstring(L, "unknown option '%s' with '%s'",
                                        m->data, m->word));
  long room = sysconf(_SC_PAGESIZE) - 1;
  if (strlen(m->data) > (size_t)room)
    luaL_argerror(L, 4, lua_pushfstring(L,
      "options longer than the %d bytes that mount(2) takes (see fsconfig)",
      (int)room));
}

/* Adds the flags of a word, and those of its group to what is cleared. */
static void add_flags(struct far_mount *m, const struct option *option) {
  m->set |= option->set;
  m->attr_set |= option->attr;
  for (size_t i = 0; i < FAR_COUNT(options); i++)
    if (options[i].group == option->group) {
      m->clear |= options[i].set;
      m->attr_clear |= options[i].attr;
    }
  if (option->group == ATIME)
    m->attr_clear |= MOUNT_ATTR__ATIME;
}

static void fill(struct far_mount *m, const struct choice *choice) {
  for (int group = RO; group < GROUPS; group++)
    if (choice->of[group] != NULL)
      add_flags(m, choice->of[group]);
  if (choice->of[PROPAGATION] != NULL)
    m->propagation = choice->of[PROPAGATION]->set;
  if (choice->of[HOW] != NULL)
    m->recursive = (choice->of[HOW]->set & MS_REC) != 0;
}

static const char *name_or_null(lua_State *L, int arg) {
  const char *name = lua_isnoneornil(L, arg) ? "" : far_path(L, arg);
  return *name != '\0' ? name : NULL;
}

void far_mount_check(lua_State *L, struct far_mount *m) {
  struct choice choice = {{NULL}};
  *m = (struct far_mount){
    .kind = FAR_MOUNT_NEW,
    .source = name_or_null(L, 1),
    .target = far_path(L, 2),
    .fstype = name_or_null(L, 3),
  };
  m->options = join_options(L);
  const char *data = sort(L, &choice, m->options);
  m->data = *data != '\0' ? data : NULL;
  decide(m, &choice);
  check_groups(L, m, &choice);
  check_data(L, m);
  check_names(L, m);
  fill(m, &choice);
}

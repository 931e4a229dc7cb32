/*
 * Words for numbers, both ways, and the other spellings that people know:
 * octal modes, "256M", "5ms". One parser each, used by every area.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "farside.h"

static const struct far_word *find(const struct far_word *words,
                                   const char *name, size_t length) {
  for (; words->name != NULL; words++)
    if (strlen(words->name) == length && memcmp(words->name, name, length) == 0)
      return words;
  return NULL;
}

/* "unknown namespace 'nett' (expected mnt, uts, ...)" */
static int unknown(lua_State *L, int index, const struct far_word *words,
                   const char *what, const char *name, size_t length) {
  luaL_Buffer b;
  lua_pushlstring(L, name, length);
  const char *offender = lua_tostring(L, -1);
  luaL_buffinit(L, &b);
  for (const struct far_word *w = words; w->name != NULL; w++) {
    luaL_addstring(&b, w == words ? "" : ", ");
    luaL_addstring(&b, w->name);
  }
  luaL_pushresult(&b);
  return luaL_argerror(L, index,
                       lua_pushfstring(L, "unknown %s '%s' (expected %s)",
                                       what, offender, lua_tostring(L, -1)));
}

static uint64_t parse(lua_State *L, int index, const struct far_word *words,
                      const char *what, const char *list) {
  uint64_t bits = 0;
  while (*list != '\0') {
    size_t length = strcspn(list, ",");
    const struct far_word *word = find(words, list, length);
    if (word == NULL)
      unknown(L, index, words, what, list, length);
    else
      bits |= word->bits;
    list += length + (list[length] == ',');
  }
  return bits;
}

static uint64_t parse_table(lua_State *L, int index,
                            const struct far_word *words, const char *what) {
  uint64_t bits = 0;
  for (lua_Integer i = 1; lua_geti(L, index, i) != LUA_TNIL; i++) {
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_argerror(L, index, lua_pushfstring(L, "%s expected, got %s", what,
                                              luaL_typename(L, -1)));
    bits |= parse(L, index, words, what, lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return bits;
}

uint64_t far_words(lua_State *L, int index, const struct far_word *words,
                   const char *what) {
  index = lua_absindex(L, index);
  if (lua_isinteger(L, index))
    return (uint64_t)lua_tointeger(L, index);
  if (lua_istable(L, index))
    return parse_table(L, index, words, what);
  if (lua_type(L, index) != LUA_TSTRING)
    luaL_typeerror(L, index, what);
  return parse(L, index, words, what, lua_tostring(L, index));
}

uint64_t far_words_rest(lua_State *L, int first, const struct far_word *words,
                        const char *what) {
  uint64_t bits = 0;
  for (int i = first; i <= lua_gettop(L); i++)
    bits |= far_words(L, i, words, what);
  return bits;
}

uint64_t far_word(lua_State *L, int index, const struct far_word *words,
                  const char *what) {
  size_t length;
  if (lua_isinteger(L, index))
    return (uint64_t)lua_tointeger(L, index);
  if (lua_type(L, index) != LUA_TSTRING)
    luaL_typeerror(L, index, what);
  const char *name = lua_tolstring(L, index, &length);
  const struct far_word *word = find(words, name, length);
  if (word == NULL)
    return (uint64_t)unknown(L, index, words, what, name, length);
  return word->bits;
}

void far_words_push(lua_State *L, uint64_t bits, const struct far_word *words) {
  lua_Integer n = 0;
  luaL_checkstack(L, 2, NULL);
  lua_newtable(L);
  for (; words->name != NULL; words++) {
    if (words->bits == 0 || (bits & words->bits) != words->bits)
      continue;
    lua_pushstring(L, words->name);
    lua_rawseti(L, -2, ++n);
    bits &= ~words->bits;
  }
}

const char *far_word_name(uint64_t bits, const struct far_word *words) {
  for (; words->name != NULL; words++)
    if (words->bits == bits)
      return words->name;
  return NULL;
}

mode_t far_mode(lua_State *L, int index, mode_t otherwise) {
  char *end;
  if (lua_isnoneornil(L, index))
    return otherwise;
  if (lua_isinteger(L, index)) {
    lua_Integer mode = lua_tointeger(L, index);
    luaL_argcheck(L, mode >= 0 && mode <= 07777, index, "mode out of range");
    return (mode_t)mode;
  }
  if (lua_type(L, index) != LUA_TSTRING)
    luaL_typeerror(L, index, "mode such as \"0755\"");
  const char *text = lua_tostring(L, index);
  unsigned long mode = strtoul(text, &end, 8);
  if (text[0] < '0' || text[0] > '7' || *end != '\0' || mode > 07777)
    luaL_argerror(L, index, lua_pushfstring(L,
      "bad mode '%s' (expected octal digits, such as \"0755\")", text));
  return (mode_t)mode;
}

bool far_size_of(const char *text, uint64_t *size) {
  static const char letters[] = "KMGT";
  char *end;
  errno = 0;
  unsigned long long n = strtoull(text, &end, 10);
  const char *unit = *end != '\0' ? strchr(letters, *end) : NULL;
  int shift = unit != NULL ? 10 * (int)(unit - letters + 1) : 0;
  bool whole = end[unit != NULL] == '\0';
  if (text[0] < '0' || text[0] > '9' || !whole || errno != 0 ||
      (shift != 0 && n > (UINT64_MAX >> shift)))
    return false;
  *size = (uint64_t)n << shift;
  return true;
}

uint64_t far_size(lua_State *L, int index) {
  uint64_t size;
  if (lua_isinteger(L, index)) {
    luaL_argcheck(L, lua_tointeger(L, index) >= 0, index, "negative size");
    return (uint64_t)lua_tointeger(L, index);
  }
  const char *text = luaL_checkstring(L, index);
  if (!far_size_of(text, &size))
    luaL_argerror(L, index, lua_pushfstring(L,
      "bad size '%s' (expected bytes, or a number with K, M, G or T)", text));
  return size;
}

static const struct far_word units[] = {
  {"ns", 1},
  {"us", 1000},
  {"ms", 1000000},
  {"s", 1000000000},
  {"m", 60000000000},
  {"h", 3600000000000},
  {"d", 86400000000000},
  {NULL, 0},
};

bool far_duration_of(const char *text, int64_t *ns) {
  char *end;
  double n = strtod(text, &end);
  const struct far_word *word = find(units, end, strlen(end));
  if (end == text || word == NULL)
    return false;
  n *= (double)word->bits;
  if (!(n >= -9.2e18 && n <= 9.2e18))
    return false;
  *ns = (int64_t)n;
  return true;
}

int64_t far_duration(lua_State *L, int index) {
  int64_t ns = 0;
  double seconds = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index)
                                                     : 0;
  bool good = lua_type(L, index) == LUA_TNUMBER
                ? seconds >= -9.2e9 && seconds <= 9.2e9
                : far_duration_of(luaL_checkstring(L, index), &ns);
  if (!good)
    luaL_argerror(L, index, lua_pushfstring(L,
      "bad time '%s' (expected seconds, or a number with ns, us, ms, s, m, h "
      "or d)", lua_tostring(L, index)));
  return lua_type(L, index) == LUA_TNUMBER ? (int64_t)(seconds * 1e9) : ns;
}

static bool listed(const char *name, const char *const names[]) {
  for (; *names != NULL; names++)
    if (strcmp(*names, name) == 0)
      return true;
  return false;
}

void far_fields(lua_State *L, int index, const char *const names[], bool list) {
  luaL_checktype(L, index, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    if (list && lua_isinteger(L, -2))
      continue;
    if (lua_type(L, -2) == LUA_TSTRING && listed(lua_tostring(L, -2), names))
      continue;
    lua_pushvalue(L, -2);
    luaL_argerror(L, index, lua_pushfstring(L, "unknown field '%s'",
                                            luaL_tolstring(L, -1, NULL)));
  }
}

bool far_field(lua_State *L, int arg, int table, const char *name) {
  int type = lua_getfield(L, table, name);
  lua_replace(L, arg);
  return type != LUA_TNIL;
}

const char *far_path(lua_State *L, int index) {
  size_t length;
  const char *path = luaL_checklstring(L, index, &length);
  luaL_argcheck(L, strlen(path) == length, index, "zero byte in a path");
  return path;
}

void far_at_most(lua_State *L, int count) {
  if (lua_gettop(L) > count)
    luaL_argerror(L, count + 1, "unexpected argument");
}

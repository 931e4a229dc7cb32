/*
 * Tables of fields: walking them both ways, and the codecs of plain values.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <string.h>

#include "netattr.h"

/* ---- walking ---- */

static const struct far_attr *find(const struct far_attr *attrs,
                                   const char *name) {
  for (; attrs != NULL && attrs->name != NULL; attrs++)
    if (attrs->name[0] == name[0] && attrs->only != FAR_READ &&
        strcmp(attrs->name, name) == 0)
      return attrs;
  return NULL;
}

/* The name of the key below the top; a list has "1" only. */
static const char *key(lua_State *L, const struct far_request *r) {
  if (lua_type(L, -2) == LUA_TSTRING)
    return lua_tostring(L, -2);
  if (lua_isinteger(L, -2) && lua_tointeger(L, -2) == 1)
    return "1";
  lua_pushvalue(L, -2);
  luaL_argerror(L, r->arg, lua_pushfstring(L, "unknown field '%s%s'",
                                           r->within,
                                           luaL_tolstring(L, -1, NULL)));
  return NULL;
}

static void put(lua_State *L, struct far_request *r, const struct far_attr *a) {
  if (a->only != FAR_TOLD)
    a->codec->put(L, r, a);
}

int far_put_table(lua_State *L, struct far_request *r, int index,
                  const struct far_attr *attrs,
                  const struct far_attr *others) {
  int left = 0;
  index = lua_absindex(L, index);
  luaL_checkstack(L, 8, NULL);
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    const char *name = key(L, r);
    const struct far_attr *a = find(attrs, name);
    if (a != NULL)
      put(L, r, a);
    else if (find(others, name) != NULL)
      left++;
    else
      luaL_argerror(L, r->arg, lua_pushfstring(L, "unknown field '%s%s'",
                                               r->within, name));
  }
  return left;
}

void far_put_some(lua_State *L, struct far_request *r, int index,
                  const struct far_attr *attrs) {
  index = lua_absindex(L, index);
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    const struct far_attr *a = find(attrs, key(L, r));
    if (a != NULL)
      put(L, r, a);
  }
}

void far_push_table(lua_State *L, const struct far_source *s,
                    const struct far_attr *attrs, struct nlattr *first,
                    int length) {
  enum { MOST = 128 };
  struct nlattr *tb[MOST + 1];
  luaL_checkstack(L, 8, NULL);
  if (nla_parse(tb, MOST, first, length, NULL) < 0)
    return;
  for (; attrs->name != NULL; attrs++) {
    struct nlattr *n = attrs->codec->header ? NULL : tb[attrs->type];
    if (attrs->only == FAR_WRITE || (n == NULL && !attrs->codec->header))
      continue;
    attrs->codec->push(L, s, attrs, n);
    lua_setfield(L, -2, attrs->name);
  }
}

void far_push_message(lua_State *L, const struct far_request *r,
                      const struct far_attr *attrs, struct nlmsghdr *h,
                      int header) {
  const struct far_source s = {r->nl, nlmsg_data(h)};
  lua_createtable(L, 0, 8);
  far_push_table(L, &s, attrs, nlmsg_attrdata(h, header),
                 nlmsg_attrlen(h, header));
}

/* ---- naming ---- */

/* Pushes the name of the attribute at `where`, behind what is on top. */
static bool push_name(lua_State *L, const struct far_attr *attrs,
                      struct nlattr *first, int left, const char *where) {
  for (struct nlattr *n = first; nla_ok(n, left); n = nla_next(n, &left)) {
    const char *begin = (const char *)n;
    if (where < begin || where >= begin + n->nla_len)
      continue;
    for (const struct far_attr *a = attrs; a != NULL && a->name; a++) {
      struct nlattr *inside;
      int length;
      if (a->codec->header || a->type == 0 || a->type != nla_type(n))
        continue;
      if (where == begin || a->codec->inner == NULL) {
        lua_pushfstring(L, "%s%s", lua_tostring(L, -1), a->name);
        return true;
      }
      const struct far_attr *inner = a->codec->inner(n, &inside, &length);
      if (a->codec->put != NULL && a->only != 0)
        lua_pushfstring(L, "%s.", a->name);
      return inner != NULL && push_name(L, inner, inside, length, where);
    }
  }
  return false;
}

void far_push_attribute(lua_State *L, const struct far_verb *verb,
                        const struct nlmsghdr *h, size_t offset) {
  int top = lua_gettop(L);
  lua_pushliteral(L, "");
  if (!push_name(L, verb->attrs, nlmsg_attrdata(h, verb->header),
                 nlmsg_attrlen(h, verb->header), (const char *)h + offset))
    lua_pushnil(L);
  lua_insert(L, top + 1);
  lua_settop(L, top + 1);
}

/* ---- complaints ---- */

int far_bad_value(lua_State *L, const struct far_request *r, const char *field,
                  const char *expected) {
  bool text = lua_type(L, -1) == LUA_TSTRING || lua_type(L, -1) == LUA_TNUMBER;
  const char *got = text ? lua_pushfstring(L, "'%s'", lua_tostring(L, -1))
                         : luaL_typename(L, -1);
  return luaL_argerror(L, r->arg, lua_pushfstring(L,
    "%s%s: %s expected, got %s", r->within, field, expected, got));
}

void far_need(lua_State *L, const struct far_request *r, int index,
              const char *field) {
  if (lua_getfield(L, index, field) == LUA_TNIL)
    far_bad_value(L, r, field, "string");
  lua_pop(L, 1);
}

void far_request_table(lua_State *L, struct far_request *r,
                       const struct far_verb *call) {
  far_at_most(L, 1);
  luaL_checktype(L, 1, LUA_TTABLE);
  far_request(L, r, call);
}

void far_request_list(lua_State *L, struct far_request *r,
                      const struct far_verb *call,
                      const struct far_attr *filters) {
  far_at_most(L, 1);
  lua_settop(L, 1);
  far_request(L, r, call);
  if (lua_isnil(L, 1))
    return;
  luaL_checktype(L, 1, LUA_TTABLE);
  far_put_table(L, r, 1, filters, NULL);
}

/* ---- where a value is: in an attribute or in the header ---- */

static void place(lua_State *L, struct far_request *r, const struct far_attr *a,
                  const void *data, size_t size) {
  if (a->codec->header)
    memcpy((char *)far_header(r) + a->type, data, size);
  else
    far_put(L, r, a->type, data, size);
}

/* NULL when the attribute is too short. */
static const void *data_of(const struct far_source *s, const struct far_attr *a,
                           struct nlattr *n) {
  if (a->codec->header)
    return (const char *)s->header + a->type;
  return nla_len(n) >= a->codec->size ? nla_data(n) : NULL;
}

/* ---- numbers ---- */

static void place_number(lua_State *L, struct far_request *r,
                         const struct far_attr *a, lua_Integer n) {
  const struct far_codec *c = a->codec;
  uint64_t bytes = c->big_endian ? htobe64((uint64_t)n << (64 - 8 * c->size))
                                 : htole64((uint64_t)n);
  if (!c->big_endian && htole16(1) != 1)
    bytes = (uint64_t)n << (64 - 8 * c->size); /* the bytes that come first */
  place(L, r, a, &bytes, c->size);
}

/* False when the attribute is too short. */
static bool number_of(const struct far_source *s, const struct far_attr *a,
                      struct nlattr *n, lua_Integer *result) {
  const struct far_codec *c = a->codec;
  const void *data = data_of(s, a, n);
  uint64_t bytes = 0;
  if (data == NULL)
    return false;
  memcpy(&bytes, data, c->size);
  int spare = 64 - 8 * c->size;
  if (c->big_endian || htole16(1) != 1)
    bytes = be64toh(bytes) >> spare;
  *result = (lua_Integer)bytes;
  if (c->is_signed) /* the sign goes up to the top, and comes down again */
    *result = (int64_t)(bytes << spare) >> spare;
  return true;
}

lua_Integer far_integer(lua_State *L, const struct far_request *r,
                        const char *field, lua_Integer least,
                        lua_Integer most) {
  int whole;
  lua_Integer n = lua_tointegerx(L, -1, &whole);
  if (lua_type(L, -1) == LUA_TNUMBER && whole && n >= least && n <= most)
    return n;
  lua_pushfstring(L, "integer from %I to %I", (LUAI_UACINT)least,
                  (LUAI_UACINT)most);
  lua_insert(L, -2);
  return far_bad_value(L, r, field, lua_tostring(L, -2));
}

static lua_Integer check_number(lua_State *L, struct far_request *r,
                                const struct far_attr *a) {
  const struct far_codec *c = a->codec;
  int bits = 8 * c->size - c->is_signed;
  lua_Integer most = bits >= 63 ? INT64_MAX : ((lua_Integer)1 << bits) - 1;
  return far_integer(L, r, a->name, c->is_signed ? -most - 1 : 0, most);
}

lua_Integer far_integer_in(lua_State *L, const struct far_request *r,
                           const char *field, lua_Integer most) {
  lua_getfield(L, -1, field);
  lua_Integer n = far_integer(L, r, field, 0, most);
  lua_pop(L, 1);
  return n;
}

static void put_number(lua_State *L, struct far_request *r,
                       const struct far_attr *a) {
  place_number(L, r, a, check_number(L, r, a));
}

static void push_number(lua_State *L, const struct far_source *s,
                        const struct far_attr *a, struct nlattr *n) {
  lua_Integer value;
  if (number_of(s, a, n, &value))
    lua_pushinteger(L, value);
  else
    lua_pushnil(L);
}

#define NUMBER .put = put_number, .push = push_number
const struct far_codec far_u8 = {NUMBER, .size = 1};
const struct far_codec far_u16 = {NUMBER, .size = 2};
const struct far_codec far_u32 = {NUMBER, .size = 4};
const struct far_codec far_s32 = {NUMBER, .size = 4, .is_signed = true};
const struct far_codec far_u64 = {NUMBER, .size = 8};
const struct far_codec far_be16 = {NUMBER, .size = 2, .big_endian = true};
const struct far_codec far_be32 = {NUMBER, .size = 4, .big_endian = true};
const struct far_codec far_head_u8 = {NUMBER, .size = 1, .header = true};
const struct far_codec far_head_u32 = {NUMBER, .size = 4, .header = true};
const struct far_codec far_head_s32 = {
  NUMBER, .size = 4, .is_signed = true, .header = true,
};

static void push_ticks(lua_State *L, const struct far_source *s,
                       const struct far_attr *a, struct nlattr *n) {
  lua_Integer ticks = 0;
  (void)number_of(s, a, n, &ticks);
  lua_pushnumber(L, (lua_Number)ticks / 100); /* USER_HZ */
}

const struct far_codec far_ticks = {.push = push_ticks, .size = 8};

uint32_t far_seconds(lua_State *L, const struct far_request *r,
                     const char *field) {
  double seconds = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
  int64_t ns;
  if (lua_type(L, -1) == LUA_TSTRING &&
      far_duration_of(lua_tostring(L, -1), &ns))
    seconds = (double)ns / 1e9;
  if (!(seconds >= 0 && seconds <= UINT32_MAX))
    far_bad_value(L, r, field, "seconds, or a time such as \"1h\",");
  return (uint32_t)seconds;
}

/* ---- yes and no ---- */

static void put_flag(lua_State *L, struct far_request *r,
                     const struct far_attr *a) {
  if (!lua_isboolean(L, -1))
    far_bad_value(L, r, a->name, "boolean");
  place_number(L, r, a, lua_toboolean(L, -1));
}

static void push_flag(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  lua_Integer value = 0;
  (void)number_of(s, a, n, &value); /* too short is no */
  lua_pushboolean(L, value != 0);
}

static void put_switch(lua_State *L, struct far_request *r,
                       const struct far_attr *a) {
  (lua_isboolean(L, -1) ? put_flag : put_number)(L, r, a);
}

static void put_present(lua_State *L, struct far_request *r,
                        const struct far_attr *a) {
  if (!lua_isboolean(L, -1))
    far_bad_value(L, r, a->name, "boolean");
  if (lua_toboolean(L, -1))
    far_put(L, r, a->type, "", 0);
}

static void push_present(lua_State *L, const struct far_source *s,
                         const struct far_attr *a, struct nlattr *n) {
  (void)s, (void)a, (void)n;
  lua_pushboolean(L, true);
}

const struct far_codec far_flag = {put_flag, push_flag, .size = 1};
const struct far_codec far_switch = {put_switch, push_number, .size = 1};
const struct far_codec far_switch32 = {put_switch, push_number, .size = 4};
const struct far_codec far_present = {put_present, push_present, .size = 0};

/* ---- words ---- */

uint64_t far_word_of(lua_State *L, const struct far_request *r,
                     const char *field, const struct far_word *words) {
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  const struct far_word *w = words;
  while (w->name != NULL && strcmp(w->name, text) != 0)
    w++;
  if (w->name != NULL)
    return w->bits;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (w = words; w->name != NULL; w++) {
    luaL_addstring(&b, w == words ? "" : w[1].name == NULL ? " or " : ", ");
    luaL_addstring(&b, w->name);
  }
  luaL_pushresult(&b);
  lua_insert(L, -2);
  return (uint64_t)far_bad_value(L, r, field, lua_tostring(L, -2));
}

uint64_t far_words_of(lua_State *L, const struct far_request *r,
                      const char *field, const struct far_word *words) {
  uint64_t bits = 0;
  if (!lua_istable(L, -1))
    far_bad_value(L, r, field, "list");
  for (lua_Integer i = 1; lua_geti(L, -1, i) != LUA_TNIL; i++) {
    bits |= far_word_of(L, r, field, words);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return bits;
}

static void put_word(lua_State *L, struct far_request *r,
                     const struct far_attr *a) {
  if (lua_type(L, -1) == LUA_TNUMBER)
    put_number(L, r, a);
  else
    place_number(L, r, a, (lua_Integer)far_word_of(L, r, a->name, a->more));
}

static void push_word(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  push_number(L, s, a, n);
  const char *name =
    lua_isnil(L, -1) ? NULL
                     : far_word_name((uint64_t)lua_tointeger(L, -1), a->more);
  if (name == NULL)
    return;
  lua_pop(L, 1);
  lua_pushstring(L, name);
}

#define WORD .put = put_word, .push = push_word
const struct far_codec far_word8 = {WORD, .size = 1};
const struct far_codec far_word16 = {WORD, .size = 2};
const struct far_codec far_be_word16 = {WORD, .size = 2, .big_endian = true};
const struct far_codec far_word32 = {WORD, .size = 4};
const struct far_codec far_head_word = {WORD, .size = 1, .header = true};
const struct far_codec far_head_word16 = {WORD, .size = 2, .header = true};

static void push_bits(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  lua_Integer bits = 0;
  (void)number_of(s, a, n, &bits);
  far_words_push(L, (uint64_t)bits, a->more);
}

#define BITS .push = push_bits, .header = true
const struct far_codec far_head_bits8 = {BITS, .size = 1};
const struct far_codec far_head_bits32 = {BITS, .size = 4};

/* ---- strings ---- */

static void put_text(lua_State *L, struct far_request *r,
                     const struct far_attr *a) {
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  if (lua_type(L, -1) != LUA_TSTRING)
    far_bad_value(L, r, a->name, "string");
  if (strlen(text) != length || length > 255)
    far_bad_value(L, r, a->name, "string of at most 255 bytes, none zero,");
  far_put(L, r, a->type, text, length + 1);
}

static void push_text(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  (void)s, (void)a;
  lua_pushlstring(L, nla_data(n), strnlen(nla_data(n), (size_t)nla_len(n)));
}

const struct far_codec far_text = {put_text, push_text, .size = 0};

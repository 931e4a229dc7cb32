/*
 * Codecs of addresses: links by name, link-layer addresses, IPv4 and IPv6.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>

#include "netattr.h"

/* ---- links ---- */

/* Where the index stands in the request. */
static void *index_at(lua_State *L, struct far_request *r,
                      const struct far_attr *a) {
  static const int32_t none = 0;
  if (a->codec->header)
    return (char *)far_header(r) + a->type;
  far_put(L, r, a->type, &none, sizeof none);
  return r->bytes + r->head.nlmsg_len - sizeof none;
}

static void put_link(lua_State *L, struct far_request *r,
                     const struct far_attr *a) {
  int32_t index = 0;
  void *at = index_at(L, r, a);
  if (lua_type(L, -1) == LUA_TSTRING) {
    far_put_index(L, r, at, far_link_check(L, r, a->name));
    return;
  }
  if (lua_isinteger(L, -1))
    index = (int32_t)lua_tointeger(L, -1);
  else if (!lua_isboolean(L, -1) || lua_toboolean(L, -1))
    far_bad_value(L, r, a->name, "name or index of a link");
  memcpy(at, &index, sizeof index); /* 0, or false: none */
}

static int32_t index_of(const struct far_source *s, const struct far_attr *a,
                        struct nlattr *n) {
  int32_t index = 0;
  if (a->codec->header)
    memcpy(&index, (const char *)s->header + a->type, sizeof index);
  else if (nla_len(n) >= (int)sizeof index)
    memcpy(&index, nla_data(n), sizeof index);
  return index;
}

static void push_link(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  char name[IFNAMSIZ];
  int32_t index = index_of(s, a, n);
  if (index == 0)
    lua_pushnil(L);
  else if (far_link_name(s->nl->fd, index, name) != NULL)
    lua_pushstring(L, name);
  else
    lua_pushfstring(L, "if%d", index); /* it has gone; ip writes it so */
}

static void push_link_at(lua_State *L, const struct far_source *s,
                         const struct far_attr *a, struct nlattr *n) {
  int32_t index = index_of(s, a, n);
  if (index != 0)
    lua_pushinteger(L, index);
  else
    lua_pushnil(L);
}

const struct far_codec far_link = {put_link, push_link, .size = 4};
const struct far_codec far_link_at = {put_link, push_link_at, .size = 4};
const struct far_codec far_head_link = {
  put_link, push_link, .size = 4, .header = true,
};
const struct far_codec far_head_link_at = {
  put_link, push_link_at, .size = 4, .header = true,
};

void far_push_on(lua_State *L, const struct far_request *r, int link) {
  char name[IFNAMSIZ];
  if (far_link_name(r->nl->fd, link, name) == NULL)
    snprintf(name, sizeof name, "%d", link);
  lua_pushfstring(L, "%s on %s", lua_tostring(L, -1), name);
  lua_remove(L, -2);
}

static bool good_name(const char *name, size_t length, size_t longest) {
  return length > 0 && length <= longest && strlen(name) == length &&
         strpbrk(name, "/: \t\n\v\f\r") == NULL && strcmp(name, ".") != 0 &&
         strcmp(name, "..") != 0;
}

static const char *check_name(lua_State *L, const struct far_request *r,
                              const char *field, size_t longest) {
  size_t length;
  const char *name = lua_tolstring(L, -1, &length);
  if (lua_type(L, -1) != LUA_TSTRING)
    far_bad_value(L, r, field, "link name");
  if (!good_name(name, length, longest))
    luaL_argerror(L, r->arg, lua_pushfstring(L,
      "bad link name '%s' (expected 1 to %d bytes, no '/', no ':', no space)",
      name, (int)longest));
  return name;
}

const char *far_link_check(lua_State *L, const struct far_request *r,
                           const char *field) {
  return check_name(L, r, field, FAR_LONGEST);
}

/* A new name, which the kernel would cut without a word were it longer. */
static void put_name(lua_State *L, struct far_request *r,
                     const struct far_attr *a) {
  const char *name = check_name(L, r, a->name, IFNAMSIZ - 1);
  far_put(L, r, a->type, name, strlen(name) + 1);
}

static void push_name(lua_State *L, const struct far_source *s,
                      const struct far_attr *a, struct nlattr *n) {
  far_text.push(L, s, a, n);
}

const struct far_codec far_name = {put_name, push_name, .size = 0};

/* ---- link-layer addresses ---- */

enum { LONGEST_LLADDR = 32 };

/* Bytes from "02:00:00:00:00:01", or 0. */
static size_t parse_lladdr(const char *text, uint8_t *bytes) {
  static const char digits[] = "0123456789abcdefABCDEF";
  size_t count = 0;
  do {
    unsigned byte;
    if (strspn(text, digits) != 2 || count == LONGEST_LLADDR ||
        sscanf(text, "%2x", &byte) != 1)
      return 0;
    bytes[count++] = (uint8_t)byte;
    text += 2;
  } while (*text++ == ':');
  return text[-1] == '\0' ? count : 0;
}

static void put_lladdr(lua_State *L, struct far_request *r,
                       const struct far_attr *a) {
  uint8_t bytes[LONGEST_LLADDR];
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  size_t length = parse_lladdr(text, bytes);
  if (length == 0)
    far_bad_value(L, r, a->name, "address such as \"02:00:00:00:00:01\"");
  far_put(L, r, a->type, bytes, length);
}

static void push_lladdr(lua_State *L, const struct far_source *s,
                        const struct far_attr *a, struct nlattr *n) {
  (void)s, (void)a;
  char text[3 * LONGEST_LLADDR + 1] = "";
  const uint8_t *bytes = nla_data(n);
  for (int i = 0; i < nla_len(n) && i < LONGEST_LLADDR; i++)
    snprintf(text + 3 * i - (i > 0), 4, i > 0 ? ":%02x" : "%02x", bytes[i]);
  lua_pushstring(L, text);
}

const struct far_codec far_lladdr = {put_lladdr, push_lladdr, .size = 0};

/* ---- IP addresses ---- */

unsigned far_ip_bits(const struct far_address *ip) {
  return ip->family == AF_INET ? 32 : 128;
}

size_t far_ip_size(const struct far_address *ip) {
  return ip->family == AF_INET ? 4 : 16;
}

/* The length behind a slash: digits, no more than the family has bits. */
static bool parse_length(const char *text, struct far_address *ip) {
  unsigned length = 0;
  if (*text == '\0' || strlen(text) > 3)
    return false;
  for (; *text >= '0' && *text <= '9'; text++)
    length = 10 * length + (unsigned)(*text - '0');
  ip->length = (uint8_t)length;
  return *text == '\0' && length <= far_ip_bits(ip);
}

bool far_ip_parse(const char *text, struct far_address *ip) {
  char bare[INET6_ADDRSTRLEN];
  const char *slash = strchr(text, '/');
  if (slash != NULL) {
    size_t length = (size_t)(slash - text);
    if (length >= sizeof bare)
      return false;
    memcpy(bare, text, length);
    bare[length] = '\0';
    text = bare;
  }
  ip->family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
  ip->length = FAR_WHOLE;
  return inet_pton(ip->family, text, ip->bytes) == 1 &&
         (slash == NULL || parse_length(slash + 1, ip));
}

void far_ip_push(lua_State *L, int family, const void *bytes, int length) {
  char text[INET6_ADDRSTRLEN];
  if (inet_ntop(family, bytes, text, sizeof text) == NULL)
    lua_pushnil(L);
  else if (length == FAR_WHOLE)
    lua_pushstring(L, text);
  else
    lua_pushfstring(L, "%s/%d", text, length);
}

/* The first address decides which family the request is of. */
void far_family(lua_State *L, struct far_request *r, const char *field,
                int family) {
  uint8_t *of_request = far_header(r);
  if (*of_request != AF_UNSPEC && *of_request != family)
    luaL_argerror(L, r->arg, lua_pushfstring(L,
      "%s%s: an address of the family of the others expected, got '%s'",
      r->within, field, lua_tostring(L, -1)));
  *of_request = (uint8_t)family;
}

static const struct far_word families[] = {
  {"inet", AF_INET}, {"inet6", AF_INET6}, {NULL, 0},
};

static void put_family(lua_State *L, struct far_request *r,
                       const struct far_attr *a) {
  far_family(L, r, a->name, (int)far_word_of(L, r, a->name, families));
}

static void push_family(lua_State *L, const struct far_source *s,
                        const struct far_attr *a, struct nlattr *n) {
  (void)a, (void)n;
  const char *name = far_word_name(*(const uint8_t *)s->header, families);
  lua_pushstring(L, name != NULL ? name : "unspec");
}

const struct far_codec far_head_family = {
  put_family, push_family, .size = 1, .header = true,
};

struct far_address far_ip_check(lua_State *L, struct far_request *r,
                                const char *field, bool prefix) {
  struct far_address ip = {0};
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  if (!far_ip_parse(text, &ip) || (!prefix && ip.length != FAR_WHOLE))
    far_bad_value(L, r, field, prefix
      ? "address such as \"10.0.0.1/24\" or \"fd00::1/64\""
      : "address such as \"10.0.0.1\" or \"fd00::1\"");
  far_family(L, r, field, ip.family);
  return ip;
}

static void put_ip(lua_State *L, struct far_request *r,
                   const struct far_attr *a) {
  struct far_address ip = far_ip_check(L, r, a->name, false);
  far_put(L, r, a->type, ip.bytes, far_ip_size(&ip));
}

static void push_ip(lua_State *L, const struct far_source *s,
                    const struct far_attr *a, struct nlattr *n) {
  (void)s, (void)a;
  int family = nla_len(n) == 4 ? AF_INET : AF_INET6;
  if (nla_len(n) == 4 || nla_len(n) == 16)
    far_ip_push(L, family, nla_data(n), FAR_WHOLE);
  else
    lua_pushnil(L);
}

const struct far_codec far_ip = {put_ip, push_ip, .size = 0};

/* An address whose family is its own affair; `more` is the attribute for IPv6
 * where that is another. */
static void put_end(lua_State *L, struct far_request *r,
                    const struct far_attr *a) {
  struct far_address ip = {0};
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  if (!far_ip_parse(text, &ip) || ip.length != FAR_WHOLE)
    far_bad_value(L, r, a->name, "address such as \"10.0.0.1\" or \"fd00::1\"");
  int type = a->more != NULL && ip.family == AF_INET6 ? *(const int *)a->more
                                                      : a->type;
  far_put(L, r, type, ip.bytes, far_ip_size(&ip));
}

/* No address at all is told as "any", as ip does. */
static void push_end(lua_State *L, const struct far_source *s,
                     const struct far_attr *a, struct nlattr *n) {
  static const uint8_t any[16];
  if (nla_len(n) <= 16 && memcmp(nla_data(n), any, (size_t)nla_len(n)) == 0)
    lua_pushliteral(L, "any");
  else
    far_ip.push(L, s, a, n);
}

const struct far_codec far_end = {put_end, push_end, .size = 4};

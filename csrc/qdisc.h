/* Queueing disciplines and their classes: what the kinds have of their own. */
#ifndef FARSIDE_QDISC_H
#define FARSIDE_QDISC_H

#include "netattr.h"

/* The options of a kind: within TCA_OPTIONS. */
struct far_qdisc {
  const char *name;
  const struct far_attr *attrs;
  size_t header; /* bytes of the structure that they begin with, or 0 */
  /* Puts what depends on several fields of the table; or NULL. */
  void (*complete)(lua_State *L, struct far_request *r, int table);
  /* Pushes what lists tell, a table; NULL: the fields. */
  void (*push)(lua_State *L, const struct far_source *s, struct nlattr *n);
};

/* NULL for a kind of which nothing but its name is known. */
const struct far_qdisc *far_qdisc_find(const char *name);
const struct far_qdisc *far_class_find(const char *name);

extern const struct far_attr far_netem_attrs[], far_tbf_attrs[],
  far_htb_attrs[], far_htb_class_attrs[];

void far_netem_push(lua_State *L, const struct far_source *s,
                    struct nlattr *n);
void far_tbf_complete(lua_State *L, struct far_request *r, int table);
void far_tbf_push(lua_State *L, const struct far_source *s, struct nlattr *n);
void far_htb_complete(lua_State *L, struct far_request *r, int table);
void far_htb_push(lua_State *L, const struct far_source *s, struct nlattr *n);
void far_htb_class_complete(lua_State *L, struct far_request *r, int table);
void far_htb_class_push(lua_State *L, const struct far_source *s,
                        struct nlattr *n);

/* A field that a function above puts. */
extern const struct far_codec far_later;

/* Bytes a second, from the value on top: bits a second, or "10mbit". */
uint64_t far_rate(lua_State *L, const struct far_request *r,
                  const char *field);

/* A share of 2^32, from "1.5%". */
uint32_t far_percent(lua_State *L, const struct far_request *r,
                     const char *field);

/* Bytes, from the value on top: a number, or "32K". */
uint32_t far_bytes(lua_State *L, const struct far_request *r,
                   const char *field);

/* Nanoseconds, from "5ms" or a number of seconds. */
int64_t far_delay(lua_State *L, const struct far_request *r,
                  const char *field);

#endif

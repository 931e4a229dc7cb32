/*
 * The Lua files of the library, compiled, inside the driver. The table is
 * written by scripts/dev/embed.lua, sorted by name for bsearch(3).
 */
#ifndef FARSIDE_EMBEDDED_H
#define FARSIDE_EMBEDDED_H

#include <stddef.h>

#include <lua.h>

struct farside_embedded {
  const char *name; /* of the module: "farside.plan" */
  const char *data; /* its bytecode */
  size_t size;
};

extern const struct farside_embedded farside_embedded[];
extern const size_t farside_embedded_count;

/* The module of that name, or NULL. */
const struct farside_embedded *embedded_find(const char *name);

/* Makes every module known to package.preload, and makes the globals `ns`
 * and `farside`. Nothing is loaded by this. */
void embedded_open(lua_State *L);

#endif

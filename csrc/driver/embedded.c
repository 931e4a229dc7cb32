/*
 * The library inside the driver. package.preload answers for each module
 * through a metatable, so that a start costs the same however many there are
 * and undumps nothing.
 *
 * The globals `ns` and `farside` are one table that stays empty until it is
 * first used. What `require "farside"` answers is this same table, filled
 * from the module and with the module's metatable, so there is one library
 * whichever way it was reached, and nothing in between afterwards.
 */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "driver.h"
#include "embedded.h"

extern int luaopen_farside_core(lua_State *L);

/* Its address is the key of the table in the registry. */
static const char library_key = 0;

static int compare(const void *name, const void *module) {
  return strcmp(name, ((const struct farside_embedded *)module)->name);
}

const struct farside_embedded *embedded_find(const char *name) {
  return bsearch(name, farside_embedded, farside_embedded_count,
                 sizeof *farside_embedded, compare);
}

/* The loader of every module: gets its name from require. */
static int load_module(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  const struct farside_embedded *module = embedded_find(name);
  if (!module)
    return luaL_error(L, "module '%s' is not in this program", name);
  lua_settop(L, 2);
  if (luaL_loadbufferx(L, module->data, module->size, name, "b") != LUA_OK)
    return lua_error(L);
  lua_insert(L, 1);
  lua_call(L, 2, 1);
  return 1;
}

/* Copies the module at index 1 into the library's table at 2. What a script
 * has put there before the first use stays. */
static void fill(lua_State *L) {
  for (lua_pushnil(L); lua_next(L, 1); lua_settop(L, 3)) {
    lua_pushvalue(L, 3);
    if (lua_rawget(L, 2) == LUA_TNIL) {
      lua_pushvalue(L, 3);
      lua_pushvalue(L, 4);
      lua_rawset(L, 2);
    }
  }
  if (!lua_getmetatable(L, 1))
    lua_pushnil(L);
  lua_setmetatable(L, 2);
}

/* The loader of "farside" itself. */
static int load_library(lua_State *L) {
  load_module(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &library_key);
  fill(L);
  return 1;
}

/* Replaces the table at index 1 by the loaded library. It is the same one
 * unless the script has set package.loaded.farside. */
static void load_now(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "farside");
  lua_call(L, 1, 1);
  lua_replace(L, 1);
}

static int lazy_index(lua_State *L) {
  load_now(L);
  lua_gettable(L, 1);
  return 1;
}

static int next_pair(lua_State *L) {
  lua_settop(L, 2);
  return lua_next(L, 1) ? 2 : 0;
}

static int lazy_pairs(lua_State *L) {
  load_now(L);
  if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
    lua_insert(L, 1);
    lua_call(L, 1, 3);
    return 3;
  }
  lua_pushcfunction(L, next_pair);
  lua_insert(L, 1);
  return 2;
}

static const luaL_Reg lazy[] = {
  { "__index", lazy_index },
  { "__pairs", lazy_pairs },
  { NULL, NULL },
};

static void make_globals(lua_State *L) {
  lua_createtable(L, 0, 0);
  luaL_newlib(L, lazy);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_setglobal(L, "ns");
  lua_pushvalue(L, -1);
  lua_setglobal(L, "farside");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &library_key);
}

/* package.preload[name] for a name that no script has put there. */
static int preload_index(lua_State *L) {
  const char *name = lua_tostring(L, 2);
  if (!name)
    return 0;
  if (strcmp(name, "farside.core") == 0)
    lua_pushcfunction(L, luaopen_farside_core);
  else if (strcmp(name, "farside.prompt") == 0)
    lua_pushcfunction(L, driver_open_prompt);
  else if (!embedded_find(name))
    return 0;
  else if (strcmp(name, "farside") == 0)
    lua_pushcfunction(L, load_library);
  else
    lua_pushcfunction(L, load_module);
  return 1;
}

void embedded_open(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, preload_index);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
  make_globals(L);
}

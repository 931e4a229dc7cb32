/*
 * A Lua module whose state has no memory when it is told to: what
 * scripts/dev/fault/memory.lua looks with how the core's functions take that.
 */
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdlib.h>

int luaopen_starve(lua_State *L);

/* Of one state; it stands in for the allocator that the state has. */
static struct {
  lua_Alloc allocate;
  void *userdata;
  long left;    /* allocations that still succeed */
  long failing; /* those that fail then; a second try is one more */
  long failed;
} memory;

static void *allocate(void *ud, void *block, size_t old, size_t new) {
  bool grows = new > 0 && (block == NULL || new > old);
  (void)ud;
  if (grows && memory.left-- <= 0 && memory.failing-- > 0) {
    memory.failed++;
    return NULL;
  }
  return memory.allocate(memory.userdata, block, old, new);
}

/* arm(LEFT, FAILING): after LEFT more allocations FAILING ones fail. */
static int arm(lua_State *L) {
  memory.left = (long)luaL_checkinteger(L, 1);
  memory.failing = (long)luaL_checkinteger(L, 2);
  memory.failed = 0;
  memory.allocate = lua_getallocf(L, &memory.userdata);
  lua_setallocf(L, allocate, NULL);
  return 0;
}

/* disarm(): how many have failed. */
static int disarm(lua_State *L) {
  lua_setallocf(L, memory.allocate, memory.userdata);
  lua_pushinteger(L, memory.failed);
  return 1;
}

int luaopen_starve(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"arm", arm}, {"disarm", disarm}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}

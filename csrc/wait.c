/*
 * Waiting with a limit: one clock, one way to say when it is over, one poll(2)
 * that lets Lua's hook (^C) run in between.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <time.h>

#include "farside.h"

int64_t far_now(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t far_deadline(lua_State *L, int index) {
  if (lua_isnoneornil(L, index))
    return -1;
  int64_t limit = far_duration(L, index), start = limit > 0 ? far_now() : 0;
  luaL_argcheck(L, limit >= 0, index, "negative time");
  return limit > INT64_MAX - start ? INT64_MAX : start + limit;
}

int far_poll(lua_State *L, struct pollfd *p, nfds_t count, int64_t deadline) {
  for (;;) {
    int64_t left = deadline <= 0 ? 0 : deadline - far_now();
    left = left < 0 ? 0 : left;
    struct timespec t = {left / 1000000000, left % 1000000000};
    int ready = ppoll(p, count, deadline < 0 ? NULL : &t, NULL);
    if (ready != -1)
      return ready;
    if (errno != EINTR)
      return far_check(L, -1, "poll", NULL);
    far_interrupted(L);
  }
}

/*
 * Locks on open files, which end with the last descriptor of the open file:
 * nobody's death leaves one behind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/file.h>

#include "farside.h"

static const struct far_word words[] = {
  {"shared", LOCK_SH},
  {"exclusive", LOCK_EX},
  {"unlock", LOCK_UN},
  {"nonblock", LOCK_NB},
  {NULL, 0},
};

/***
Takes or gives back a lock on an open file, and waits for others to give
theirs back.
@function flock
@tparam fd fd
@tparam string words "shared", "exclusive" or "unlock"; with "nonblock" it
does not wait
@treturn boolean false when it would have had to wait
@raise EBADF for an O_PATH descriptor. See flock(2).
*/
static int bind_flock(lua_State *L) {
  int fd = far_fd_check(L, 1);
  int operation = (int)far_words(L, 2, words, "lock");
  far_at_most(L, 2);
  int result;
  while ((result = flock(fd, operation)) == -1 && errno == EINTR)
    far_interrupted(L);
  if (result == -1 && errno != EWOULDBLOCK)
    return far_check(L, -1, "flock", NULL);
  lua_pushboolean(L, result == 0);
  return 1;
}

static const luaL_Reg functions[] = {
  {"flock", bind_flock},
  {NULL, NULL},
};

void far_open_lock(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

/*
 * Being told of what happens to files, instead of looking again and again.
 */
#define _GNU_SOURCE
#include <sys/inotify.h>

#include "farside.h"

static const struct far_word events[] = {
  {"access", IN_ACCESS},           {"attrib", IN_ATTRIB},
  {"close_write", IN_CLOSE_WRITE}, {"close_nowrite", IN_CLOSE_NOWRITE},
  {"create", IN_CREATE},           {"delete", IN_DELETE},
  {"delete_self", IN_DELETE_SELF}, {"modify", IN_MODIFY},
  {"move_self", IN_MOVE_SELF},     {"moved_from", IN_MOVED_FROM},
  {"moved_to", IN_MOVED_TO},       {"open", IN_OPEN},
  {"onlydir", IN_ONLYDIR},         {"dont_follow", IN_DONT_FOLLOW},
  {"oneshot", IN_ONESHOT},         {"excl_unlink", IN_EXCL_UNLINK},
  {NULL, 0},
};

/***
Makes a descriptor that is ready when something has happened to what it
watches; what is read from it are the events, as inotify(7) has them.
@function inotify_init
@treturn fd
@raise EMFILE when the user has too many. See inotify_init1(2).
*/
static int bind_inotify_init(lua_State *L) {
  far_at_most(L, 0);
  int *fd = far_fd_new(L);
  *fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  far_check(L, *fd, "inotify_init", NULL);
  return 1;
}

/***
Has a file or a directory watched.
@function inotify_add_watch
@tparam fd fd from inotify_init
@tparam string path
@tparam string ... events: "modify,move_self", and "onlydir", "dont_follow",
"oneshot", "excl_unlink"
@treturn int the watch, the same when the file is watched already
@raise ENOSPC when the user has too many. See inotify_add_watch(2).
*/
static int bind_inotify_add_watch(lua_State *L) {
  int fd = far_fd_check(L, 1);
  const char *path = far_path(L, 2);
  uint32_t mask = (uint32_t)far_words_rest(L, 3, events, "event");
  int watch = inotify_add_watch(fd, path, mask);
  far_check(L, watch, "inotify_add_watch", path);
  lua_pushinteger(L, watch);
  return 1;
}

static const luaL_Reg functions[] = {
  {"inotify_init", bind_inotify_init},
  {"inotify_add_watch", bind_inotify_add_watch},
  {NULL, NULL},
};

void far_open_inotify(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

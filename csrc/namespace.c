/*
 * Namespaces: the one table of kinds.
 */
#define _GNU_SOURCE
#include <sched.h>

#include "farside.h"

const struct far_nskind far_nskinds[] = {
  {"mnt", "mnt", CLONE_NEWNS},
  {"uts", "uts", CLONE_NEWUTS},
  {"ipc", "ipc", CLONE_NEWIPC},
  {"net", "net", CLONE_NEWNET},
  {"pid", "pid", CLONE_NEWPID},
  {"user", "user", CLONE_NEWUSER},
  {"cgroup", "cgroup", CLONE_NEWCGROUP},
  {"time", "time", 0x80 /* CLONE_NEWTIME */},
  {NULL, NULL, 0},
};

const struct far_word far_nswords[] = {
  {"mnt", CLONE_NEWNS},     {"uts", CLONE_NEWUTS},
  {"ipc", CLONE_NEWIPC},    {"net", CLONE_NEWNET},
  {"pid", CLONE_NEWPID},    {"user", CLONE_NEWUSER},
  {"cgroup", CLONE_NEWCGROUP}, {"time", 0x80},
  {"mount", CLONE_NEWNS},   {"network", CLONE_NEWNET},
  {NULL, 0},
};

void far_open_namespace(lua_State *L) {
  (void)L;
}

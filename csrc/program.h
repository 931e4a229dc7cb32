/*
 * System calls as data. A binding's arguments are read in one place, its
 * describer, whether the call is made here and now or written into the
 * program of a container's set-up.
 */
#ifndef FARSIDE_PROGRAM_H
#define FARSIDE_PROGRAM_H

#include <sys/syscall.h>

#include "farside.h"
#include "walk.h"

struct far_call {
  uint16_t number;
  uint8_t tolerated; /* an errno that is no failure, or 0 */
  int count;
  struct far_arg {
    enum walk_kind kind; /* WALK_OFFSET: a pointer to `size` bytes */
    uint64_t value;
    size_t size;
  } args[6];
  _Alignas(uint64_t) char scratch[64]; /* for what a pointer points to */
};

/* Fills a call from the arguments on the stack, which keep alive what it
 * points to; raises for what is wrong with them. */
typedef void far_describer(lua_State *L, struct far_call *call);

/* The next argument: a value, a descriptor, bytes, a string or NULL. */
void far_arg(struct far_call *call, uint64_t value);
void far_arg_fd(struct far_call *call, int fd);
void far_arg_bytes(struct far_call *call, const void *bytes, size_t size);
void far_arg_text(struct far_call *call, const char *text);

/* Makes it: a result, or -1 and errno. */
int far_perform(const struct far_call *call);

/* What a binding for one call does: describes and makes it, and raises with
 * `path` when it fails. Pushes nothing. */
int far_do(lua_State *L, far_describer *describe, const char *name,
           const char *path);

far_describer far_describe_chdir, far_describe_keyctl, far_describe_mkdirat,
  far_describe_mount, far_describe_mount_setattr, far_describe_move_mount,
  far_describe_open_tree, far_describe_openat2, far_describe_pivot_root,
  far_describe_prctl, far_describe_sched_setaffinity,
  far_describe_setdomainname, far_describe_setgroups, far_describe_sethostname,
  far_describe_setitimer, far_describe_setpriority, far_describe_setresgid,
  far_describe_setresuid, far_describe_setrlimit, far_describe_symlinkat,
  far_describe_umask, far_describe_umount, far_describe_unshare;

#endif

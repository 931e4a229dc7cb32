/*
 * Starting a walker: the child in new namespaces that is a program of its
 * own (walker/main.c) instead of a copy of the caller.
 *
 * The child runs in the caller's memory until it has become that program; what
 * this costs does not depend on how much memory the caller has, and the caller
 * goes on meanwhile. So the child has a stack of its own, which is kept for it
 * until it is known to need it no more, and makes bare system calls and nothing
 * else: errno, the heap and Lua are the caller's.
 *
 * In its new user namespace the child has all capabilities, but no id yet,
 * since the maps are written later; an exec would take them from it. So it
 * makes them ambient first; the walker gives that back before anything else.
 *
 * Most of what a child takes is the making of its other namespaces, a network
 * above all. It makes these itself, while the caller goes on. One that cannot
 * be made ends it, and nobody hears from it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "farside.h"
#include "sys.h"

#ifdef FAR_WALKER

#include "raw.h"

/* The walker itself, as the linker made it. */
__asm__(".pushsection .rodata\n"
        "far_walker_image: .incbin \"" FAR_WALKER "\"\n"
        "far_walker_end: .byte 0\n"
        ".popsection");
extern const char far_walker_image[] __attribute__((visibility("hidden")));
extern const char far_walker_end[] __attribute__((visibility("hidden")));

/* ---- the program as a file ---- */

#ifndef MFD_EXEC /* Linux 6.3 */
#define MFD_EXEC 0x10U
#endif

static int new_file(void) {
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = memfd_create("farside-init", flags | MFD_EXEC);
  if (fd == -1 && errno == EINVAL)
    fd = memfd_create("farside-init", flags);
  return fd;
}

/* A descriptor or -errno. Sealed: what runs inside finds it under
 * /proc/1/exe. */
static int make_file(void) {
  size_t size = (size_t)(far_walker_end - far_walker_image);
  int fd = new_file();
  if (fd == -1)
    return -errno;
  errno = EIO; /* of a short write */
  if (write(fd, far_walker_image, size) == (ssize_t)size &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW |
            F_SEAL_SEAL) == 0)
    return fd;
  int err = errno;
  (void)close(fd);
  return -err;
}

/* ---- the child ---- */

enum { MOST = 2048 };

struct walker {
  int file;         /* the program */
  uint64_t later;   /* namespaces that it makes itself */
  int count;
  int fds[MOST];    /* what it has open; the first is its channel */
  char channel[12]; /* its number, the program's argument */
  _Alignas(16) char stack[4096];
};

static int keep_capabilities(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[2];
  long result = raw(SYS_capget, &header, sets);
  for (int i = 0; i < 2; i++)
    sets[i].inheritable = sets[i].permitted;
  if (result == 0)
    result = raw(SYS_capset, &header, sets);
  for (int cap = 0; cap < 64 && result == 0; cap++)
    if ((sets[cap / 32].permitted >> cap % 32 & 1) != 0)
      result = raw(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap);
  return (int)result;
}

static int keep_descriptors(const struct walker *w) {
  long result = raw(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
  for (int i = 0; i < w->count && result == 0; i++)
    result = raw(SYS_fcntl, w->fds[i], F_SETFD, 0);
  return (int)result;
}

static void become_walker(void *walker) {
  struct walker *w = walker;
  const char *const argv[] = {"farside-init", w->channel, NULL};
  const char *const env[] = {NULL};
  long result = raw(SYS_unshare, w->later);
  if (result == 0)
    result = keep_capabilities();
  if (result == 0)
    result = keep_descriptors(w);
  if (result == 0)
    raw(SYS_execveat, w->file, "", argv, env, AT_EMPTY_PATH);
  raw(SYS_exit_group, 127);
}

/* Memory for the child, with what it is told; NULL when there is none. */
static struct walker *place(const struct walker *w) {
  struct walker *p = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    return NULL;
  memcpy(p, w, offsetof(struct walker, stack));
  return p;
}

/* Gives it back. */
static void leave(struct walker **w) {
  if (*w != NULL)
    (void)munmap(*w, sizeof **w);
  *w = NULL;
}

/* What the child makes itself while the caller goes on: the most of the time
 * that a child takes. Its ids and its processes are others from birth on. */
#define LATER (CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | \
               CLONE_NEWCGROUP)

/* The child's pid, or -errno; then there is no child. */
static pid_t start(struct clone_args *args, struct walker *w) {
  args->stack = (uintptr_t)w->stack;
  args->stack_size = sizeof w->stack;
  w->later = args->flags & LATER;
  args->flags = (args->flags & ~(uint64_t)LATER) | CLONE_VM;
  return (pid_t)raw_child(SYS_clone3, (long)args, sizeof *args, become_walker,
                          w);
}

/* ---- in Lua ---- */

#define MEMORY "farside.memory"

/* Not by the collector: it knows nothing of the child. */
static int memory_close(lua_State *L) {
  leave(luaL_checkudata(L, 1, MEMORY));
  return 0;
}

/* Pushes an object for memory that is still to be had. */
static struct walker **memory_new(lua_State *L) {
  struct walker **w = lua_newuserdatauv(L, sizeof *w, 0);
  *w = NULL;
  luaL_setmetatable(L, MEMORY);
  return w;
}

static void check_descriptors(lua_State *L, struct walker *w) {
  luaL_checktype(L, 2, LUA_TTABLE);
  w->count = 0;
  lua_Integer count = luaL_len(L, 2);
  luaL_argcheck(L, count > 0 && count <= MOST, 2,
                "list of 1 to 2048 descriptors expected");
  for (lua_Integer i = 1; i <= count; i++) {
    lua_geti(L, 2, i);
    w->fds[w->count++] = far_fd_check(L, -1);
    lua_pop(L, 1);
  }
  snprintf(w->channel, sizeof w->channel, "%d", w->fds[0]);
}

/***
Starts a walker: a child in new namespaces, a user namespace among them, that
waits for programs over its channel, takes the calls in them one by one, and is
the init of what the last one starts.
@function walker
@tparam table options as for clone
@tparam {fd,...} descriptors what it has open besides the standard streams,
under the same numbers; the first is its channel
@treturn process
@treturn memory in which it starts; to be closed once it has been heard of, or
has ended
@raise as clone; ENOSYS on a processor that there is no walker for; EACCES
where files in memory cannot be executed (vm.memfd_noexec)
*/
static int bind_walker(lua_State *L) {
  struct clone_args args = {0};
  uint64_t namespaces = far_clone_options(L, &args);
  luaL_argcheck(L, (namespaces & CLONE_NEWUSER) != 0, 1,
                "a user namespace expected");
  far_at_most(L, 2);
  struct walker *w = lua_newuserdatauv(L, sizeof *w, 0);
  check_descriptors(L, w);
  int *file = far_fd_new(L);
  *file = make_file();
  w->file = *file;
  if (w->file < 0) {
    *file = -1;
    return far_raise(L, -w->file, "memfd_create", "farside-init", NULL);
  }
  struct far_process *p = far_process_new(L);
  struct walker **memory = memory_new(L);
  *memory = place(w);
  if (*memory == NULL)
    return far_raise(L, ENOMEM, "mmap", NULL, NULL);
  args.pidfd = (uintptr_t)&p->pidfd;
  p->pid = start(&args, *memory);
  (void)close(*file);
  *file = -1;
  if (p->pid > 0)
    return 2;
  leave(memory);
  return far_namespaces_raise(L, -p->pid, "clone", NULL, namespaces);
}

static void open_memory(lua_State *L) {
  static const luaL_Reg methods[] = {{"close", memory_close}, {NULL, NULL}};
  luaL_newmetatable(L, MEMORY);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

#else

static int bind_walker(lua_State *L) {
  return far_raise(L, ENOSYS, "walker", NULL, NULL);
}

static void open_memory(lua_State *L) {
  (void)L;
}

#endif

static const luaL_Reg functions[] = {{"walker", bind_walker}, {NULL, NULL}};

void far_open_walker(lua_State *L) {
  open_memory(L);
  luaL_setfuncs(L, functions, 0);
}

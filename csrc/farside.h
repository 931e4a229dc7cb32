/*
 * What every area of the core shares: error objects, descriptor objects,
 * words for flags, and the table of namespaces.
 *
 * A function here either takes a lua_State (and may raise, which is a
 * longjmp) or owns a raw resource, never both.
 */
#ifndef FARSIDE_H
#define FARSIDE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <lauxlib.h>
#include <lua.h>

#define FAR_EXPORT __attribute__((visibility("default")))
#define FAR_COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- error objects (error.c) ---- */

/* Pushes an error object for `err` (an errno) raised by `call`. `path` is
 * the object of the call or NULL; `detail` is the text that stands between
 * call and reason, or NULL for the path. The caller may set more fields. */
void far_error_push(lua_State *L, int err, const char *call,
                    const char *path, const char *detail);

/* Raises the error object on top of the stack, giving it its hint first. */
int far_error_throw(lua_State *L);

/* Both at once, the detail made from a lua_pushfstring format (or NULL). */
int far_raise(lua_State *L, int err, const char *call, const char *path,
              const char *format, ...);

/* The usual end of a binding: pushes nothing and returns 0 when `result` is
 * not -1, else raises errno for `call` on `path`. */
int far_check(lua_State *L, int result, const char *call, const char *path);

/* Finds the innermost Lua function that is not part of the library: its level
 * and, in `ar`, source, short_src and currentline; -1 when there is none. */
int far_where(lua_State *L, lua_Debug *ar);

/* Lets a pending Lua hook (^C at the prompt) run after EINTR: it raises. */
void far_interrupted(lua_State *L);

/* ---- descriptors (fd.c) ---- */

#define FAR_FD "farside.fd"

/* Pushes a closed descriptor object; the caller stores what it opens. */
int *far_fd_new(lua_State *L);

/* A descriptor from a farside.fd, an integer, an io file, or any object
 * with :fileno(). */
int far_fd_check(lua_State *L, int index);

/* The same, with `otherwise` for none or nil. */
int far_fd_opt(lua_State *L, int index, int otherwise);

/* True when the value is an object that stands for a descriptor (anything
 * that far_fd_check takes but an integer). */
bool far_fd_is(lua_State *L, int index);

/* ---- words for numbers (words.c) ---- */

struct far_word {
  const char *name;
  uint64_t bits;
};

/* Bits from "a,b", { "a", "b" } or an integer. `what` names one of them in
 * the error: "namespace". The table ends with a NULL name. */
uint64_t far_words(lua_State *L, int index, const struct far_word *words,
                   const char *what);

/* The same from all arguments from `first` on, or'ed. */
uint64_t far_words_rest(lua_State *L, int first, const struct far_word *words,
                        const char *what);

/* One word or integer, whole value (not bits): "TERM", "memlock". */
uint64_t far_word(lua_State *L, int index, const struct far_word *words,
                  const char *what);

/* Pushes a list of the words whose bits are all in `bits`, in table order,
 * each bit told once. */
void far_words_push(lua_State *L, uint64_t bits, const struct far_word *words);

/* The first name with exactly these bits, or NULL. */
const char *far_word_name(uint64_t bits, const struct far_word *words);

/* A mode: "0755" is octal, as in chmod(1); an integer is taken as it is. */
mode_t far_mode(lua_State *L, int index, mode_t otherwise);

/* Bytes: an integer, or "256M" with K, M, G, T as powers of 1024. */
uint64_t far_size(lua_State *L, int index);

/* The same from a text; false when it is none. */
bool far_size_of(const char *text, uint64_t *size);

/* Nanoseconds: a number of seconds, or "5ms", "2s", "1m", "3us", "1h", "1d". */
int64_t far_duration(lua_State *L, int index);

/* The same from a text; false when it is none. */
bool far_duration_of(const char *text, int64_t *ns);

/* Raises on any key of the table at `index` that is not in the NULL-ended
 * list; integer keys are allowed when `list` is true. */
void far_fields(lua_State *L, int index, const char *const names[], bool list);

/* Puts a field of the table at `table` in the place of argument `arg`, so
 * that a complaint about its value names that argument. False for nil. */
bool far_field(lua_State *L, int arg, int table, const char *name);

/* A path or name: a string without the zero byte that would cut it short. */
const char *far_path(lua_State *L, int index);

/* Raises when there are more than `count` arguments. */
void far_at_most(lua_State *L, int count);

/* ---- waiting (wait.c) ---- */

/* Nanoseconds on a clock that only goes forward. */
int64_t far_now(void);

/* When the time limit at `index` is over, on that clock: 0 at once, -1 never,
 * which is nil. */
int64_t far_deadline(lua_State *L, int index);

/* ppoll until something is ready or the deadline is past: how many are ready.
 * A ^C at the prompt raises from here. */
int far_poll(lua_State *L, struct pollfd *p, nfds_t count, int64_t deadline);

/* ---- signals (signal.c) ---- */

/* "TERM" and the others; real-time ones are not in it. Ends with a NULL. */
extern const struct far_word far_signals[];

/* A signal's number, 0 included, from "TERM", "SIGTERM", "RTMIN+3" or an
 * integer. */
int far_signal(lua_State *L, int index);

/* Pushes a signal's word: "TERM", "RTMIN+3". */
void far_signal_push(lua_State *L, int number);

/* ---- namespaces (namespace.c) ---- */

#define FAR_NAMESPACE "farside.namespace"
#define FAR_PROCESS "farside.process"

struct far_nskind {
  const char *name; /* farside's and unshare's word: "mnt" */
  const char *file; /* under /proc/PID/ns */
  int flag;         /* CLONE_NEW… */
  int get;          /* its number among a pidfd's ioctls; + 1: for children */
  bool children;    /* has a FILE_for_children */
};

/* The one table of namespaces; every loop uses it. Ends with a NULL name. */
extern const struct far_nskind far_nskinds[];

/* The same as words, with the aliases "mount", "network", "hostname"… */
extern const struct far_word far_nswords[];

/* core.open, for areas that take a namespace in one of its forms. */
int far_namespace_open(lua_State *L);

/* Raises errno for a call on namespaces (nsenter.c): the error has them as a
 * list in its field `namespaces`, and in its text after `object`, or NULL. */
int far_namespaces_raise(lua_State *L, int err, const char *call,
                         const char *object, uint64_t namespaces);

/* ---- capabilities (capability.c) ---- */

/* A mask from the value at `index`: "a,b", { "a", "b" }, or an integer. `arg`
 * is the argument to blame. */
uint64_t far_capabilities(lua_State *L, int index, int arg);

/* ---- processes (process.c) ---- */

struct far_process {
  int pidfd;       /* -1 when closed */
  pid_t pid;
  const char *how; /* "exit" or "signal" once the process has ended */
  int code;
};

/* Pushes a closed process object; the caller stores what it makes. */
struct far_process *far_process_new(lua_State *L);

/* A process: none (oneself, 0), a pid, or an object with a field `pid`. */
pid_t far_pid(lua_State *L, int index);

/* ---- children in new namespaces (clone.c) ---- */

struct clone_args;

/* Puts what the options at 1 ask for into `args`: namespaces, a cgroup, a
 * pidfd; answers the namespaces. */
uint64_t far_clone_options(lua_State *L, struct clone_args *args);

/* ---- /proc/PID (proc.c) ---- */

/* Opens the directory /proc/PID of a pidfd's process, O_PATH, as that process
 * and no later one with its number: a descriptor, or -1 and errno. */
int far_proc_dir(int pidfd, long *pid);

void far_close_keeping_errno(int fd);

/* ---- areas: each adds its functions to the table on top ---- */

void far_open_error(lua_State *L);
void far_open_fd(lua_State *L);
void far_open_process(lua_State *L);
void far_open_pid(lua_State *L);
void far_open_clone(lua_State *L);
void far_open_walker(lua_State *L);
void far_open_program(lua_State *L);
void far_open_nsenter(lua_State *L);
void far_open_exec(lua_State *L);
void far_open_signal(lua_State *L);
void far_open_limit(lua_State *L);
void far_open_schedule(lua_State *L);
void far_open_namespace(lua_State *L);
void far_open_proc(lua_State *L);
void far_open_procfs(lua_State *L);
void far_open_mount(lua_State *L);
void far_open_mountfd(lua_State *L);
void far_open_context(lua_State *L);
void far_open_fs(lua_State *L);
void far_open_stat(lua_State *L);
void far_open_inotify(lua_State *L);
void far_open_io(lua_State *L);
void far_open_xattr(lua_State *L);
void far_open_socket(lua_State *L);
void far_open_user(lua_State *L);
void far_open_uts(lua_State *L);
void far_open_capability(lua_State *L);
void far_open_seccomp(lua_State *L);
void far_open_landlock(lua_State *L);
void far_open_tty(lua_State *L);
void far_open_lock(lua_State *L);
void far_open_nft(lua_State *L);
void far_open_feature(lua_State *L);
void far_open_netlink(lua_State *L);
void far_open_inet(lua_State *L);
void far_open_sockdiag(lua_State *L);
void far_open_icmp(lua_State *L);
void far_open_icmpsocket(lua_State *L);

FAR_EXPORT int luaopen_farside_core(lua_State *L);

#endif

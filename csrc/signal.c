/*
 * Signals without handlers: a Lua state cannot be entered from one, so a
 * signal is blocked and then waited for, or read from a descriptor.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "farside.h"

const struct far_word far_signals[] = {
  {"HUP", SIGHUP},       {"INT", SIGINT},     {"QUIT", SIGQUIT},
  {"ILL", SIGILL},       {"TRAP", SIGTRAP},   {"ABRT", SIGABRT},
  {"BUS", SIGBUS},       {"FPE", SIGFPE},     {"KILL", SIGKILL},
  {"USR1", SIGUSR1},     {"SEGV", SIGSEGV},   {"USR2", SIGUSR2},
  {"PIPE", SIGPIPE},     {"ALRM", SIGALRM},   {"TERM", SIGTERM},
#ifdef SIGSTKFLT
  {"STKFLT", SIGSTKFLT},
#endif
  {"CHLD", SIGCHLD},     {"CONT", SIGCONT},   {"STOP", SIGSTOP},
  {"TSTP", SIGTSTP},     {"TTIN", SIGTTIN},   {"TTOU", SIGTTOU},
  {"URG", SIGURG},       {"XCPU", SIGXCPU},   {"XFSZ", SIGXFSZ},
  {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF},   {"WINCH", SIGWINCH},
  {"IO", SIGIO},         {"PWR", SIGPWR},     {"SYS", SIGSYS},
  {"IOT", SIGABRT},      {"CLD", SIGCHLD},    {"POLL", SIGIO},
  {NULL, 0},
};

/* "RTMIN", "RTMIN+3", "RTMAX-1": the number, or -1. */
static int realtime(const char *name) {
  char *end;
  int base = strncmp(name, "RTMIN", 5) == 0   ? SIGRTMIN
             : strncmp(name, "RTMAX", 5) == 0 ? SIGRTMAX
                                              : -1;
  if (base == -1 || name[5] == '\0')
    return base;
  if (name[5] != (base == SIGRTMIN ? '+' : '-') || name[6] < '0' ||
      name[6] > '9')
    return -1;
  long offset = strtol(name + 5, &end, 10);
  long span = SIGRTMAX - SIGRTMIN;
  bool good = *end == '\0' && offset >= -span && offset <= span;
  return good ? base + (int)offset : -1;
}

static int by_name(const char *name) {
  if (strncmp(name, "SIG", 3) == 0)
    name += 3;
  for (const struct far_word *w = far_signals; w->name != NULL; w++)
    if (strcmp(w->name, name) == 0)
      return (int)w->bits;
  return realtime(name);
}

/* The number of the value at `index`; `arg` is the argument to blame. */
static int number_at(lua_State *L, int index, int arg) {
  if (lua_isinteger(L, index)) {
    lua_Integer n = lua_tointeger(L, index);
    luaL_argcheck(L, n >= 0 && n <= SIGRTMAX, arg, "signal out of range");
    return (int)n;
  }
  if (lua_type(L, index) != LUA_TSTRING)
    luaL_argerror(L, arg, lua_pushfstring(L, "signal expected, got %s",
                                          luaL_typename(L, index)));
  const char *name = lua_tostring(L, index);
  int number = by_name(name);
  if (number == -1)
    luaL_argerror(L, arg, lua_pushfstring(L,
      "unknown signal '%s' (expected a word such as TERM, RTMIN+3, or a "
      "number)", name));
  return number;
}

int far_signal(lua_State *L, int index) {
  return number_at(L, index, index);
}

void far_signal_push(lua_State *L, int number) {
  const char *name = far_word_name((uint64_t)number, far_signals);
  if (name != NULL)
    lua_pushstring(L, name);
  else if (number >= SIGRTMIN && number <= SIGRTMAX)
    lua_pushfstring(L, number > SIGRTMIN ? "RTMIN+%d" : "RTMIN",
                    number - SIGRTMIN);
  else
    lua_pushinteger(L, number);
}

/* A set from one signal, a list of them, or "all". */
static void check_set(lua_State *L, int index, sigset_t *set) {
  sigemptyset(set);
  if (lua_type(L, index) == LUA_TSTRING &&
      strcmp(lua_tostring(L, index), "all") == 0) {
    sigfillset(set);
    return;
  }
  if (!lua_istable(L, index)) {
    luaL_argcheck(L, sigaddset(set, number_at(L, index, index)) == 0, index,
                  "signal out of range");
    return;
  }
  static const char *const none[] = {NULL};
  far_fields(L, index, none, true);
  for (lua_Integer i = 1; lua_geti(L, index, i) != LUA_TNIL; i++) {
    luaL_argcheck(L, sigaddset(set, number_at(L, -1, index)) == 0, index,
                  "signal out of range");
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static void push_set(lua_State *L, const sigset_t *set) {
  lua_Integer n = 0;
  luaL_checkstack(L, 2, NULL);
  lua_newtable(L);
  for (int number = 1; number <= SIGRTMAX; number++)
    if (sigismember(set, number) == 1) {
      far_signal_push(L, number);
      lua_rawseti(L, -2, ++n);
    }
}

static const struct far_word hows[] = {
  {"block", SIG_BLOCK},
  {"unblock", SIG_UNBLOCK},
  {"setmask", SIG_SETMASK},
  {NULL, 0},
};

/***
Changes the calling thread's mask of blocked signals.
@function sigprocmask
@tparam[opt] string how "block", "unblock" or "setmask"; without any
argument nothing is changed
@param signals a word ("TERM", "SIGTERM", "RTMIN+3"), a number, a list of
them, or "all"
@treturn {string,...} the signals that were blocked before
@raise EINVAL. See sigprocmask(2).
*/
static int bind_sigprocmask(lua_State *L) {
  sigset_t set, old;
  bool change = !lua_isnoneornil(L, 1);
  int how = change ? (int)far_word(L, 1, hows, "way") : SIG_BLOCK;
  far_at_most(L, change ? 2 : 0);
  if (change)
    check_set(L, 2, &set);
  far_check(L, sigprocmask(how, change ? &set : NULL, &old), "sigprocmask",
            NULL);
  push_set(L, &old);
  return 1;
}

static const char *const dispositions[] = {"default", "ignore", NULL};

static const char *disposition(const struct sigaction *action) {
  if (action->sa_handler == SIG_DFL)
    return "default";
  return action->sa_handler == SIG_IGN ? "ignore" : "handler";
}

/***
Sets what a signal does to the process.
@function sigaction
@tparam string|integer signal
@tparam[opt] string what "default" or "ignore"; without it nothing is changed
@treturn string what it did before: "default", "ignore", or "handler" (of the
host program)
@raise EINVAL for KILL and STOP. See sigaction(2).
*/
static int bind_sigaction(lua_State *L) {
  struct sigaction new = {0}, old;
  int number = far_signal(L, 1);
  bool change = !lua_isnoneornil(L, 2);
  far_at_most(L, 2);
  if (change && luaL_checkoption(L, 2, NULL, dispositions) == 1)
    new.sa_handler = SIG_IGN;
  int result = sigaction(number, change ? &new : NULL, &old);
  far_check(L, result, "sigaction", lua_tostring(L, 1));
  lua_pushstring(L, disposition(&old));
  return 1;
}

/* sigtimedwait until `deadline` (INT64_MAX for ever); the number or -1. */
static int wait_until(const sigset_t *set, siginfo_t *info, int64_t deadline) {
  if (deadline == INT64_MAX)
    return sigwaitinfo(set, info);
  int64_t left = deadline - far_now();
  if (left < 0)
    left = 0;
  struct timespec t = {left / 1000000000, left % 1000000000};
  return sigtimedwait(set, info, &t);
}

/* word, sender, and what came with it: the status of a child, a queued
 * integer, or nil. */
static int push_arrival(lua_State *L, int number, int code, pid_t pid,
                        int status, int queued) {
  far_signal_push(L, number);
  if (code == SI_KERNEL)
    luaL_pushfail(L);
  else
    lua_pushinteger(L, pid);
  if (number == SIGCHLD && code > 0)
    lua_pushinteger(L, status);
  else if (code == SI_QUEUE)
    lua_pushinteger(L, queued);
  else
    lua_pushnil(L);
  return 3;
}

/***
Waits for a signal that is blocked, and takes it.
@function sigtimedwait
@param signals as in sigprocmask
@tparam[opt] number|string timeout seconds or "5ms"; for ever without
@treturn string|nil the signal's word; nil when the time is over
@treturn integer|nil the sender's PID, 0 when it is out of sight; nil when
it came from the kernel, as by a key at the terminal
@treturn integer|nil the child's status for CHLD, or the integer that was
queued
@raise EINVAL. See sigtimedwait(2).
*/
static int bind_sigtimedwait(lua_State *L) {
  sigset_t set;
  siginfo_t info;
  check_set(L, 1, &set);
  int64_t limit = lua_isnoneornil(L, 2) ? INT64_MAX : far_duration(L, 2);
  int64_t start = far_now();
  far_at_most(L, 2);
  int64_t deadline = limit > INT64_MAX - start ? INT64_MAX : start + limit;
  int number;
  while ((number = wait_until(&set, &info, deadline)) == -1) {
    if (errno == EAGAIN)
      return lua_pushnil(L), 1;
    if (errno != EINTR)
      return far_check(L, -1, "sigtimedwait", NULL);
    far_interrupted(L);
  }
  return push_arrival(L, number, info.si_code, info.si_pid, info.si_status,
                      info.si_value.sival_int);
}

static const struct far_word fdflags[] = {{"nonblock", SFD_NONBLOCK},
                                          {NULL, 0}};

/***
A descriptor that is readable when one of the signals, which should be
blocked, is pending; read it with read_signal.
@function signalfd
@param signals as in sigprocmask
@tparam[opt] string flags "nonblock"
@treturn fd
@raise EMFILE and others. See signalfd(2).
*/
static int bind_signalfd(lua_State *L) {
  sigset_t set;
  check_set(L, 1, &set);
  int flags = (int)far_words_rest(L, 2, fdflags, "flag");
  int *fd = far_fd_new(L);
  *fd = signalfd(-1, &set, SFD_CLOEXEC | flags);
  far_check(L, *fd, "signalfd", NULL);
  return 1;
}

/***
Takes a signal from a descriptor that signalfd made.
@function read_signal
@tparam fd fd
@treturn string|nil as sigtimedwait; nil when there is none and the
descriptor is "nonblock"
@treturn integer|nil the sender's PID
@treturn integer|nil status
@raise EBADF and others. See signalfd(2).
*/
static int bind_read_signal(lua_State *L) {
  struct signalfd_siginfo info;
  int fd = far_fd_check(L, 1);
  far_at_most(L, 1);
  ssize_t n;
  while ((n = read(fd, &info, sizeof info)) == -1) {
    if (errno == EAGAIN)
      return lua_pushnil(L), 1;
    if (errno != EINTR)
      return far_check(L, -1, "read_signal", NULL);
    far_interrupted(L);
  }
  luaL_argcheck(L, n == sizeof info, 1, "not a signalfd");
  return push_arrival(L, (int)info.ssi_signo, info.ssi_code,
                      (pid_t)info.ssi_pid, info.ssi_status, info.ssi_int);
}

/***
Sends a signal.
@function kill
@tparam integer|process|fd target a PID, with the meaning of 0 and negative
ones as in kill(2), or an object that has a pidfd
@tparam string|integer signal 0 only asks whether it could be sent
@raise ESRCH when there is no such process; EPERM. See kill(2),
pidfd_send_signal(2).
*/
static int bind_kill(lua_State *L) {
  int number = far_signal(L, 2), result;
  bool object = far_fd_is(L, 1);
  lua_Integer pid = object ? 0 : luaL_checkinteger(L, 1);
  luaL_argcheck(L, pid == (pid_t)pid, 1, "PID out of range");
  far_at_most(L, 2);
  if (object)
    result = pidfd_send_signal(far_fd_check(L, 1), number, NULL, 0);
  else
    result = kill((pid_t)pid, number);
  if (result == -1) {
    int err = errno;
    return far_raise(L, err, "kill", NULL, "%s with %s",
                     luaL_tolstring(L, 1, NULL), luaL_tolstring(L, 2, NULL));
  }
  return 0;
}

/***
Waits for nothing but signals, for ever: for a process that is only to hold
its namespaces until it is ended.
@function pause
@raise only what ^C at the prompt raises. See pause(2).
*/
static int bind_pause(lua_State *L) {
  far_at_most(L, 0);
  while (pause() == -1) /* always: EINTR */
    far_interrupted(L);
  return 0;
}

static const luaL_Reg functions[] = {
  {"pause", bind_pause},
  {"sigprocmask", bind_sigprocmask},
  {"sigaction", bind_sigaction},
  {"sigtimedwait", bind_sigtimedwait},
  {"signalfd", bind_signalfd},
  {"read_signal", bind_read_signal},
  {"kill", bind_kill},
  {NULL, NULL},
};

void far_open_signal(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

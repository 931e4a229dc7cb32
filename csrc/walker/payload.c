/*
 * The program: becoming it, or starting it and being its init, which reaps
 * whatever is orphaned to it, passes signals on to the program, and ends when
 * the program ends, which ends everything else in the pid namespace.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "walker.h"

/* ---- where the program finds itself ---- */

static struct {
  bool session;
  const char *terminal; /* or NULL */
  long streams[3];      /* or -1 */
} place = {.streams = {-1, -1, -1}};

/* Copies of the descriptors that become the standard streams: one of them may
 * be where another goes. */
long walker_place(const long a[]) {
  place.session = a[0] != 0;
  place.terminal = (const char *)a[1];
  for (int n = 0; n < 3; n++) {
    if (a[n + 2] < 0)
      continue;
    place.streams[n] = raw(SYS_fcntl, a[n + 2], F_DUPFD_CLOEXEC, 3);
    if (place.streams[n] < 0)
      return place.streams[n];
  }
  return 0;
}

/* A link to a descriptor that was left open may lead out of the root; the
 * kernel then says "(unreachable)". */
long walker_inside(const long a[]) {
  static char path[PATH_MAX];
  (void)a;
  long result = raw(SYS_getcwd, path, sizeof path);
  return result < 0 || path[0] == '/' ? result : -ENOENT;
}

/* A session's first terminal that is opened becomes its own. */
static long take_terminal(void) {
  long fd = raw(SYS_openat, AT_FDCWD, place.terminal, O_RDWR | O_CLOEXEC);
  for (int n = 0; n < 3 && fd >= 0; n++)
    place.streams[n] = fd;
  return fd;
}

static long take_place(void) {
  long result = 0;
  if (place.session)
    result = raw(SYS_setsid);
  if (result >= 0 && place.terminal != NULL)
    result = take_terminal();
  for (int n = 0; n < 3 && result >= 0; n++)
    if (place.streams[n] >= 0)
      result = raw(SYS_dup3, place.streams[n], n, 0);
  return result;
}

/* ---- becoming it ---- */

enum { SIGNALS = 64, SET = 8 /* bytes of a kernel's set of signals */ };

static long set_mask(int how, uint64_t set) {
  return raw(SYS_rt_sigprocmask, how, &set, NULL, SET);
}

static long set_default(int signal) {
  const struct far_disposition standard = {.handler = SIG_DFL};
  return raw(SYS_rt_sigaction, signal, &standard, NULL, SET);
}

/* None is ignored and none blocked: what a program expects. */
static long reset_signals(void) {
  long result = 0;
  for (int n = 1; n <= SIGNALS && result >= 0; n++)
    if (n != SIGKILL && n != SIGSTOP)
      result = set_default(n);
  return result < 0 ? result : set_mask(SIG_SETMASK, 0);
}

struct image {
  char **files, **argv, **env;
  long err;
};

/* Whether the search goes on, as execvp(3) has it. A file that is there and
 * gives ENOENT lacks its interpreter. */
static bool passes(long err, const char *path) {
  return err == -ENOTDIR || err == -EACCES ||
         (err == -ENOENT && raw(SYS_faccessat, AT_FDCWD, path, F_OK) == err);
}

static long become(const struct image *i) {
  long err = -ENOENT;
  for (char **path = i->files; *path != NULL; path++) {
    long reason = raw(SYS_execve, *path, i->argv, i->env);
    err = reason == -EACCES || !passes(reason, *path) ? reason : err;
    if (!passes(reason, *path))
      break;
  }
  return err;
}

/* The words of a program's last call, as lists. */
static void spell(struct image *i, const long a[]) {
  static char *words[WALK_WORDS];
  char *word = (char *)a[0], **next = words;
  char ***const lists[] = {&i->files, &i->argv, &i->env};
  for (int n = 0; n < 3; n++) {
    *lists[n] = next;
    for (long count = a[n + 1]; count > 0; count--) {
      *next++ = word;
      while (*word++ != '\0')
        continue;
    }
    *next++ = NULL;
  }
}

static long do_exec(const struct image *i) {
  long result = take_place();
  if (result >= 0)
    result = reset_signals();
  return result < 0 ? result : become(i);
}

/* From the baton on, silence is success. */
long walker_exec(const long a[]) {
  struct image image;
  spell(&image, a);
  if (walker_abandoned())
    walker_exit(125);
  if (walker_pass(NULL) < 0)
    walker_exit(125);
  return do_exec(&image);
}

/* ---- starting it, and being its init ---- */

static void start(void *image) {
  struct image *i = image;
  i->err = do_exec(i);
  walker_exit(127);
}

/* It shares our memory until it is the program, and we wait so long. */
static long start_child(struct image *i) {
  static _Alignas(16) char stack[8192];
  i->err = 0;
  /* not clone3, which filters of system calls cannot look into */
  long pid = raw_child(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD,
                       (long)(stack + sizeof stack), start, i);
  return i->err < 0 ? i->err : pid;
}

/* As an end by SIGKILL, with the reason after it. */
static _Noreturn void tell_timeout(void) {
  struct __attribute__((packed)) {
    char how[7];
    int code;
    char why[7];
  } over = {"signal", SIGKILL, "timeout"};
  raw(SYS_write, walker_head.status, &over, sizeof over);
  walker_exit(128 + SIGKILL);
}

/* "exit" or "signal" with its zero, then the number. */
static _Noreturn void tell_end(int status) {
  struct __attribute__((packed)) { char how[7]; int code; } killed = {
    "signal", status & 0x7f };
  struct __attribute__((packed)) { char how[5]; int code; } left = {
    "exit", status >> 8 & 0xff };
  if (killed.code != 0)
    raw(SYS_write, walker_head.status, &killed, sizeof killed);
  else
    raw(SYS_write, walker_head.status, &left, sizeof left);
  walker_exit(killed.code != 0 ? 128 + killed.code : left.code);
}

/* What cannot be told by an init that cannot do its work: a filter of system
 * calls may be to blame, which holds for it as well. */
static _Noreturn void give_up(void) {
  walker_exit(125);
}

/* Reaps all that has ended. */
static void reap(long payload) {
  int status;
  long pid;
  while ((pid = raw(SYS_wait4, -1, &status, WNOHANG, NULL)) > 0)
    if (pid == payload)
      tell_end(status);
  if (pid < 0)
    give_up(); /* the payload, at least, is there to be waited for */
}

/* A key at the terminal is for all who share it, and comes from the kernel; so
 * does the timer's signal, when the container's time is over. */
static _Noreturn void be_init(long payload) {
  const uint64_t all = ~UINT64_C(0);
  siginfo_t info;
  for (;;) {
    long signal = raw(SYS_rt_sigtimedwait, &all, &info, NULL, SET);
    if (signal == SIGCHLD)
      reap(payload);
    else if (signal == SIGALRM && info.si_code == SI_KERNEL)
      tell_timeout();
    else if (signal > 0 && info.si_code != SI_KERNEL)
      raw(SYS_kill, payload, signal); /* ESRCH: it has just ended */
    else if (signal < 0 && signal != -EINTR)
      give_up();
  }
}

/* All signals are held back before the program starts, so that none is lost;
 * a blocked signal reaches PID 1 even where its default is to ignore. Of
 * children that end nobody would be told while SIGCHLD is ignored. */
static long hold_signals(void) {
  long result = set_default(SIGCHLD);
  return result < 0 ? result : set_mask(SIG_BLOCK, ~UINT64_C(0));
}

/* Nothing of the starter's stays with us but what the end is told on. */
static long let_go(void) {
  long status = walker_head.status;
  long result = raw(SYS_chdir, "/");
  if (result >= 0 && status > 3)
    result = raw(SYS_close_range, 3, status - 1, 0);
  return result < 0 ? result : raw(SYS_close_range, status + 1, ~0U, 0);
}

long walker_spawn(const long a[]) {
  struct image image;
  spell(&image, a);
  if (walker_abandoned())
    walker_exit(125);
  long pid = hold_signals();
  if (pid >= 0)
    pid = start_child(&image);
  if (pid < 0)
    return pid;
  /* it runs: whatever fails from here on must not start it once more */
  if (walker_pass(NULL) < 0 || let_go() < 0)
    give_up();
  be_init(pid);
}

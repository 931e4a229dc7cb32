/*
 * Runs a command and makes one of its system calls fail, by ptrace(2): what
 * scripts/dev/faults.lua does its work with. strace(1) can inject faults as
 * well, but counts in each process by itself, so that the parent's n-th call
 * hides the child's; here a call is named by its process and its place there.
 *
 *   inject [-l] [-f|-F P.N:ERRNO] [-t SECONDS] REPORT COMMAND [ARGUMENT]...
 *
 * Process 0 is the command, the others are counted as they come. Calls count
 * between two marks, getsid(MARK_ON) and getsid(MARK_OFF), in whichever
 * process, as long as that is the command's program or a part of it in memory;
 * what it starts is watched, not counted. With -l each call is told, with -f
 * one of them is not made, and gets the errno; with -F all of that name from
 * there on, also in processes that come later. REPORT is a file of lines:
 *
 *   call P N NAME A B C      -l
 *   ending                   getsid(MARK_END): what comes is of the end
 *   fail P N NAME A B C      the call that was made to fail
 *   end exit|signal NUMBER   of the command
 *   crash P SIGNAL           a process died of what is a bug
 *   hang P NAME              it was waited for in vain; all is killed then
 *   left P NAME              it outlived the command by GRACE; it is killed
 *   processes N W            how many there were, and of them walkers
 */
#define _GNU_SOURCE
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef __x86_64__
#error "written for the registers of x86-64"
#endif

enum { MARK_ON = 0x0fa17001, MARK_OFF = 0x0fa17000, MARK_END = 0x0fa17002 };
enum { MOST = 512, TICK_US = 50000, GRACE = 3 /* seconds */ };

struct tracee {
  pid_t pid; /* 0: none */
  unsigned number, calls;
  bool born;   /* its parent's call has been seen, too */
  bool waits;  /* for that */
  bool ours;   /* runs the command's program */
  bool entry;  /* is in a call */
  int failing; /* errno that the call will have, 0 for none */
  long argument; /* of a brk that fails */
  int call;
};

static struct tracee tracees[MOST];
static struct {
  bool list;
  unsigned process, call;
  int err; /* 0: none fails */
  bool on; /* so do all that come after it */
  int seconds;
  FILE *report;
} ask = {.seconds = 20};
static struct stat program;
static unsigned processes, walkers;
static bool counting;

static _Noreturn void die(const char *what) {
  perror(what);
  exit(2);
}

static const char *name_of(int call) {
  static char *name; /* one at a time */
  free(name);
  name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, call);
  return name != NULL ? name : "unknown";
}

/* ---- the processes ---- */

static struct tracee *find(pid_t pid) {
  struct tracee *free_one = NULL;
  for (struct tracee *t = tracees; t < tracees + MOST; t++) {
    if (t->pid == pid)
      return t;
    if (t->pid == 0 && free_one == NULL)
      free_one = t;
  }
  if (free_one == NULL)
    die("too many processes");
  *free_one = (struct tracee){.pid = pid, .number = processes++};
  return free_one;
}

static unsigned alive(void) {
  unsigned n = 0;
  for (struct tracee *t = tracees; t < tracees + MOST; t++)
    n += t->pid != 0;
  return n;
}

/* Whether what it runs is a file in memory whose name begins so. */
static bool in_memory(pid_t pid, const char *name) {
  char path[64], target[64] = "";
  snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
  return readlink(path, target, sizeof target - 1) > 0 &&
         strncmp(target, name, strlen(name)) == 0;
}

/* The command's own program, or a file in memory with a name of ours. */
static bool runs_ours(pid_t pid) {
  char path[64];
  struct stat st;
  if (in_memory(pid, "/memfd:farside"))
    return true;
  snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
  return stat(path, &st) == 0 && st.st_dev == program.st_dev &&
         st.st_ino == program.st_ino;
}

static void read_name(pid_t pid, char *name, int size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
  FILE *file = fopen(path, "r");
  if (file == NULL || fgets(name, size, file) == NULL)
    strcpy(name, "?");
  name[strcspn(name, "\n")] = '\0';
  if (file != NULL)
    fclose(file);
}

static void tell_left(const char *what) {
  for (struct tracee *t = tracees; t < tracees + MOST; t++) {
    char name[32];
    if (t->pid == 0)
      continue;
    read_name(t->pid, name, sizeof name);
    fprintf(ask.report, "%s %u %s %s\n", what, t->number, name,
            t->entry ? name_of(t->call) : "-");
  }
}

/* Again and again: there may be new ones. */
static void kill_all(void) {
  for (struct tracee *t = tracees; t < tracees + MOST; t++)
    if (t->pid != 0)
      kill(t->pid, SIGKILL);
}

/* ---- calls ---- */

/* These answer always, or their failing is nothing that a kernel does. */
static bool cannot_fail(int call) {
  static const int list[] = {
    SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_getpid, SYS_gettid,
    SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_umask,
    SYS_sched_yield, SYS_set_tid_address, SYS_restart_syscall, SYS_getpgrp,
  };
  for (unsigned i = 0; i < sizeof list / sizeof *list; i++)
    if (list[i] == call)
      return true;
  return false;
}

static void poke(pid_t pid, size_t where, long value) {
  if (ptrace(PTRACE_POKEUSER, pid, where, value) == -1 && errno != ESRCH)
    die("ptrace");
}

#define REGISTER(name) offsetof(struct user_regs_struct, name)

static bool chosen(const struct tracee *t) {
  static int same = -1; /* the call that fails from now on */
  if (t->call == same && t->number >= ask.process)
    return true;
  if (ask.err == 0 || t->number != ask.process || t->calls != ask.call)
    return false;
  same = ask.on ? t->call : -1;
  return true;
}

/* A descriptor is closed even if close says that this failed; brk says so by
 * an end that has not moved. */
static void prevent(struct tracee *t, long argument) {
  t->failing = ask.err;
  t->argument = argument;
  if (t->call == SYS_brk)
    poke(t->pid, REGISTER(rdi), 0);
  else if (t->call != SYS_close)
    poke(t->pid, REGISTER(orig_rax), -1);
}

static void answer(struct tracee *t) {
  if (t->call == SYS_brk)
    poke(t->pid, REGISTER(rdi), t->argument);
  else
    poke(t->pid, REGISTER(rax), -t->failing);
  t->failing = 0;
}

static void tell(const char *what, const struct tracee *t,
                 const struct __ptrace_syscall_info *info) {
  fprintf(ask.report, "%s %u %u %s %lx %lx %lx\n", what, t->number, t->calls,
          name_of(t->call), (unsigned long)info->entry.args[0],
          (unsigned long)info->entry.args[1],
          (unsigned long)info->entry.args[2]);
}

/* Whether the call is one of the marks. */
static bool is_mark(int call, uint64_t mark) {
  if (call != SYS_getsid || mark < MARK_OFF || mark > MARK_END)
    return false;
  if (mark == MARK_END)
    fprintf(ask.report, "ending\n");
  else
    counting = mark == MARK_ON;
  return true;
}

static void enter(struct tracee *t, const struct __ptrace_syscall_info *info) {
  t->call = (int)info->entry.nr;
  t->entry = true;
  if (is_mark(t->call, info->entry.args[0]))
    return;
  if (!counting || !t->ours || cannot_fail(t->call))
    return;
  t->calls++;
  if (ask.list)
    tell("call", t, info);
  if (chosen(t)) {
    tell("fail", t, info);
    prevent(t, (long)info->entry.args[0]);
  }
}

static void syscall_stop(struct tracee *t) {
  struct __ptrace_syscall_info info = {0};
  if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof info, &info) == -1)
    return; /* it was killed */
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    enter(t, &info);
  } else {
    t->entry = false;
    if (t->failing != 0)
      answer(t);
  }
}

/* ---- stops ---- */

static void resume(const struct tracee *t, int signal) {
  ptrace(t->ours ? PTRACE_SYSCALL : PTRACE_CONT, t->pid, NULL,
         (long)signal); /* ESRCH: it was killed */
}

static void born(struct tracee *t, bool ours) {
  t->born = true;
  t->ours = ours;
  if (t->waits)
    resume(t, 0);
  t->waits = false;
}

static void event(struct tracee *t, int kind) {
  unsigned long pid;
  if (kind == PTRACE_EVENT_EXEC) {
    t->ours = runs_ours(t->pid);
    walkers += in_memory(t->pid, "/memfd:farside-init");
  } else if ((kind == PTRACE_EVENT_FORK || kind == PTRACE_EVENT_VFORK ||
              kind == PTRACE_EVENT_CLONE) &&
             ptrace(PTRACE_GETEVENTMSG, t->pid, NULL, &pid) == 0) {
    born(find((pid_t)pid), t->ours);
  }
}

static void stopped(struct tracee *t, int status) {
  int signal = WSTOPSIG(status), kind = status >> 16;
  t->waits = !t->born;
  if (t->waits)
    return;
  if (kind == PTRACE_EVENT_STOP && signal != SIGTRAP) {
    ptrace(PTRACE_LISTEN, t->pid, NULL, NULL); /* it was told to stop */
    return;
  }
  if (kind != 0)
    event(t, kind);
  else if (signal == (SIGTRAP | 0x80))
    syscall_stop(t);
  resume(t, kind != 0 || signal == (SIGTRAP | 0x80) ? 0 : signal);
}

static bool is_bug(int signal) {
  return signal == SIGSEGV || signal == SIGBUS || signal == SIGABRT ||
         signal == SIGILL || signal == SIGFPE;
}

static void ended(struct tracee *t, int status) {
  bool killed = WIFSIGNALED(status);
  if (killed && is_bug(WTERMSIG(status)) && t->ours)
    fprintf(ask.report, "crash %u %d\n", t->number, WTERMSIG(status));
  if (t->number == 0)
    fprintf(ask.report, "end %s %d\n", killed ? "signal" : "exit",
            killed ? WTERMSIG(status) : WEXITSTATUS(status));
  t->pid = 0;
}

/* ---- the whole ---- */

static void tick(int signal) {
  (void)signal;
}

static time_t now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec;
}

/* Until nobody is left, or the time is over: of the command, then of those
 * that it leaves. */
static void watch(pid_t command) {
  time_t limit = now() + ask.seconds;
  bool told = false;
  while (alive() > 0) {
    int status;
    pid_t pid = waitpid(-1, &status, __WALL);
    if (pid == -1 && errno != EINTR)
      die("waitpid");
    bool over = told || now() > limit;
    if (over && !told)
      tell_left(tracees[0].pid == command ? "hang" : "left");
    if (over)
      kill_all();
    told = over;
    if (pid == -1)
      continue;
    struct tracee *t = find(pid);
    if (WIFSTOPPED(status))
      stopped(t, status);
    else
      ended(t, status);
    if (pid == command && t->pid == 0)
      limit = now() + GRACE;
  }
}

static pid_t start(char **argv) {
  pid_t pid = fork();
  if (pid == -1)
    die("fork");
  if (pid == 0) {
    raise(SIGSTOP);
    execv(argv[0], argv);
    die(argv[0]);
  }
  int status;
  if (waitpid(pid, &status, WUNTRACED) == -1)
    die("waitpid");
  long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
                 PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SEIZE, pid, NULL, options) == -1)
    die("ptrace");
  find(pid)->born = true;
  kill(pid, SIGCONT);
  return pid;
}

static int usage(void) {
  fputs("usage: inject [-l] [-f|-F P.N:ERRNO] [-t SECONDS] REPORT COMMAND "
        "[ARGUMENT]...\n", stderr);
  return 2;
}

int main(int argc, char **argv) {
  const struct itimerval ticks = {{0, TICK_US}, {0, TICK_US}};
  const struct sigaction action = {.sa_handler = tick};
  int option;
  while ((option = getopt(argc, argv, "+lf:F:t:")) != -1)
    if (option == 'l')
      ask.list = true;
    else if (option == 't')
      ask.seconds = atoi(optarg);
    else if (option == '?' || sscanf(optarg, "%u.%u:%d", &ask.process,
                                     &ask.call, &ask.err) != 3)
      return usage();
    else
      ask.on = option == 'F';
  if (argc - optind < 2)
    return usage();
  ask.report = fopen(argv[optind], "we");
  if (ask.report == NULL || stat(argv[optind + 1], &program) == -1)
    die(argv[optind]);
  pid_t command = start(argv + optind + 1);
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &ticks, NULL);
  watch(command);
  fprintf(ask.report, "processes %u %u\n", processes, walkers);
  return fclose(ask.report) == 0 ? 0 : 2;
}

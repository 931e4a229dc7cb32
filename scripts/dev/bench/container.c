/*
 * A container in C: the measure for what ns.run costs. It makes the system
 * calls that the plan of ns.run { "/bin/true" } makes, in the same processes
 * and the same order, and nothing else; `bench/calls.lua` compares the two.
 *
 *   parent  clones the child, writes its id maps, passes the baton, waits
 *   child   builds the root (root.c), gives up its powers, clones the payload
 *           and stays as PID 1 to reap
 *   payload executes /bin/true
 *
 * For each byte on standard input it makes one container and waits for its
 * end, then answers with a byte.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container.h"
#include "sys.h"

#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET \
                    | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP)

#define BIT(n) (UINT64_C(1) << (n))

static const uint64_t kept =
  BIT(CAP_AUDIT_WRITE) | BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) |
  BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_KILL) |
  BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_NET_RAW) | BIT(CAP_SETFCAP) |
  BIT(CAP_SETGID) | BIT(CAP_SETPCAP) | BIT(CAP_SETUID) | BIT(CAP_SYS_CHROOT);

struct channel {
  int ends[2];   /* the parent's and the child's: the baton goes over it */
  int status[2]; /* how the payload ended: read, write */
};

int must(int result, const char *call, const char *on) {
  if (result == -1)
    err(125, "%s %s", call, on);
  return result;
}

/* ---- the parent ---- */

static void write_file(int dir, const char *name, const char *text) {
  int fd = must(openat(dir, name, O_WRONLY | O_CLOEXEC), "open", name);
  must((int)write(fd, text, strlen(text)), "write", name);
  close(fd);
}

static void write_maps(const struct facts *f, int pidfd, pid_t pid) {
  char proc[32], uids[64], gids[64];
  snprintf(proc, sizeof proc, "/proc/%d", pid);
  snprintf(uids, sizeof uids, "0 %u %u\n", f->root ? 100000u : f->uid,
           f->root ? 65536u : 1u);
  snprintf(gids, sizeof gids, "0 %u %u\n", f->root ? 100000u : f->gid,
           f->root ? 65536u : 1u);
  int dir = must(open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC), "open", proc);
  must((int)syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0), "signal", "");
  if (!f->root)
    write_file(dir, "setgroups", "deny");
  write_file(dir, "uid_map", uids);
  write_file(dir, "gid_map", gids);
  close(dir);
}

static pid_t clone_child(uint64_t namespaces, int *pidfd) {
  struct clone_args args = {
    .flags = namespaces | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
    .pidfd = (uintptr_t)pidfd,
    .exit_signal = SIGCHLD,
  };
  return must(far_clone3(&args), "clone3", "");
}

static void pass_baton(int end) {
  must((int)send(end, "+", 1, MSG_NOSIGNAL), "send", "baton");
}

/* 0 when the other side has hung up. */
static ssize_t receive(int end) {
  char buffer[512];
  return must((int)recv(end, buffer, sizeof buffer, 0), "recv", "baton");
}

static _Noreturn void child_main(const struct facts *f, struct channel *c,
                                 int files);

static pid_t start(const struct facts *f, struct channel *c, int *pidfd) {
  int files = f->root ? take_tree("/", false, MOUNT_ATTR_NODEV) : -1;
  pid_t pid = clone_child(NAMESPACES, pidfd);
  if (pid == 0)
    child_main(f, c, files);
  close(c->ends[1]);
  close(c->status[1]);
  write_maps(f, *pidfd, pid);
  if (f->root) {
    int userns = must(ioctl(*pidfd, FAR_PIDFD_GET_NAMESPACE(9), 0), "open",
                      "user namespace");
    map_tree(files, userns);
    close(userns);
  }
  pass_baton(c->ends[0]);
  if (receive(c->ends[0]) != 0)
    errx(125, "the child says more than it should");
  close(c->ends[0]);
  if (files != -1)
    close(files);
  return pid;
}

static void await(int pidfd, int signals) {
  struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN},
                         {.fd = signals, .events = POLLIN}};
  must(poll(fds, 2, -1), "poll", "child");
  must(waitid(P_PIDFD, (id_t)pidfd, &(siginfo_t){0}, WEXITED), "wait", "");
}

static void run(void) {
  struct facts f;
  struct channel c;
  sigset_t forwarded, before;
  int pidfd, end[2];
  read_facts(&f);
  sigemptyset(&forwarded);
  for (const int *s = (int[]){SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1,
                              SIGUSR2, SIGCONT, SIGWINCH, 0}; *s != 0; s++)
    sigaddset(&forwarded, *s);
  sigprocmask(SIG_BLOCK, &forwarded, &before);
  int signals = must(signalfd(-1, &forwarded, SFD_CLOEXEC), "signalfd", "");
  must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, c.ends),
       "socketpair", "");
  must(pipe2(c.status, O_CLOEXEC), "pipe", "");
  start(&f, &c, &pidfd);
  await(pidfd, signals);
  must((int)read(c.status[0], end, sizeof end), "read", "status");
  close(c.status[0]);
  close(pidfd);
  close(signals);
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (end[1] != 0)
    errx(1, "the payload ended with %d", end[1]);
}

/* ---- the child ---- */

/* Clocks of its own, which the child itself lives by. */
static void unshare_time(void) {
  const char *path = "/proc/self/ns/time_for_children";
  must(unshare(CLONE_NEWTIME), "unshare", "time");
  int fd = must(open(path, O_RDONLY | O_CLOEXEC), "open", path);
  must(setns(fd, CLONE_NEWTIME), "setns", path);
  close(fd);
}

static void become_root(const struct facts *f) {
  if (f->root)
    must((int)syscall(SYS_setgroups, 0, NULL), "setgroups", "");
  must((int)syscall(SYS_setresgid, 0, 0, 0), "setresgid", "0");
  must((int)syscall(SYS_setresuid, 0, 0, 0), "setresuid", "0");
  must(prctl(PR_SET_DUMPABLE, 0), "prctl", "dumpable");
  must(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl", "pdeathsig");
}

/* Loopback is down in a new network. */
static void loopback_up(void) {
  struct {
    struct nlmsghdr header;
    struct ifinfomsg info;
    struct rtattr attribute;
    char name[8];
  } request = {
    .header = {sizeof request, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0},
    .info = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP},
    .attribute = {RTA_LENGTH(3), IFLA_IFNAME},
    .name = "lo",
  };
  struct { struct nlmsghdr header; struct nlmsgerr error; } answer;
  int yes = 1, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  must(fd, "socket", "netlink");
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &yes, sizeof yes);
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof yes);
  must((int)send(fd, &request, sizeof request, 0), "send", "lo");
  must((int)recv(fd, &answer, sizeof answer, MSG_TRUNC), "recv", "lo");
  if (answer.error.error != 0)
    errx(125, "link lo: %s", strerror(-answer.error.error));
  close(fd);
}

static void drop_capabilities(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[2];
  must((int)syscall(SYS_capget, &header, sets), "capget", "");
  for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
    if ((kept & BIT(cap)) == 0)
      must(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0), "prctl", "bounding set");
  for (int i = 0; i < 2; i++) {
    uint32_t mask = (uint32_t)(kept >> (32 * i));
    sets[i].effective &= mask;
    sets[i].permitted &= mask;
    sets[i].inheritable &= mask;
  }
  must((int)syscall(SYS_capset, &header, sets), "capset", "");
}

static void drop_privileges(void) {
  must(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}), "setrlimit", "core");
  drop_capabilities();
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl", "no_new_privs");
}

static void check_parent(int end) {
  struct pollfd fd = {.fd = end, .events = POLLIN};
  if (must(poll(&fd, 1, 0), "poll", "parent") != 0)
    _exit(125);
}

static void default_signals(void) {
  sigset_t none;
  struct sigaction action, standard = {.sa_handler = SIG_DFL};
  for (int n = 1; n <= SIGRTMAX; n++)
    if (sigaction(n, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
      (void)sigaction(n, &standard, NULL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void payload(struct channel *c) {
  char cwd[PATH_MAX], *argv[] = {"/bin/true", NULL};
  char *env[] = {"HOME=/root", "PATH=/usr/bin:/bin", "container=farside", NULL};
  close(c->status[1]);
  must(setsid(), "setsid", "");
  check_parent(c->ends[1]);
  must(chdir("/"), "chdir", "/");
  must(sys_getcwd(cwd, sizeof cwd), "getcwd", "");
  must(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), "close_range", "");
  default_signals();
  must(execve(argv[0], argv, env), "execve", argv[0]);
  _exit(127);
}

/* PID 1: reaps until the payload ends, and tells how. */
static _Noreturn void reap(pid_t payload_pid, int status, const sigset_t *all) {
  int end[2];
  if (status > 3)
    must(close_range(3, (unsigned)status - 1, 0), "close_range", "");
  must(close_range((unsigned)status + 1, ~0U, 0), "close_range", "");
  for (;;) {
    int signal = must(sigtimedwait(all, NULL, NULL), "sigtimedwait", "");
    if (signal != SIGCHLD) {
      (void)kill(payload_pid, signal);
      continue;
    }
    for (pid_t pid; (pid = waitpid(-1, &end[0], WNOHANG)) > 0;)
      if (pid == payload_pid) {
        end[1] = WIFSIGNALED(end[0]) ? 128 + WTERMSIG(end[0])
                                     : WEXITSTATUS(end[0]);
        must((int)write(status, end, sizeof end), "write", "status");
        _exit(end[1]);
      }
  }
}

static _Noreturn void child_main(const struct facts *f, struct channel *c,
                                 int files) {
  sigset_t all;
  int pidfd;
  close(c->ends[0]);
  close(c->status[0]);
  if (receive(c->ends[1]) == 0)
    _exit(125);
  unshare_time();
  become_root(f);
  int root = make_root(f, files);
  loopback_up();
  enter_root(root);
  drop_privileges();
  check_parent(c->ends[1]);
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  pid_t pid = clone_child(0, &pidfd);
  if (pid == 0)
    payload(c);
  close(c->ends[1]);
  reap(pid, c->status[1], &all);
}

int main(void) {
  for (char byte; read(0, &byte, 1) == 1;) {
    run();
    must((int)write(1, "\n", 1), "write", "answer");
  }
  return 0;
}

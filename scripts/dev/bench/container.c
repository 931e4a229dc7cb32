/*
 * A container in C: the measure for what ns.run costs. It makes the system
 * calls that ns.run { "/bin/true" } makes, in the same processes and the same
 * order, and nothing else; bench/calls.lua compares the two.
 *
 *   parent   clones the child, writes its id maps, passes the baton, waits
 *   child    builds the root (root.c), gives up its powers and starts the
 *            payload (payload.c), then stays as PID 1 to reap
 *   payload  is /bin/true
 *
 * For each byte on standard input it makes one container and waits for its
 * end, then answers with a byte; with the word "once" it makes one and ends.
 * The first argument is the file of its filter of system calls; with the word
 * "readonly" nothing in the container can be written but on mounts of its own.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container.h"
#include "sys.h"

#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET \
                    | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP)

enum { KINDS = 8, USER = 5 };

/* Numbers of a pidfd's ioctls: mnt, uts, ipc, net, pid, user, cgroup, time. */
static const int kinds[KINDS] = {3, 10, 2, 4, 5, 9, 1, 7};

struct channel {
  int ends[2];   /* the parent's and the child's: the baton goes over it */
  int status[2]; /* how the payload ended: read, write */
};

int must(int result, const char *call, const char *on) {
  if (result == -1)
    err(125, "%s %s", call, on);
  return result;
}

/* ---- the baton ---- */

static void pass_baton(int end) {
  struct iovec data = {"+", 1};
  struct msghdr msg = {.msg_iov = &data, .msg_iovlen = 1};
  must((int)sendmsg(end, &msg, MSG_NOSIGNAL), "sendmsg", "baton");
}

/* Fails when the other side has hung up. */
static void await_baton(int end) {
  char bytes[512], control[512];
  struct iovec data = {bytes, sizeof bytes};
  struct msghdr msg = {.msg_iov = &data, .msg_iovlen = 1, .msg_control =
                       control, .msg_controllen = sizeof control};
  if (must((int)recvmsg(end, &msg, MSG_CMSG_CLOEXEC), "recvmsg", "baton") == 0)
    _exit(125);
}

/* ---- the parent ---- */

/* The directory of a process in /proc, as that process and no later one. */
static int open_proc(int pidfd) {
  char text[512];
  long pid = 0;
  snprintf(text, sizeof text, "/proc/self/fdinfo/%d", pidfd);
  int info = must(open(text, O_RDONLY | O_CLOEXEC), "open", text);
  text[must((int)read(info, text, sizeof text - 1), "read", "fdinfo")] = '\0';
  close(info);
  (void)sscanf(strstr(text, "\nPid:"), "\nPid: %ld", &pid);
  snprintf(text, sizeof text, "/proc/%ld", pid);
  int dir = must(open(text, O_PATH | O_DIRECTORY | O_CLOEXEC), "open", text);
  must(pidfd_send_signal(pidfd, 0, NULL, 0), "signal", "child");
  return dir;
}

static void write_proc(int pidfd, const char *name, const char *text) {
  struct open_how how = {.flags = O_WRONLY | O_CLOEXEC};
  int dir = open_proc(pidfd);
  int fd = must(sys_openat2(dir, name, &how), "openat2", name);
  must((int)write(fd, text, strlen(text)), "write", name);
  close(fd);
  close(dir);
}

static void write_maps(const struct facts *f, int pidfd) {
  char uids[64], gids[64];
  snprintf(uids, sizeof uids, "0 %u %u\n", f->root ? 100000u : f->uid,
           f->root ? 65536u : 1u);
  snprintf(gids, sizeof gids, "0 %u %u\n", f->root ? 100000u : f->gid,
           f->root ? 65536u : 1u);
  if (!f->root)
    write_proc(pidfd, "setgroups", "deny");
  write_proc(pidfd, "uid_map", uids);
  write_proc(pidfd, "gid_map", gids);
}

static int open_namespace(int pidfd, int kind) {
  struct stat identity;
  int fd = must(ioctl(pidfd, FAR_PIDFD_GET_NAMESPACE(kinds[kind]), 0),
                "ioctl", "namespace");
  must(fstat(fd, &identity), "fstat", "namespace");
  return fd;
}

static _Noreturn void child_main(const struct facts *f, struct channel *c,
                                 int files);

static void clone_child(const struct facts *f, struct channel *c, int files,
                        int *pidfd) {
  struct clone_args args = {
    .flags = NAMESPACES | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
    .pidfd = (uintptr_t)pidfd,
    .exit_signal = SIGCHLD,
  };
  if (must(far_clone3(&args), "clone3", "") == 0)
    child_main(f, c, files);
  close(c->ends[1]);
  close(c->status[1]);
}

/* Root shows the host's files with the ids of the container; an ordinary user
 * keeps ways in, while he may still look. */
static void start(const struct facts *f, struct channel *c, int *pidfd,
                  int ways[KINDS]) {
  int userns = -1, files = -1;
  if (f->root)
    files = take_tree("/", false, MOUNT_ATTR_NODEV);
  clone_child(f, c, files, pidfd);
  write_maps(f, *pidfd);
  if (f->root) {
    userns = open_namespace(*pidfd, USER);
    map_tree(files, userns);
  }
  pass_baton(c->ends[0]);
  if (!f->root) {
    await_baton(c->ends[0]);
    for (int i = 0; i < KINDS; i++)
      ways[i] = open_namespace(*pidfd, i);
    pass_baton(c->ends[0]);
  }
  await_baton(c->ends[0]);
  close(c->ends[0]);
  if (f->root) {
    close(userns);
    close(files);
  }
}

/* Fails when the payload has. */
static void await(int pidfd, int status, int signals) {
  int end[2];
  struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN},
                         {.fd = signals, .events = POLLIN}};
  must(ppoll(fds, 2, NULL, NULL), "ppoll", "child");
  must((int)read(status, end, sizeof end), "read", "status");
  close(status);
  must(ppoll(fds, 1, NULL, NULL), "ppoll", "child");
  must(waitid(P_PIDFD, (id_t)pidfd, &(siginfo_t){0}, WEXITED), "wait", "");
  if (end[1] != 0)
    errx(1, "the payload ended with %d", end[1]);
}

static void run(bool readonly, const struct filter *filter) {
  struct facts f;
  struct channel c;
  sigset_t forwarded, before;
  int pidfd, ways[KINDS];
  read_facts(&f);
  f.readonly = readonly;
  f.filter = filter;
  sigemptyset(&forwarded);
  for (const int *s = (int[]){SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1,
                              SIGUSR2, SIGCONT, SIGWINCH, 0}; *s != 0; s++)
    sigaddset(&forwarded, *s);
  sigprocmask(SIG_BLOCK, &forwarded, &before);
  int signals = must(signalfd(-1, &forwarded, SFD_CLOEXEC), "signalfd", "");
  must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, c.ends),
       "socketpair", "");
  must(pipe2(c.status, O_CLOEXEC), "pipe", "");
  start(&f, &c, &pidfd, ways);
  await(pidfd, c.status[0], signals);
  for (int i = 0; i < KINDS && !f.root; i++)
    close(ways[i]);
  close(pidfd);
  close(signals);
  sigprocmask(SIG_SETMASK, &before, NULL);
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

static void become_root(const struct facts *f, int end) {
  must((int)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL), "keyctl",
       "");
  if (f->root)
    must((int)syscall(SYS_setgroups, 0, NULL), "setgroups", "");
  must((int)syscall(SYS_setresgid, 0, 0, 0), "setresgid", "0");
  must((int)syscall(SYS_setresuid, 0, 0, 0), "setresuid", "0");
  if (!f->root) {
    pass_baton(end);
    await_baton(end);
  }
  must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl", "dumpable");
  must(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "prctl", "pdeathsig");
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
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  must(fd, "socket", "netlink");
  must((int)send(fd, &request, sizeof request, 0), "send", "lo");
  must((int)recv(fd, &answer, sizeof answer, MSG_TRUNC), "recv", "lo");
  if (answer.error.error != 0)
    errx(125, "link lo: %s", strerror(-answer.error.error));
  close(fd);
}

static void check_parent(int end) {
  struct pollfd fd = {.fd = end, .events = POLLIN};
  if (must(ppoll(&fd, 1, &(struct timespec){0, 0}, NULL), "ppoll", "") != 0)
    _exit(125);
}

/* PID 1: reaps until the payload ends, and tells how. */
static _Noreturn void reap(pid_t payload, int status, const sigset_t *all) {
  int end[2];
  must(close_range(3, (unsigned)status - 1, 0), "close_range", "");
  must(close_range((unsigned)status + 1, ~0U, 0), "close_range", "");
  for (;;) {
    int signal = must(sigtimedwait(all, NULL, NULL), "sigtimedwait", "");
    if (signal != SIGCHLD) {
      (void)kill(payload, signal);
      continue;
    }
    for (pid_t pid; (pid = waitpid(-1, &end[0], WNOHANG)) > 0;)
      if (pid == payload) {
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
  close(c->ends[0]);
  close(c->status[0]);
  await_baton(c->ends[1]);
  unshare_time();
  become_root(f, c->ends[1]);
  int root = make_root(f, files);
  loopback_up();
  enter_root(f, root);
  drop_privileges(f);
  must(setsid(), "setsid", "");
  check_parent(c->ends[1]);
  must(sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, NULL),
       "sigaction", "CHLD");
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  pid_t payload = start_payload();
  pass_baton(c->ends[1]);
  reap(payload, c->status[1], &all);
}

static void read_filter(struct filter *f, const char *path) {
  int fd = must(open(path, O_RDONLY | O_CLOEXEC), "open", path);
  f->size = (size_t)must((int)read(fd, f->bytes, sizeof f->bytes), "read",
                         path);
  close(fd);
}

int main(int argc, char **argv) {
  static struct filter filter;
  bool readonly = false, once = false;
  if (argc < 2)
    errx(2, "usage: container FILTER [readonly] [once] <orders");
  for (int i = 2; i < argc; i++) {
    readonly |= strcmp(argv[i], "readonly") == 0;
    once |= strcmp(argv[i], "once") == 0;
  }
  read_filter(&filter, argv[1]);
  if (once) {
    run(readonly, &filter);
    return 0;
  }
  for (char byte; read(0, &byte, 1) == 1;) {
    run(readonly, &filter);
    must((int)write(1, "\n", 1), "write", "answer");
  }
  return 0;
}

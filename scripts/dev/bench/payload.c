/*
 * The last steps of the container in C: what power is left, and the program.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "container.h"
#include "sys.h"

#define BIT(n) (UINT64_C(1) << (n))

static const uint64_t kept =
  BIT(CAP_AUDIT_WRITE) | BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) |
  BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_KILL) |
  BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_NET_RAW) | BIT(CAP_SETFCAP) |
  BIT(CAP_SETGID) | BIT(CAP_SETPCAP) | BIT(CAP_SETUID) | BIT(CAP_SYS_CHROOT);

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

static void install(const struct filter *f) {
  struct sock_fprog program = {
    .len = (unsigned short)(f->size / sizeof(struct sock_filter)),
    .filter = (struct sock_filter *)(void *)f->bytes,
  };
  must((int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program),
       "seccomp", "");
}

void drop_privileges(const struct facts *f) {
  must(setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1}), "setrlimit", "core");
  drop_capabilities();
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl", "no_new_privs");
  install(f->filter);
}

static pid_t spawn(void) {
  char *argv[] = {"/bin/true", NULL};
  char *env[] = {"HOME=/root", "PATH=/usr/bin:/bin", "container=farside", NULL};
  posix_spawnattr_t attributes;
  sigset_t all, none;
  pid_t pid;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK |
                           POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  int error = posix_spawn(&pid, argv[0], NULL, &attributes, argv, env);
  if (error != 0)
    errx(125, "posix_spawn: %s", strerror(error));
  posix_spawnattr_destroy(&attributes);
  return pid;
}

pid_t start_payload(void) {
  char cwd[PATH_MAX];
  must(chdir("/"), "chdir", "/");
  must(sys_getcwd(cwd, sizeof cwd), "getcwd", "");
  must(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), "close_range", "");
  pid_t pid = spawn();
  must(chdir("/"), "chdir", "/");
  return pid;
}

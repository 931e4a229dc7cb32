/*
 * System calls and constants that libc or the oldest supported kernel
 * headers lack. Every function answers -1 and sets errno, ENOSYS included.
 */
#ifndef FARSIDE_SYS_H
#define FARSIDE_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static inline pid_t far_clone3(struct clone_args *args) {
  return (pid_t)syscall(SYS_clone3, args, sizeof *args);
}

/* What libc's sigaction refuses for the two signals that it keeps to itself,
 * although somebody may have had them ignored before an exec. Handlers are
 * never set this way, so the mask and the rest stay zero. */
struct far_disposition {
  void (*handler)(int);
  unsigned long rest[7];
};

static inline int far_rt_sigaction(int signal,
                                   const struct far_disposition *new,
                                   struct far_disposition *old) {
  return (int)syscall(SYS_rt_sigaction, signal, new, old, 8);
}

/* Linux 6.13; the exit code (as waitpid tells it) since 6.15. */
struct far_pidfd_info {
  uint64_t mask, cgroupid;
  uint32_t pid, tgid, ppid;
  uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  int32_t exit_code;
};
#define FAR_PIDFD_GET_INFO _IOWR(0xff, 11, struct far_pidfd_info)
#define FAR_PIDFD_INFO_EXIT 8

/* ---- namespaces: nsfs (4.9 and 4.11) and what a pidfd gives (6.11) ---- */

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif

#ifndef NS_GET_USERNS
#define NS_GET_USERNS _IO(0xb7, 1)
#define NS_GET_PARENT _IO(0xb7, 2)
#define NS_GET_NSTYPE _IO(0xb7, 3)
#define NS_GET_OWNER_UID _IO(0xb7, 4)
#endif

#ifndef NS_GET_TGID_FROM_PIDNS /* 6.11 */
#define NS_GET_TGID_FROM_PIDNS _IOR(0xb7, 7, int)
#endif

#define FAR_PIDFD_GET_NAMESPACE(number) _IO(0xff, number)

/* ---- files ---- */

#ifndef SYS_fchmodat2 /* Linux 6.6; one number on every architecture */
#define SYS_fchmodat2 452
#endif

static inline int sys_openat2(int dir, const char *path,
                              const struct open_how *how) {
  return (int)syscall(SYS_openat2, dir, path, how, sizeof *how);
}

/* Before 6.6 libc emulates AT_SYMLINK_NOFOLLOW, by way of /proc. */
static inline int sys_fchmodat(int dir, const char *path, mode_t mode,
                               int flags) {
  int result = (int)syscall(SYS_fchmodat2, dir, path, mode, flags);
  if (result != -1 || errno != ENOSYS)
    return result;
  if (flags & AT_EMPTY_PATH)
    return fchmod(dir, mode);
  return fchmodat(dir, path, mode, flags);
}

static inline int sys_pivot_root(const char *root, const char *old) {
  return (int)syscall(SYS_pivot_root, root, old);
}

/* libc hides the kernel's "(unreachable)". */
static inline int sys_getcwd(char *buffer, size_t size) {
  return (int)syscall(SYS_getcwd, buffer, size);
}

/* ---- mounts by descriptor, Linux 5.2 to 5.12 ---- */

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MOVE_MOUNT_F_SYMLINKS
#define MOVE_MOUNT_F_SYMLINKS 0x01
#define MOVE_MOUNT_F_AUTOMOUNTS 0x02
#define MOVE_MOUNT_F_EMPTY_PATH 0x04
#define MOVE_MOUNT_T_SYMLINKS 0x10
#define MOVE_MOUNT_T_AUTOMOUNTS 0x20
#define MOVE_MOUNT_T_EMPTY_PATH 0x40
#endif
#ifndef MOVE_MOUNT_SET_GROUP
#define MOVE_MOUNT_SET_GROUP 0x100
#endif
#ifndef MOVE_MOUNT_BENEATH /* Linux 6.5 */
#define MOVE_MOUNT_BENEATH 0x200
#endif
#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 0x01
#define MOUNT_ATTR_NOSUID 0x02
#define MOUNT_ATTR_NODEV 0x04
#define MOUNT_ATTR_NOEXEC 0x08
#define MOUNT_ATTR__ATIME 0x70
#define MOUNT_ATTR_NOATIME 0x10
#define MOUNT_ATTR_STRICTATIME 0x20
#define MOUNT_ATTR_NODIRATIME 0x80
#endif
#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef ST_NOSYMFOLLOW
#define ST_NOSYMFOLLOW 0x2000
#endif

/* FSCONFIG_… are enumerators in some headers and missing in others. */
enum {
  SYS_FSCONFIG_FLAG,
  SYS_FSCONFIG_STRING,
  SYS_FSCONFIG_BINARY,
  SYS_FSCONFIG_PATH,
  SYS_FSCONFIG_PATH_EMPTY,
  SYS_FSCONFIG_FD,
  SYS_FSCONFIG_CREATE,
  SYS_FSCONFIG_RECONFIGURE,
  SYS_FSCONFIG_CREATE_EXCL, /* Linux 6.6 */
};

#define SYS_FS_CLOEXEC 1 /* of fsopen, fspick and fsmount */
#define SYS_FSPICK_NOFOLLOW 2
#define SYS_FSPICK_NO_AUTOMOUNT 4
#define SYS_FSPICK_EMPTY_PATH 8

struct sys_mount_attr {
  uint64_t set, clear, propagation, userns;
};

static inline int sys_open_tree(int dir, const char *path, unsigned flags) {
  return (int)syscall(SYS_open_tree, dir, path, flags);
}

static inline int sys_move_mount(int fromdir, const char *from, int todir,
                                 const char *to, unsigned flags) {
  return (int)syscall(SYS_move_mount, fromdir, from, todir, to, flags);
}

static inline int sys_mount_setattr(int dir, const char *path, unsigned flags,
                                    const struct sys_mount_attr *attr) {
  return (int)syscall(SYS_mount_setattr, dir, path, flags, attr, sizeof *attr);
}

static inline int sys_fsopen(const char *fstype, unsigned flags) {
  return (int)syscall(SYS_fsopen, fstype, flags);
}

static inline int sys_fspick(int dir, const char *path, unsigned flags) {
  return (int)syscall(SYS_fspick, dir, path, flags);
}

static inline int sys_fsconfig(int fd, unsigned command, const char *key,
                               const void *value, int aux) {
  return (int)syscall(SYS_fsconfig, fd, command, key, value, aux);
}

static inline int sys_fsmount(int fd, unsigned flags, unsigned attributes) {
  return (int)syscall(SYS_fsmount, fd, flags, attributes);
}

/* ---- Landlock: 5.13, one number on every architecture ---- */

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

enum { SYS_LANDLOCK_PATH = 1, SYS_LANDLOCK_PORT = 2 };

struct sys_landlock_path {
  uint64_t rights;
  int32_t parent;
} __attribute__((packed));

struct sys_landlock_port {
  uint64_t rights, port;
};

static inline int sys_landlock_create_ruleset(const void *about, size_t size,
                                              unsigned flags) {
  return (int)syscall(SYS_landlock_create_ruleset, about, size, flags);
}

static inline int sys_landlock_add_rule(int ruleset, int kind,
                                        const void *rule) {
  return (int)syscall(SYS_landlock_add_rule, ruleset, kind, rule, 0);
}

static inline int sys_landlock_restrict_self(int ruleset) {
  return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}

#endif

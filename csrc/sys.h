/*
 * System calls and constants that libc or the oldest supported kernel
 * headers lack. Every function answers -1 and sets errno, ENOSYS included.
 */
#ifndef FARSIDE_SYS_H
#define FARSIDE_SYS_H

#include <linux/sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static inline pid_t far_clone3(struct clone_args *args) {
  return (pid_t)syscall(SYS_clone3, args, sizeof *args);
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

#endif

/*
 * System calls without libc: for a program that has none, and for a child
 * that runs in its parent's memory, where errno is the parent's. They answer
 * -errno.
 */
#ifndef FARSIDE_RAW_H
#define FARSIDE_RAW_H

#include <sys/syscall.h>

#if !defined __x86_64__ || defined __ILP32__
#error "for x86-64 only; elsewhere there is no walker (see the Makefile)"
#endif

static inline long raw_call(long number, long a, long b, long c, long d,
                            long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
                     "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

/* clone or clone3 with a stack of the child's own: there it calls `go`, which
 * does not return. */
static inline long raw_child(long number, long a, long b, void (*go)(void *),
                             void *with) {
  register long r10 __asm__("r10") = 0;
  register long r8 __asm__("r8") = 0;
  long result;
  __asm__ volatile("syscall\n\t"
                   "test %%rax, %%rax\n\t"
                   "jnz 1f\n\t"
                   "mov %[with], %%rdi\n\t"
                   "call *%[go]\n\t"
                   "hlt\n"
                   "1:"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(0L), "r"(r10), "r"(r8),
                     [go] "r"(go), [with] "r"(with)
                   : "rcx", "r11", "memory");
  return result;
}

/* Where a program starts; what is on the stack is its main's argument. */
#define RAW_START(main)                                                       \
  __asm__(".globl _start\n_start:\n\t"                                        \
          "xor %ebp, %ebp\n\t"                                                \
          "mov %rsp, %rdi\n\t"                                                \
          "and $-16, %rsp\n\t"                                                \
          "call " #main "\n\t"                                                \
          "hlt")

#define RAW_ARG(x) ((long)(x))
#define RAW6(n, a, b, c, d, e, f, ...)                                        \
  raw_call(n, RAW_ARG(a), RAW_ARG(b), RAW_ARG(c), RAW_ARG(d), RAW_ARG(e),     \
           RAW_ARG(f))
/* raw(SYS_close, fd): what is not given is 0. */
#define raw(...) RAW6(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

#endif

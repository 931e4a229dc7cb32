/*
 * Rules about system calls, and the program of the kernel's that they become
 * (filter.c). Takes no lua_State.
 */
#ifndef FARSIDE_FILTER_H
#define FARSIDE_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include <linux/filter.h>

enum filter_operator {
  FILTER_EQ, FILTER_NE, FILTER_LT, FILTER_LE, FILTER_GT, FILTER_GE,
  FILTER_MASKED,
};

#define FILTER_CONDITIONS 6

struct filter_condition {
  unsigned argument; /* 0 to 5 */
  enum filter_operator operator;
  uint64_t value, mask; /* mask: of FILTER_MASKED */
};

struct filter_rule {
  uint32_t action; /* SECCOMP_RET_… */
  const char *calls; /* names with white space between them */
  struct filter_condition conditions[FILTER_CONDITIONS]; /* all must hold */
  size_t count;
};

struct filter_program {
  struct sock_filter code[BPF_MAXINSNS];
  size_t length;
};

/* Makes the program: the first rule that is about a call decides, else
 * `otherwise`. Names that an architecture does not have are passed over there.
 * 0, or -ENOMEM, or -E2BIG when the program would be too long. */
int far_filter_make(struct filter_program *program, uint32_t otherwise,
                    const struct filter_rule *rules, size_t count);

/* Whether this machine, or libseccomp, knows a call of this name. */
int far_filter_known(const char *name, size_t length);

#endif

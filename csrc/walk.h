/*
 * The form in which a container's set-up reaches the process that takes it:
 * system calls one after the other, with their arguments. The core writes it
 * (program.c), the walker reads it (walker/).
 *
 * A program is one message: its head, the calls, then the bytes that
 * arguments point into. Most calls are the kernel's own; the others are few,
 * and short runs of calls in which one depends on the answer of another.
 */
#ifndef FARSIDE_WALK_H
#define FARSIDE_WALK_H

#include <stdint.h>

enum {
  WALK_CALLS = 2048,  /* of a program, at most; a message holds them */
  WALK_BYTES = 65536,
  WALK_REGISTERS = 32,
  WALK_SENT = 16,     /* descriptors that come with a program, at most */
  WALK_WORDS = 4096,  /* of a command and its environment */
};

/* A descriptor that the walker will have opened: this, plus a register. What
 * comes with the program is in the registers from the last but one down. */
#define WALK_REGISTER 0x40000000

enum walk_kind {
  WALK_VALUE,
  WALK_FD,    /* a descriptor's number, or a register's */
  WALK_OFFSET /* of something in the bytes */
};

struct walk_call {
  uint16_t number;   /* the kernel's, or one of those below */
  uint16_t step;     /* of the plan: whose failure it would be */
  uint8_t result;    /* the register for it, counted from 1; 0 for none */
  uint8_t tolerated; /* an errno that is no failure, or 0 */
  uint8_t kinds[6];
  uint64_t args[6];
};

struct walk_head {
  uint32_t calls, bytes;
  int32_t channel, status;
};

/* What the walker answers when a step has failed. On success it is one byte,
 * the baton. */
struct walk_failure {
  uint32_t step;
  int32_t err;
};

#define WALK_BATON "+"

/* Calls of the walker's own. A root, a directory or a tree is a descriptor;
 * paths are those inside the root. */
enum walk_own {
  WALK_FAIL = 0x8000, /* errno */
  WALK_PASS,          /* the baton, to the parent */
  WALK_AWAIT,         /* it, from the parent */
  WALK_SETNS,         /* path, namespace */
  WALK_WRITE,         /* path, bytes, how many */
  WALK_LINK_UP,       /* name, bytes of it */
  WALK_KEEP,          /* mask of capabilities, their number */
  WALK_SECCOMP,       /* instructions, how many */
  WALK_DIRECTORY,     /* root, path, mode, whether the umask has no say:
                       * answers a descriptor */
  WALK_ATTACH,        /* root, tree, path */
  WALK_MOUNT,         /* root, path, fstype, flags, data */
  WALK_TREE,          /* path, flags, attributes, type: answers a descriptor */
  WALK_SYMLINK,       /* root, target, path */
  WALK_FILE,          /* root, path, bytes, how many, mode, as above */
  WALK_CHMOD,         /* root, path, mode */
  WALK_DEVICE,        /* directory, name, major, minor */
  WALK_MASK,          /* root, paths, how many */
  WALK_PROTECT,       /* the same */
  WALK_INSIDE,        /* fails unless the working directory is in the root */
  WALK_PLACE,         /* session, terminal, stdin, stdout, stderr */
  WALK_EXEC,          /* words, files, arguments, variables (of each, how
                       * many): becomes the program */
  WALK_SPAWN,         /* the same: starts it and is its init */
  WALK_END
};

#endif

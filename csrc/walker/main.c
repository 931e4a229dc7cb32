/*
 * The first process of a container: it sets the container up, starts the
 * program, and stays as its init. It is a program of its own, of a few
 * kilobytes and without a libc, which the core carries and starts as the child
 * in the new namespaces (csrc/launch.c). So what a container costs does not
 * depend on how much memory its starter has, and nothing of that memory is
 * ever inside.
 *
 * It decides nothing: it receives a program (walk.h), takes the calls in it
 * one by one, and tells the first that fails by its step and errno; then the
 * next, until one of them has become or started the container's. The reason in
 * words is not its business: the starter walks the plan again in Lua.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "walker.h"

RAW_START(walker_main);
_Noreturn void walker_main(long *stack);

static struct {
  struct walk_head head;
  _Alignas(struct walk_call) char rest[
    WALK_CALLS * sizeof(struct walk_call) + WALK_BYTES];
} message;

struct walk_head walker_head;
static long registers[WALK_REGISTERS];
static unsigned step;

void walker_exit(int status) {
  for (;;)
    raw(SYS_exit_group, status);
}

void walker_close(long fd) {
  raw(SYS_close, fd);
}

void walker_fail(long err) {
  struct walk_failure failure = {step, (int32_t)-err};
  raw(SYS_sendto, walker_head.channel, &failure, sizeof failure, MSG_NOSIGNAL);
  walker_exit(125);
}

bool walker_abandoned(void) {
  struct pollfd fd = {.fd = walker_head.channel, .events = POLLIN};
  struct timespec now = {0, 0};
  return raw(SYS_ppoll, &fd, 1, &now, NULL, 0) != 0;
}

long walker_pass(const long a[]) {
  (void)a;
  return raw(SYS_sendto, walker_head.channel, WALK_BATON, 1, MSG_NOSIGNAL);
}

/* Without a parent there is nothing to live for. */
static long await(const long a[]) {
  char baton[16];
  (void)a;
  if (raw(SYS_recvfrom, walker_head.channel, baton, sizeof baton, 0) <= 0)
    walker_exit(125);
  return 0;
}

static long fail(const long a[]) {
  return -a[0];
}

static long (*const own[])(const long a[]) = {
  [WALK_FAIL - WALK_FAIL] = fail,
  [WALK_PASS - WALK_FAIL] = walker_pass,
  [WALK_AWAIT - WALK_FAIL] = await,
  [WALK_SETNS - WALK_FAIL] = walker_setns,
  [WALK_WRITE - WALK_FAIL] = walker_write,
  [WALK_LINK_UP - WALK_FAIL] = walker_link_up,
  [WALK_KEEP - WALK_FAIL] = walker_keep,
  [WALK_SECCOMP - WALK_FAIL] = walker_seccomp,
  [WALK_DIRECTORY - WALK_FAIL] = walker_directory,
  [WALK_ATTACH - WALK_FAIL] = walker_attach,
  [WALK_MOUNT - WALK_FAIL] = walker_mount,
  [WALK_TREE - WALK_FAIL] = walker_tree,
  [WALK_SYMLINK - WALK_FAIL] = walker_symlink,
  [WALK_FILE - WALK_FAIL] = walker_file,
  [WALK_CHMOD - WALK_FAIL] = walker_chmod,
  [WALK_DEVICE - WALK_FAIL] = walker_device,
  [WALK_MASK - WALK_FAIL] = walker_mask,
  [WALK_PROTECT - WALK_FAIL] = walker_protect,
  [WALK_INSIDE - WALK_FAIL] = walker_inside,
  [WALK_PLACE - WALK_FAIL] = walker_place,
  [WALK_EXEC - WALK_FAIL] = walker_exec,
  [WALK_SPAWN - WALK_FAIL] = walker_spawn,
};

static long argument(const struct walk_call *c, int i, char *bytes) {
  uint64_t value = c->args[i];
  if (c->kinds[i] == WALK_OFFSET)
    return (long)(bytes + value);
  if (c->kinds[i] == WALK_FD && (int64_t)value >= WALK_REGISTER)
    return registers[value - WALK_REGISTER];
  return (long)value;
}

static void take(const struct walk_call *c, char *bytes) {
  long a[6], result;
  for (int i = 0; i < 6; i++)
    a[i] = argument(c, i, bytes);
  step = c->step;
  if (c->number >= WALK_FAIL)
    result = own[c->number - WALK_FAIL](a);
  else
    result = raw_call(c->number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (result < 0 && result > -4096 && result != -(long)c->tolerated)
    walker_fail(result);
  if (c->result > 0)
    registers[c->result - 1] = result;
}

static int decimal(const char *text) {
  int n = 0;
  while (*text >= '0' && *text <= '9')
    n = n * 10 + (*text++ - '0');
  return n;
}

/* Puts the descriptors that came with a message into their registers. */
static void hold(const struct cmsghdr *c) {
  const int *fds = (const int *)(const void *)CMSG_DATA(c);
  size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
  for (size_t i = 0; i < count; i++)
    registers[WALK_REGISTERS - 2 - i] = fds[i];
}

/* The program; -errno, or how long it is. */
static long receive(int channel) {
  static _Alignas(struct cmsghdr) char control[
    CMSG_SPACE(WALK_SENT * sizeof(int))];
  struct iovec data = {&message, sizeof message};
  struct msghdr msg = {.msg_iov = &data, .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof control};
  long n = raw(SYS_recvmsg, channel, &msg, MSG_CMSG_CLOEXEC);
  if (n >= 0 && (msg.msg_flags & MSG_CTRUNC) != 0)
    return -EMFILE;
  if (n >= 0 && msg.msg_controllen > 0)
    hold((const struct cmsghdr *)(const void *)control);
  return n;
}

static void take_all(void) {
  walker_head = message.head;
  const struct walk_call *calls = (const struct walk_call *)message.rest;
  for (uint32_t i = 0; i < message.head.calls; i++)
    take(&calls[i], message.rest + message.head.calls * sizeof *calls);
}

/* Called with what the kernel has put on the stack: the number of arguments,
 * then these; the first that matters is the channel. */
void walker_main(long *stack) {
  int channel = stack[0] == 2 ? decimal((const char *)stack[2]) : -1;
  if (walker_inherit_nothing() < 0)
    walker_exit(125);
  raw(SYS_prctl, PR_SET_NAME, "farside-init");
  while (receive(channel) >= (long)sizeof message.head)
    take_all();
  walker_exit(125);
}

/* The compiler may call these for copies and initialisers. */
void *memset(void *to, int byte, size_t n);
void *memcpy(void *restrict to, const void *restrict from, size_t n);

void *memset(void *to, int byte, size_t n) {
  for (char *p = to; n > 0; n--)
    *p++ = (char)byte;
  return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
  const char *q = from;
  for (char *p = to; n > 0; n--)
    *p++ = *q++;
  return to;
}

/*
 * From rules about system calls to a program that the kernel runs at each of
 * them (classic BPF on struct seccomp_data). libseccomp knows the calls'
 * numbers on every architecture; the program is made here, since the one that
 * libseccomp makes takes 7 ms to be made and three times as long to install.
 *
 * The numbers of an architecture become segments: from this number on, that is
 * done. Neighbours with the same answer are one segment, so that 400 names are
 * some 60 segments, and the program finds the one it wants by halving:
 *
 *   load architecture
 *   if it is A: load number; number >= middle ? right half : left half …
 *   if it is B: …
 *   else ENOSYS
 *
 * A segment is one instruction that returns, or for a call with rules about its
 * arguments, these rules in order.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"

#define UNKNOWN_CALL (SECCOMP_RET_ERRNO | ENOSYS)
#define FIRST_X32 0x40000000U

/* What a kernel runs besides programs of its own architecture. */
static const struct {
  uint32_t native, other;
} companions[] = {
  {SCMP_ARCH_X86_64, SCMP_ARCH_X86},   {SCMP_ARCH_AARCH64, SCMP_ARCH_ARM},
  {SCMP_ARCH_PPC64, SCMP_ARCH_PPC},    {SCMP_ARCH_S390X, SCMP_ARCH_S390},
  {SCMP_ARCH_MIPS64, SCMP_ARCH_MIPS},  {SCMP_ARCH_MIPSEL64, SCMP_ARCH_MIPSEL},
};

/* ---- which rules are about which number ---- */

struct entry {
  uint32_t number;
  const struct filter_rule *rule; /* of an array: their order is the rules' */
};

struct entries {
  struct entry *list;
  size_t count, room;
};

static const char *next_word(const char *text, size_t *length) {
  static const char white[] = " \t\n";
  text += strspn(text, white);
  *length = strcspn(text, white);
  return text;
}

/* The number of a call, or one below 0. */
static int resolve(uint32_t architecture, const char *name, size_t length) {
  char copy[64];
  if (length >= sizeof copy)
    return __NR_SCMP_ERROR;
  memcpy(copy, name, length);
  copy[length] = '\0';
  return seccomp_syscall_resolve_name_arch(architecture, copy);
}

int far_filter_known(const char *name, size_t length) {
  return resolve(seccomp_arch_native(), name, length) != __NR_SCMP_ERROR;
}

static int add_entry(struct entries *entries, int number,
                     const struct filter_rule *rule) {
  if (entries->count == entries->room) {
    size_t room = entries->room == 0 ? 512 : 2 * entries->room;
    struct entry *list = reallocarray(entries->list, room, sizeof *list);
    if (list == NULL)
      return -ENOMEM;
    entries->list = list;
    entries->room = room;
  }
  entries->list[entries->count++] = (struct entry){(uint32_t)number, rule};
  return 0;
}

static int by_number(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  if (x->number != y->number)
    return x->number < y->number ? -1 : 1;
  return x->rule < y->rule ? -1 : x->rule > y->rule;
}

static int collect(struct entries *entries, uint32_t architecture,
                   const struct filter_rule *rules, size_t count) {
  size_t length;
  for (size_t i = 0; i < count; i++) {
    const char *name = next_word(rules[i].calls, &length);
    for (; length > 0; name = next_word(name + length, &length)) {
      int number = resolve(architecture, name, length);
      if (number >= 0 && add_entry(entries, number, &rules[i]) != 0)
        return -ENOMEM;
    }
  }
  if (entries->count > 0)
    qsort(entries->list, entries->count, sizeof *entries->list, by_number);
  return 0;
}

/* ---- segments ---- */

struct segment {
  uint32_t first; /* number, up to the next segment's */
  uint32_t action; /* when no rules are to be tried before */
  const struct entry *entries; /* with conditions; or NULL */
  size_t count;
};

struct segments {
  struct segment *list;
  size_t count;
};

static void add_segment(struct segments *segments, struct segment new) {
  struct segment *last = segments->list + segments->count - 1;
  bool first = segments->count == 0;
  if (!first && last->first == new.first)
    *last = new; /* what stood for the gap before a number had no room */
  else if (first || last->entries != NULL || new.entries != NULL ||
           last->action != new.action)
    segments->list[segments->count++] = new;
}

/* The segment of the entries for one number, of which there are `count`. */
static struct segment decide(const struct entry *entries, size_t count,
                             uint32_t otherwise) {
  struct segment s = {entries->number, otherwise, NULL, 0};
  while (s.count < count && entries[s.count].rule->count > 0)
    s.count++;
  if (s.count < count)
    s.action = entries[s.count].rule->action;
  if (s.count > 0)
    s.entries = entries;
  return s;
}

static void divide(struct segments *segments, const struct entries *entries,
                   uint32_t otherwise, uint32_t architecture) {
  const struct segment gap = {0, otherwise, NULL, 0};
  add_segment(segments, gap);
  for (size_t i = 0, n; i < entries->count; i += n) {
    const struct entry *e = entries->list + i;
    for (n = 1; i + n < entries->count && e[n].number == e->number; n++)
      continue;
    add_segment(segments, decide(e, n, otherwise));
    struct segment after = gap;
    after.first = e->number + 1;
    if (i + n == entries->count || e[n].number != after.first)
      add_segment(segments, after);
  }
  if (architecture == SCMP_ARCH_X86_64)
    add_segment(segments,
                (struct segment){FIRST_X32, UNKNOWN_CALL, NULL, 0});
}

/* ---- instructions ---- */

static void emit(struct filter_program *p, unsigned code, uint32_t k,
                 unsigned yes, unsigned no) {
  if (p->length < BPF_MAXINSNS)
    p->code[p->length] = (struct sock_filter){
      (uint16_t)code, (uint8_t)yes, (uint8_t)no, k};
  p->length++;
}

static void emit_load(struct filter_program *p, size_t offset) {
  emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_return(struct filter_program *p, uint32_t action) {
  emit(p, BPF_RET | BPF_K, action, 0, 0);
}

static void emit_jump(struct filter_program *p, unsigned how, uint32_t k,
                      unsigned yes, unsigned no) {
  emit(p, BPF_JMP | BPF_K | how, k, yes, no);
}

/* Where a jump goes that is patched once the rule is complete. */
#define NO 255

static void emit_half(struct filter_program *p, unsigned argument, bool high) {
  bool second = high == (__BYTE_ORDER == __LITTLE_ENDIAN);
  emit_load(p, offsetof(struct seccomp_data, args) + 8 * argument +
                 (second ? 4 : 0));
}

static void emit_masked(struct filter_program *p,
                        const struct filter_condition *c) {
  for (int high = 1; high >= 0; high--) {
    uint32_t mask = (uint32_t)(c->mask >> 32 * high);
    uint32_t value = (uint32_t)(c->value >> 32 * high);
    if (mask == 0 && value == 0)
      continue;
    emit_half(p, c->argument, high);
    if (mask != UINT32_MAX)
      emit(p, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
    emit_jump(p, BPF_JEQ, value, 0, NO);
  }
}

static void emit_equal(struct filter_program *p,
                       const struct filter_condition *c) {
  bool same = c->operator == FILTER_EQ;
  emit_half(p, c->argument, true);
  emit_jump(p, BPF_JEQ, (uint32_t)(c->value >> 32), 0, same ? NO : 2);
  emit_half(p, c->argument, false);
  emit_jump(p, BPF_JEQ, (uint32_t)c->value, same ? 0 : NO, same ? NO : 0);
}

/* Of two numbers with the same upper half, the lower one decides. */
static void emit_order(struct filter_program *p,
                       const struct filter_condition *c) {
  static const struct {
    unsigned how; /* is the lower half's test, and */
    bool wanted;  /* this its answer */
  } orders[] = {
    [FILTER_LT] = {BPF_JGE, false}, [FILTER_LE] = {BPF_JGT, false},
    [FILTER_GT] = {BPF_JGT, true},  [FILTER_GE] = {BPF_JGE, true},
  };
  bool up = orders[c->operator].wanted;
  uint32_t high = (uint32_t)(c->value >> 32);
  emit_half(p, c->argument, true);
  emit_jump(p, BPF_JGT, high, up ? 3 : NO, 0);
  emit_jump(p, BPF_JEQ, high, 0, up ? NO : 2);
  emit_half(p, c->argument, false);
  emit_jump(p, orders[c->operator].how, (uint32_t)c->value, up ? 0 : NO,
            up ? NO : 0);
}

static void emit_condition(struct filter_program *p,
                           const struct filter_condition *c) {
  if (c->operator == FILTER_MASKED)
    emit_masked(p, c);
  else if (c->operator == FILTER_EQ || c->operator == FILTER_NE)
    emit_equal(p, c);
  else
    emit_order(p, c);
}

/* A rule: what does not hold goes on behind it. */
static void emit_rule(struct filter_program *p, const struct filter_rule *r) {
  size_t first = p->length;
  for (size_t i = 0; i < r->count; i++)
    emit_condition(p, &r->conditions[i]);
  emit_return(p, r->action);
  for (size_t i = first; i < p->length && i < BPF_MAXINSNS; i++) {
    struct sock_filter *at = &p->code[i];
    bool jumps = BPF_CLASS(at->code) == BPF_JMP;
    if (jumps && at->jt == NO)
      at->jt = (uint8_t)(p->length - i - 1);
    if (jumps && at->jf == NO)
      at->jf = (uint8_t)(p->length - i - 1);
  }
}

static void emit_segment(struct filter_program *p, const struct segment *s) {
  for (size_t i = 0; i < s->count; i++)
    emit_rule(p, s->entries[i].rule);
  emit_return(p, s->action);
}

/* Lets the jump at `from` skip all that was emitted behind it. Where that is
 * too far for a test, an unconditional jump is put between: what is behind
 * moves, which only has jumps within itself. */
static void skip_from(struct filter_program *p, size_t from) {
  size_t far = p->length - from - 1;
  if (p->length >= BPF_MAXINSNS) {
    p->length++; /* too long anyway */
  } else if (far <= UINT8_MAX) {
    p->code[from].jt = (uint8_t)far;
  } else {
    memmove(p->code + from + 2, p->code + from + 1, far * sizeof *p->code);
    p->code[from].jf = 1;
    p->code[from + 1] =
      (struct sock_filter){BPF_JMP | BPF_JA, 0, 0, (uint32_t)far};
    p->length++;
  }
}

/* Halves until there is one; no deeper than the logarithm of the numbers. */
static void emit_search(struct filter_program *p, const struct segment *list,
                        size_t count) {
  if (count == 1) {
    emit_segment(p, list);
    return;
  }
  size_t half = count / 2, from = p->length;
  emit_jump(p, BPF_JGE, list[half].first, 0, 0);
  emit_search(p, list, half);
  skip_from(p, from);
  emit_search(p, list + half, count - half);
}

/* ---- all of it ---- */

static int emit_architecture(struct filter_program *p, uint32_t architecture,
                             uint32_t otherwise,
                             const struct filter_rule *rules, size_t count) {
  struct entries entries = {0};
  struct segments segments = {0};
  int result = collect(&entries, architecture, rules, count);
  /* each number has its own and a gap behind it; the first gap, and x32 */
  segments.list = calloc(2 * entries.count + 2, sizeof *segments.list);
  if (result == 0 && segments.list != NULL) {
    divide(&segments, &entries, otherwise, architecture);
    emit_jump(p, BPF_JEQ, architecture, 1, 0);
    size_t over = p->length;
    emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
    emit_load(p, offsetof(struct seccomp_data, nr));
    emit_search(p, segments.list, segments.count);
    if (p->length <= BPF_MAXINSNS)
      p->code[over].k = (uint32_t)(p->length - over - 1);
  } else {
    result = -ENOMEM;
  }
  free(segments.list);
  free(entries.list);
  return result;
}

int far_filter_make(struct filter_program *program, uint32_t otherwise,
                    const struct filter_rule *rules, size_t count) {
  uint32_t native = seccomp_arch_native();
  program->length = 0;
  emit_load(program, offsetof(struct seccomp_data, arch));
  int result = emit_architecture(program, native, otherwise, rules, count);
  for (size_t i = 0; i < sizeof companions / sizeof *companions; i++)
    if (result == 0 && companions[i].native == native)
      result = emit_architecture(program, companions[i].other, otherwise,
                                 rules, count);
  emit_return(program, UNKNOWN_CALL);
  if (result == 0 && program->length > BPF_MAXINSNS)
    result = -E2BIG;
  return result;
}

/*
 * What the parts of the container in C share.
 */
#ifndef CONTAINER_H
#define CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { ENTRIES = 64 };

/* What is at the top of the host's tree, for an ordinary user. */
struct entry {
  char name[256], target[256]; /* the target of a symbolic link */
  bool link, directory, busy, empty;
  mode_t mode;
};

/* A filter of system calls, as the kernel takes it. */
struct filter {
  size_t size;
  char bytes[32768];
};

struct facts {
  bool root, readonly;
  const struct filter *filter;
  unsigned uid, gid;
  int count;
  struct entry top[ENTRIES];
};

/* Ends the program unless the result is that of a call that succeeded. */
int must(int result, const char *call, const char *on);

void read_facts(struct facts *f);

int take_tree(const char *path, bool recursive, uint64_t attributes);
void map_tree(int tree, int userns);

/* Makes the container's files in /tmp; answers the root's descriptor. */
int make_root(const struct facts *f, int files);
void enter_root(const struct facts *f, int root);

/* Gives up what root has no need of. */
void drop_privileges(const struct facts *f);

/* Starts /bin/true in a session of its own; answers its pid. */
pid_t start_payload(void);

#endif

/*
 * What the walker's parts share. Calls answer a result or -errno, as the
 * kernel does. There is no libc.
 */
#ifndef WALKER_H
#define WALKER_H

#include <stdbool.h>
#include <stddef.h>

#include "raw.h"
#include "sys.h"
#include "walk.h"

/* ---- main.c ---- */

long walker_pass(const long a[]);

/* Tells the parent that the step has failed, and ends. */
_Noreturn void walker_fail(long err);

_Noreturn void walker_exit(int status);

/* 0 while the parent is there and has said nothing. */
bool walker_abandoned(void);

void walker_close(long fd);
extern struct walk_head walker_head;

/* ---- root.c and privileges.c: see walk.h for their arguments ---- */

long walker_directory(const long a[]);
long walker_attach(const long a[]);
long walker_mount(const long a[]);
long walker_tree(const long a[]);
long walker_symlink(const long a[]);
long walker_file(const long a[]);
long walker_chmod(const long a[]);
long walker_device(const long a[]);
long walker_mask(const long a[]);
long walker_protect(const long a[]);
long walker_setns(const long a[]);
long walker_write(const long a[]);
long walker_link_up(const long a[]);
long walker_keep(const long a[]);
long walker_seccomp(const long a[]);

/* Leaves the inheritable set empty, as a new user namespace has it. */
long walker_inherit_nothing(void);

/* ---- payload.c ---- */

long walker_inside(const long a[]);
long walker_place(const long a[]);
long walker_exec(const long a[]);
long walker_spawn(const long a[]);

#endif

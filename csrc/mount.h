/*
 * What the files about mounts share.
 */
#ifndef FARSIDE_MOUNT_H
#define FARSIDE_MOUNT_H

#include "farside.h"

/* ---- mountfd.c ---- */

/* `flag` (an …EMPTY_PATH) when the path is "", which means the descriptor. */
unsigned far_empty(const char *path, unsigned flag);

/* How a place is named in an error; what it pushes must stay meanwhile. */
const char *far_place(lua_State *L, int dir, const char *path);

/* far_check for a call on a place. */
int far_check_place(lua_State *L, int result, const char *call, int dir,
                    const char *path);

/* MOUNT_ATTR_ bits from the words of all arguments from `first` on. */
unsigned far_mount_attributes(lua_State *L, int first);

/* ---- mountopts.c ---- */

enum far_mount_kind {
  FAR_MOUNT_NEW,
  FAR_MOUNT_BIND,
  FAR_MOUNT_MOVE,
  FAR_MOUNT_REMOUNT,
  FAR_MOUNT_REBIND, /* remount with bind: of the mount, not its file system */
  FAR_MOUNT_PROPAGATION,
};

/* What the arguments of mount ask for. */
struct far_mount {
  enum far_mount_kind kind;
  const char *word;                 /* the one that decided the kind */
  const char *source, *target, *fstype, *data;
  const char *options;              /* all of them, for the error */
  unsigned long set, clear;         /* MS_ flags on the mount and the fs */
  uint64_t attr_set, attr_clear;    /* the same of the mount alone */
  unsigned long propagation;        /* MS_ flags, MS_REC among them */
  bool recursive;
};

/* Fills it from the arguments source, target, fstype, options…; raises on
 * options that contradict each other or mean nothing together. */
void far_mount_check(lua_State *L, struct far_mount *m);

#endif

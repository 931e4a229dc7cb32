/*
 * Names in directories: opening, making, linking and removing them. Every
 * call takes a directory descriptor, nil for the working directory; a path
 * that is absolute ignores it, as in the kernel.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "program.h"
#include "sys.h"

/* The resolve flags promise nothing when a rename or mount runs beside them
 * (EAGAIN); that many tries are enough on a busy machine. */
#define TRIES 128

static const struct far_word open_words[] = {
  {"rdonly", O_RDONLY},
  {"wronly", O_WRONLY},
  {"rdwr", O_RDWR},
  {"create", O_CREAT},
  {"excl", O_EXCL},
  {"trunc", O_TRUNC},
  {"append", O_APPEND},
  {"directory", O_DIRECTORY},
  {"nofollow", O_NOFOLLOW},
  {"path", O_PATH},
  {"nonblock", O_NONBLOCK},
  {"tmpfile", O_TMPFILE},
  {"noctty", O_NOCTTY},
  {"noatime", O_NOATIME},
  {"sync", O_SYNC},
  {"dsync", O_DSYNC},
  {"direct", O_DIRECT},
  {NULL, 0},
};

static const struct far_word resolve_words[] = {
  {"in_root", RESOLVE_IN_ROOT},
  {"beneath", RESOLVE_BENEATH},
  {"no_magiclinks", RESOLVE_NO_MAGICLINKS},
  {"no_symlinks", RESOLVE_NO_SYMLINKS},
  {"no_xdev", RESOLVE_NO_XDEV},
  {"cached", RESOLVE_CACHED},
  {NULL, 0},
};

/* The kernel refuses a mode for what makes no file, so only a mode that was
 * given is passed on then. */
static void check_how(lua_State *L, struct open_how *how, bool *optional) {
  static const char *const fields[] = {"mode", "resolve", "optional", NULL};
  bool makes = (how->flags & O_CREAT) ||
               (how->flags & O_TMPFILE) == O_TMPFILE;
  how->mode = makes ? 0666 : 0;
  if (lua_isnoneornil(L, 4))
    return;
  far_fields(L, 4, fields, false);
  lua_pushvalue(L, 4);
  if (far_field(L, 4, 5, "mode"))
    how->mode = far_mode(L, 4, 0);
  if (far_field(L, 4, 5, "resolve"))
    how->resolve = far_words(L, 4, resolve_words, "resolve flag");
  lua_getfield(L, 5, "optional");
  *optional = lua_toboolean(L, -1);
}

static int open_again(const struct far_call *c, const struct open_how *how) {
  int fd, tries = how->resolve & RESOLVE_CACHED ? 1 : TRIES;
  do
    fd = far_perform(c);
  while (fd == -1 && errno == EAGAIN && --tries > 0);
  return fd;
}

static void describe_open(lua_State *L, struct far_call *c, bool *optional) {
  struct open_how *how = (struct open_how *)(void *)c->scratch;
  c->number = SYS_openat2;
  far_arg_fd(c, far_fd_opt(L, 1, AT_FDCWD));
  far_arg_text(c, far_path(L, 2));
  *how = (struct open_how){.flags = far_words(L, 3, open_words, "open flag")};
  luaL_argcheck(L, (how->flags & O_ACCMODE) != O_ACCMODE, 3,
                "'wronly' contradicts 'rdwr' (say 'rdwr')");
  far_at_most(L, 4);
  check_how(L, how, optional);
  how->flags |= O_CLOEXEC;
  far_arg_bytes(c, how, sizeof *how);
  far_arg(c, sizeof *how);
}

/* Without the tries again that EAGAIN asks for: for paths of one's own. */
void far_describe_openat2(lua_State *L, struct far_call *c) {
  bool optional = false;
  describe_open(L, c, &optional);
}

/***
Opens a file; the descriptor closes on exec.
@function openat2
@tparam ?fd dir where a relative path starts; nil for the working directory
@tparam string path
@tparam string|table flags `rdonly` (when none of the three is given),
`wronly`, `rdwr`, `create`, `excl`, `trunc`, `append`, `directory`, `nofollow`,
`path`, `nonblock`, `tmpfile`, `noctty`, `noatime`, `sync`, `dsync`, `direct`
@tparam[opt] table how `mode` of a new file (`"0666"`), which the umask
narrows; `resolve`: `in_root`, `beneath`, `no_magiclinks`, `no_symlinks`,
`no_xdev`, `cached`; `optional`: nil is the answer when nothing is there
@treturn fd
@raise what open(2) and openat2(2) say; EXDEV or ELOOP when `resolve` forbids
the way. EAGAIN is tried again, except with `cached`.
*/
static int bind_openat2(lua_State *L) {
  struct far_call c = {0};
  bool optional = false;
  describe_open(L, &c, &optional);
  int *fd = far_fd_new(L);
  *fd = open_again(&c, (const struct open_how *)(void *)c.scratch);
  if (*fd == -1 && errno == ENOENT && optional)
    lua_pushnil(L);
  else
    far_check(L, *fd, "openat2", lua_tostring(L, 2));
  return 1;
}

void far_describe_mkdirat(lua_State *L, struct far_call *c) {
  c->number = SYS_mkdirat;
  far_arg_fd(c, far_fd_opt(L, 1, AT_FDCWD));
  far_arg_text(c, far_path(L, 2));
  far_arg(c, far_mode(L, 3, 0777));
  far_at_most(L, 3);
}

/***
Makes a directory.
@function mkdirat
@tparam ?fd dir
@tparam string path
@tparam[opt="0777"] string mode which the umask narrows
@raise see mkdirat(2).
*/
static int bind_mkdirat(lua_State *L) {
  return far_do(L, far_describe_mkdirat, "mkdirat", lua_tostring(L, 2));
}

static const struct far_word node_words[] = {
  {"file", S_IFREG},
  {"fifo", S_IFIFO},
  {"char", S_IFCHR},
  {"block", S_IFBLK},
  {"socket", S_IFSOCK},
  {NULL, 0},
};

/***
Makes a device node, pipe, socket or empty file.
@function mknodat
@tparam ?fd dir
@tparam string path
@tparam string type `file`, `fifo`, `char`, `block`, `socket`
@tparam[opt="0666"] string mode which the umask narrows
@tparam[opt=0] int major of a device
@tparam[opt=0] int minor of a device
@raise EPERM for a device in a user namespace (0:0, the overlay's whiteout,
may be made). See mknodat(2).
*/
static int bind_mknodat(lua_State *L) {
  int dir = far_fd_opt(L, 1, AT_FDCWD);
  const char *path = far_path(L, 2);
  mode_t type = (mode_t)far_word(L, 3, node_words, "node type");
  mode_t mode = far_mode(L, 4, 0666);
  lua_Integer major = luaL_optinteger(L, 5, 0);
  lua_Integer minor = luaL_optinteger(L, 6, 0);
  far_at_most(L, 6);
  luaL_argcheck(L, major >= 0 && major < 1 << 12, 5, "major out of range");
  luaL_argcheck(L, minor >= 0 && minor < 1 << 20, 6, "minor out of range");
  dev_t device = makedev((unsigned)major, (unsigned)minor);
  return far_check(L, mknodat(dir, path, type | mode, device), "mknodat", path);
}

void far_describe_symlinkat(lua_State *L, struct far_call *c) {
  c->number = SYS_symlinkat;
  far_arg_text(c, far_path(L, 1));
  far_arg_fd(c, far_fd_opt(L, 2, AT_FDCWD));
  far_arg_text(c, far_path(L, 3));
  far_at_most(L, 3);
}

/***
Makes a symbolic link.
@function symlinkat
@tparam string target what the link says
@tparam ?fd dir
@tparam string path the link
@raise see symlinkat(2).
*/
static int bind_symlinkat(lua_State *L) {
  return far_do(L, far_describe_symlinkat, "symlinkat", lua_tostring(L, 3));
}

static const struct far_word link_words[] = {
  {"follow", AT_SYMLINK_FOLLOW},
  {NULL, 0},
};

/***
Gives a file another name.
@function linkat
@tparam ?fd olddir
@tparam string old "" is the descriptor itself
@tparam ?fd newdir
@tparam string new
@tparam[opt] string flags `follow` a symbolic link at the end of `old`
@raise see linkat(2).
*/
static int bind_linkat(lua_State *L) {
  int olddir = far_fd_opt(L, 1, AT_FDCWD);
  const char *old = far_path(L, 2);
  int newdir = far_fd_opt(L, 3, AT_FDCWD);
  const char *new = far_path(L, 4);
  int flags = (int)far_words_rest(L, 5, link_words, "link flag");
  flags |= *old == '\0' ? AT_EMPTY_PATH : 0;
  if (linkat(olddir, old, newdir, new, flags) == -1)
    return far_raise(L, errno, "linkat", new, "%s to %s", old, new);
  return 0;
}

static const struct far_word unlink_words[] = {
  {"removedir", AT_REMOVEDIR},
  {NULL, 0},
};

/***
Removes a name.
@function unlinkat
@tparam ?fd dir
@tparam string path
@tparam[opt] string flags `removedir` for an empty directory
@raise see unlinkat(2).
*/
static int bind_unlinkat(lua_State *L) {
  int dir = far_fd_opt(L, 1, AT_FDCWD);
  const char *path = far_path(L, 2);
  int flags = (int)far_words_rest(L, 3, unlink_words, "unlink flag");
  return far_check(L, unlinkat(dir, path, flags), "unlinkat", path);
}

static const struct far_word rename_words[] = {
  {"noreplace", RENAME_NOREPLACE},
  {"exchange", RENAME_EXCHANGE},
  {"whiteout", RENAME_WHITEOUT},
  {NULL, 0},
};

/***
Moves a name.
@function renameat
@tparam ?fd olddir
@tparam string old
@tparam ?fd newdir
@tparam string new
@tparam[opt] string flags `noreplace`, `exchange`, `whiteout`
@raise see renameat2(2).
*/
static int bind_renameat(lua_State *L) {
  int olddir = far_fd_opt(L, 1, AT_FDCWD);
  const char *old = far_path(L, 2);
  int newdir = far_fd_opt(L, 3, AT_FDCWD);
  const char *new = far_path(L, 4);
  unsigned flags = (unsigned)far_words_rest(L, 5, rename_words, "rename flag");
  if (renameat2(olddir, old, newdir, new, flags) == -1)
    return far_raise(L, errno, "renameat", new, "%s to %s", old, new);
  return 0;
}

/***
What a symbolic link says.
@function readlinkat
@tparam ?fd dir
@tparam string path "" is the descriptor itself
@treturn string
@raise EINVAL when it is no symbolic link. See readlinkat(2).
*/
static int bind_readlinkat(lua_State *L) {
  char target[4096 + 1]; /* the kernel's own limit, and one to tell */
  int dir = far_fd_opt(L, 1, AT_FDCWD);
  const char *path = far_path(L, 2);
  far_at_most(L, 2);
  ssize_t length = readlinkat(dir, path, target, sizeof target);
  if (length == (ssize_t)sizeof target)
    return far_raise(L, ENAMETOOLONG, "readlinkat", path, NULL);
  far_check(L, (int)length, "readlinkat", path);
  lua_pushlstring(L, target, (size_t)length);
  return 1;
}

static const luaL_Reg functions[] = {
  {"openat2", bind_openat2},
  {"mkdirat", bind_mkdirat},
  {"mknodat", bind_mknodat},
  {"symlinkat", bind_symlinkat},
  {"linkat", bind_linkat},
  {"unlinkat", bind_unlinkat},
  {"renameat", bind_renameat},
  {"readlinkat", bind_readlinkat},
  {NULL, NULL},
};

void far_open_fs(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

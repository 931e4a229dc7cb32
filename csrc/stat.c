/*
 * What files, directories and file systems are, and who may do what with
 * them. "" as a path is the descriptor itself.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "farside.h"
#include "sys.h"

static const struct far_word nofollow_words[] = {
  {"nofollow", AT_SYMLINK_NOFOLLOW},
  {NULL, 0},
};

/* The AT_ flags from the arguments after `first`, and for an empty path. */
static int at_flags(lua_State *L, int first, const char *path) {
  int flags = (int)far_words_rest(L, first, nofollow_words, "flag");
  return flags | (*path == '\0' ? AT_EMPTY_PATH : 0);
}

static const struct far_word type_words[] = {
  {"file", S_IFREG},  {"directory", S_IFDIR}, {"symlink", S_IFLNK},
  {"char", S_IFCHR},  {"block", S_IFBLK},     {"fifo", S_IFIFO},
  {"socket", S_IFSOCK}, {NULL, 0},
};

/* Pushes the word for a file type, nil when it has none (nsfs, pidfds). */
static void push_type(lua_State *L, mode_t mode) {
  lua_pushstring(L, far_word_name(mode & S_IFMT, type_words));
}

static void set_integer(lua_State *L, const char *key, uint64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, key);
}

static void set_time(lua_State *L, const char *key, int64_t s, uint32_t ns) {
  lua_pushnumber(L, (lua_Number)s + (lua_Number)ns / 1e9);
  lua_setfield(L, -2, key);
}

static void push_stat(lua_State *L, const struct statx *s) {
  char mode[8];
  const struct { const char *key; uint64_t value; } fields[] = {
    {"uid", s->stx_uid}, {"gid", s->stx_gid}, {"size", s->stx_size},
    {"ino", s->stx_ino}, {"nlink", s->stx_nlink}, {"blocks", s->stx_blocks},
    {"dev", makedev(s->stx_dev_major, s->stx_dev_minor)},
    {"rdev", makedev(s->stx_rdev_major, s->stx_rdev_minor)},
    {"major", s->stx_rdev_major}, {"minor", s->stx_rdev_minor},
    {"mount_id", s->stx_mnt_id},
  };
  lua_createtable(L, 0, FAR_COUNT(fields) + 6);
  for (size_t i = 0; i < FAR_COUNT(fields); i++)
    set_integer(L, fields[i].key, fields[i].value);
  push_type(L, s->stx_mode);
  lua_setfield(L, -2, "type");
  snprintf(mode, sizeof mode, "%04o", s->stx_mode & 07777);
  lua_pushstring(L, mode);
  lua_setfield(L, -2, "mode");
  lua_pushboolean(L, (s->stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0);
  lua_setfield(L, -2, "mount_root");
  set_time(L, "atime", s->stx_atime.tv_sec, s->stx_atime.tv_nsec);
  set_time(L, "mtime", s->stx_mtime.tv_sec, s->stx_mtime.tv_nsec);
  set_time(L, "ctime", s->stx_ctime.tv_sec, s->stx_ctime.tv_nsec);
}

/***
What a file is.
@function fstatat
@tparam ?fd dir where a relative path starts; nil for the working directory
@tparam string path "" is the descriptor itself
@tparam[opt] string flags `nofollow` a symbolic link at the end
@treturn table `type` (`file`, `directory`, `symlink`, `char`, `block`,
`fifo`, `socket`; nil for what is none of them), `mode` (`"0755"`), `uid`,
`gid`, `size` in bytes, `blocks` of 512 bytes, `dev`, `ino`, `nlink`; of a
device `rdev` with its `major` and `minor`; `atime`, `mtime`, `ctime` in
seconds; `mount_id` as in mountinfo, and `mount_root`, whether it is the root
of a mount
@raise see statx(2).
*/
static int bind_fstatat(lua_State *L) {
  struct statx s;
  int dir = far_fd_opt(L, 1, AT_FDCWD);
  const char *path = far_path(L, 2);
  int flags = at_flags(L, 3, path) | AT_NO_AUTOMOUNT;
  int r = statx(dir, path, flags, STATX_BASIC_STATS | STATX_MNT_ID, &s);
  far_check(L, r, "fstatat", path);
  push_stat(L, &s);
  return 1;
}

/***
Sets permissions.
@function fchmodat
@tparam ?fd dir
@tparam string path "" is the descriptor itself
@tparam string mode such as `"0755"`
@tparam[opt] string flags `nofollow`: refuse a symbolic link at the end, which
has no permissions
@raise EOPNOTSUPP for a symbolic link. See fchmodat(2).
*/
static int bind_fchmodat(lua_State *L) {
  int dir = far_fd_opt(L, 1, AT_FDCWD);
  const char *path = far_path(L, 2);
  luaL_checkany(L, 3);
  mode_t mode = far_mode(L, 3, 0);
  int flags = at_flags(L, 4, path);
  return far_check(L, sys_fchmodat(dir, path, mode, flags), "fchmodat", path);
}

/* An id to set; nil leaves what is. */
static uid_t check_id(lua_State *L, int index) {
  if (lua_isnil(L, index))
    return (uid_t)-1;
  lua_Integer id = luaL_checkinteger(L, index);
  luaL_argcheck(L, id >= 0 && id < UINT32_MAX, index, "id out of range");
  return (uid_t)id;
}

/***
Sets owner and group.
@function fchownat
@tparam ?fd dir
@tparam string path "" is the descriptor itself
@tparam ?int uid nil leaves it as it is
@tparam ?int gid nil leaves it as it is
@tparam[opt] string flags `nofollow` a symbolic link at the end
@raise EINVAL for an id without a mapping. See fchownat(2).
*/
static int bind_fchownat(lua_State *L) {
  int dir = far_fd_opt(L, 1, AT_FDCWD);
  const char *path = far_path(L, 2);
  luaL_checkany(L, 4);
  uid_t uid = check_id(L, 3);
  gid_t gid = check_id(L, 4);
  int flags = at_flags(L, 5, path);
  return far_check(L, fchownat(dir, path, uid, gid, flags), "fchownat", path);
}

static const struct far_word access_words[] = {
  {"read", R_OK}, {"write", W_OK}, {"execute", X_OK}, {NULL, 0},
};

/***
Whether the caller, with the ids that files are opened by, may use a file.
@function faccessat
@tparam ?fd dir
@tparam string path
@tparam string|table how all of `read`, `write`, `execute`
@treturn boolean false also when it is not there. See faccessat(2).
@raise EINVAL; ENAMETOOLONG
*/
static int bind_faccessat(lua_State *L) {
  int dir = far_fd_opt(L, 1, AT_FDCWD);
  const char *path = far_path(L, 2);
  int how = (int)far_words(L, 3, access_words, "access");
  far_at_most(L, 3);
  lua_pushboolean(L, faccessat(dir, path, how, AT_EACCESS) == 0);
  return 1;
}

/* Adds { name, type } to the list on top. */
static void add_entry(lua_State *L, int fd, const struct dirent64 *entry) {
  struct stat s;
  mode_t mode = DTTOIF(entry->d_type);
  /* some file systems tell no types in the listing */
  if (mode == 0 && fstatat(fd, entry->d_name, &s, AT_SYMLINK_NOFOLLOW) == 0)
    mode = s.st_mode;
  lua_createtable(L, 0, 2);
  lua_pushstring(L, entry->d_name);
  lua_setfield(L, -2, "name");
  push_type(L, mode);
  lua_setfield(L, -2, "type");
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

static bool dots(const char *name) {
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* False once the list has `most` entries. */
static bool add_entries(lua_State *L, int fd, const char *buffer, ssize_t n,
                        lua_Integer most) {
  for (ssize_t at = 0; at < n;) {
    const struct dirent64 *entry = (const void *)(buffer + at);
    if ((lua_Integer)lua_rawlen(L, -1) >= most)
      return false;
    if (!dots(entry->d_name))
      add_entry(L, fd, entry);
    at += entry->d_reclen;
  }
  return (lua_Integer)lua_rawlen(L, -1) < most;
}

/***
What is in a directory, without `.` and `..`, in no order.
@function readdir
@tparam string|fd directory the descriptor's position is neither used nor moved
@tparam[opt] integer most of so many entries; all when it is left out
@treturn {table,...} each with `name` and `type` (the words of `fstatat`)
@raise see open(2) and getdents(2).
*/
static int bind_readdir(lua_State *L) {
  _Alignas(struct dirent64) char buffer[32768];
  bool named = lua_type(L, 1) == LUA_TSTRING;
  const char *path = named ? far_path(L, 1) : ".";
  int dir = named ? AT_FDCWD : far_fd_check(L, 1);
  lua_Integer most = luaL_optinteger(L, 2, LUA_MAXINTEGER);
  far_at_most(L, 2);
  int *fd = far_fd_new(L);
  lua_toclose(L, -1);
  *fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  far_check(L, *fd, "readdir", path);
  lua_newtable(L);
  ssize_t n;
  while ((n = getdents64(*fd, buffer, sizeof buffer)) > 0 &&
         add_entries(L, *fd, buffer, n, most))
    continue;
  far_check(L, (int)n, "readdir", path);
  return 1;
}

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif
#ifndef MQUEUE_MAGIC
#define MQUEUE_MAGIC 0x19800202
#endif
#ifndef PID_FS_MAGIC
#define PID_FS_MAGIC 0x50494446
#endif

static const struct far_word fs_words[] = {
  {"tmpfs", TMPFS_MAGIC},     {"ext4", EXT4_SUPER_MAGIC},
  {"overlay", OVERLAYFS_SUPER_MAGIC}, {"proc", PROC_SUPER_MAGIC},
  {"sysfs", SYSFS_MAGIC},     {"devpts", DEVPTS_SUPER_MAGIC},
  {"nsfs", NSFS_MAGIC},       {"cgroup2", CGROUP2_SUPER_MAGIC},
  {"cgroup", CGROUP_SUPER_MAGIC}, {"mqueue", MQUEUE_MAGIC},
  {"btrfs", BTRFS_SUPER_MAGIC}, {"xfs", XFS_SUPER_MAGIC},
  {"f2fs", F2FS_SUPER_MAGIC}, {"nfs", NFS_SUPER_MAGIC},
  {"fuse", FUSE_SUPER_MAGIC}, {"ramfs", RAMFS_MAGIC},
  {"pidfs", PID_FS_MAGIC},    {"squashfs", SQUASHFS_MAGIC},
  {"erofs", EROFS_SUPER_MAGIC_V1}, {"iso9660", ISOFS_SUPER_MAGIC},
  {"vfat", MSDOS_SUPER_MAGIC}, {"9p", V9FS_MAGIC},
  {"debugfs", DEBUGFS_MAGIC}, {"tracefs", TRACEFS_MAGIC},
  {"securityfs", SECURITYFS_MAGIC}, {"bpf", BPF_FS_MAGIC},
  {"hugetlbfs", HUGETLBFS_MAGIC}, {"binfmt_misc", BINFMTFS_MAGIC},
  {NULL, 0},
};

static const struct far_word flag_words[] = {
  {"ro", ST_RDONLY},          {"nosuid", ST_NOSUID},
  {"nodev", ST_NODEV},        {"noexec", ST_NOEXEC},
  {"sync", ST_SYNCHRONOUS},   {"mand", ST_MANDLOCK},
  {"noatime", ST_NOATIME},    {"nodiratime", ST_NODIRATIME},
  {"relatime", ST_RELATIME},  {"nosymfollow", ST_NOSYMFOLLOW},
  {NULL, 0},
};

/* Pushes the words as a list and, for questions, as a set. */
static void push_flags(lua_State *L, uint64_t bits) {
  far_words_push(L, bits, flag_words);
  for (const struct far_word *w = flag_words; w->name != NULL; w++)
    if (bits & w->bits) {
      lua_pushboolean(L, 1);
      lua_setfield(L, -2, w->name);
    }
}

static void push_statfs(lua_State *L, const struct statfs *s) {
  uint64_t block = (uint64_t)s->f_frsize;
  /* on 32 bits the magic number may have been sign-extended */
  uint64_t magic = (uint32_t)s->f_type;
  const struct { const char *key; uint64_t value; } fields[] = {
    {"magic", magic}, {"block_size", (uint64_t)s->f_bsize},
    {"size", s->f_blocks * block}, {"free", s->f_bfree * block},
    {"available", s->f_bavail * block}, {"files", s->f_files},
    {"files_free", s->f_ffree}, {"name_max", (uint64_t)s->f_namelen},
  };
  lua_createtable(L, 0, FAR_COUNT(fields) + 2);
  for (size_t i = 0; i < FAR_COUNT(fields); i++)
    set_integer(L, fields[i].key, fields[i].value);
  lua_pushstring(L, far_word_name(magic, fs_words));
  lua_setfield(L, -2, "type");
  push_flags(L, (uint64_t)s->f_flags);
  lua_setfield(L, -2, "flags");
}

/***
The file system that a path or descriptor is on.
@function statfs
@tparam string|fd target
@treturn table `type` (`tmpfs`, `ext4`, `overlay`, `proc`, `nsfs`, …; nil when
the number, `magic`, has no name here), `size`, `free` and, for ordinary
users, `available` in bytes; `files` and `files_free`, inodes; `block_size`,
`name_max`; `flags`, the mount's words as a list and as a set (`flags.ro`)
@raise see statfs(2).
*/
static int bind_statfs(lua_State *L) {
  struct statfs s;
  far_at_most(L, 1);
  if (lua_type(L, 1) == LUA_TSTRING) {
    const char *path = far_path(L, 1);
    far_check(L, statfs(path, &s), "statfs", path);
  } else {
    far_check(L, fstatfs(far_fd_check(L, 1), &s), "statfs", NULL);
  }
  push_statfs(L, &s);
  return 1;
}

static const luaL_Reg functions[] = {
  {"fstatat", bind_fstatat},
  {"fchmodat", bind_fchmodat},
  {"fchownat", bind_fchownat},
  {"faccessat", bind_faccessat},
  {"readdir", bind_readdir},
  {"statfs", bind_statfs},
  {NULL, NULL},
};

void far_open_stat(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}

/*
 * Terminals: a pair of ends made without trusting a path, window sizes, raw
 * mode that ends by itself, and who has the terminal's signals.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "farside.h"

#define RAW "farside.raw"

/* Whatever else stands where a multiplexer should is no terminal's. */
static int check_multiplexer(int fd) {
  struct stat s;
  if (fstat(fd, &s) == -1)
    return -1;
  errno = ENOTTY;
  return S_ISCHR(s.st_mode) && s.st_rdev == makedev(5, 2) ? 0 : -1;
}

/* A new terminal with the modes and the size of another one: what is a key
 * to erase there is so here, before any program looks. */
static void resemble(int fd, int like) {
  struct termios modes;
  struct winsize size;
  if (tcgetattr(like, &modes) == -1)
    return; /* it is none */
  (void)tcsetattr(fd, TCSANOW, &modes);
  if (ioctl(like, TIOCGWINSZ, &size) == 0)
    (void)ioctl(fd, TIOCSWINSZ, &size);
}

/***
Opens a new pseudo-terminal.
@function open
@tparam[opt="/dev/ptmx"] string path the multiplexer of another devpts
@tparam[opt] fd like where this is a terminal, its modes and size are those of
the new one
@treturn fd the master: what a terminal emulator holds
@treturn fd the slave: what a program runs on
@treturn string the slave's name in its devpts, "/dev/pts/3"
@raise ENOSPC when there are too many; ENOTTY when something else is there.
See pty(7), ioctl_tty(2).
*/
static int bind_open(lua_State *L) {
  const char *path = luaL_optstring(L, 1, "/dev/ptmx");
  const int flags = O_RDWR | O_NOCTTY | O_CLOEXEC, unlock = 0;
  int number, like = far_fd_opt(L, 2, -1);
  far_at_most(L, 2);
  int *master = far_fd_new(L), *slave = far_fd_new(L);
  far_check(L, *master = open(path, flags), "tty.open", path);
  far_check(L, check_multiplexer(*master), "tty.open", path);
  far_check(L, ioctl(*master, TIOCSPTLCK, &unlock), "tty.open", path);
  far_check(L, ioctl(*master, TIOCGPTN, &number), "tty.open", path);
  /* by its name another file system's terminal could be opened */
  far_check(L, *slave = ioctl(*master, TIOCGPTPEER, flags), "tty.open", path);
  resemble(*slave, like);
  lua_pushfstring(L, "/dev/pts/%d", number);
  return 3;
}

/***
Whether a descriptor is a terminal.
@function isatty
@tparam fd fd
@treturn boolean
@raise EBADF. See isatty(3).
*/
static int bind_isatty(lua_State *L) {
  int is = isatty(far_fd_check(L, 1));
  far_at_most(L, 1);
  if (!is && errno == EBADF)
    return far_raise(L, EBADF, "tty.isatty", NULL, NULL);
  lua_pushboolean(L, is);
  return 1;
}

/***
The size of a terminal's window.
@function size
@tparam fd fd
@treturn int rows
@treturn int columns
@raise ENOTTY. See ioctl_tty(2).
*/
static int bind_size(lua_State *L) {
  struct winsize w;
  int fd = far_fd_check(L, 1);
  far_at_most(L, 1);
  far_check(L, ioctl(fd, TIOCGWINSZ, &w), "tty.size", NULL);
  lua_pushinteger(L, w.ws_row);
  lua_pushinteger(L, w.ws_col);
  return 2;
}

static unsigned short check_length(lua_State *L, int index) {
  lua_Integer n = luaL_checkinteger(L, index);
  luaL_argcheck(L, n >= 0 && n <= 0xffff, index, "size out of range");
  return (unsigned short)n;
}

/***
Sets the size of a terminal's window; its foreground group gets SIGWINCH.
@function resize
@tparam fd fd either end
@tparam int rows
@tparam int columns
@raise ENOTTY. See ioctl_tty(2).
*/
static int bind_resize(lua_State *L) {
  int fd = far_fd_check(L, 1);
  const struct winsize w = {.ws_row = check_length(L, 2),
                            .ws_col = check_length(L, 3)};
  far_at_most(L, 3);
  return far_check(L, ioctl(fd, TIOCSWINSZ, &w), "tty.resize", NULL);
}

/***
Makes a terminal the controlling one of the calling process, which must lead
a session that has none.
@function control
@tparam fd fd
@raise EPERM otherwise. See setsid(2), ioctl_tty(2).
*/
static int bind_control(lua_State *L) {
  int fd = far_fd_check(L, 1);
  far_at_most(L, 1);
  return far_check(L, ioctl(fd, TIOCSCTTY, 0), "tty.control", NULL);
}

/***
The process group in a terminal's foreground, or sets it.
@function foreground
@tparam fd fd the controlling terminal, or a master
@tparam[opt] int group of the caller's session
@treturn int the group, when none was given
@raise ENOTTY, EPERM. See tcgetpgrp(3).
*/
static int bind_foreground(lua_State *L) {
  int fd = far_fd_check(L, 1);
  far_at_most(L, 2);
  if (!lua_isnoneornil(L, 2)) {
    pid_t group = (pid_t)luaL_checkinteger(L, 2);
    return far_check(L, tcsetpgrp(fd, group), "tty.foreground", NULL);
  }
  pid_t group = tcgetpgrp(fd);
  far_check(L, group, "tty.foreground", NULL);
  lua_pushinteger(L, group);
  return 1;
}

/* ---- raw mode ---- */

/* The modes to return to. It has a descriptor of its own, so that it can
 * still do so when the given one was closed. */
struct raw {
  int fd; /* -1 when restored */
  pid_t owner;
  struct termios before, raw;
};

static struct raw *check_raw(lua_State *L) {
  struct raw *raw = luaL_checkudata(L, 1, RAW);
  luaL_argcheck(L, raw->fd >= 0, 1, "raw mode has ended");
  far_at_most(L, 1);
  return raw;
}

/***
Puts the former modes back for a while, as before the process stops.
@function raw:pause
@raise EIO when the terminal is gone
*/
static int raw_pause(lua_State *L) {
  struct raw *raw = check_raw(L);
  return far_check(L, tcsetattr(raw->fd, TCSADRAIN, &raw->before), "tty.raw",
                   NULL);
}

/***
Makes the terminal raw again, whatever has been done to it meanwhile.
@function raw:resume
@raise EIO when the terminal is gone
*/
static int raw_resume(lua_State *L) {
  struct raw *raw = check_raw(L);
  return far_check(L, tcsetattr(raw->fd, TCSADRAIN, &raw->raw), "tty.raw",
                   NULL);
}

/* A forked child has a copy: its collector must not touch the terminal. */
static int raw_restore(lua_State *L) {
  struct raw *raw = luaL_checkudata(L, 1, RAW);
  if (raw->fd < 0)
    return 0;
  if (raw->owner == getpid())
    (void)tcsetattr(raw->fd, TCSADRAIN, &raw->before); /* it may be gone */
  close(raw->fd);
  raw->fd = -1;
  return 0;
}

static bool same_modes(const struct termios *a, const struct termios *b) {
  return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag &&
         a->c_cflag == b->c_cflag && a->c_lflag == b->c_lflag;
}

/***
Puts the former modes back in the place of a process that was killed: unless
somebody has changed the modes since then, as shells do.
@function raw:rescue
@tparam fd fd the terminal
@raise EIO when the terminal is gone
*/
static int raw_rescue(lua_State *L) {
  const struct raw *raw = luaL_checkudata(L, 1, RAW);
  int fd = far_fd_check(L, 2);
  struct termios now;
  far_at_most(L, 2);
  far_check(L, tcgetattr(fd, &now), "tty.raw", NULL);
  if (!same_modes(&now, &raw->raw))
    return 0;
  return far_check(L, tcsetattr(fd, TCSANOW, &raw->before), "tty.raw", NULL);
}

/***
The descriptor that it has of the terminal.
@function raw:fileno
@treturn int
*/
static int raw_fileno(lua_State *L) {
  lua_pushinteger(L, check_raw(L)->fd);
  return 1;
}

/***
Puts a terminal in raw mode: bytes go through as they are.
@function raw
@tparam fd fd
@treturn raw an object whose restore(), close() or <close> puts the modes
back for good; so does the collector
@raise ENOTTY. See termios(3), cfmakeraw.
*/
static int bind_raw(lua_State *L) {
  int fd = far_fd_check(L, 1);
  far_at_most(L, 1);
  struct raw *raw = lua_newuserdatauv(L, sizeof *raw, 0);
  raw->fd = -1;
  raw->owner = getpid();
  luaL_setmetatable(L, RAW);
  far_check(L, tcgetattr(fd, &raw->before), "tty.raw", NULL);
  raw->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  far_check(L, raw->fd, "tty.raw", NULL);
  raw->raw = raw->before;
  cfmakeraw(&raw->raw);
  far_check(L, tcsetattr(fd, TCSADRAIN, &raw->raw), "tty.raw", NULL);
  return 1;
}

static const luaL_Reg functions[] = {
  {"open", bind_open},
  {"isatty", bind_isatty},
  {"size", bind_size},
  {"resize", bind_resize},
  {"control", bind_control},
  {"foreground", bind_foreground},
  {"raw", bind_raw},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"restore", raw_restore},
  {"close", raw_restore},
  {"pause", raw_pause},
  {"resume", raw_resume},
  {"rescue", raw_rescue},
  {"fileno", raw_fileno},
  {NULL, NULL},
};

static const luaL_Reg meta[] = {
  {"__close", raw_restore},
  {"__gc", raw_restore},
  {NULL, NULL},
};

void far_open_tty(lua_State *L) {
  luaL_newmetatable(L, RAW);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "tty");
}

/*
 * The module farside.core: the kernel in Lua clothes. Each area is a file of
 * its own and adds its functions to the one table made here.
 */
#include "farside.h"

static void (*const areas[])(lua_State *) = {
  far_open_error,
  far_open_fd,
  far_open_process,
  far_open_pid,
  far_open_clone,
  far_open_walker,
  far_open_program,
  far_open_nsenter,
  far_open_exec,
  far_open_signal,
  far_open_limit,
  far_open_schedule,
  far_open_namespace,
  far_open_proc,
  far_open_procfs,
  far_open_mount,
  far_open_mountfd,
  far_open_context,
  far_open_fs,
  far_open_stat,
  far_open_io,
  far_open_inotify,
  far_open_xattr,
  far_open_socket,
  far_open_user,
  far_open_uts,
  far_open_capability,
  far_open_seccomp,
  far_open_landlock,
  far_open_tty,
  far_open_lock,
  far_open_nft,
  far_open_feature,
  far_open_netlink,
  far_open_inet,
  far_open_sockdiag,
  far_open_icmp,
  far_open_icmpsocket,
};

int luaopen_farside_core(lua_State *L) {
  luaL_checkversion(L);
  lua_createtable(L, 0, 160);
  for (size_t i = 0; i < FAR_COUNT(areas); i++)
    areas[i](L);
  return 1;
}

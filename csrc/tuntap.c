/*
 * Links of kind tun, which the kernel makes by an ioctl on /dev/net/tun and not
 * by netlink. The device belongs to the network namespace of who opens it; for
 * a handle it is opened over there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "linkkind.h"
#include "netsocket.h"

#define DEVICE "/dev/net/tun"

static const struct far_word types[] = {
  {"tun", IFF_TUN}, {"tap", IFF_TAP}, {NULL, 0},
};

/* What the ioctls want. */
struct wish {
  struct ifreq request;
  int user, group; /* who may use it without CAP_NET_ADMIN; -1: nobody */
};

static bool flag_in(lua_State *L, const struct far_request *r,
                    const char *field) {
  if (lua_getfield(L, 1, field) != LUA_TNIL && !lua_isboolean(L, -1))
    far_bad_value(L, r, field, "boolean");
  bool set = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return set;
}

static int id_in(lua_State *L, const struct far_request *r,
                 const char *field) {
  int id = -1;
  if (lua_getfield(L, 1, field) != LUA_TNIL)
    id = (int)far_integer(L, r, field, 0, INT32_MAX);
  lua_pop(L, 1);
  return id;
}

static struct wish wish_of(lua_State *L, struct far_request *r) {
  struct wish w = {.user = id_in(L, r, "user"),
                   .group = id_in(L, r, "user_group")};
  int flags = IFF_TUN;
  if (lua_getfield(L, 1, "type") != LUA_TNIL)
    flags = (int)far_word_of(L, r, "type", types);
  lua_pop(L, 1);
  flags |= flag_in(L, r, "pi") ? 0 : IFF_NO_PI;
  flags |= flag_in(L, r, "vnet_hdr") ? IFF_VNET_HDR : 0;
  flags |= flag_in(L, r, "multi_queue") ? IFF_MULTI_QUEUE : 0;
  w.request.ifr_flags = (short)flags;
  nla_strlcpy(w.request.ifr_name, far_put_before(r, IFLA_IFNAME), IFNAMSIZ);
  return w;
}

/* Makes it, to stay when the device is closed; 0 or -errno. */
static int make(int fd, struct wish *w) {
  if (ioctl(fd, TUNSETIFF, &w->request) == -1 ||
      (w->user >= 0 && ioctl(fd, TUNSETOWNER, w->user) == -1) ||
      (w->group >= 0 && ioctl(fd, TUNSETGROUP, w->group) == -1) ||
      ioctl(fd, TUNSETPERSIST, 1) == -1)
    return -errno;
  return 0;
}

/* The kernel would open the link that there is: a new one was asked for. */
void far_tun_add(lua_State *L, struct far_request *r) {
  struct wish w = wish_of(L, r);
  if (r->nl->batch != NULL)
    luaL_error(L, "link.add: a tun cannot be made in a batch");
  int fd = -1, err = 0;
  if (far_link_index(r->nl->fd, w.request.ifr_name) != 0)
    err = -EEXIST;
  else if ((fd = far_open_beside(r->nl->fd, DEVICE)) < 0)
    far_raise(L, -fd, "open", DEVICE, NULL);
  if (fd >= 0) {
    err = make(fd, &w);
    (void)close(fd);
  }
  if (err < 0)
    far_raise(L, -err, "link.add", w.request.ifr_name, NULL);
}

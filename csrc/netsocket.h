/*
 * Sockets of network namespaces that the caller is not in. Raw descriptors,
 * close-on-exec, or -errno.
 */
#ifndef FARSIDE_NETSOCKET_H
#define FARSIDE_NETSOCKET_H

#include <stddef.h>
#include <sys/types.h>

/* The kernel's errors in answers are from -1 to this one, negated. */
enum { FAR_MAX_ERRNO = 4095 };

struct far_socket {
  int family, type, protocol;
};

/* A socket of this kind in each of the namespaces; 0, or -errno and none is
 * left open. One child makes them all. */
int far_sockets_in(const int *netns, size_t count,
                   const struct far_socket *kind, int *fds);

/* A netlink socket of the caller's namespace; of that of a descriptor. */
int far_socket(void);
int far_socket_in(int netns);

/* The next datagram of the kernel's, as recv(2) receives it; -errno. Who may
 * administer the namespace can send to our socket, too: that is ignored. */
ssize_t far_hear(int fd, void *to, size_t size, int flags);

/* Netlink sockets of as many new namespaces, which belong to a user namespace,
 * or -1: the caller's. */
int far_sockets_of_new(int user, int *fds, size_t count);

/* A new namespace itself, of which there is no socket. */
int far_namespace_of_new(int user);

/* A device that belongs to the namespace of who opens it, opened in that of a
 * socket. */
int far_open_beside(int fd, const char *path);

/* A netlink socket beside another one, of the same namespace. */
int far_socket_beside(int fd);

/* The descriptor of a socket's namespace. */
int far_socket_namespace(int fd);

#endif

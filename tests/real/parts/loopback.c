/* Binds all listeners of a program to loopback, for Orthanc 1.10, which cannot configure a bind address.
   cc -shared -fPIC -o loopback.so loopback.c -ldl; LD_PRELOAD=./loopback.so Orthanc … */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/socket.h>

int bind(int fd, const struct sockaddr *address, socklen_t length) {
  int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
  if (address->sa_family == AF_INET) {
    struct sockaddr_in v4 = *(const struct sockaddr_in *)address;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return real(fd, (const struct sockaddr *)&v4, sizeof v4);
  }
  if (address->sa_family == AF_INET6) {
    struct sockaddr_in6 v6 = *(const struct sockaddr_in6 *)address;
    v6.sin6_addr = in6addr_loopback;
    return real(fd, (const struct sockaddr *)&v6, sizeof v6);
  }
  return real(fd, address, length);
}

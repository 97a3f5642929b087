#define _GNU_SOURCE
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  exit(1);
}

double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

struct sockaddr_in parse_address(const char *text) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  char host[64];
  const char *colon = strrchr(text, ':');
  if (colon == NULL || (size_t)(colon - text) >= sizeof host)
    die("not an address: %s", text);
  memcpy(host, text, (size_t)(colon - text));
  host[colon - text] = 0;
  int port = atoi(colon + 1);
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1 || port < 0 ||
      port > 65535)
    die("not an IPv4 address and port: %s", text);
  address.sin_port = htons((uint16_t)port);
  return address;
}

int listen_on(const char *text) {
  struct sockaddr_in address = parse_address(text);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int on = 1;
  if (fd < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
      bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
      listen(fd, 4096) < 0)
    die("cannot listen on %s: %s", text, strerror(errno));
  return fd;
}

void set_blocking(int fd, int blocking) {
  int flags = fcntl(fd, F_GETFL);
  flags = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
  if (fcntl(fd, F_SETFL, flags) < 0) die("fcntl: %s", strerror(errno));
}

void set_nodelay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void raise_file_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

struct counter *map_counter(const char *file) {
  int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0 || ftruncate(fd, sizeof(struct counter)) < 0)
    die("%s: %s", file, strerror(errno));
  void *memory = mmap(NULL, sizeof(struct counter), PROT_READ | PROT_WRITE,
                      MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) die("mmap: %s", strerror(errno));
  close(fd);
  return memory;
}

const unsigned char *pattern_at(uint64_t offset) {
  static unsigned char pattern[CHUNK + PERIOD];
  static int filled;
  if (!filled) {
    for (size_t i = 0; i < sizeof pattern; i++)
      pattern[i] = (unsigned char)(i % PERIOD);
    filled = 1;
  }
  return pattern + offset % PERIOD;
}

int fits_pattern(const unsigned char *bytes, size_t count, uint64_t offset) {
  return bytes[0] == offset % PERIOD &&
         bytes[count - 1] == (offset + count - 1) % PERIOD;
}

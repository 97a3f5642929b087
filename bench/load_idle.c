// Connections that do nothing. Each number on standard input says how many to
// hold from now on; at its end all are closed.
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

// One byte there and back shows that the connection reaches the backend.
static int prove(int fd) {
  char byte = '.';
  if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1) {
    fail("cannot send: %s", strerror(errno));
    return -1;
  }
  byte = 0;
  ssize_t n = recv(fd, &byte, 1, 0);
  if (n == 1 && byte == '.') return 0;
  fail("no echo: %s", n < 0 ? strerror(errno) : n == 0 ? "end" : "wrong byte");
  return -1;
}

int idle_mode(void) {
  char line[32];
  int open = 0;
  while (fgets(line, sizeof line, stdin) != NULL) {
    int wanted = atoi(line), before = open;
    double begun = now();
    while (open < wanted && failures == 0) {
      int fd = open_service();
      if (fd < 0 || prove(fd) < 0) break;
      open++;
    }
    uint64_t opened = (uint64_t)(open - before);
    report("idle", opened, opened, now() - begun);
    if (failures > 0) return 1;
  }
  return 0;
}

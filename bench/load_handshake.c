// As many whole connections as will go: each connects, sends the service
// line, and reads to the end that the server makes. Because the server ends
// it, TIME_WAIT is with the server's port, where a new connection may take
// its place; no port of ours is ever used up.
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE 8.0

struct slot {
  int fd;
  int line_sent;
  double begun;
  int head;      // bytes of the reply line so far
  int head_done; // it has ended
  int body;      // bytes behind it
  int nul_seen;
  int lines;
};

static int loop;
static char line[300];
static size_t line_length;
static uint64_t completed, total;
static double window_begins;

// Whether what has come is all that was asked for.
static int complete(const struct slot *slot) {
  if (options.service == NULL) return slot->body >= options.body;
  if (options.expect == 'L') return slot->lines >= options.lines;
  if (options.expect == '-') return slot->head_done && slot->body == 0;
  return slot->head_done && slot->body >= options.body;
}

static void take(struct slot *slot, const char *bytes, ssize_t count) {
  if (options.service == NULL) {
    slot->body += (int)count;
    return;
  }
  if (options.expect == 'L') {
    for (const char *at = bytes;
         (at = memchr(at, '\n', (size_t)(bytes + count - at))) != NULL; at++)
      slot->lines++;
    return;
  }
  if (slot->head == 0 && *bytes != options.expect)
    fail("the reply begins with '%c', not '%c'", *bytes, options.expect);
  if (!slot->head_done) {
    const char *end = memchr(bytes, '\n', (size_t)count);
    ssize_t of_head = end == NULL ? count : end + 1 - bytes;
    slot->head += (int)of_head;
    slot->head_done = end != NULL;
    bytes += of_head;
    count -= of_head;
  }
  if (options.nul && !slot->nul_seen && count > 0) {
    if (*bytes != 0) fail("no NUL behind the reply line");
    slot->nul_seen = 1;
    count--;
  }
  slot->body += (int)count;
}

static void begin(struct slot *slot) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket: %s", strerror(errno));
  *slot = (struct slot){.fd = fd, .begun = now()};
  if (connect(fd, (struct sockaddr *)&options.to, sizeof options.to) < 0 &&
      errno != EINPROGRESS)
    die("connect: %s", strerror(errno));
  // On loopback it is mostly connected by now, and needs no wake-up for it.
  if (line_length == 0 || send(fd, line, line_length, MSG_NOSIGNAL) > 0)
    slot->line_sent = 1;
  struct epoll_event event = {
      .events = EPOLLIN | EPOLLET | (slot->line_sent ? 0 : EPOLLOUT),
      .data.ptr = slot};
  if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) < 0)
    die("epoll_ctl: %s", strerror(errno));
}

static void finish(struct slot *slot) {
  close(slot->fd);
  double time = now();
  total++;
  // One that began in the warm-up counts: as many are under way at the end.
  if (window_begins > 0) {
    completed++;
    note_latency(time - slot->begun);
  }
  begin(slot);
}

static void advance(struct slot *slot) {
  static char buffer[64 * 1024];
  if (!slot->line_sent) {
    if (send(slot->fd, line, line_length, MSG_NOSIGNAL) > 0)
      slot->line_sent = 1;
    else if (errno == EAGAIN)
      return;
  }
  for (;;) {
    ssize_t n = recv(slot->fd, buffer, sizeof buffer, 0);
    if (n > 0) {
      take(slot, buffer, n);
      continue;
    }
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0)
      fail("broken: %s", strerror(errno));
    else if (!complete(slot))
      fail("ended after %d bytes, %d of the service and %d lines",
           slot->head + slot->body, slot->body, slot->lines);
    finish(slot);
    return;
  }
}

int handshake_mode(void) {
  loop = epoll_create1(EPOLL_CLOEXEC);
  if (options.service != NULL)
    line_length =
        (size_t)snprintf(line, sizeof line, "%s\r\n", options.service);
  size_t count = (size_t)options.connections;
  struct slot *slots = calloc(count, sizeof *slots);
  if (slots == NULL) die("no memory");
  double begun = now();
  for (size_t i = 0; i < count; i++) begin(&slots[i]);
  struct epoll_event ready[256];
  for (;;) {
    double time = now();
    if (window_begins == 0 && time >= begun + options.warmup)
      window_begins = time;
    // A server that is slower than the window gets time for its first one.
    double window = completed > 0 ? options.seconds : PATIENCE;
    if (window_begins > 0 && time >= window_begins + window) break;
    if (failures > 1000) break;
    int events = epoll_wait(loop, ready, 256, 20);
    for (int i = 0; i < events; i++) advance(ready[i].data.ptr);
  }
  double end = now();
  for (size_t i = 0; i < count; i++) {
    if (end - slots[i].begun > PATIENCE)
      fail("no end within %g s", PATIENCE);
    close(slots[i].fd);
  }
  free(slots);
  if (window_begins == 0) window_begins = begun;
  return report("handshake", completed, total, end - window_begins);
}

// Connections that stay: small messages there and back, or bytes in bulk.
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE 64

struct stream {
  int fd;
  uint64_t sent, received;
  double asked; // when the message under way was sent
};

static int loop;
static struct stream *streams;
static unsigned char buffer[CHUNK];

static int open_all(uint32_t events) {
  loop = epoll_create1(EPOLL_CLOEXEC);
  streams = calloc((size_t)options.connections, sizeof *streams);
  if (streams == NULL) die("no memory");
  for (int i = 0; i < options.connections; i++) {
    struct stream *stream = &streams[i];
    stream->fd = open_service();
    if (stream->fd < 0) return -1;
    set_blocking(stream->fd, 0);
    struct epoll_event event = {.events = events, .data.ptr = stream};
    if (epoll_ctl(loop, EPOLL_CTL_ADD, stream->fd, &event) < 0)
      die("epoll_ctl: %s", strerror(errno));
  }
  return 0;
}

// Each returns how much it moved, or -1 when the connection is of no more use.

static ssize_t receive(struct stream *stream, size_t at_most) {
  ssize_t n = recv(stream->fd, buffer, at_most, 0);
  if (n < 0 && errno == EAGAIN) return 0;
  if (n <= 0) {
    fail("ended after %llu bytes: %s", (unsigned long long)stream->received,
         n == 0 ? "end" : strerror(errno));
    return -1;
  }
  if (!fits_pattern(buffer, (size_t)n, stream->received))
    fail("wrong bytes behind %llu", (unsigned long long)stream->received);
  stream->received += (uint64_t)n;
  return n;
}

static ssize_t transmit(struct stream *stream, size_t at_most) {
  ssize_t n = send(stream->fd, pattern_at(stream->sent), at_most,
                   MSG_NOSIGNAL);
  if (n < 0 && errno == EAGAIN) return 0;
  if (n < 0) {
    fail("cannot send: %s", strerror(errno));
    return -1;
  }
  stream->sent += (uint64_t)n;
  return n;
}

static int ask(struct stream *stream) {
  stream->asked = now();
  if (transmit(stream, MESSAGE) == MESSAGE) return 0;
  fail("a message of %d bytes was not taken whole", MESSAGE);
  return -1;
}

int rtt_mode(void) {
  if (open_all(EPOLLIN) < 0) return report("rtt", 0, 0, 1);
  for (int i = 0; i < options.connections; i++)
    if (ask(&streams[i]) < 0) return report("rtt", 0, 0, 1);
  uint64_t count = 0, warm_up = 0;
  double begun = now(), window = 0;
  struct epoll_event ready[256];
  while (failures == 0) {
    double time = now();
    if (window == 0 && time >= begun + options.warmup) {
      window = time;
      warm_up = count;
      count = 0;
      forget_latencies();
    }
    if (window > 0 && time >= window + options.seconds) break;
    int events = epoll_wait(loop, ready, 256, 20);
    for (int i = 0; i < events; i++) {
      struct stream *stream = ready[i].data.ptr;
      size_t missing = (size_t)(stream->sent - stream->received);
      if (receive(stream, missing) < 0) break;
      if (stream->received < stream->sent) continue;
      note_latency(now() - stream->asked);
      count++;
      if (ask(stream) < 0) break;
    }
  }
  return report("rtt", count, warm_up + count,
                now() - (window > 0 ? window : begun));
}

int throughput_mode(int sending, int receiving, const char *mode) {
  struct counter none = {0, 0}, *other = &none;
  if (sending && options.counter == NULL) die("load: --counter is missing");
  if (sending) other = map_counter(options.counter);
  uint64_t errors_before = other->errors;
  uint32_t wanted = (sending ? EPOLLOUT : 0) | (receiving ? EPOLLIN : 0);
  if (open_all(wanted) < 0) return report(mode, 0, 0, 1);
  // What has arrived: here, and at the other end as it counts itself.
  uint64_t received = 0, at_begin = other->bytes, at_window = 0;
  double begun = now(), window = 0, time;
  struct epoll_event ready[64];
  while (failures == 0) {
    time = now();
    if (window == 0 && time >= begun + options.warmup) {
      window = time;
      at_window = received + other->bytes;
    }
    if (window > 0 && time >= window + options.seconds) break;
    int events = epoll_wait(loop, ready, 64, 5);
    for (int i = 0; i < events; i++) {
      struct stream *stream = ready[i].data.ptr;
      if (ready[i].events & (EPOLLERR | EPOLLHUP)) {
        fail("the connection broke");
        break;
      }
      if (ready[i].events & EPOLLIN) {
        ssize_t n = receive(stream, CHUNK);
        if (n < 0) break;
        received += (uint64_t)n;
      }
      if ((ready[i].events & EPOLLOUT) && transmit(stream, CHUNK) < 0) break;
    }
  }
  uint64_t total = received + other->bytes - at_begin;
  uint64_t moved = total + at_begin - at_window;
  time = now();
  if (other->errors != errors_before)
    fail("the other end got wrong bytes %llu times",
         (unsigned long long)(other->errors - errors_before));
  return report(mode, moved, total,
                time - (window > 0 ? window : begun));
}

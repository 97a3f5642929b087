// The servers behind every relay, in one process:
//
//   backend --echo A --sink A --source A --duplex A --byte A --counter FILE
//
// echo gives back what it gets, sink counts it, source sends without end,
// duplex does both at once, byte sends one byte and closes. All addresses are
// HOST:PORT. It prints "ready" once it listens. What sink and duplex receive
// is checked and counted in FILE, where the load generator reads it.
#define _GNU_SOURCE
#include "net.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum kind { ECHO, SINK, SOURCE, DUPLEX, BYTE, KINDS };

static const char *const NAMES[KINDS] = {"echo", "sink", "source", "duplex",
                                         "byte"};

// A listener has a fd and a kind too; `sent` and `received` are a stream's.
struct peer {
  int fd;
  enum kind kind;
  int listening;
  uint64_t sent, received;
  // What echo could not send yet; there only while there is some.
  unsigned char *owed;
  size_t owed_bytes;
  int events;
};

static int loop;
static struct counter *counter;
static unsigned char buffer[CHUNK];

static void watch(struct peer *peer, int events) {
  if (peer->events == events) return;
  struct epoll_event event = {.events = (uint32_t)events, .data.ptr = peer};
  int op = peer->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (epoll_ctl(loop, op, peer->fd, &event) < 0)
    die("epoll_ctl: %s", strerror(errno));
  peer->events = events;
}

static void drop(struct peer *peer) {
  close(peer->fd);
  free(peer->owed);
  free(peer);
}

static void accept_all(struct peer *listener) {
  for (;;) {
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == ECONNABORTED) return;
      die("accept: %s", strerror(errno));
    }
    if (listener->kind == BYTE) {
      // We close first, so that what waits in TIME_WAIT is this port and
      // never one that the relay took to reach us.
      if (send(fd, "x", 1, MSG_NOSIGNAL) != 1) perror("byte");
      close(fd);
      continue;
    }
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) die("no memory");
    peer->fd = fd;
    peer->kind = listener->kind;
    if (peer->kind == ECHO) set_nodelay(fd);
    int sends = peer->kind == SOURCE || peer->kind == DUPLEX;
    watch(peer, sends ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }
}

// Each of these returns 0 when the connection has come to its end.

static int echo(struct peer *peer) {
  if (peer->owed_bytes > 0) {
    ssize_t n = send(peer->fd, peer->owed, peer->owed_bytes, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN;
    peer->owed_bytes -= (size_t)n;
    memmove(peer->owed, peer->owed + n, peer->owed_bytes);
    if (peer->owed_bytes > 0) return 1;
    free(peer->owed);
    peer->owed = NULL;
    watch(peer, EPOLLIN);
    return 1;
  }
  ssize_t n = recv(peer->fd, buffer, sizeof buffer, 0);
  if (n <= 0) return n < 0 && errno == EAGAIN;
  ssize_t sent = send(peer->fd, buffer, (size_t)n, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return 0;
  if (sent < 0) sent = 0;
  if (sent < n) {
    peer->owed_bytes = (size_t)(n - sent);
    peer->owed = malloc(peer->owed_bytes);
    if (peer->owed == NULL) die("no memory");
    memcpy(peer->owed, buffer + sent, peer->owed_bytes);
    watch(peer, EPOLLOUT);
  }
  return 1;
}

static int receive(struct peer *peer) {
  ssize_t n = recv(peer->fd, buffer, sizeof buffer, 0);
  if (n <= 0) return n < 0 && errno == EAGAIN;
  if (!fits_pattern(buffer, (size_t)n, peer->received)) counter->errors++;
  peer->received += (size_t)n;
  counter->bytes += (size_t)n;
  return 1;
}

static int transmit(struct peer *peer) {
  ssize_t n = send(peer->fd, pattern_at(peer->sent), CHUNK, MSG_NOSIGNAL);
  if (n < 0) return errno == EAGAIN;
  peer->sent += (size_t)n;
  return 1;
}

static int serve(struct peer *peer, uint32_t events) {
  if (events & EPOLLERR) return 0;
  if (peer->kind == ECHO) return echo(peer);
  if ((events & (EPOLLIN | EPOLLHUP)) && !receive(peer)) return 0;
  return !(events & EPOLLOUT) || transmit(peer);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  loop = epoll_create1(EPOLL_CLOEXEC);
  struct counter own = {0, 0};
  counter = &own;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--counter") == 0) {
      counter = map_counter(argv[i + 1]);
      continue;
    }
    int kind = 0;
    while (kind < KINDS && (strncmp(argv[i], "--", 2) != 0 ||
                            strcmp(argv[i] + 2, NAMES[kind]) != 0))
      kind++;
    if (kind == KINDS) die("backend: what is %s", argv[i]);
    struct peer *listener = calloc(1, sizeof *listener);
    if (listener == NULL) die("no memory");
    *listener = (struct peer){.fd = listen_on(argv[i + 1]),
                              .kind = (enum kind)kind,
                              .listening = 1};
    watch(listener, EPOLLIN);
  }
  puts("ready");
  fflush(stdout);
  struct epoll_event ready[256];
  for (;;) {
    int count = epoll_wait(loop, ready, 256, -1);
    if (count < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
      struct peer *peer = ready[i].data.ptr;
      if (peer->listening)
        accept_all(peer);
      else if (!serve(peer, ready[i].events))
        drop(peer);
    }
  }
}

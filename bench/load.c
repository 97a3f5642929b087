// The load generator. One mode for each thing that is measured:
//
//   load MODE --to HOST:PORT [--service NAME] [--connections N] [--seconds S]
//        [--warmup S] [--expect plus|minus|list] [--body N] [--lines N]
//        [--nul 1] [--counter FILE] [-- COMMAND…]
//
//   handshake  connects, sends the service line, reads to the end; per second
//   rtt        64 bytes there and back, on N connections; per second
//   up, down, both   bytes through N connections; per second
//   idle       reads counts from standard input and holds so many connections
//   tls-handshake, tls-up, tls-down, tls-idle   the same by TLS
//   start      runs COMMAND and waits until it answers; ends with its input
//
// It prints one JSON object a line. All that arrives is checked, and any
// failure makes it exit with 1. Without --service the peer is taken for a
// relay that speaks no TCPMUX.
#include "load.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct options options = {.connections = 1,
                          .seconds = 1,
                          .warmup = 0.2,
                          .expect = '+'};
uint64_t failures;
static char first_failure[200];

void fail(const char *format, ...) {
  if (failures++ > 0) return;
  va_list args;
  va_start(args, format);
  vsnprintf(first_failure, sizeof first_failure, format, args);
  va_end(args);
  for (char *c = first_failure; *c; c++)
    if (*c < ' ' || *c == '"' || *c == '\\') *c = '?';
}

#define STEPS 16
static uint64_t latencies[64 * STEPS];

void note_latency(double seconds) {
  double micros = seconds * 1e6;
  int at = micros <= 1 ? 0 : (int)(log2(micros) * STEPS);
  latencies[at < 64 * STEPS ? at : 64 * STEPS - 1]++;
}

void forget_latencies(void) { memset(latencies, 0, sizeof latencies); }

double latency_at(double fraction) {
  uint64_t total = 0, passed = 0;
  for (int i = 0; i < 64 * STEPS; i++) total += latencies[i];
  for (int i = 0; i < 64 * STEPS; i++) {
    passed += latencies[i];
    if (total > 0 && (double)passed >= fraction * (double)total)
      return exp2((i + 0.5) / STEPS);
  }
  return 0;
}

int report(const char *mode, uint64_t count, uint64_t total, double seconds) {
  if (count == 0) fail("nothing came back");
  printf("{\"mode\":\"%s\",\"count\":%llu,\"total\":%llu,\"seconds\":%.4f,\"rate\":%.2f,"
         "\"p50_us\":%.1f,\"p99_us\":%.1f,\"failures\":%llu,\"failure\":\"%s\"}"
         "\n",
         mode, (unsigned long long)count, (unsigned long long)total, seconds,
         (double)count / seconds,
         latency_at(0.5), latency_at(0.99), (unsigned long long)failures,
         first_failure);
  fflush(stdout);
  return failures == 0 ? 0 : 1;
}

static int skip_nul(int fd) {
  char byte = 1;
  if (recv(fd, &byte, 1, 0) == 1 && byte == 0) return 0;
  fail("no NUL behind the reply line");
  return -1;
}

static int read_reply_line(int fd) {
  char line[512];
  size_t had = 0;
  for (;;) {
    ssize_t n = recv(fd, line, sizeof line, MSG_PEEK);
    if (n <= 0) {
      fail("no reply line: %s", n == 0 ? "end" : strerror(errno));
      return -1;
    }
    if (line[0] != '+') {
      fail("refused: %.*s", (int)n, line);
      return -1;
    }
    char *end = memchr(line, '\n', (size_t)n);
    // What is behind the line is the service's: it stays in the socket.
    if (end != NULL) n = end + 1 - line;
    if (end == NULL && (size_t)n == had) {
      usleep(200); // the same piece again: more is on its way
      continue;
    }
    had = (size_t)n;
    if (end == NULL) continue;
    if (recv(fd, line, (size_t)n, 0) != n) die("what was peeked at has gone");
    return options.nul ? skip_nul(fd) : 0;
  }
}

int open_service(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    fail("socket: %s", strerror(errno));
    return -1;
  }
  struct timeval patience = {.tv_sec = 10};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  set_nodelay(fd);
  if (connect(fd, (struct sockaddr *)&options.to, sizeof options.to) < 0) {
    fail("connect: %s", strerror(errno));
  } else if (options.service == NULL) {
    return fd;
  } else {
    char line[300];
    int length = snprintf(line, sizeof line, "%s\r\n", options.service);
    if (send(fd, line, (size_t)length, MSG_NOSIGNAL) != length)
      fail("send: %s", strerror(errno));
    else if (read_reply_line(fd) == 0)
      return fd;
  }
  close(fd);
  return -1;
}

static void read_options(int argc, char **argv) {
  for (int i = 2; i < argc; i += 2) {
    if (strcmp(argv[i], "--") == 0) {
      options.command = argv + i + 1;
      return;
    }
    const char *flag = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (value == NULL) die("load: %s lacks a value", flag);
    if (strcmp(flag, "--to") == 0) options.to = parse_address(value);
    else if (strcmp(flag, "--service") == 0) options.service = value;
    else if (strcmp(flag, "--connections") == 0)
      options.connections = atoi(value);
    else if (strcmp(flag, "--seconds") == 0) options.seconds = atof(value);
    else if (strcmp(flag, "--warmup") == 0) options.warmup = atof(value);
    else if (strcmp(flag, "--counter") == 0) options.counter = value;
    else if (strcmp(flag, "--body") == 0) options.body = atoi(value);
    else if (strcmp(flag, "--nul") == 0) options.nul = atoi(value);
    else if (strcmp(flag, "--lines") == 0) options.lines = atoi(value);
    else if (strcmp(flag, "--expect") == 0)
      options.expect = *value == 'p' ? '+' : *value == 'm' ? '-' : 'L';
    else die("load: what is %s", flag);
  }
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  read_options(argc, argv);
  if (options.to.sin_family == 0) die("load: --to is missing");
  if (options.connections < 1) die("load: no connections");
  const char *mode = argv[1];
  if (strcmp(mode, "handshake") == 0) return handshake_mode();
  if (strcmp(mode, "rtt") == 0) return rtt_mode();
  if (strcmp(mode, "up") == 0) return throughput_mode(1, 0, mode);
  if (strcmp(mode, "down") == 0) return throughput_mode(0, 1, mode);
  if (strcmp(mode, "both") == 0) return throughput_mode(1, 1, mode);
  if (strcmp(mode, "idle") == 0) return idle_mode();
  if (strcmp(mode, "start") == 0) return start_mode();
  if (strcmp(mode, "tls-handshake") == 0) return tls_handshake_mode();
  if (strcmp(mode, "tls-up") == 0) return tls_up_mode();
  if (strcmp(mode, "tls-down") == 0) return tls_down_mode();
  if (strcmp(mode, "tls-idle") == 0) return tls_idle_mode();
  die("load: there is no mode %s", mode);
}

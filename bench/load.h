// What the modes of the load generator share.
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "net.h"

#include <stdio.h>

struct options {
  struct sockaddr_in to;
  const char *service;  // NULL: the peer speaks no TCPMUX
  int connections;
  double seconds, warmup;
  const char *counter;  // where the receiver at the other end counts
  char expect;          // '+', '-', or 'L' for the bare list of HELP
  int body;             // bytes that must follow a '+' line
  int nul;              // xinetd: a NUL byte stands behind the reply line
  int lines;            // lines that a list must have at least
  char **command;       // behind "--"
};

extern struct options options;

// A failure is counted, and the first one told; any makes the run fail.
void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern uint64_t failures;

// Connects, sends the service line and reads the reply line, all blocking.
// Returns -1 after it has told why.
int open_service(void);

// Latencies, by a scale of 16 steps to each power of two.
void note_latency(double seconds);
void forget_latencies(void);
double latency_at(double fraction);

// Prints a result with what is common to all of them; returns the exit code.
// `total` is the count with that of the warm-up.
int report(const char *mode, uint64_t count, uint64_t total, double seconds);

int handshake_mode(void);
int rtt_mode(void);
int throughput_mode(int sending, int receiving, const char *mode);
int idle_mode(void);
int start_mode(void);
int tls_handshake_mode(void);
int tls_up_mode(void);
int tls_down_mode(void);
int tls_idle_mode(void);

#endif

// What the programs of the benchmark share: sockets, the clock, the pattern.
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

// All streams carry the bytes 0, 1, … 250, 0, 1, …: a period that divides no
// buffer size, so that a lost, doubled or moved piece shows at its ends.
#define PERIOD 251
#define CHUNK (256 * 1024)

// Where a receiver counts, for another process to read.
struct counter {
  uint64_t bytes;
  uint64_t errors;
};

_Noreturn void die(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
double now(void);
struct sockaddr_in parse_address(const char *text);
int listen_on(const char *address);
void set_blocking(int fd, int blocking);
void set_nodelay(int fd);
void raise_file_limit(void);
struct counter *map_counter(const char *file);

// A chunk of the pattern that goes on where `offset` bytes have gone before.
const unsigned char *pattern_at(uint64_t offset);
// Whether these bytes are what comes at that offset, by both ends of them.
int fits_pattern(const unsigned char *bytes, size_t count, uint64_t offset);

#endif

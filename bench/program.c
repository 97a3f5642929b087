// The programs that the exec services run, static and tiny, so that what is
// measured is the server that starts them:
//
//   program hello               writes one byte and ends
//   program source              writes the pattern without end
//   program sink COUNTER-FILE   reads to the end, checks and counts
#include "net.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static int source(void) {
  signal(SIGPIPE, SIG_DFL);
  for (uint64_t sent = 0;;) {
    ssize_t n = write(1, pattern_at(sent), CHUNK);
    if (n <= 0) return 0;
    sent += (uint64_t)n;
  }
}

static int sink(const char *file) {
  static unsigned char buffer[CHUNK];
  struct counter *counter = map_counter(file);
  uint64_t received = 0;
  ssize_t n;
  while ((n = read(0, buffer, sizeof buffer)) > 0) {
    if (!fits_pattern(buffer, (size_t)n, received))
      __atomic_add_fetch(&counter->errors, 1, __ATOMIC_RELAXED);
    received += (uint64_t)n;
    __atomic_add_fetch(&counter->bytes, (uint64_t)n, __ATOMIC_RELAXED);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "hello") == 0)
    return write(1, "x", 1) == 1 ? 0 : 1;
  if (argc == 2 && strcmp(argv[1], "source") == 0) return source();
  if (argc == 3 && strcmp(argv[1], "sink") == 0) return sink(argv[2]);
  die("program hello | source | sink COUNTER-FILE");
}

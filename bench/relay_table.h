// The services of the C relay, by name.
#ifndef BENCH_RELAY_TABLE_H
#define BENCH_RELAY_TABLE_H

#include <netinet/in.h>
#include <stddef.h>

enum service_kind { CONNECT, TEXT, EXEC };

struct service {
  char *name;
  size_t name_length;
  enum service_kind kind;
  struct sockaddr_in address; // CONNECT
  char *text;                 // TEXT: the whole answer, its + line included
  size_t text_length;
  char *program[8]; // EXEC
};

void load_table(const char *file);
const struct service *look_up(const char *name, size_t length);
int is_help(const char *name, size_t length);
const char *help_text(void);
size_t help_length(void);

#endif

#include "relay_table.h"
#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct service *services;
static size_t count;
// Open addressing: indices into `services` plus one, 0 where there is none.
static unsigned *slots;
static size_t slot_mask;
static char *help;
static size_t help_bytes;

static size_t hash(const char *name, size_t length) {
  uint64_t value = 1469598103934665603u;
  for (size_t i = 0; i < length; i++)
    value = (value ^ (unsigned char)(name[i] | 0x20)) * 1099511628211u;
  return (size_t)(value ^ (value >> 32));
}

const struct service *look_up(const char *name, size_t length) {
  for (size_t at = hash(name, length);; at++) {
    unsigned index = slots[at & slot_mask];
    if (index == 0) return NULL;
    struct service *found = &services[index - 1];
    if (found->name_length == length &&
        strncasecmp(found->name, name, length) == 0)
      return found;
  }
}

int is_help(const char *name, size_t length) {
  return length == 4 && strncasecmp(name, "help", 4) == 0;
}

const char *help_text(void) { return help; }
size_t help_length(void) { return help_bytes; }

static void *need(void *memory) {
  if (memory == NULL) die("no memory");
  return memory;
}

static void read_service(char *line) {
  services = need(realloc(services, (count + 1) * sizeof *services));
  struct service *service = &services[count++];
  memset(service, 0, sizeof *service);
  char *rest = NULL;
  char *name = strtok_r(line, " \n", &rest);
  char *kind = strtok_r(NULL, " \n", &rest);
  if (name == NULL || kind == NULL) die("relay: a line is not a service");
  service->name = need(strdup(name));
  service->name_length = strlen(name);
  if (strcmp(kind, "connect") == 0) {
    service->kind = CONNECT;
    service->address = parse_address(strtok_r(NULL, " \n", &rest));
  } else if (strcmp(kind, "text") == 0) {
    service->kind = TEXT;
    char *text = strtok_r(NULL, "\n", &rest);
    if (text == NULL) text = "";
    service->text = need(malloc(strlen(text) + 6));
    service->text_length = (size_t)sprintf(service->text, "+Go\r\n%s", text);
  } else if (strcmp(kind, "exec") == 0) {
    service->kind = EXEC;
    for (int i = 0; i < 7; i++) {
      char *word = strtok_r(NULL, " \n", &rest);
      if (word == NULL) break;
      service->program[i] = need(strdup(word));
    }
    if (service->program[0] == NULL) die("relay: exec of nothing");
  } else {
    die("relay: there is no kind %s", kind);
  }
}

void load_table(const char *file) {
  FILE *input = fopen(file, "r");
  if (input == NULL) die("%s: %s", file, strerror(errno));
  char line[1024];
  size_t names = 0;
  while (fgets(line, sizeof line, input) != NULL) read_service(line);
  fclose(input);
  size_t size = 16;
  while (size < count * 4) size *= 2;
  slots = need(calloc(size, sizeof *slots));
  slot_mask = size - 1;
  for (size_t i = 0; i < count; i++) {
    size_t at = hash(services[i].name, services[i].name_length);
    while (slots[at & slot_mask] != 0) at++;
    slots[at & slot_mask] = (unsigned)i + 1;
    names += services[i].name_length + 2;
  }
  help = need(malloc(names + 1));
  for (size_t i = 0; i < count; i++)
    help_bytes += (size_t)sprintf(help + help_bytes, "%s\r\n",
                                  services[i].name);
}

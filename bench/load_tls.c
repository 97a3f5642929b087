// The modes that speak TLS 1.3, each connection in a thread of its own, since
// OpenSSL is simplest so. Certificates are not checked: that is the client's
// work, and it is the server that is measured.
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static SSL_CTX *context;
static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;
static atomic_int over, measuring;
static atomic_ullong counted, total;

struct secure {
  int fd;
  SSL *ssl;
};

static void tell(const char *what, const struct secure *conn, int result) {
  unsigned long error = ERR_peek_error();
  pthread_mutex_lock(&telling);
  fail("%s: %s (%d)", what,
       error ? ERR_reason_error_string(error) : strerror(errno),
       conn->ssl ? SSL_get_error(conn->ssl, result) : 0);
  pthread_mutex_unlock(&telling);
  ERR_clear_error();
}

static void close_secure(struct secure *conn) {
  if (conn->ssl != NULL) SSL_free(conn->ssl);
  if (conn->fd >= 0) close(conn->fd);
  *conn = (struct secure){.fd = -1};
}

// Connects, makes the handshake, and sends the line of the service.
static int open_secure(struct secure *conn) {
  *conn = (struct secure){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  struct timeval patience = {.tv_sec = 10};
  setsockopt(conn->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(conn->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  set_nodelay(conn->fd);
  if (connect(conn->fd, (struct sockaddr *)&options.to, sizeof options.to) < 0) {
    tell("connect", conn, 0);
    return -1;
  }
  conn->ssl = SSL_new(context);
  SSL_set_fd(conn->ssl, conn->fd);
  int result = SSL_connect(conn->ssl);
  if (result != 1) {
    tell("TLS", conn, result);
    return -1;
  }
  if (options.service == NULL) return 0;
  char line[300];
  int length = snprintf(line, sizeof line, "%s\r\n", options.service);
  if (SSL_write(conn->ssl, line, length) == length) return 0;
  tell("cannot send", conn, -1);
  return -1;
}

// Reads the reply byte by byte, so that what is behind it stays unread.
static int read_reply(struct secure *conn) {
  char last = 0;
  for (int i = 0; options.service != NULL && last != '\n'; i++) {
    int n = SSL_read(conn->ssl, &last, 1);
    if (n == 1 && (i > 0 || last == '+')) continue;
    tell(n == 1 ? "refused" : "no reply line", conn, n);
    return -1;
  }
  return 0;
}

static int read_to_end(struct secure *conn) {
  char buffer[4096];
  int body = 0, n;
  if (read_reply(conn) < 0) return -1;
  while ((n = SSL_read(conn->ssl, buffer, sizeof buffer)) > 0) body += n;
  if (body >= options.body) return 0;
  tell("it ended too early", conn, n);
  return -1;
}

static void *handshakes(void *unused) {
  while (!over) {
    struct secure conn;
    double begun = now();
    if (open_secure(&conn) == 0 && read_to_end(&conn) == 0) {
      total++;
      if (measuring) {
        counted++;
        pthread_mutex_lock(&telling);
        note_latency(now() - begun);
        pthread_mutex_unlock(&telling);
      }
    }
    close_secure(&conn);
  }
  return unused;
}

static void *sending(void *unused) {
  struct secure conn;
  uint64_t sent = 0;
  if (open_secure(&conn) == 0 && read_reply(&conn) == 0) {
    while (!over) {
      int n = SSL_write(conn.ssl, pattern_at(sent), CHUNK);
      if (n <= 0 && !over) tell("cannot send", &conn, n);
      if (n <= 0) break;
      sent += (uint64_t)n;
    }
  }
  close_secure(&conn);
  return unused;
}

static void *receiving(void *unused) {
  struct secure conn;
  uint64_t received = 0;
  unsigned char buffer[64 * 1024];
  if (open_secure(&conn) == 0 && read_reply(&conn) == 0) {
    while (!over) {
      int n = SSL_read(conn.ssl, buffer, sizeof buffer);
      if (n <= 0 && !over) tell("ended", &conn, n);
      if (n <= 0) break;
      if (!fits_pattern(buffer, (size_t)n, received))
        tell("wrong bytes", &conn, n);
      received += (uint64_t)n;
      total += (uint64_t)n;
    }
  }
  close_secure(&conn);
  return unused;
}

static void prepare(void) {
  context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  // An end without close_notify is an end; no session is resumed.
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

// What has arrived so far: here, or at the other end as it counts itself.
static uint64_t arrived(const struct counter *other) {
  return total + (other ? other->bytes : 0);
}

static int in_threads(const char *mode, void *(*work)(void *),
                      struct counter *other) {
  prepare();
  pthread_t threads[options.connections];
  uint64_t at_begin = arrived(other), errors = other ? other->errors : 0;
  for (int i = 0; i < options.connections; i++)
    if (pthread_create(&threads[i], NULL, work, NULL)) die("no thread");
  usleep((useconds_t)(options.warmup * 1e6));
  uint64_t at_window = arrived(other);
  double window = now();
  measuring = 1;
  usleep((useconds_t)(options.seconds * 1e6));
  double seconds = now() - window;
  uint64_t at_end = arrived(other);
  measuring = 0;
  over = 1;
  if (work == handshakes)
    for (int i = 0; i < options.connections; i++) pthread_join(threads[i], NULL);
  if (other && other->errors != errors) fail("the other end got wrong bytes");
  uint64_t count = work == handshakes ? counted : at_end - at_window;
  return report(mode, count, at_end - at_begin, seconds);
}

int tls_handshake_mode(void) {
  return in_threads("tls-handshake", handshakes, NULL);
}

int tls_up_mode(void) {
  if (options.counter == NULL) die("load: --counter is missing");
  return in_threads("tls-up", sending, map_counter(options.counter));
}

int tls_down_mode(void) { return in_threads("tls-down", receiving, NULL); }

// As idle_mode: each number on standard input says how many to hold.
int tls_idle_mode(void) {
  char line[32], byte;
  int open = 0;
  prepare();
  while (fgets(line, sizeof line, stdin) != NULL) {
    int wanted = atoi(line), before = open;
    double begun = now();
    for (; open < wanted && failures == 0; open++) {
      struct secure conn;
      if (open_secure(&conn) < 0 || read_reply(&conn) < 0) break;
      if (SSL_write(conn.ssl, ".", 1) != 1) tell("cannot send", &conn, -1);
      if (SSL_read(conn.ssl, &byte, 1) != 1) tell("no echo", &conn, -1);
    }
    uint64_t opened = (uint64_t)(open - before);
    report("tls-idle", opened, opened, now() - begun);
    if (failures > 0) return 1;
  }
  return 0;
}

// The practical limit: a TCPMUX server in one thread of C.
//
//   relay --listen HOST:PORT --table FILE
//
// A line of the table is one service: NAME connect HOST:PORT, NAME text TEXT,
// or NAME exec PROGRAM ARGUMENT…. It prints "ready" once it listens.
//
// Small pieces are copied through one buffer; when a direction is found to be
// in bulk its bytes are spliced, through a pipe that the direction has only
// while it moves them. Events are edge-triggered: a connection is registered
// once, and an idle one costs nothing but its record.
#define _GNU_SOURCE
#include "net.h"
#include "relay_table.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE (64 * 1024)
#define PIPE_SIZE (256 * 1024)
#define BULK (32 * 1024)
#define BUDGET (4 * 1024 * 1024) // bytes of one direction before the next one

enum state { NAMING, CONNECTING, RELAYING, LEAVING, DEAD };

struct end {
  struct conn *conn;
  int fd;
  unsigned char readable, writable, ending; // ending: its FIN has come
};

// What goes from one end to the other.
struct flow {
  int pipe[2];
  unsigned held;
  unsigned char bulk, eof, done;
};

struct conn {
  struct end ends[2]; // the client, the upstream
  struct flow flows[2];
  struct conn *next; // in `again` or in `graves`
  unsigned char state, queued;
};

static int loop;
static struct conn *again, *graves;
static char buffer[PIECE];

// Pipes that nobody uses now.
static int (*spare)[2];
static size_t spares, spare_room;

static int take_pipe(struct flow *flow) {
  if (spares > 0) {
    memcpy(flow->pipe, spare[--spares], sizeof flow->pipe);
    return 0;
  }
  if (pipe2(flow->pipe, O_NONBLOCK | O_CLOEXEC) < 0) return -1;
  // Not granted beyond what a user may have: the default serves as well.
  fcntl(flow->pipe[0], F_SETPIPE_SZ, PIPE_SIZE);
  return 0;
}

static void give_pipe(struct flow *flow) {
  if (flow->pipe[0] < 0) return;
  if (flow->held > 0 || spares >= 256) {
    close(flow->pipe[0]);
    close(flow->pipe[1]);
  } else {
    if (spares == spare_room) {
      spare_room = spare_room * 2 + 16;
      spare = realloc(spare, spare_room * sizeof *spare);
      if (spare == NULL) die("no memory");
    }
    memcpy(spare[spares++], flow->pipe, sizeof flow->pipe);
  }
  flow->pipe[0] = flow->pipe[1] = -1;
}

static void watch(struct end *end) {
  struct epoll_event event = {
      .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = end};
  if (epoll_ctl(loop, EPOLL_CTL_ADD, end->fd, &event) < 0)
    die("epoll_ctl: %s", strerror(errno));
}

// Its memory is freed behind the batch of events, which may name it again.
static void end_conn(struct conn *conn, int reset) {
  if (conn->state == DEAD) return;
  for (int i = 0; i < 2; i++) {
    give_pipe(&conn->flows[i]);
    if (conn->ends[i].fd < 0) continue;
    struct linger now_and_hard = {.l_onoff = 1, .l_linger = 0};
    if (reset)
      setsockopt(conn->ends[i].fd, SOL_SOCKET, SO_LINGER, &now_and_hard,
                 sizeof now_and_hard);
    close(conn->ends[i].fd);
  }
  conn->state = DEAD;
  if (!conn->queued) {
    conn->next = graves;
    graves = conn;
  }
}

static int blocked(void) { return errno == EAGAIN || errno == EINTR; }

// Moves what can be moved one way. Returns -1 when the connection is broken.
static int pump(struct conn *conn, int way) {
  struct end *from = &conn->ends[way], *to = &conn->ends[!way];
  struct flow *flow = &conn->flows[way];
  long budget = BUDGET;
  while (!flow->done) {
    if (flow->held > 0) {
      if (!to->writable) return 0;
      ssize_t n = splice(flow->pipe[0], NULL, to->fd, NULL, flow->held,
                         SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
      if (n < 0 && !blocked()) return -1;
      if (n < 0) {
        to->writable = 0;
        return 0;
      }
      flow->held -= (unsigned)n;
      if (flow->held == 0 && !flow->bulk) give_pipe(flow);
      continue;
    }
    if (flow->eof) {
      give_pipe(flow);
      flow->done = 1;
      return shutdown(to->fd, SHUT_WR) < 0 ? -1 : 0;
    }
    if (!from->readable) break;
    if (budget <= 0) {
      if (!conn->queued) {
        conn->queued = 1;
        conn->next = again;
        again = conn;
      }
      return 0;
    }
    ssize_t n;
    if (flow->bulk) {
      if (flow->pipe[0] < 0 && take_pipe(flow) < 0) return -1;
      n = splice(from->fd, NULL, flow->pipe[1], NULL, PIPE_SIZE,
                 SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
      if (n > 0) flow->held = (unsigned)n;
      flow->bulk = n >= BULK;
    } else {
      n = recv(from->fd, buffer, PIECE, 0);
      flow->bulk = n >= BULK;
      if (n > 0) {
        ssize_t sent = to->writable
                           ? send(to->fd, buffer, (size_t)n, MSG_NOSIGNAL)
                           : 0;
        if (sent < 0 && !blocked()) return -1;
        if (sent < 0) sent = 0;
        if (sent < n) {
          to->writable = 0;
          if (flow->pipe[0] < 0 && take_pipe(flow) < 0) return -1;
          flow->held = (unsigned)(n - sent);
          if (write(flow->pipe[1], buffer + sent, flow->held) !=
              (ssize_t)flow->held)
            return -1;
        }
        // Less than there was room for: the socket is empty now.
        if (n < PIECE && !from->ending) from->readable = 0;
      }
    }
    if (n < 0 && !blocked()) return -1;
    if (n < 0) from->readable = 0;
    if (n == 0) flow->eof = 1;
    budget -= n;
  }
  if (flow->held == 0) give_pipe(flow);
  return 0;
}

static void relay(struct conn *conn) {
  if (pump(conn, 0) < 0 || pump(conn, 1) < 0)
    end_conn(conn, 1);
  else if (conn->flows[0].done && conn->flows[1].done)
    end_conn(conn, 0);
}

// Sends a last answer. What the client sent behind its line would turn our
// close into a reset that takes the answer with it: so it is read first.
static void answer(struct conn *conn, const char *text, size_t length,
                   int unread) {
  int fd = conn->ends[0].fd;
  size_t sent = 0;
  while (sent < length) {
    ssize_t n = send(fd, text + sent, length - sent, MSG_NOSIGNAL);
    if (n < 0) break; // 4 MiB fit: a client that is slower has gone
    sent += (size_t)n;
  }
  if (!unread) {
    end_conn(conn, 0);
    return;
  }
  shutdown(fd, SHUT_WR);
  conn->state = LEAVING;
}

static void leave(struct conn *conn) {
  for (;;) {
    ssize_t n = recv(conn->ends[0].fd, buffer, PIECE, 0);
    if (n < 0 && blocked()) return;
    if (n <= 0) break;
  }
  end_conn(conn, 0);
}

static void start_program(struct conn *conn, const struct service *service) {
  int fd = conn->ends[0].fd;
  // The program shares the socket: ours must not be watched, nor non-blocking.
  epoll_ctl(loop, EPOLL_CTL_DEL, fd, NULL);
  set_blocking(fd, 1);
  if (send(fd, "+Go\r\n", 5, MSG_NOSIGNAL) == 5) {
    // Not vfork: it would wait for each exec, and leave the other core idle.
    pid_t pid = fork();
    if (pid == 0) {
      dup2(fd, 0);
      dup2(fd, 1);
      execv(service->program[0], service->program);
      _exit(127);
    }
    if (pid < 0) perror("fork");
  }
  end_conn(conn, 0);
}

static void dial(struct conn *conn, const struct service *service) {
  struct end *upstream = &conn->ends[1];
  upstream->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (upstream->fd < 0) {
    perror("socket");
    end_conn(conn, 1);
    return;
  }
  set_nodelay(upstream->fd);
  set_nodelay(conn->ends[0].fd);
  if (connect(upstream->fd, (const struct sockaddr *)&service->address,
              sizeof service->address) < 0 &&
      errno != EINPROGRESS) {
    static const char sorry[] = "-Service not available\r\n";
    answer(conn, sorry, sizeof sorry - 1, 1);
    return;
  }
  conn->state = CONNECTING;
  watch(upstream);
}

static void dialled(struct conn *conn) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(conn->ends[1].fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    static const char sorry[] = "-Service not available\r\n";
    answer(conn, sorry, sizeof sorry - 1, 1);
    return;
  }
  if (!conn->ends[1].writable) return;
  if (send(conn->ends[0].fd, "+Go\r\n", 5, MSG_NOSIGNAL) != 5) {
    end_conn(conn, 1);
    return;
  }
  conn->state = RELAYING;
  // What came behind the service line came with an edge that is past.
  conn->ends[0].readable = 1;
  relay(conn);
}

// Looks at what is there without taking it, so that what stands behind the
// service line stays in the socket for whoever serves it.
static void read_name(struct conn *conn) {
  char line[512];
  int fd = conn->ends[0].fd;
  ssize_t n = recv(fd, line, sizeof line, MSG_PEEK);
  if (n < 0 && blocked()) return;
  if (n <= 0) {
    end_conn(conn, n < 0);
    return;
  }
  char *newline = memchr(line, '\n', (size_t)n);
  if (newline == NULL) {
    if (n > 257 || conn->ends[0].ending) answer(conn, "-Malformed\r\n", 12, 1);
    return;
  }
  ssize_t length = newline + 1 - line;
  if (recv(fd, line, (size_t)length, 0) != length) {
    end_conn(conn, 1);
    return;
  }
  int unread = n > length;
  size_t name = (size_t)length - 1;
  if (name > 0 && line[name - 1] == '\r') name--;
  if (is_help(line, name)) {
    answer(conn, help_text(), help_length(), unread);
    return;
  }
  const struct service *service = look_up(line, name);
  if (service == NULL) {
    static const char sorry[] = "-Service not available\r\n";
    answer(conn, sorry, sizeof sorry - 1, unread);
  } else if (service->kind == TEXT) {
    answer(conn, service->text, service->text_length, unread);
  } else if (service->kind == EXEC) {
    start_program(conn, service);
  } else {
    dial(conn, service);
  }
}

static void advance(struct conn *conn) {
  if (conn->state == NAMING) read_name(conn);
  else if (conn->state == CONNECTING) dialled(conn);
  else if (conn->state == RELAYING) relay(conn);
  else if (conn->state == LEAVING) leave(conn);
}

static void accept_all(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == ECONNABORTED) return;
      die("accept: %s", strerror(errno));
    }
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) die("no memory");
    for (int i = 0; i < 2; i++) {
      conn->ends[i] = (struct end){.conn = conn, .fd = i == 0 ? fd : -1};
      conn->flows[i].pipe[0] = conn->flows[i].pipe[1] = -1;
    }
    watch(&conn->ends[0]);
    read_name(conn);
  }
}

static void bury(void) {
  while (graves != NULL) {
    struct conn *conn = graves;
    graves = conn->next;
    free(conn);
  }
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_IGN); // the kernel reaps the programs
  raise_file_limit();
  const char *address = NULL, *table = NULL;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--listen") == 0) address = argv[i + 1];
    else if (strcmp(argv[i], "--table") == 0) table = argv[i + 1];
    else die("relay: what is %s", argv[i]);
  }
  if (address == NULL || table == NULL)
    die("relay --listen HOST:PORT --table FILE");
  load_table(table);
  loop = epoll_create1(EPOLL_CLOEXEC);
  int listener = listen_on(address);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event) < 0)
    die("epoll_ctl: %s", strerror(errno));
  puts("ready");
  fflush(stdout);
  struct epoll_event ready[256];
  for (;;) {
    int count = epoll_wait(loop, ready, 256, again == NULL ? -1 : 0);
    if (count < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
      struct end *end = ready[i].data.ptr;
      if (end == NULL) {
        accept_all(listener);
        continue;
      }
      uint32_t events = ready[i].events;
      if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        end->readable = 1;
      if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) end->writable = 1;
      if (events & (EPOLLRDHUP | EPOLLHUP)) end->ending = 1;
      advance(end->conn);
    }
    // Those whose share was used up go on behind all others.
    struct conn *turn = again;
    again = NULL;
    while (turn != NULL) {
      struct conn *conn = turn;
      turn = conn->next;
      conn->queued = 0;
      if (conn->state == DEAD) {
        conn->next = graves;
        graves = conn;
      } else {
        advance(conn);
      }
    }
    bury();
  }
}

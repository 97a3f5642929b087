// How long a server takes from its start to its first answer. It runs until
// standard input ends, so that its memory can be looked at meanwhile.
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE 20.0

static pid_t run(void) {
  pid_t pid = fork();
  if (pid < 0) die("fork: %s", strerror(errno));
  if (pid > 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL); // it must not outlive us
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  execvp(options.command[0], options.command);
  _exit(127);
}

static int listens(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int ok =
      connect(fd, (struct sockaddr *)&options.to, sizeof options.to) == 0;
  close(fd);
  return ok;
}

static void stop(pid_t pid) {
  kill(pid, SIGTERM);
  for (int i = 0; i < 300; i++) {
    if (waitpid(pid, NULL, WNOHANG) != 0) return;
    usleep(10000);
  }
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}

int start_mode(void) {
  if (options.command == NULL || *options.command == NULL)
    die("load: there is no command");
  double begun = now();
  pid_t pid = run();
  double listening = 0;
  while (!listens()) {
    if (waitpid(pid, NULL, WNOHANG) == pid) die("%s has ended",
                                                options.command[0]);
    if (now() - begun > PATIENCE) {
      stop(pid);
      die("%s does not listen", options.command[0]);
    }
    usleep(200);
  }
  listening = now() - begun;
  int fd = open_service();
  double answered = now() - begun;
  if (fd >= 0) close(fd);
  printf("{\"mode\":\"start\",\"pid\":%d,\"listening_ms\":%.2f,"
         "\"answered_ms\":%.2f,\"failures\":%llu}\n",
         (int)pid, listening * 1e3, answered * 1e3,
         (unsigned long long)failures);
  fflush(stdout);
  char rest[64];
  while (read(0, rest, sizeof rest) > 0) {
  }
  stop(pid);
  return failures == 0 ? 0 : 1;
}

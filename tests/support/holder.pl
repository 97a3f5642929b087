# Plays systemd, which goes on having a socket that it hands to one server after
# the other.
#
# usage: perl holder.pl WORD…
# Prints the port; then, for each line of standard input, starts the program and
# prints its process. Ends at the end of standard input.
use strict;
use Fcntl;
use POSIX;
use Socket;

socket(my $listener, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
bind($listener, sockaddr_in(0, INADDR_LOOPBACK)) or die "bind: $!";
listen($listener, 511) or die "listen: $!";
my ($port) = sockaddr_in(getsockname($listener));
$| = 1;
$SIG{CHLD} = sub { 1 while waitpid(-1, WNOHANG) > 0 };
print "$port\n";
while (<STDIN>) {
  my $pid = fork() // die "fork: $!";
  if ($pid == 0) {
    my $kept = fcntl($listener, F_DUPFD, 100);
    POSIX::dup2($kept, 3);
    POSIX::close($kept);
    $ENV{LISTEN_FDS} = 1;
    $ENV{LISTEN_PID} = $$;
    exec(@ARGV) or POSIX::_exit(127);
  }
  print "$pid\n";
}

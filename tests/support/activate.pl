# Plays systemd, which opens sockets, and becomes the program that gets them.
#
# usage: perl activate.pl KIND[=NAME]… -- WORD…
# KIND is tcp, tcp6, same (one port for all of that kind), conn (a connection), udp, unix:PATH or file. With ACTIVATE_PID, the sockets are for that process.
use strict;
use Fcntl;
use POSIX;
use Socket qw(:all);

my (@kinds, @names, @sockets);
my $same = pack_sockaddr_in(0, INADDR_LOOPBACK);
while (@ARGV && (my $word = shift @ARGV) ne "--") {
  my ($kind, $name) = split /=/, $word;
  push @kinds, $kind;
  push @names, $name // "unknown";
}

sub opened {
  my ($kind) = @_;
  my $socket;
  if ($kind eq "file") {
    open($socket, "<", "/dev/null") or die "file: $!";
    return $socket;
  }
  my $path = $kind =~ s/^unix:// ? $kind : undef;
  my $type = $kind eq "udp" ? SOCK_DGRAM : SOCK_STREAM;
  my $family = defined $path ? AF_UNIX : $kind eq "tcp6" ? AF_INET6 : AF_INET;
  socket($socket, $family, $type, 0) or die "socket: $!";
  my $address = defined $path ? pack_sockaddr_un($path)
    : $kind eq "tcp6" ? pack_sockaddr_in6(0, IN6ADDR_ANY)
    : pack_sockaddr_in(0, INADDR_LOOPBACK);
  if ($kind eq "same") {
    setsockopt($socket, SOL_SOCKET, SO_REUSEPORT, 1) or die "SO_REUSEPORT: $!";
    $address = $same;
  }
  bind($socket, $address) or die "bind: $!";
  $same = getsockname($socket) if $kind eq "same";
  return $socket if $type == SOCK_DGRAM;
  listen($socket, 128) or die "listen: $!";
  return $socket if $kind ne "conn";
  # The other end lives on in the program.
  fcntl($socket, F_DUPFD, 200) or die "dup: $!";
  socket(my $conn, $family, $type, 0) or die "socket: $!";
  connect($conn, getsockname($socket)) or die "connect: $!";
  return $conn;
}

# Out of the way first: some of them may stand where others are to go.
for my $kind (@kinds) {
  my $socket = opened($kind);
  push @sockets, fcntl($socket, F_DUPFD, 100) || die "dup: $!";
}
for my $index (0 .. $#sockets) {
  POSIX::dup2($sockets[$index], 3 + $index) or die "dup2: $!";
  POSIX::close($sockets[$index]);
}
$ENV{LISTEN_FDS} = @sockets;
$ENV{LISTEN_PID} = $ENV{ACTIVATE_PID} // $$;
$ENV{LISTEN_FDNAMES} = join ":", @names;
exec(@ARGV) or die "exec: $!";

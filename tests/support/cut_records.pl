# A relay to a server of TLS that deals badly with what its clients send.
#
#   perl cut_records.pl PORT WAY RECORDS BYTES
#
# It takes one connection after another, at the port that it prints. Of what a
# client sends it passes on so many whole records, and then so many bytes of
# the next one; with these it sends no more, in one of these ways:
#
#   end     ends its side, and passes on the answer
#   reset   resets the connection
#   stall   keeps it open, and passes on the answer
#
# For each connection it prints the lengths of the whole records that it has
# passed on, as "TYPE:LENGTH …", at its end. It ends with its input.
use strict;
use warnings;
use IO::Select;
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(sleep);

$| = 1;
$SIG{PIPE} = "IGNORE";
alarm 300;    # whatever happens, this ends

my ($port, $way, $records, $bytes) = @ARGV;

sub tcp {
  socket(my $s, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
  setsockopt($s, IPPROTO_TCP, TCP_NODELAY, pack("i", 1));
  return $s;
}

sub send_all {
  my ($to, $data) = @_;
  while (length $data) {
    my $count = syswrite($to, $data) or return;
    substr($data, 0, $count) = "";
  }
}

sub relay {
  my ($client) = @_;
  my $server = tcp();
  connect($server, sockaddr_in($port, INADDR_LOOPBACK)) or die "connect: $!";
  my ($held, $is_cut, @passed) = ("", 0);
  my $ready = IO::Select->new($client, $server);
  while ($ready->count) {
    for my $from ($ready->can_read) {
      my $count = sysread($from, my $data, 65536);
      if ($from == $server) {
        return @passed unless $count;
        send_all($client, $data);
        next;
      }
      if (!$count) {    # it may still read, unless it was cut off
        $ready->remove($client);
        shutdown($server, 1);
        next;
      }
      next if $is_cut;
      $held .= $data;
      while (length $held >= 5) {
        my ($type, $length) = unpack "Cx2n", $held;
        last if @passed == $records || length $held < 5 + $length;
        send_all($server, substr $held, 0, 5 + $length, "");
        push @passed, "$type:$length";
      }
      if (@passed == $records && length $held >= $bytes) {
        send_all($server, substr $held, 0, $bytes);
        $is_cut = 1;
        if ($way eq "reset") {
          sleep 0.03;    # the server is to have begun, as it mostly has then
          setsockopt($server, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0));
          close $server;
          return @passed;
        }
        shutdown($server, 1) if $way eq "end";
      }
    }
  }
  return @passed;
}

my $listener = tcp();
bind($listener, sockaddr_in(0, INADDR_LOOPBACK)) or die "bind: $!";
listen($listener, 16) or die "listen: $!";
my ($own) = sockaddr_in(getsockname($listener));
my $parent = $$;
my $watch = fork // die "fork: $!";
if ($watch == 0) {
  close $listener;
  <STDIN>;
  kill "KILL", $parent;
  exit;
}
print "$own\n";
while (accept(my $client, $listener)) {
  print join(" ", relay($client)), "\n";
  close $client;
}

# Plays inetd(8) for one client: accepts it, and becomes the program, whose
# standard input and output are the connection.
#
# usage: perl nowait.pl joined|apart WORD…
# Prints the port first. Where joined, the connection is standard error as well.
use strict;
use Socket;

my ($stderr, @words) = @ARGV;
socket(my $listener, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
bind($listener, sockaddr_in(0, INADDR_LOOPBACK)) or die "bind: $!";
listen($listener, 1) or die "listen: $!";
my ($port) = sockaddr_in(getsockname($listener));
$| = 1;
print "$port\n";
accept(my $client, $listener) or die "accept: $!";
close($listener);
open(STDIN, "<&", $client) or die "stdin: $!";
open(STDOUT, ">&", $client) or die "stdout: $!";
if ($stderr eq "joined") { open(STDERR, ">&", $client) or die "stderr: $!" }
exec(@words) or exit(127);

# Connections that misbehave, in Perl: some runtimes cannot reset one, nor
# keep from reading, nor hold thousands cheaply.
#
#   perl hostile.pl connect PORT COUNT AT_A_TIME FROM STEP…
#   perl hostile.pl listen STEP…
#
# `connect` makes COUNT connections, from the addresses FROM in turn, as many
# at a time: each step is done on all of them before the next one. `listen`
# prints its port, and does the steps on each connection in a process of its
# own. The steps:
#
#   small           first of all: a receive buffer as small as can be
#   send:TEXT       with \r, \n and \xHH
#   times:N:TEXT    the text N times
#   flip:K:OF:TEXT  connection N has one bit of it changed: N times OF, plus K
#   cut:TEXT        connection N cuts it where N, in binary, has a 1
#   upto:TEXT       connection N sends the first N bytes
#   slowly:MS:TEXT  byte by byte
#   flood:STUCK     sends until nothing is taken for STUCK seconds
#   flood:STUCK:MAX the same, MAX bytes at the most
#   drip:SECONDS    sends 64 KiB every 200 ms, and waits where none is taken
#   line, read:N    reads a line, or N bytes
#   all             reads to the end
#   end             ends its sending
#   pause:SECONDS
#   wait            tells what was read so far, and waits for a line of input
#   reset, close
#   anew            what follows is for COUNT new connections
#
# What was read is told as lines "COUNT HEX", then an empty one, at each
# `wait` and at the end.
use strict;
use warnings;
use Errno;
use Fcntl;
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY inet_aton);
use Time::HiRes qw(sleep time);

$| = 1;
$SIG{PIPE} = "IGNORE";
alarm 600;    # whatever happens, this ends

my ($role, @args) = @ARGV;
my %told;

sub socket_of_ours {
  my $small = grep { $_ eq "small" } @_;
  socket(my $s, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
  setsockopt($s, IPPROTO_TCP, TCP_NODELAY, pack("i", 1));
  setsockopt($s, SOL_SOCKET, SO_RCVBUF, pack("i", 2048)) if $small;
  return $s;
}

sub unescaped {
  my ($text) = @_;
  $text =~ s/\\(r|n|x(..))/$1 eq "r" ? "\r" : $1 eq "n" ? "\n" : chr hex $2/ge;
  return $text;
}

# Every read and write may fail: the other side is hostile, too, by then.
sub send_on { syswrite($_[0]{socket}, $_[1]) }

sub read_on {
  my ($c, $enough) = @_;
  until ($enough->($c->{got})) {
    sysread($c->{socket}, $c->{got}, 65536, length $c->{got}) or last;
  }
}

sub flood {
  my ($stuck, $most, @conns) = @_;
  my $block = "x" x 65536;
  my %left = map { $_ => $most // 1e12 } 0 .. $#conns;
  fcntl($_->{socket}, F_SETFL, O_NONBLOCK) for @conns;
  for (my $moved = time; %left && time - $moved < $stuck;) {
    my $any = 0;
    for my $i (keys %left) {
      my $most_now = $left{$i} < 65536 ? $left{$i} : 65536;
      my $count = syswrite($conns[$i]{socket}, $block, $most_now);
      if ($count) { $left{$i} -= $count; $any = 1 }
      delete $left{$i} if $left{$i} <= 0 || !$count && !$!{EAGAIN};
    }
    if ($any) { $moved = time } else { sleep 0.01 }
  }
  fcntl($_->{socket}, F_SETFL, 0) for @conns;
}

sub drip {
  my ($seconds, @conns) = @_;
  my $block = "x" x 65536;
  for (my $end = time + $seconds; @conns && time < $end; sleep 0.2) {
    @conns = grep { send_on($_, $block) } @conns;
  }
}

sub reset_of {
  my ($c) = @_;
  setsockopt($c->{socket}, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0));
  close($c->{socket});
}

sub report {
  my (@conns) = @_;
  $told{$_->{got}}++ for @conns;
  print "$told{$_} ", unpack("H*", $_), "\n" for keys %told;
  print "\n";
  %told = ();
}

sub step {
  my ($step, @conns) = @_;
  my ($verb, $what) = split /:/, $step, 2;
  if ($verb eq "send") {
    my $text = unescaped($what);
    send_on($_, $text) for @conns;
  } elsif ($verb eq "times") {
    my ($times, $text) = split /:/, $what, 2;
    $text = unescaped($text) x $times;
    send_on($_, $text) for @conns;
  } elsif ($verb eq "flip") {
    my ($first, $of, $text) = split /:/, $what, 3;
    $text = unescaped($text);
    for my $c (@conns) {
      my $changed = $text;
      vec($changed, $first + $of * $c->{number}, 1) ^= 1;
      send_on($c, $changed);
    }
  } elsif ($verb eq "cut") {
    my $text = unescaped($what);
    for my $at (0 .. length($text) - 1) {
      for my $c (@conns) {
        $c->{held} .= substr($text, $at, 1);
        next unless $c->{number} >> $at & 1 || $at == length($text) - 1;
        send_on($c, $c->{held});
        $c->{held} = "";
      }
      sleep 0.02;
    }
  } elsif ($verb eq "upto") {
    my $text = unescaped($what);
    send_on($_, substr($text, 0, $_->{number})) for @conns;
  } elsif ($verb eq "slowly") {
    my ($pause, $text) = split /:/, $what, 2;
    for my $byte (split //, unescaped($text)) {
      send_on($_, $byte) for @conns;
      sleep $pause / 1000;
    }
  } elsif ($verb eq "flood") {
    flood(split(/:/, $what), (undef) x ($what !~ /:/), @conns);
  } elsif ($verb eq "drip") {
    drip($what, @conns);
  } elsif ($verb eq "line") {
    read_on($_, sub { $_[0] =~ /\n/ }) for @conns;
  } elsif ($verb eq "read") {
    read_on($_, sub { length $_[0] >= $what }) for @conns;
  } elsif ($verb eq "all") {
    read_on($_, sub { 0 }) for @conns;
  } elsif ($verb eq "end") {
    shutdown($_->{socket}, 1) for @conns;
  } elsif ($verb eq "pause") {
    sleep $what;
  } elsif ($verb eq "wait") {
    report(@conns);
    <STDIN>;
  } elsif ($verb eq "reset") {
    reset_of($_) for @conns;
  } elsif ($verb eq "close") {
    close($_->{socket}) for @conns;
  } elsif ($verb ne "small") {
    die "no such step: $step";
  }
}

sub assail {
  my ($port, $count, $at_a_time, $from, @steps) = @_;
  my @from = split /,/, $from;
  for (my $number = 0; $number < $count;) {
    my @conns;
    while (@conns < $at_a_time && $number < $count) {
      my $s = socket_of_ours(@steps);
      # A port is chosen when it connects, so there are enough of them.
      setsockopt($s, 0, 24, pack("i", 1));    # IP_BIND_ADDRESS_NO_PORT
      bind($s, sockaddr_in(0, inet_aton($from[$number % @from]))) or die;
      # One that is dropped at once may be reset before this has returned.
      connect($s, sockaddr_in($port, INADDR_LOOPBACK))
        or $!{ECONNRESET}
        or die "connect: $!";
      push @conns, { socket => $s, number => $number++, got => "", held => "" };
      # Nobody's backlog is endless: a SYN that is lost costs a second.
      sleep 0.01 if $number % 100 == 0;
    }
    step($_, @conns) for @steps;
    $told{$_->{got}}++ for @conns;
  }
}

if ($role eq "connect") {
  my ($port, $count, $at_a_time, $from, @steps) = @args;
  my @lists = ([]);
  for (@steps) {
    if ($_ eq "anew") { push @lists, [] } else { push @{ $lists[-1] }, $_ }
  }
  assail($port, $count, $at_a_time, $from, @$_) for @lists;
  report();
} else {
  my $listener = socket_of_ours(@args);
  bind($listener, sockaddr_in(0, INADDR_LOOPBACK)) or die "bind: $!";
  listen($listener, 512) or die "listen: $!";
  my ($port) = sockaddr_in(getsockname($listener));
  # All its processes are one group, which goes with the input's end.
  setpgrp;
  my $parent = $$;
  my $watch = fork // die "fork: $!";
  if ($watch == 0) {
    close $listener;
    <STDIN>;
    kill "KILL", -$parent;
  }
  $SIG{CHLD} = "IGNORE";
  print "$port\n";
  for (;;) {
    accept(my $s, $listener) or next;
    my $child = fork // die "fork: $!";
    next if $child;
    close $listener;
    step($_, { socket => $s, number => 0, got => "", held => "" }) for @args;
    exit;
  }
}

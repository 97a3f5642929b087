# Runs a program whose standard descriptors are shared with others, who read
# nothing before they are told to.
#
#   perl shared.pl DESCRIPTORS KIND PROGRAM…
#
# DESCRIPTORS are some of 0, 1 and 2, which all are one pipe, one terminal or
# one socket (KIND). Behind `full-`, it takes not one byte more, since it is
# full of NULs. Of the other descriptors, input is empty, and the rest is this
# program's own. On standard error it prints
# `pid NUMBER` and, when the program has ended, `exit STATUS` with what the
# descriptors were left as. It obeys lines on standard input:
#
#   read    reads from the other end, and prints that on standard output
#   quiet   has the terminal echo no more, as a pager would
use strict;
use warnings;
use Fcntl;
use POSIX ":sys_wait_h";
use Socket;

my ($which, $kind, @program) = @ARGV;
my $full = $kind =~ s/^full-//;
my ($ours, $theirs);
if ($kind eq "pipe") {
    pipe $ours, $theirs or die $!;
} elsif ($kind eq "socket") {
    socketpair $ours, $theirs, AF_UNIX, SOCK_STREAM, 0 or die $!;
} else {
    my ($TIOCSPTLCK, $TIOCGPTN) = (0x40045431, 0x80045430);
    sysopen $ours, "/dev/ptmx", O_RDWR | O_NOCTTY or die $!;
    my $number = pack "i", 0;
    ioctl $ours, $TIOCSPTLCK, $number or die $!;
    ioctl $ours, $TIOCGPTN, $number or die $!;
    my $path = "/dev/pts/" . unpack "i", $number;
    sysopen $theirs, $path, O_RDWR | O_NOCTTY or die $!;
}

fill() if $full;
my $pid = fork // die $!;
if ($pid == 0) {
    open STDIN, "<", "/dev/null" or die $!;
    POSIX::dup2(fileno $theirs, $_) for split //, $which;
    exec @program;
    die $!;
}
$| = 1;
print STDERR "pid $pid\n";

my ($held, $orders, $reading, $status) = ("", "", 0);
until (defined $status and !$reading) {
    my $wanted = "";
    vec($wanted, fileno STDIN, 1) = 1;
    vec($wanted, fileno $ours, 1) = 1 if $reading;
    my $ready = select $wanted, undef, undef, 0.05;
    if (!defined $status and waitpid($pid, WNOHANG) == $pid) {
        $status = WIFEXITED($?) ? WEXITSTATUS($?) : "by signal " . ($? & 127);
        my $flags = fcntl $theirs, F_GETFL, 0;
        my $left = $flags & O_NONBLOCK ? "non-blocking" : "blocking";
        if ($kind eq "terminal") {
            my $modes = POSIX::Termios->new;
            $modes->getattr(fileno $theirs);
            $left .= $modes->getlflag & POSIX::ECHO ? " echo" : " quiet";
        }
        print STDERR "exit $status $left\n";
        next;
    }
    if ($ready > 0 and vec $wanted, fileno STDIN, 1) {
        last if !sysread STDIN, $orders, 4096, length $orders;
        while ($orders =~ s/^(.*)\n//) {
            $reading = 1 if $1 eq "read";
            quieten() if $1 eq "quiet";
        }
    }
    if ($reading and $ready > 0 and vec $wanted, fileno $ours, 1) {
        syswrite STDOUT, $held if sysread $ours, $held, 65536;
    } elsif ($reading and defined $status) {
        $reading = 0; # all that was written has been read
    }
}
kill KILL => $pid if !defined $status;

sub quieten {
    my $modes = POSIX::Termios->new;
    $modes->getattr(fileno $theirs);
    $modes->setlflag($modes->getlflag & ~POSIX::ECHO);
    $modes->setattr(fileno $theirs, POSIX::TCSANOW);
    print STDERR "quiet\n";
}

sub fill {
    my $flags = fcntl $theirs, F_GETFL, 0;
    fcntl $theirs, F_SETFL, $flags | O_NONBLOCK or die $!;
    for my $size (4096, 1, 1, 1) { # a terminal hands on what it has, a bit late
        1 while syswrite $theirs, "\0" x $size;
        select undef, undef, undef, 0.02;
    }
    fcntl $theirs, F_SETFL, $flags or die $!;
}

# Runs a command, and lets nothing that it starts outlive it.
#
#   perl contain.pl REPORT LIMIT GRACE COMMAND…
#
# Whatever loses its parent becomes a child of this process (a "subreaper"), so
# that no program gets away, not even one that leaves its group and session.
# What still runs GRACE seconds after the command is killed; after LIMIT
# seconds, and when this process is told to end or loses its own parent, all
# is. The REPORT is lines of a word and a value:
#
#   status N        the command's exit code, or 128 and its signal
#   late            it ran out of time
#   cpu SECONDS     processor time of all that ran
#   left WORDS      one for each program that had to be killed
#
# In Perl, because it takes prctl(2), which no runtime offers.
use strict;
use warnings;
use POSIX qw(:sys_wait_h uname);
use Time::HiRes qw(sleep time);

my ($report, $limit, $grace, @command) = @ARGV;

# linux/prctl.h, and the call's number on each kind of machine.
my ($DEATH_SIGNAL, $SUBREAPER) = (1, 36);
my %PRCTL = (x86_64 => 157, aarch64 => 167, riscv64 => 167);
my $prctl = $^O eq "linux" ? $PRCTL{ (uname)[4] } : undef;

my $runner = getppid;
my $told_to_end = 0;
$SIG{$_} = sub { $told_to_end = 1 } for qw(TERM INT HUP);
if (defined $prctl) {
  syscall($prctl, $SUBREAPER, 1, 0, 0, 0) == 0 or die "prctl: $!";
  syscall($prctl, $DEATH_SIGNAL, 15, 0, 0, 0) == 0 or die "prctl: $!";
  exit 1 if getppid != $runner;    # it has ended meanwhile
}

my $main = fork // die "fork: $!";
if ($main == 0) {
  setpgrp;
  exec { $command[0] } @command or die "$command[0]: $!\n";
}

my ($status, $late, @left);

# Buries all that have ended. Returns whether any child is still there.
sub bury {
  my $pid;
  while (($pid = waitpid(-1, WNOHANG)) > 0) {
    next if $pid != $main;
    $status = WIFEXITED($?) ? WEXITSTATUS($?) : 128 + WTERMSIG($?);
  }
  return $pid == 0;
}

# Waits so many seconds until `$over` holds. Returns whether it does.
sub wait_until {
  my ($seconds, $over) = @_;
  my ($end, $pause) = (time + $seconds, 0.002);
  until ($over->()) {
    return 0 if time > $end || $told_to_end;
    sleep $pause;
    $pause = 0.02 if ($pause *= 1.5) > 0.02;
  }
  return 1;
}

# Process ids and command lines of all that descend from this process.
sub descendants {
  my (%children, @found);
  for my $file (glob "/proc/[0-9]*/stat") {
    open my $stat, "<", $file or next;
    # The name stands in parentheses and may hold anything.
    my $line = do { local $/; <$stat> } // next;
    my ($pid, $state, $parent) = $line =~ /^(\d+) .*\) (\S) (\d+) /s or next;
    push @{ $children{$parent} }, $pid if $state ne "Z";
  }
  my @todo = ($$);
  while (defined(my $pid = shift @todo)) {
    push @found, @{ $children{$pid} // [] };
    push @todo, @{ $children{$pid} // [] };
  }
  return @found;
}

sub command_line {
  my ($pid) = @_;
  open my $file, "<", "/proc/$pid/cmdline" or return "";
  my $words = do { local $/; <$file> } // "";
  $words =~ s/[\0\s]+/ /g;
  $words =~ s{ $}{};
  return substr $words, 0, 200;
}

wait_until($limit, sub { bury(); defined $status }) or $late = !$told_to_end;

# The group is for systems without /proc, where that is all we know.
if (!wait_until(defined $status ? $grace : 0, sub { !bury() })) {
  @left = map { command_line($_) || "process $_" } descendants() if !$late;
  $told_to_end = 0;
  wait_until(20, sub {
    kill "KILL", -$main, descendants();
    !bury();
  });
}

my ($user, $system, $of_children, $system_of_children) = times;
open my $out, ">", $report or die "$report: $!";
print $out "status ", $status // 1, "\n";
print $out "late\n" if $late;
printf $out "cpu %.2f\n", $of_children + $system_of_children;
print $out "left $_\n" for @left;
close $out or die "$report: $!";

# Runs a program in which socket(2) knows no such family of addresses, as under
# systemd's RestrictAddressFamilies= and on a kernel that lacks one:
#   perl without_families.pl FAMILY PROGRAM [ARGUMENT…]
use POSIX ();
my $family = shift;
my ($prctl, $socket) = @{ {
    x86_64 => [157, 41], aarch64 => [167, 198],
}->{ (POSIX::uname())[4] } or die "no numbers of system calls for this machine\n" };
my @filter = (
    [0x20, 0, 0, 0],            # the number of the call
    [0x15, 0, 3, $socket],
    [0x20, 0, 0, 16],           # its first argument
    [0x15, 0, 1, $family],
    [0x06, 0, 0, 0x50000 | 97], # EAFNOSUPPORT
    [0x06, 0, 0, 0x7fff0000],   # allowed
);
my $code = join "", map { pack "SCCL", @$_ } @filter;
my $program = pack "S x6 P", scalar @filter, $code;
syscall($prctl, 38, 1, 0, 0, 0) == 0 or die "no_new_privs: $!\n";
syscall($prctl, 22, 2, $program, 0, 0) == 0 or die "seccomp: $!\n";
exec @ARGV or die "$ARGV[0]: $!\n";

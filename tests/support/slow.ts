import { mustRun } from "./run.ts";

/**
 * Asks a service whose first line is a process id, and reads little by
 * little until that process has gone, then nothing for a while, then all.
 * In Perl, for a receive buffer so small that the bytes lie with the server.
 *
 * @param pause seconds
 * @returns how many bytes came behind the first line
 */
export async function slowClient(
  port: number,
  service: string,
  pause: number,
): Promise<number> {
  const program = `
    use Socket;
    my ($port, $service, $pause) = @ARGV;
    socket(my $s, PF_INET, SOCK_STREAM, 0) or die;
    setsockopt($s, SOL_SOCKET, SO_RCVBUF, pack("i", 4096)) or die;
    connect($s, sockaddr_in($port, INADDR_LOOPBACK)) or die;
    syswrite($s, "$service\\r\\n");
    my ($got, $count, $n) = ("", 0);
    while (($got =~ tr/\\n//) < 2) {
      sysread($s, $got, 1, length $got) or die "no process id";
    }
    my ($pid) = $got =~ /\\n(\\d+)\\n/ or die "not a process id: $got";
    while (kill 0, $pid) {
      $n = sysread($s, my $some, 4096) or die "it ended early";
      $count += $n;
      select(undef, undef, undef, 0.0002); # or it might have all before that
    }
    select(undef, undef, undef, $pause);
    while ($n = sysread($s, my $some, 65536)) { $count += $n }
    defined $n or die "it broke: $!";
    print $count;`;
  const words = ["perl", "-e", program, String(port), service, String(pause)];
  return Number(String((await mustRun(words)).stdout));
}

import { type ChildProcess, spawn } from "node:child_process";
import type { Endpoint } from "../../src/endpoint.ts";

/**
 * A port whose backlog is full, so that the kernel leaves every further SYN
 * without an answer. Only a program that can ask for a backlog of 0 and then
 * not accept makes one: Perl, which every Debian has.
 */
export async function blackhole(): Promise<
  { endpoint: Endpoint; close(): void }
> {
  const program = `
    use Socket;
    socket(my $l, PF_INET, SOCK_STREAM, 0) or die;
    bind($l, sockaddr_in(0, INADDR_LOOPBACK)) or die;
    listen($l, 0) or die;
    my ($port) = sockaddr_in(getsockname($l));
    my @full;
    for (1 .. 3) {
      socket(my $s, PF_INET, SOCK_STREAM, 0) or die;
      use Fcntl;
      fcntl($s, F_SETFL, O_NONBLOCK);
      connect($s, sockaddr_in($port, INADDR_LOOPBACK));
      push @full, $s;
    }
    $| = 1;
    select(undef, undef, undef, 0.3);
    print "$port\\n";
    sleep 60;`;
  const child: ChildProcess = spawn("perl", ["-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.stdout!.once("data", (line) => resolve(Number(String(line))));
  });
  return {
    endpoint: { transport: "tcp", host: "127.0.0.1", port },
    close: () => child.kill(),
  };
}

import { type ChildProcess, spawn } from "node:child_process";
import type { Endpoint } from "../../src/endpoint.ts";

export interface Blackhole {
  readonly endpoint: Endpoint;
  /** Resolves when it leaves everything without an answer. */
  readonly dark: Promise<unknown>;
  close(): void;
}

/**
 * A port whose backlog is full, so that the kernel leaves every further SYN
 * without an answer. Only a program that can ask for a backlog of 0 and then
 * not accept makes one: Perl, which every Debian has.
 *
 * @param options how many connections it accepts before it is dark
 */
export async function blackhole(
  { answers = 0 } = {},
): Promise<Blackhole> {
  const program = `
    use Socket;
    $| = 1;
    socket(my $l, PF_INET, SOCK_STREAM, 0) or die;
    bind($l, sockaddr_in(0, INADDR_LOOPBACK)) or die;
    listen($l, 0) or die;
    my ($port) = sockaddr_in(getsockname($l));
    my $answers = shift;
    print "$port\\n" if $answers;
    accept(my $c, $l) for 1 .. $answers;
    my @full;
    for (1 .. 3) {
      socket(my $s, PF_INET, SOCK_STREAM, 0) or die;
      use Fcntl;
      fcntl($s, F_SETFL, O_NONBLOCK);
      connect($s, sockaddr_in($port, INADDR_LOOPBACK));
      push @full, $s;
    }
    select(undef, undef, undef, 0.3);
    print "$port\\n";
    sleep 600;`;
  const child: ChildProcess = spawn("perl", ["-e", program, String(answers)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.stdout!.once("data", (line) => resolve(Number(String(line))));
  });
  const dark = answers === 0
    ? Promise.resolve()
    : new Promise((resolve) => child.stdout!.once("data", resolve));
  return {
    dark,
    endpoint: { transport: "tcp", host: "127.0.0.1", port },
    close: () => child.kill(),
  };
}

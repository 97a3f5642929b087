import { type ChildProcess, spawn } from "node:child_process";

export interface FullQueue {
  /** Takes one connection after the other from now on. */
  drain(): void;
  close(): void;
}

/**
 * A Unix socket whose queue of new connections is full. Only a program that can
 * ask for a backlog of 0 and then not accept makes one: Perl.
 */
export async function fullQueue(path: string): Promise<FullQueue> {
  const program = `
    use Socket;
    use Fcntl;
    $| = 1;
    my $path = shift;
    socket(my $l, PF_UNIX, SOCK_STREAM, 0) or die;
    bind($l, sockaddr_un($path)) or die;
    listen($l, 0) or die;
    my @full;
    for (1 .. 3) {
      socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die;
      fcntl($s, F_SETFL, O_NONBLOCK);
      connect($s, sockaddr_un($path));
      push @full, $s;
    }
    print "full\\n";
    <STDIN>;
    my @taken;
    while (accept(my $c, $l)) { push @taken, $c; }`;
  const child: ChildProcess = spawn("perl", ["-e", program, path], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.stdout!.once("data", resolve);
  });
  return {
    drain: () => child.stdin!.end("\n"),
    close: () => child.kill(),
  };
}

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A server that says `hello` to each client and closes at once. */
export interface AnswersAtOnce {
  /** Of the same server, by TCP. */
  readonly port: number;
  close(): void;
}

/** In a process of its own, as quick as it can be: in Perl. */
export async function answersAtOnce(path: string): Promise<AnswersAtOnce> {
  const program = `
    use IO::Socket::INET; use IO::Socket::UNIX; use IO::Select;
    $| = 1;
    my $tcp = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 99) or die;
    my $unix = IO::Socket::UNIX->new(Local => shift, Listen => 99) or die;
    print $tcp->sockport, "\\n";
    my $both = IO::Select->new($tcp, $unix);
    while (my @ready = $both->can_read) {
      for (@ready) { my $c = $_->accept or next; syswrite $c, "hello"; close $c }
    }`;
  const child: ChildProcess = spawn("perl", ["-e", program, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    createInterface(child.stdout!).once(
      "line",
      (line) => resolve(Number(line)),
    );
  });
  return { port, close: () => child.kill("SIGKILL") };
}

import { spawn } from "node:child_process";

/** A client that ends its connection by a reset. */
export interface Rude {
  /** What it had got when it had got all the lines. */
  readonly got: string;
  /** Resets the connection. */
  reset(): Promise<void>;
}

/**
 * Sends `request` and then `more` bytes, as far as they are taken, and reads
 * `lines` lines; `ends` has it end its side behind the request. In Perl, since Deno cannot reset a connection.
 */
export function rudeClient(
  port: number,
  request: string,
  options: { lines: number; more?: number; ends?: boolean },
): Promise<Rude> {
  const program = `
    use Socket; use Fcntl; use Errno;
    my ($port, $request, $lines, $more, $ends) = @ARGV;
    socket(my $s, PF_INET, SOCK_STREAM, 0) or die;
    connect($s, sockaddr_in($port, INADDR_LOOPBACK)) or die;
    syswrite($s, $request);
    shutdown($s, 1) if $ends;
    my $got = "";
    while (($got =~ tr/\\n//) < $lines) {
      sysread($s, $got, 1, length $got) or last;
    }
    fcntl($s, F_SETFL, O_NONBLOCK);
    $SIG{PIPE} = "IGNORE";
    for (my $stuck = 0; $more > 0 && $stuck < 25; ) {
      my $count = syswrite($s, "x" x ($more < 65536 ? $more : 65536));
      if ($count) { $more -= $count; $stuck = 0 }
      elsif (!$!{EAGAIN}) { last }
      else { select(undef, undef, undef, 0.02); $stuck++ }
    }
    $| = 1;
    print $got;
    sysread(STDIN, my $word, 1);
    setsockopt($s, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)) or die;
    close($s);`;
  const { lines, more = 0, ends = false } = options;
  const child = spawn(
    "perl",
    [
      "-e",
      program,
      String(port),
      request,
      ...[lines, more, ends ? 1 : 0].map(String),
    ],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    exited.then(() => reject(new Error("the rude client has died")));
    child.stdout.once("data", (bytes) => {
      resolve({
        got: String(bytes),
        reset: () => {
          child.stdin.end();
          return exited;
        },
      });
    });
  });
}

import { CLIENT_FLAGS_HELP } from "./client_flags.ts";

export const HELP_TEXT = {
  tcpmux: `tcpmux: one port, every service (TCPMUX, RFC 1078)

Usage: tcpmux [serve] [flags]     serve the services of a table
       tcpmux check [FILE]        say all that is wrong with a table
       tcpmux connect HOST[:PORT] SERVICE
                                  be that service's client, as nc is
       tcpmux list HOST[:PORT]    the names of a server's services
       tcpmux COMMAND --help      what a command takes
       tcpmux --version

Without a table it serves the one that it has built in: HELP lists it.
Try it: printf 'daytime\\r\\n' | nc localhost 1078
`,
  serve: `Usage: tcpmux [serve] [flags]

  -c, --config FILE      the service table (default: the embedded one)
  -l, --listen ADDRESS   where to listen, instead of what the table says;
                         may be given several times. HOST:PORT, [V6]:PORT,
                         unix:/path or unix:@name (default: [::]:1, or
                         [::]:1078 where port 1 is not permitted)
      --log-format F     text or json (default: text)
      --log-level L      debug, info, warn or error (default: info)

Each flag can also be set in the environment, as TCPMUX_LOG_LEVEL.
Signals: TERM and INT stop (sessions may end within drain_timeout; a second
one stops at once), HUP reads the table again, USR2 logs the state.
Exit codes: 0 stopped as told, 64 wrong usage, 74 cannot listen,
77 not permitted to listen, 78 the table is wrong.
`,
  check: `Usage: tcpmux check [FILE] [flags]

  -c, --config FILE      the same as FILE (default: the embedded table)
      --json             print one JSON object: ok, file, services, errors
                         and warnings, each with line, key and message

Errors and warnings go to standard error, one a line: FILE:LINE: KEY: what.
Exit codes: 0 the table can be served, 64 wrong usage, 78 it cannot.
`,
  connect: `Usage: tcpmux connect HOST[:PORT] SERVICE [flags]

Standard input and output are the connection, byte for byte. The end of the
input is passed on, and the answer is read to its end. HOST may also be
unix:/path or [V6]:PORT; the port is 1 where none is said.

${CLIENT_FLAGS_HELP}
  -q, --quiet            no message when it fails: the exit code tells
  -v, --verbose          say what happens, on standard error
      --progress         bytes, rate and time, if standard error is a terminal
      --early            send input with the name: one round trip less, but
                         servers of before 1990 lose it
      --send-all         go on sending when the server has ended its side
      --xinetd           drop the NUL byte that xinetd sends behind its reply

Exit codes: 0 done, 64 wrong usage, 68 unknown host, 69 the service is
refused, 74 the connection failed or broke, 75 busy, 76 no TCPMUX server,
124 timed out.

  ssh -o ProxyCommand='tcpmux connect %h ssh' host.example
`,
  list: `Usage: tcpmux list HOST[:PORT] [flags]

Prints the names of a server's services, one a line.

${CLIENT_FLAGS_HELP}
      --json             one JSON list

Exit codes: those of tcpmux connect.
`,
};

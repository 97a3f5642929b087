import { CLIENT_FLAGS_HELP } from "./client_flags.ts";
import { ESCAPE_FORMS } from "./escapes.ts";
import { LOCAL_FLAGS_HELP } from "./local_flags.ts";

export const HELP_TEXT = {
  tcpmux: `tcpmux: one port, every service (TCPMUX, RFC 1078)

Usage: tcpmux [serve] [flags]     serve the services of a table
       tcpmux check [FILE]        say all that is wrong with a table
       tcpmux connect HOST[:PORT] SERVICE
                                  be that service's client, as nc is
       tcpmux list HOST[:PORT]    the names of a server's services
       tcpmux forward LOCAL=SERVICE… HOST[:PORT]
                                  local ports for clients without TCPMUX
       tcpmux proxy LOCAL HOST[:PORT]
                                  a SOCKS5 and HTTP proxy to its services
       tcpmux probe HOST[:PORT] [SERVICE…]
                                  check them for monitoring: one line
       tcpmux completions SHELL   what teaches bash, zsh or fish all this
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
  forward: `Usage: tcpmux forward LOCAL=SERVICE… HOST[:PORT] [flags]
       tcpmux forward --config FILE [HOST[:PORT]] [flags]

Listens at each LOCAL and carries every connection to that service of the
TCPMUX server, so that programs that know nothing of TCPMUX can use it. LOCAL
is PORT (of 127.0.0.1; 0 for any), HOST:PORT, [V6]:PORT or unix:/path. HOST
may also be unix:/path or [V6]:PORT; its port is 1 where none is said.

  -c, --config FILE      the forwards: a [forward.NAME] each, with listen and
                         perhaps server, service (default: NAME),
                         connect_timeout and idle_timeout; [server] may have
                         default_server, connect_timeout, idle_timeout,
                         drain_timeout, max_connections and log
${LOCAL_FLAGS_HELP}
      --json             print one JSON object when it serves, and again
                         after a reload: forwards, each with name, listen,
                         server and service

A client that cannot have its service sees its connection closed; the log has
the reason. Each flag but --config can also be set in the environment.
Signals and exit codes: those of tcpmux serve; HUP reads FILE again.

  tcpmux forward 5432=postgres 6379=redis host.example
  psql -h 127.0.0.1
`,
  proxy: `Usage: tcpmux proxy LOCAL HOST[:PORT] [flags]

A SOCKS5 and HTTP proxy at LOCAL (as for tcpmux forward) whose hosts are the
services of that TCPMUX server: the host asked for is the service's name, and
its port is ignored. Nothing else can be reached through it.

      --suffix WORD      take NAME.WORD for NAME as well
${LOCAL_FLAGS_HELP}
      --json             print one JSON object when it serves: listen, server

HTTP clients are told the reason by status and text (403, 502, 503, 504),
SOCKS clients by a code. Each flag can also be set in the environment.
Signals and exit codes: those of tcpmux serve.

  tcpmux proxy 1080 host.example
  curl --proxy socks5h://127.0.0.1:1080 http://wiki/
  ssh -o ProxyCommand='nc -X 5 -x 127.0.0.1:1080 %h %p' ssh
`,
  list: `Usage: tcpmux list HOST[:PORT] [flags]

Prints the names of a server's services, one a line.

${CLIENT_FLAGS_HELP}
      --json             one JSON list

Exit codes: those of tcpmux connect.
`,
  probe: `Usage: tcpmux probe HOST[:PORT] [SERVICE…] [flags]

A plugin for Nagios, Icinga and what runs their plugins: asks for each service
and prints one line with the worst state, and the times as performance data.
Without a service it checks that HELP names at least one, and starts none.

  -w, --warning TIME     WARNING if the answer takes longer
  -c, --critical TIME    CRITICAL if it does; 0 is shorter than any answer
  -t, --timeout TIME     CRITICAL if there is none by then (default: 10s)
  -s, --send TEXT        send this once the server has said +
  -e, --expect TEXT      then wait until the answer holds this, for which
                         64 KiB of it are searched
  -4, --ipv4             only over IPv4
  -6, --ipv6             only over IPv6
      --json             one JSON object: status, services

A TIME is 0.5 (seconds), 500ms, 10s or 1m. A TEXT may hold ${ESCAPE_FORMS}.
Exit codes: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, as for wrong usage.

  tcpmux probe -w 0.5 -c 2 -s 'hello\\n' -e hello host.example echo
`,
  completions: `Usage: tcpmux completions SHELL

Prints what makes bash, zsh or fish complete commands, flags, files, and the
names of services, for which it asks the server.

  tcpmux completions bash > /etc/bash_completion.d/tcpmux
  tcpmux completions zsh > /usr/local/share/zsh/site-functions/_tcpmux
  tcpmux completions fish > ~/.config/fish/completions/tcpmux.fish

Exit codes: 0 done, 64 wrong usage.
`,
};

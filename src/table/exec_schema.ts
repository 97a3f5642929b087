/** The keys of programs: their values, defaults and descriptions. */
import * as v from "valibot";
import { optional, preset, record, required, SERVERS, table } from "./keys.ts";
import type { RlimitName } from "./service.ts";
import {
  choice,
  duration,
  listOf,
  mode,
  name,
  processes,
  seconds,
  size,
  someOf,
  text,
  textThat,
  wholeNumber,
} from "./values.ts";

/** A number, seconds or bytes; Infinity for no limit. */
const rlimitsSchema = table(
  {
    files: optional(
      wholeNumber(1, 1_000_000_000, "descriptors"),
      SERVERS,
      "The maximum number of open descriptors of a process " +
        "(`RLIMIT_NOFILE`).",
    ),
    processes: optional(
      processes(),
      SERVERS,
      "The maximum number of processes and threads of the user, all programs " +
        "together (`RLIMIT_NPROC`). It does not apply to root: set `user`.",
    ),
    cpu: optional(
      seconds(),
      SERVERS,
      "The maximum processor time of a process (`RLIMIT_CPU`). After it the " +
        "process gets SIGXCPU, and SIGKILL a second later.",
    ),
    memory: optional(
      size(),
      SERVERS,
      "The maximum address space of a process (`RLIMIT_AS`).",
    ),
    data: optional(
      size(),
      SERVERS,
      "The maximum data memory of a process: what it allocates and can write " +
        "to (`RLIMIT_DATA`).",
    ),
    stack: optional(
      size(),
      SERVERS,
      "The maximum stack of a process (`RLIMIT_STACK`).",
    ),
    file_size: optional(
      size(),
      SERVERS,
      "The maximum size of a file that a process writes (`RLIMIT_FSIZE`).",
    ),
    core: optional(
      size(),
      SERVERS,
      "The maximum size of a core dump (`RLIMIT_CORE`); `0` for none.",
    ),
  } satisfies Record<RlimitName, v.GenericSchema>,
  'a table such as { files = 256, cpu = "10s", memory = "1GiB" }',
);

const environment = v.pipe(
  record(
    textThat(/^[A-Za-z_][A-Za-z0-9_]*$/, "a name of letters, digits and _"),
    text(),
    'a table such as { NAME = "value" }',
  ),
  v.metadata({ value: "table of texts" }),
);

/** What services of the kind `exec` have besides the keys of all services. */
export const execKeys = {
  exec: required(
    v.pipe(
      someOf(
        text(),
        "list of texts",
        'a program and its arguments, such as ["/bin/date"]',
      ),
      v.check((words) => words[0] !== "", "a program's path"),
    ),
    "The program and its arguments; no shell is used. The connection is its " +
      "standard input and output.",
  ),
  reply: preset(
    choice(["server", "service"]),
    "server",
    'Who sends the reply, `+` or `-`: `"server"`, the server, once the ' +
      'program runs; `"service"`, the program itself, as with `tcpmux/NAME` ' +
      "of inetd.",
  ),
  stdio: preset(
    choice(["pipe", "socket"]),
    "pipe",
    'The standard input and output of the program: `"pipe"`, a socket pair ' +
      'to the server; `"socket"`, the client\'s socket itself, as with ' +
      "inetd(8) (Bun and Node only).",
  ),
  user: optional(
    name("the name of a user"),
    SERVERS,
    "The user that the program runs as, with all groups of that user. The " +
      "server must run as root.",
  ),
  group: optional(
    name("the name of a group"),
    "the user's",
    "The group that the program runs as.",
  ),
  nice: optional(
    wholeNumber(-20, 19),
    SERVERS,
    "The nice value of the program: with a higher value it gets less " +
      "processor time. Only a server that runs as root can go below its own " +
      "value.",
  ),
  umask: optional(
    mode(),
    SERVERS,
    "The permission bits that are masked off the files that the program " +
      "creates.",
  ),
  rlimits: preset(
    rlimitsSchema,
    {},
    "Resource limits of the program.",
  ),
  cwd: optional(
    name("the path of a directory"),
    SERVERS,
    "The working directory of the program. A relative path of the program " +
      "itself starts here too.",
  ),
  env: preset(
    environment,
    {},
    "Variables that are added to the program's environment.",
  ),
  passenv: preset(
    listOf(text(), "list of names"),
    [],
    "Names of variables that the program gets from the server's environment.",
  ),
  stderr: preset(
    choice(["log", "null", "client"]),
    "log",
    'Where the standard error of the program goes: `"log"`, to the log; ' +
      '`"null"`, nowhere; `"client"`, to the client.',
  ),
  on_client_end: preset(
    choice(["eof", "terminate"]),
    "eof",
    'What happens when the client closes its sending side. With `"eof"` the ' +
      "program reads the end of its input and may go on. With " +
      '`"terminate"`, for programs that ignore the end of their input, the ' +
      "server also ends it after `kill_grace`. Such a program gets SIGTERM, " +
      "too, when the server dies.",
  ),
  kill_grace: preset(
    duration(),
    "5s",
    "The time between SIGTERM and SIGKILL when the server ends a program; " +
      "`0` sends SIGKILL at once. With `on_client_end`, also the time between " +
      "the end of the input and SIGTERM.",
  ),
};

/** The keys of programs: their values, defaults and descriptions. */
import * as z from "zod";
import type { RlimitName } from "./service.ts";
import {
  choice,
  duration,
  listOf,
  mode,
  name,
  optional,
  preset,
  processes,
  required,
  seconds,
  size,
  text,
  wholeNumber,
} from "./values.ts";

const SERVERS = "the server's";

/** A number, seconds or bytes; Infinity for no limit. */
const rlimitsSchema = z.strictObject(
  {
    files: optional(
      wholeNumber(1, 1_000_000_000, "descriptors"),
      SERVERS,
      "The open descriptors of a process (`RLIMIT_NOFILE`).",
    ),
    processes: optional(
      processes(),
      SERVERS,
      "The processes and threads of the user at a time, of all programs " +
        "together (`RLIMIT_NPROC`). Root has no such limit: set `user`.",
    ),
    cpu: optional(
      seconds(),
      SERVERS,
      "The processor time of a process (`RLIMIT_CPU`). It gets SIGXCPU then, " +
        "and SIGKILL a second later.",
    ),
    memory: optional(
      size(),
      SERVERS,
      "The address space of a process (`RLIMIT_AS`).",
    ),
    data: optional(
      size(),
      SERVERS,
      "The memory that a process has allocated and may write to " +
        "(`RLIMIT_DATA`).",
    ),
    stack: optional(
      size(),
      SERVERS,
      "The stack of a process (`RLIMIT_STACK`).",
    ),
    file_size: optional(
      size(),
      SERVERS,
      "The size of a file that a process writes (`RLIMIT_FSIZE`).",
    ),
    core: optional(
      size(),
      SERVERS,
      "The size of a core dump (`RLIMIT_CORE`); `0` for none.",
    ),
  } satisfies Record<RlimitName, z.ZodType>,
  { error: 'a table such as { files = 256, cpu = "10s", memory = "1GiB" }' },
).meta({ value: "table" });

const environment = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
    error: "a name of letters, digits and _",
  }),
  text(),
  { error: 'a table such as { NAME = "value" }' },
).meta({ value: "table of texts" });

/** What services of the kind `exec` have besides the keys of all services. */
export const execKeys = {
  exec: required(
    listOf(text(), "")
      .min(1, { error: 'a program and its arguments, such as ["/bin/date"]' })
      .refine((words) => words[0] !== "", { error: "a program's path" })
      .meta({ value: "list of texts" }),
    "The program and its arguments, without a shell. It gets the " +
      "connection as its standard input and output.",
  ),
  reply: preset(
    choice(["server", "service"]),
    "server",
    "Who sends the `+` or `-` of the reply: the server, once the program " +
      "runs, or the program itself, as with `tcpmux/NAME` of inetd.",
  ),
  stdio: preset(
    choice(["pipe", "socket"]),
    "pipe",
    "What the standard input and output of the program are: a socket pair " +
      "to the server, or the client's socket itself, as inetd(8) has it (on " +
      "Bun and Node).",
  ),
  user: optional(
    name("the name of a user"),
    SERVERS,
    "The user that the program runs as, in all groups of that user. The " +
      "server must be root.",
  ),
  group: optional(
    name("the name of a group"),
    "the user's",
    "The group that the program runs as.",
  ),
  nice: optional(
    wholeNumber(-20, 19),
    SERVERS,
    "How far the program gives way to others. Less than the server's own " +
      "takes a server that is root.",
  ),
  umask: optional(
    mode(),
    SERVERS,
    "The rights that the files which the program makes do not get.",
  ),
  rlimits: preset(
    rlimitsSchema,
    {},
    "What the program may use of the machine.",
  ),
  cwd: optional(
    name("the path of a directory"),
    SERVERS,
    "The working directory of the program, where its own path begins if it " +
      "is relative.",
  ),
  env: preset(
    environment,
    {},
    "Variables of the program's environment, besides those that it always " +
      "gets.",
  ),
  passenv: preset(
    listOf(text(), "list of names"),
    [],
    "Variables that the program gets from the server's own environment.",
  ),
  stderr: preset(
    choice(["log", "null", "client"]),
    "log",
    "Where the standard error of the program goes: to the log, nowhere, or " +
      "to the client.",
  ),
  on_client_end: preset(
    choice(["eof", "terminate"]),
    "eof",
    "What happens when the client has ended its side. With `eof` the " +
      "program reads the end of its input, and may go on. With `terminate`, " +
      "for programs that ignore that, it is ended after `kill_grace` too, and " +
      "when the server dies.",
  ),
  kill_grace: preset(
    duration(),
    "5s",
    "The time between SIGTERM and SIGKILL for a program whose client is " +
      "gone, and before SIGTERM with `on_client_end`; `0` for SIGKILL at once.",
  ),
};

/** Old configurations: tables that can be read, and that open nothing by chance. */
import { HostsAccess } from "../../src/cli/import/hosts_access.ts";
import { dialectOf, importTable } from "../../src/cli/import/import_table.ts";
import { Report } from "../../src/cli/import/report.ts";
import type { Files } from "../../src/cli/import/sources.ts";
import { DIALECTS } from "../../src/cli/spec/makers.ts";
import { parseTable } from "../../src/table/parse.ts";
import type { Random } from "../../tests/support/random.ts";
import { assertUnpolluted, check, type Target } from "../target.ts";

/** A thousand in a second or so: each is read as every dialect. */
const SLOW = 50_000;

const NAMES = ["a", "b", "A", "tcpmux", "__proto__", "HELP", "é", "with.dot"];
const ADDRESSES = [
  ...["10.0.0.0", "10.1.2.{3,4}", "127.0.0.1/33", "::1", "host.example", ""],
  ...["2001:db8::/32", "0.0.0.0", "300.1.1.1", "ALL", "10.", "*", "unix@/x"],
];
const NUMBERS = ["0", "1", "99999999", "-1", "1.5", "UNLIMITED", "8M", "x"];
const ATTRIBUTES =
  "access_times bind cps disable env flags group id instances " +
  "libwrap nice no_access only_from passenv per_source port redirect " +
  "rlimit_as rlimit_cpu rlimit_data rlimit_files rlimit_stack server " +
  "server_args socket_type type umask user v6only wait protocol enabled disabled";
const VALUES =
  "yes no stream tcp TCPMUX TCPMUXPLUS UNLISTED INTERNAL NAMEINARGS " +
  "nobody /bin/cat /usr/sbin/tcpd 08:00-09:00 24:00-24:00 A=b =c A";

const WORDS = [
  ..."service defaults include includedir { } = += -= ; , : # \" ' \\ ( ) [ ]"
    .split(" "),
  ..."stream tcp tcp6 nowait nowait/1/2/3 nowait.4 wait internal on off #@ .include"
    .split(" "),
  ..."net local $port frontend backend listen bind server default_backend acl src"
    .split(" "),
  ..."tcp-request connection reject accept if unless protocols name host port"
    .split(" "),
  ...[...NAMES, ...ADDRESSES, ...NUMBERS, ...ATTRIBUTES.split(" ")],
  ...VALUES.split(" "),
  "\n",
  "\t",
];

function xinetdText(random: Random): string {
  const line = () =>
    `\t${random.pick(ATTRIBUTES.split(" "))} ${
      random.pick(["=", "+=", "-="])
    } ${
      Array.from(
        { length: random.below(4) },
        () => random.pick([...ADDRESSES, ...NUMBERS, ...VALUES.split(" ")]),
      ).join(" ")
    }`;
  const block = (head: string, lines: readonly string[]) =>
    [head, "{", ...lines, "}"].join("\n");
  const lines = () => Array.from({ length: random.below(8) }, line);
  const right = ["socket_type = stream", "wait = no", "user = nobody"];
  return [
    block("defaults", lines()),
    block("service tcpmux", ["type = INTERNAL", ...right]),
    block(`service ${random.pick(NAMES)}`, [
      "type = TCPMUXPLUS UNLISTED",
      ...right,
      ...lines(),
    ]),
    block(`service ${random.pick(NAMES)}`, lines()),
  ].join("\n");
}

function linesText(random: Random): string {
  const line = () =>
    random.pick([
      () =>
        `tcpmux/${random.pick(["", "+"])}${random.pick(NAMES)} stream tcp ` +
        `nowait ${random.pick(["nobody", "a.b", "a:b/c", '""'])} ` +
        `${random.pick(["/bin/cat", "cat", "internal", '""'])} cat`,
      () => `${random.pick(ADDRESSES)}:tcpmux stream tcp nowait root internal`,
      () =>
        `${
          random.pick(NAMES)
        } on socktype = stream, exec = "\\x00", wait = no;`,
      () => `${random.pick(NAMES)} net ${random.pick(ADDRESSES)} 22`,
      () => `+${random.pick(NAMES)} /bin/cat`,
      () =>
        `listen ${random.pick(NAMES)}\n bind ${random.pick(ADDRESSES)}:1\n` +
        ` server s ${random.pick(ADDRESSES)}:${random.pick(NUMBERS)}`,
      () =>
        `protocols: ( { name: "${random.pick(NAMES)}"; host: "${
          random.pick(ADDRESSES)
        }"; port: "22"; } );`,
      () => Array.from({ length: 6 }, () => random.pick(WORDS)).join(" "),
    ])();
  return Array.from({ length: 1 + random.below(6) }, line).join("\n");
}

/** A folder that names itself, and a file that is not there. */
const FILES: Files = {
  read: (path) =>
    path.endsWith("a") ? 'includedir .\n.include "*"\n' : undefined,
  names: () => ["a", "b"],
};

export const importing: Target = {
  name: "import",
  inputs: SLOW,
  binary: false,
  words: WORDS,
  generate: (random) =>
    random.oneIn(2) ? xinetdText(random) : linesText(random),
  check(text) {
    const source = { file: "/f", text };
    dialectOf(source);
    for (const dialect of DIALECTS) {
      const report = new Report();
      const hosts = new HostsAccess(source, source);
      const context = { files: FILES, report, hosts, user: "" };
      const table = importTable([source], dialect, true, context);
      table.report();
      const { services } = parseTable(table.text(), "f");
      check(services.length === table.drafts.length, () => `${dialect}: lost`);
      for (const draft of table.drafts) {
        const service = services.find(({ name }) => name === draft.name);
        const mayBeOpen = draft.reached === "by name" &&
          draft.closed.length === 0;
        check(
          service?.enabled === mayBeOpen,
          () => `${dialect}: ${draft.name} is ${service?.enabled}`,
        );
      }
      const lines = String(report).split("\n").slice(0, -1);
      check(
        lines.every((line) =>
          /^\S.*:\d+: (kept|changed|dropped): ./.test(line)
        ),
        () => `${dialect}: ${lines.join("|")}`,
      );
    }
    assertUnpolluted();
  },
};

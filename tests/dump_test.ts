/** The effective table as one file: it says all, and means the same. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { readDocument } from "../src/table/files/document.ts";
import { dumpTable } from "../src/table/files/dump.ts";
import { parseTable, tableOf } from "../src/table/parse.ts";
import { KIND_KEYS, kindSchemas } from "../src/table/schema.ts";
import { serverSchema } from "../src/table/server_schema.ts";
import type { Table } from "../src/table/table.ts";

/** The keys of every service. */
const COMMON = `description = "caf\\u00e9 \\"quoted\\" \\\\ \\u007f\\ttab"
aliases = ["ALIAS", "b\\"c"]
listed = false
enabled = true
alpn = ["postgresql"]
message = "Ready"
idle_timeout = "1m"
half_closed_timeout = "2m"
stall_timeout = "3m"
max_duration = "4h"
allow = ["10.0.0.0/8", "any"]
deny = ["2001:db8::/32"]
allow_certificate = ["CN=a", "SAN:dns:*.a.example"]
hours = ["mon-fri 08:00-18:00", "22:00-06:00"]
time_zone = "Europe/Berlin"
max_connections = 7
max_connections_per_source = 3
rate = "50/s burst 200"
rate_pause = "10s"
rate_per_source = "100/m"
`;

const EVERYTHING = `"$schema" = "./services.schema.json"
[server]
listen = ["127.0.0.1:1", "proxy://unix:@mux"]
help = false
handshake_timeout = "9s"
connect_timeout = "8s"
idle_timeout = "70m"
half_closed_timeout = "60m"
stall_timeout = "50m"
drain_timeout = 0
max_duration = "900h"
max_connections = 100
max_handshakes = 12
max_connections_per_source = 0
rate_per_source = "5/s"
ipv6_source_prefix = 56
allow = ["10.0.0.0/8"]
deny = ["10.1.0.0/16"]
trusted_proxies = ["10.2.0.0/16"]
allow_certificate = ["OU=field"]
time_zone = "UTC"
penalties = { enabled = false, unknown = 0, malformed = "1s", unfinished = "1s", threshold = "2s", max = "3s", exempt = [] }
watch = false
admin = "127.0.0.1:9101"
admin_hosts = ["mux.example.org"]
control = "unix:/run/mux.sock"
user = "nobody"
group = "nogroup"
tls = { cert = "a.crt", key = "a.key", certificates = [{ cert = "b", key = "c" }], min_version = "1.3", require_alpn = true, sni_names = ["mux.example"], client_ca = "ca.crt", client_certificate = "optional", crl = "crl.pem" }
first_bytes = { "SSH-" = "7", "\\u0000\\u00ff\\"" = "text", bare = "text" }
log = { level = "debug", format = "json", to = "syslog:tcp://h", syslog_format = "rfc3164" }
[services.builtin]
builtin = "qotd"
quotes = ["one\\r\\n", "two"]
${COMMON}
[services."exec.with dots".rlimits]
files = 64
processes = "unlimited"
cpu = "10s"
memory = "1GiB"
data = "1GiB"
stack = "8MiB"
file_size = 0
core = 0
[services."7"]
connect = ["127.0.0.1:22", "unix:/run/x"]
ready = "first-byte"
connect_timeout = 0
tls = { ca = "a.crt", cert = "b.crt", key = "b.key", server_name = "h", verify = false }
proxy_protocol = 1
${COMMON.replace("ALIAS", "c").replace('b\\"c', "d")}
[services.tcpmux]
tcpmux = "host.example:1/name"
connect_timeout = "1s"
tls = true
proxy_protocol = 2
${COMMON.replace("ALIAS", "e").replace('b\\"c', "f")}
[services.text]
text = """
several
lines"""
${COMMON.replace("ALIAS", "g").replace('b\\"c', "h")}
`.replace(
  '[services."exec.with dots".rlimits]',
  `[services."exec.dots"]
exec = ["/bin/cat", "-", "a\\"b"]
reply = "service"
stdio = "pipe"
user = "nobody"
group = "nogroup"
nice = 5
umask = "027"
cwd = "/tmp"
env = { A = "1", B = "x=\\"y\\"" }
passenv = ["LANG"]
stderr = "null"
on_client_end = "terminate"
kill_grace = "1s"
${COMMON.replace("ALIAS", "i").replace('b\\"c', "j")}
[services."exec.dots".rlimits]`,
);

function dump(text: string, ...included: string[]): [string, Table] {
  const main = readDocument(text, "main");
  const others = included.map((text, index) => readDocument(text, `${index}`));
  const table = tableOf(main, others);
  const names = table.services.map(({ name }) => name);
  return [dumpTable([main, ...others], names), table];
}

/** What a table means, without where it says so. */
function meaning({ server, services, listeners }: Table): string {
  return JSON.stringify(
    { server, services, listeners },
    (_, value) => value === Infinity ? "unlimited" : value,
  );
}

describe("a dump", () => {
  test("of a table with every key is that table, and its own dump", () => {
    const [text, table] = dump(EVERYTHING);
    for (const key of Object.keys(serverSchema.entries)) {
      assert(EVERYTHING.includes(`\n${key} = `), `server.${key}`);
    }
    for (const kind of KIND_KEYS) {
      for (const key of Object.keys(kindSchemas[kind].entries)) {
        assert(EVERYTHING.includes(`${key}`), `${kind}: ${key}`);
        assert(
          text.includes(`\n${key} = `) || text.includes(`.${key}]\n`),
          key,
        );
      }
    }
    assert(!text.includes("\n#"), text);
    const [again, same] = dump(text);
    assertEquals(again, text);
    assertEquals(meaning(same), meaning(table));
    assertEquals(
      table.services.map(({ name }) => name),
      ["builtin", "exec.dots", "7", "tcpmux", "text"],
    );
  });

  test("says what a short table leaves out", () => {
    const [text, table] = dump(
      '[server]\nidle_timeout = "5m"\n[services.a]\ntext = ""\n' +
        '[services.b]\nexec = ["cat"]\nstdio = "socket"\n',
      '[services.c]\nconnect = "127.0.0.1:1"\nidle_timeout = 0\n',
    );
    const [again, same] = dump(text);
    assertEquals(again, text);
    assertEquals(meaning(same), meaning(table));
    assertEquals(meaning(parseTable(text, "f")), meaning(table));
    const part = (name: string) =>
      text.split(/^(?=\[)/m).find((part) => part.startsWith(`[${name}]`))!;
    assert(part("server").includes('\n# listen: "[::]:1", or port 1078'));
    assert(part("services.a").includes('\nidle_timeout = "5m"\n'));
    assert(part("services.b").includes("\n# idle_timeout: none"));
    assert(part("services.b").includes("\n# user: the server's\n"));
    assert(part("services.c").includes("\nidle_timeout = 0\n"));
    assert(part("services.c").includes('\nconnect_timeout = "5s"\n'));
  });
});

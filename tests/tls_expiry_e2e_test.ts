/** Certificates that end: who is told, where and when. */
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { adminPort, get } from "./support/admin.ts";
import { Authority } from "./support/certificates.ts";
import { tcpmux } from "./support/command.ts";
import { withFolder } from "./support/daemon.ts";
import { findProgram, needs } from "./support/needs.ts";
import { mustRun, run } from "./support/run.ts";
import {
  type LogLine,
  programUnderTest,
  withServer,
} from "./support/server.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-expiry-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
if (findProgram("openssl") !== undefined) {
  const authority = await Authority.make(folder);
  await authority.issue("long", { days: 300 });
  await authority.issue("short", { days: 10 });
  await authority.issue("changing", { days: 10 });
  await authority.issue("over", { days: -1 });
}

/** The table of a server with these certificates. */
const tableOf = ([first, ...more]: string[]) => `
[server]
admin = "127.0.0.1:0"
control = "unix:{folder}/c.sock"
[server.tls]
cert = "${file(`${first}.crt`)}"
key = "${file(`${first}.key`)}"
${
  more.map((name) =>
    `[[server.tls.certificates]]\ncert = "${file(`${name}.crt`)}"\n` +
    `key = "${file(`${name}.key`)}"\n`
  ).join("")
}
[services.a]
text = ""
`;

const METRIC = "tcpmux_tls_certificate_expiry_timestamp_seconds";

const AT = { args: ["--listen", "tls://127.0.0.1:0"] };

/** When a certificate ends, in seconds, as openssl(1) says it. */
async function endOf(name: string): Promise<number> {
  const words = ["x509", "-noout", "-enddate", "-in", file(`${name}.crt`)];
  const { stdout } = await mustRun(["openssl", ...words]);
  return Date.parse(String(stdout).replace("notAfter=", "")) / 1000;
}

const isWarning = ({ message }: LogLine) => /^a certificate of/.test(message);

describe("a certificate that ends", needs("openssl"), () => {
  test("is warned of in the log when that is near", () =>
    withServer(tableOf(["long", "short", "over"]), async (server) => {
      await server.logged("a certificate of [server.tls] has ended");
      const lines = server.log.filter(isWarning);
      const iso = async (name: string) =>
        new Date(await endOf(name) * 1000).toISOString();
      assertEquals(
        lines.map(({ level, message, certificate, until }) => [
          level,
          message.replace("a certificate of [server.tls] ", ""),
          certificate,
          until,
        ]),
        [
          ["warn", "ends soon", file("short.crt"), await iso("short")],
          ["warn", "has ended", file("over.crt"), await iso("over")],
        ],
      );
    }, AT));

  test("is in metrics and status, always", () =>
    withServer(
      // The same one twice must not spoil all metrics.
      tableOf(["long", "short", "long"]),
      async (server, own) => {
        const { body } = await get(await adminPort(server), "/metrics");
        const samples = body.split("\n").filter((line) =>
          line.startsWith(METRIC)
        );
        const sample = async (one: string) =>
          `${METRIC}{certificate="${file(`${one}.crt`)}"} ${await endOf(one)}`;
        assertEquals(samples, [await sample("long"), await sample("short")]);
        const words = ["status", "--control", join(own, "c.sock")];
        const { out } = await tcpmux(words);
        assertMatch(out, /^TLS until +\d{4}-\S+Z: \S+short\.crt$/m);
      },
      AT,
    ));

  test("that stands in the table is shown by its end alone", () =>
    withServer(
      tableOf(["short", "long"]).replaceAll(
        /"(\/\S+\.(?:crt|key))"/g,
        (_, path: string) => `"""${readFileSync(path, "utf8")}"""`,
      ),
      async (server, own) => {
        const { body } = await get(await adminPort(server), "/metrics");
        const samples = body.split("\n").filter((line) =>
          line.startsWith(METRIC)
        );
        const first = await endOf("short");
        const name = "the PEM that was given";
        assertEquals(samples, [`${METRIC}{certificate="${name}"} ${first}`]);
        const words = ["status", "--control", join(own, "c.sock")];
        const { out } = await tcpmux(words);
        assertEquals(out.match(/^TLS until .*Z: the PEM that.*$/gm)?.length, 2);
        assert(!/BEGIN/.test(body + out + JSON.stringify(server.log)));
      },
      AT,
    ));

  test("is not warned of any more once it is replaced", () =>
    withServer(tableOf(["changing"]), async (server) => {
      await server.logged("a certificate of [server.tls] ends soon");
      copyFileSync(file("long.key"), file("changing.key"));
      copyFileSync(file("long.crt"), file("changing.crt"));
      await server.logged(
        "the files of [server.tls] have changed, and are in use",
      );
      server.signal("SIGHUP");
      await server.logged("reloaded");
      assertEquals(server.log.filter(isWarning).length, 1);
    }, AT));

  test("is found by check", () =>
    withFolder(async (own) => {
      const table = join(own, "t.toml");
      writeFileSync(table, tableOf(["short", "over"]).replace(/^c.*/m, ""));
      const words = [
        ...programUnderTest(),
        "check",
        "--no-strict-modes",
        table,
      ];
      const { code, stderr } = await run(words);
      assertEquals(code, 0, stderr);
      const short = /server\.tls: .*ends soon .*short\.crt.*\(warning\)/;
      assertMatch(stderr, short);
      assertMatch(stderr, /server\.tls: .*has ended .*over\.crt/);
    }));

  test(
    "is an alert of Prometheus' two weeks ahead, and a louder one then",
    needs("promtool"),
    () =>
      withFolder(async (own) => {
        const table = join(own, "t.toml");
        writeFileSync(table, '[services.a]\ntext = ""\n');
        await mustRun([
          ...[...programUnderTest(), "export", "prometheus", "--config", table],
          ...["--admin", "127.0.0.1:1", "--output", own],
        ]);
        // At the end of the first day, they end in so many days.
        const series = [["far", 15], ["soon", 13], ["now", 2], ["over", -1]]
          .map(([name, days]) =>
            `      - series: ${METRIC}{certificate="${name}"}\n` +
            `        values: ${(1 + Number(days)) * 86_400}x1500\n`
          );
        const firing = [
          ["TcpmuxCertificateEnds", "soon"],
          ["TcpmuxCertificateEnds", "now"],
          ["TcpmuxCertificateEnds", "over"],
          ["TcpmuxCertificateEndsNow", "now"],
          ["TcpmuxCertificateEndsNow", "over"],
        ].map(([alertname, certificate]) =>
          "          - labels: " +
          `'{alertname="${alertname}", certificate="${certificate}"}'\n` +
          "            value: 1\n"
        );
        writeFileSync(
          join(own, "test.yml"),
          `rule_files: [tcpmux.rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
${series.join("")}
    promql_expr_test:
      - expr: >-
          count by (alertname, certificate)
          (ALERTS{alertstate="firing", certificate!=""})
        eval_time: 24h
        exp_samples:
${firing.join("")}`,
        );
        await mustRun(["promtool", "test", "rules", join(own, "test.yml")]);
      }),
  );
});

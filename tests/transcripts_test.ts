/** Replays tests/wire/*.txt, each against a server of its own in memory. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type ConnectionRecord, serve } from "../mod.ts";
import { memoryTransport } from "../src/transport/memory.ts";
import type { Conn } from "../src/transport/transport.ts";
import { readAll, readSome } from "./support/bytes.ts";
import {
  parseTranscript,
  type Step,
  type Transcript,
} from "./support/transcript.ts";
import { until } from "./support/wait.ts";

const FOLDER = new URL("./wire/", import.meta.url);

/** Every transcript without a table of its own has this one. */
const TABLE = `
[services.echo]
builtin = "echo"
aliases = ["mirror", "Hall"]
[services.discard]
builtin = "discard"
[services.chargen]
builtin = "chargen"
[services.daytime]
builtin = "daytime"
[services.time]
builtin = "time"
[services.QOTD]
builtin = "qotd"
quotes = ["Only one."]
[services.about]
text = "fixed\\r\\n"
[services.secret]
text = "found\\r\\n"
listed = false
[services.off]
text = "never\\r\\n"
aliases = ["out"]
enabled = false
`;

describe("on the wire", () => {
  for (const name of readdirSync(FOLDER).toSorted()) {
    const transcript = parseTranscript(
      readFileSync(new URL(name, FOLDER), "utf8"),
    );
    test(`${name}: ${transcript.about}`, () => replay(transcript));
  }
});

async function replay({ table, steps }: Transcript): Promise<void> {
  const transport = memoryTransport();
  const records: ConnectionRecord[] = [];
  const server = await serve(
    `server.listen = "127.0.0.1:1"\n${table === "" ? TABLE : table}`,
    { transport, onRecord: (record) => records.push(record) },
  );
  const client = new Client(
    await transport.connect(server.addresses[0]!).conn,
  );
  try {
    for (const step of steps) await client.take(step, records);
  } finally {
    client.conn.close();
    await server.close(0);
  }
  assertEquals(records.length, 1, "each connection has one record");
}

class Client {
  readonly conn: Conn;
  /** What was read beyond the step before. */
  #held = "";

  constructor(conn: Conn) {
    this.conn = conn;
  }

  async take(step: Step, records: readonly ConnectionRecord[]): Promise<void> {
    const { conn } = this;
    switch (step.kind) {
      case "send":
        return await conn.write(Buffer.from(step.text, "latin1"));
      case "client ends":
        return await conn.closeWrite();
      case "server ends":
        return assertEquals(this.#held + await readAll(conn), "");
      case "match":
        return assertMatch(this.#held + await readAll(conn), step.pattern);
      case "expect": {
        const { length } = step.text;
        const got = this.#held +
          await readSome(conn, length - this.#held.length);
        this.#held = got.slice(length);
        return assertEquals(got.slice(0, length), step.text);
      }
      case "record": {
        conn.close();
        await until("there is a record", () => records.length > 0);
        const { outcome, service } = records[0]!;
        assertEquals(`${outcome} ${service}`, step.text);
      }
    }
  }
}

test("a transcript is read as it is meant", () => {
  const { about, table, steps } = parseTranscript(
    '# a\n# b\n| x = 1\n> \\xff"\\r\\n\n< +\nclose>\n= served x\n',
  );
  assertEquals([about, table, steps.length], ["a b", "x = 1", 4]);
  assertEquals(steps[0], { kind: "send", text: '\xff"\r\n' });
  assert(readdirSync(FOLDER).length >= 15);
});

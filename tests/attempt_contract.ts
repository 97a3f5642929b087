/** How connecting fails and ends, held against any real transport. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { formatEndpoint } from "../src/endpoint.ts";
import type { Transport } from "../src/transport/transport.ts";
import { blackhole } from "./support/blackhole.ts";
import { bytes, readSome } from "./support/bytes.ts";
import { type Kind, V4 } from "./support/ends.ts";
import { needs } from "./support/needs.ts";
import { rejectsWith } from "./support/rejects.ts";
import {
  descriptors,
  descriptorsBackTo,
  descriptorsSettled,
  sleep,
} from "./support/wait.ts";

export function attemptContract(
  transport: Transport,
  title: string,
  { make: unixSocket }: Kind,
): void {
  describe(`${title}, connecting`, () => {
    test("a port nobody listens on refuses, and the error says which", async () => {
      const listener = await transport.listen(V4);
      listener.close();
      await sleep(20);
      const { endpoint } = listener;
      const error = await rejectsWith(
        "connection_refused",
        () => transport.connect(endpoint).conn,
      );
      assertEquals(error.address, formatEndpoint(endpoint));
      assertEquals(error.errno, "ECONNREFUSED");
    });

    test("what answered once and refuses now refuses", async () => {
      const listener = await transport.listen(V4);
      for (let i = 0; i < 2; i++) {
        const conn = await transport.connect(listener.endpoint).conn;
        (await listener.accept())!.close();
        conn.close();
      }
      listener.close();
      await sleep(20);
      for (let i = 0; i < 2; i++) {
        await rejectsWith(
          "connection_refused",
          () => transport.connect(listener.endpoint, { timeout: 5000 }).conn,
        );
      }
    });

    test("a Unix path that is not there is not found", async () => {
      await rejectsWith(
        "not_found",
        () => transport.connect(unixSocket()).conn,
      );
    });

    test(
      "it times out and is cancelled, and holds nothing",
      needs("perl"),
      async () => {
        const hole = await blackhole();
        try {
          await descriptorsSettled();
          const before = descriptors();
          await rejectsWith(
            "timed_out",
            () => transport.connect(hole.endpoint, { timeout: 80 }).conn,
          );
          const attempt = transport.connect(hole.endpoint);
          const connecting = rejectsWith("cancelled", () => attempt.conn);
          await sleep(50);
          attempt.abort();
          attempt.abort();
          await connecting;
          const many = Array.from({ length: 50 }, () => {
            const attempt = transport.connect(hole.endpoint, { timeout: 5000 });
            attempt.abort();
            return rejectsWith("cancelled", () => attempt.conn);
          });
          await Promise.all(many);
          await descriptorsBackTo(before);
        } finally {
          hole.close();
        }
      },
    );

    test(
      "one deadline for all, where an address has answered before",
      needs("perl"),
      async () => {
        const hole = await blackhole({ answers: 3 });
        try {
          for (let i = 0; i < 3; i++) {
            (await transport.connect(hole.endpoint, { timeout: 5000 }).conn)
              .abort();
          }
          await hole.dark;
          for (let i = 0; i < 2; i++) {
            const begin = performance.now();
            await rejectsWith(
              "timed_out",
              () => transport.connect(hole.endpoint, { timeout: 300 }).conn,
            );
            const time = performance.now() - begin;
            assert(time > 290 && time < 1500, `${time} ms`);
          }
          const attempt = transport.connect(hole.endpoint);
          attempt.abort();
          await rejectsWith("cancelled", () => attempt.conn);
        } finally {
          hole.close();
        }
      },
    );

    test("once it is there, giving up comes too late", async () => {
      const listener = await transport.listen(V4);
      const attempt = transport.connect(listener.endpoint, { timeout: 50 });
      const [client, server] = await Promise.all([
        attempt.conn,
        listener.accept(),
      ]);
      attempt.abort();
      await sleep(80);
      await client.write(bytes("still"));
      assertEquals(await readSome(server!, 5), "still");
      client.close();
      server!.close();
      listener.close();
    });

    test("what comes of an attempt that was given up is let go", async () => {
      await descriptorsSettled();
      const before = descriptors();
      const listener = await transport.listen(V4);
      const accepting = (async () => {
        for (let conn; (conn = await listener.accept()) !== null;) conn.abort();
      })();
      // Some of them have an answer already when they are given up.
      for (let i = 0; i < 100; i++) {
        const attempt = transport.connect(listener.endpoint);
        attempt.conn.then((conn) => conn.abort(), () => {});
        if (i % 3 > 0) await sleep(i % 3 - 1);
        attempt.abort();
      }
      await sleep(50);
      listener.close();
      await accepting;
      await descriptorsBackTo(before);
    });
  });
}

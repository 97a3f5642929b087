import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { TcpmuxError } from "../src/errors.ts";
import { fromSystem } from "../src/transport/errno.ts";

const system = (code: string) =>
  Object.assign(new Error(`connect ${code}`), { code });

describe("an error of the system", () => {
  test("has the same code and words on each runtime", () => {
    const node = system("ECONNREFUSED");
    const deno = Object.assign(new Error("refused"), {
      name: "ConnectionRefused",
    });
    for (const error of [node, deno]) {
      const failure = fromSystem(error, "cannot connect to a:1", {
        address: "a:1",
      });
      assert(failure instanceof TcpmuxError);
      assertEquals(failure.code, "connection_refused");
      assert(failure.message.startsWith(
        "cannot connect to a:1: connection refused",
      ));
      assertEquals([failure.cause, failure.address], [error, "a:1"]);
    }
    assertEquals(
      (fromSystem(node, "x") as TcpmuxError).errno,
      "ECONNREFUSED",
    );
  });

  test("that is not known is failed, in the words of the system", () => {
    const failure = fromSystem(system("EWEIRD"), "cannot read");
    assert(failure instanceof TcpmuxError);
    assertEquals(failure.code, "failed");
    assertEquals(failure.message, "cannot read: connect EWEIRD");
  });

  test("is one too where Deno makes it a TypeError", () => {
    const invalid = new TypeError("Invalid argument (os error 22)");
    const failure = fromSystem(
      Object.assign(invalid, { code: "EINVAL" }),
      "cannot connect to a:1",
    );
    assert(failure instanceof TcpmuxError);
    assertEquals(failure.code, "address_not_available");
  });

  test("that is ours already stays as it is", () => {
    const error = new TcpmuxError("closed", "closed");
    assert(fromSystem(error, "cannot read") === error);
  });
});

test("a mistake stays what it is, with its stack", () => {
  for (const Mistake of [TypeError, RangeError, ReferenceError, SyntaxError]) {
    const mistake = new Mistake("undefined is not a function");
    const { stack } = mistake;
    assert(fromSystem(mistake, "cannot read") === mistake);
    assertEquals(mistake.stack, stack);
  }
});

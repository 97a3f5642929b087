import { assertEquals, assertRejects } from "@std/assert";
import { type ErrorCode, TcpmuxError } from "../../src/errors.ts";

/** Holds that `run` fails with an error of ours that has this code. */
export async function rejectsWith(
  code: ErrorCode,
  run: () => Promise<unknown>,
): Promise<TcpmuxError> {
  const error = await assertRejects(run, TcpmuxError) as TcpmuxError;
  assertEquals(error.code, code, `${error.message} ${error.cause}`);
  return error;
}

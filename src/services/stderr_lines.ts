import type { Process } from "../transport/transport.ts";

/** Bytes of one line of standard error that the log shows. */
const MAX_LINE = 2048;

/** Hands on a program's standard error line by line, until it ends. */
export async function stderrLines(
  program: Process,
  line: (text: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let held = "";
  for (let bytes; (bytes = await program.readStderr()) !== null;) {
    const lines = (held + decoder.decode(bytes, { stream: true })).split("\n");
    held = lines.pop()!;
    for (const text of lines) line(text.replace(/\r$/, "").slice(0, MAX_LINE));
    if (held.length > MAX_LINE) {
      line(held.slice(0, MAX_LINE));
      held = "";
    }
  }
  if (held !== "") line(held);
}

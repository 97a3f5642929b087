import type { Process } from "../transport/transport.ts";

/** Bytes of one line of standard error that the log shows. */
const MAX_LINE = 2048;

/**
 * Hands on a program's standard error line by line, until it ends. Of a line
 * that is too long the beginning is handed on, once.
 */
export async function stderrLines(
  program: Process,
  line: (text: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let held = "";
  let cut = false; // the line that is held was handed on already
  const end = (text: string) => {
    if (!cut) line(text.replace(/\r$/, "").slice(0, MAX_LINE));
    cut = false;
  };
  for (let bytes; (bytes = await program.readStderr()) !== null;) {
    const lines = (held + decoder.decode(bytes, { stream: true })).split("\n");
    held = lines.pop()!;
    lines.forEach(end);
    if (held.length > MAX_LINE) {
      end(held);
      cut = true;
      held = "";
    }
  }
  if (held !== "") end(held);
}

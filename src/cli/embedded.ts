import { readFile } from "node:fs/promises";

/** The name that errors and the log give the embedded table. */
export const EMBEDDED_NAME = "services.toml (embedded)";

/**
 * The default table as text: part of the program where the runtime or the
 * bundler can import text, read from beside the sources where Node cannot.
 */
export async function embeddedTable(): Promise<string> {
  try {
    const text = await import("../../services.toml", {
      with: { type: "text" },
    });
    return text.default;
  } catch {
    return await readFile(new URL("../../services.toml", import.meta.url), {
      encoding: "utf8",
    });
  }
}

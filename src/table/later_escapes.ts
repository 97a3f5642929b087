/** The escapes of strings that TOML 1.1 has, and TOML 1.0 has not. */

/**
 * How TOML 1.0 writes the first of them, for messages; empty where there is
 * none.
 */
export function escapeHint(text: string): string {
  const [escape, digits = "1b"] =
    /\\(?:e|x([0-9a-f]{2}))/i.exec(text.replaceAll("\\\\", "  ")) ?? [];
  return escape === undefined
    ? ""
    : ` (tcpmux reads TOML 1.0, which writes \\u00${digits} for ${escape})`;
}

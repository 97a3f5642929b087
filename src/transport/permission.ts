/** The member of Deno that shows what is permitted without a prompt. */
interface DenoPermissions {
  permissions: {
    querySync(what: { name: string; variable?: string }): { state: string };
  };
}
declare const Deno: DenoPermissions;

/**
 * Whether the program has this permission, so that Deno neither prompts at the
 * terminal nor throws. The other runtimes permit everything.
 */
export function permitted(
  name: "env" | "ffi" | "net" | "read" | "write" | "run" | "sys",
  variable?: string,
): boolean {
  if (!("Deno" in globalThis)) return true;
  const what = variable === undefined ? { name } : { name, variable };
  return Deno.permissions.querySync(what).state === "granted";
}

/** Looks up a variable of the environment, which may not be readable. */
export type GetEnv = (name: string) => string | undefined;

/** A variable of the environment, where it may be read. */
export function getEnv(name: string): string | undefined {
  return permitted("env", name) ? process.env[name] : undefined;
}

/** The effective user; undefined on a system without users, or if not told. */
export function ownId(): number | undefined {
  return permitted("sys") ? process.geteuid?.() : undefined;
}

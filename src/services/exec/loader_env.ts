/**
 * Variables that tell the system's libraries what else to load or read: those
 * that the loader itself keeps from programs that change their user.
 */
const LOADER =
  /^(LD_.*|GLIBC_TUNABLES|GCONV_PATH|GETCONF_DIR|HOSTALIASES|LOCALDOMAIN|LOCPATH|MALLOC_.*|NIS_PATH|NLSPATH|RESOLV_.*|RES_OPTIONS|TMPDIR|TZDIR)$/;

/**
 * Takes them from an environment, as `NAME=value`: the tools that a program is
 * started through may run as root, and what is meant for the program is not to
 * be loaded by them.
 */
export function takeLoaderWords(env: Record<string, string>): string[] {
  const words: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (!LOADER.test(name)) continue;
    words.push(`${name}=${value}`);
    delete env[name];
  }
  return words;
}

/** A user that no machine has, who runs nothing else. */
const UID = 54321;

/**
 * The words that start something as nobody's user. It may read and write all
 * files, since runtimes and their caches often lie in root's home; else it is
 * allowed what anybody is.
 */
export function unprivileged(): string[] {
  const files = "+dac_override,+dac_read_search";
  return [
    "setpriv",
    `--reuid=${UID}`,
    `--regid=${UID}`,
    "--clear-groups",
    `--inh-caps=${files}`,
    `--ambient-caps=${files}`,
    "--securebits=+no_setuid_fixup", // access(2) heeds them too
    "--",
  ];
}

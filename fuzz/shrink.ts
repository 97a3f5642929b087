/** Times that the reader is tried on a shorter input. */
const TRIES = 20_000;

/**
 * The shortest input that still fails, as far as leaving out parts and
 * replacing characters by plainer ones leads.
 */
export async function shrink(
  input: string,
  fails: (input: string) => Promise<boolean>,
): Promise<string> {
  let best = input;
  let tries = 0;
  const shorter = async (candidate: string) => {
    if (tries++ >= TRIES || !await fails(candidate)) return false;
    best = candidate;
    return true;
  };
  for (let before = ""; before !== best && tries < TRIES;) {
    before = best;
    for (let size = best.length; size >= 1; size = Math.floor(size / 2)) {
      for (let at = 0; at < best.length && tries < TRIES;) {
        const without = best.slice(0, at) + best.slice(at + size);
        if (!await shorter(without)) at += size;
      }
    }
    for (let at = 0; at < best.length && tries < TRIES; at++) {
      if (/[a0\n]/.test(best[at]!)) continue;
      for (const plain of ["a", "0"]) {
        const simpler = best.slice(0, at) + plain + best.slice(at + 1);
        if (await shorter(simpler)) break;
      }
    }
  }
  return best;
}

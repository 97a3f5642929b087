/** Sessions from which on collecting is worth its time. */
const FEW = 256;

/** The next collection waits for this multiple of the last one's sessions. */
const GROWTH = 1.125;

/**
 * Collects garbage each time that clearly more sessions are open than ever
 * before. Bun's engine by itself collects only when its heap has doubled, and
 * it does not give back the gaps between live objects: the memory of finished
 * handshakes would stay taken for good. See bench/NOTES.md.
 *
 * @returns called with the number of sessions whenever one has come
 */
export function collectAtNewHeights(
  collectGarbage: () => void,
): (sessions: number) => void {
  let next = FEW;
  return (sessions) => {
    if (sessions < next) return;
    next = Math.ceil(sessions * GROWTH);
    collectGarbage();
  };
}

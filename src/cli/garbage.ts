/** Milliseconds between two looks at how many sessions there are. */
const PERIOD = 500;

/** Sessions from which on collecting is worth its time. */
const FEW = 1024;

/** The next collection waits for this multiple of the last one's sessions. */
const GROWTH = 1.125;

/**
 * Collects garbage each time that the number of sessions has grown to a new
 * maximum. Bun's engine by itself collects only when its heap has doubled, and
 * it does not give back the gaps between live objects: the memory of finished
 * handshakes would stay taken for good. See bench/NOTES.md.
 *
 * @param sessions the number of sessions now
 */
export function collectAtNewHeights(
  sessions: () => number,
  collectGarbage: () => void,
): void {
  let next = FEW;
  const timer = setInterval(() => {
    const count = sessions();
    if (count < next) return;
    next = Math.ceil(count * GROWTH);
    collectGarbage();
  }, PERIOD);
  timer.unref(); // the timer does not keep the program running
}

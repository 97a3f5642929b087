import { Random } from "../tests/support/random.ts";
import { mutated } from "./mutate.ts";
import { shrink } from "./shrink.ts";
import { assertUnpolluted, type Target } from "./target.ts";

export interface Found {
  /** The shortest input that fails, and how. */
  readonly input: string;
  readonly error: string;
}

export interface Figures {
  readonly inputs: number;
  readonly seconds: number;
  /** Milliseconds of the slowest input, and its length. */
  readonly slowest: { readonly ms: number; readonly length: number };
  readonly found: Found | undefined;
}

/** Inputs that are kept to be spliced into others. */
const KEPT = 64;

/** The same inputs for the same seed. It stops at the first that fails. */
export async function fuzz(
  target: Target,
  options: { inputs: number; seed: number },
): Promise<Figures> {
  const random = new Random(options.seed);
  const kept = Array.from({ length: KEPT }, () => target.generate(random));
  const slowest = { ms: 0, length: 0 };
  const start = performance.now();
  let found: Found | undefined;
  let inputs = 0;
  for (let before = start; inputs < options.inputs;) {
    const fresh = target.generate(random);
    const input = random.oneIn(8)
      ? fresh
      : mutated(fresh, random.pick(kept), random, target);
    kept[random.below(KEPT)] = fresh;
    inputs++;
    try {
      const checked = target.check(input);
      if (checked !== undefined) await checked;
      assertUnpolluted();
    } catch {
      found = await failure(target, input);
      break;
    }
    const now = performance.now();
    if (now - before > slowest.ms) {
      [slowest.ms, slowest.length] = [now - before, input.length];
    }
    before = now;
  }
  const seconds = (performance.now() - start) / 1000;
  return { inputs, seconds, slowest, found };
}

/** What the target says of an input; undefined where all is well. */
export async function verdict(
  target: Target,
  input: string,
): Promise<unknown> {
  try {
    await target.check(input);
    assertUnpolluted();
  } catch (error) {
    return error;
  }
}

async function failure(target: Target, input: string): Promise<Found> {
  const fails = async (one: string) => await verdict(target, one) !== undefined;
  const shortest = await shrink(input, fails);
  const error = await verdict(target, shortest);
  const said = error instanceof Error ? error.stack ?? error.message : error;
  return { input: shortest, error: String(said) };
}

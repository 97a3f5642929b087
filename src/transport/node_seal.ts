import { openSync } from "node:fs";
import { inheritable } from "./inherited.ts";

/** A program's list of descriptors has no gaps, so this bounds its length. */
const HIGHEST = 1023;

/**
 * `Transport.sealInherited` for Node. It keeps low descriptors from programs
 * by itself, and has no means to do so with others, which must stay open here
 * (one may hold a lock). But a program can be given something else in place.
 */
export class NodeSeal {
  /** What programs get as descriptors 3 and up. */
  rest: readonly ("ignore" | number)[] = [];

  seal(): readonly number[] {
    const all = inheritable();
    const sealed = all.filter((fd) => fd <= HIGHEST);
    if (sealed.length > 0) {
      const nothing = openSync("/dev/null", "r+");
      const count = Math.max(...sealed) - 2;
      this.rest = Array.from(
        { length: count },
        (_, index) => sealed.includes(index + 3) ? nothing : "ignore",
      );
    }
    return all.filter((fd) => fd > HIGHEST);
  }
}

/** Calls of the system for which a runtime has no function of its own. */
import { TcpmuxError } from "../../errors.ts";
import type { SystemCalls } from "../system.ts";
import {
  AF_UNIX,
  type LibcFunctions,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  unixAddress,
} from "./libc.ts";

const SOCK_DGRAM = 2;
const MSG_NOSIGNAL = 0x4000;
const CLOCK_MONOTONIC = 1;

/** Undefined where there is no C library to call. */
export function systemCalls(
  libc: LibcFunctions | undefined,
): SystemCalls | undefined {
  if (libc === undefined) return undefined;
  return {
    sendTo(path, bytes) {
      const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      const to = unixAddress(path);
      const length = BigInt(bytes.length);
      const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
      const sent = libc.sendto(fd, bytes, length, flags, to, to.length);
      libc.close(fd);
      if (sent === bytes.length) return;
      const address = path.replace(/^\0/, "@");
      throw new TcpmuxError("unreachable", `nobody takes it at ${address}`);
    },
    setGroups(groups) {
      const list = new Uint8Array(Uint32Array.from(groups).buffer);
      if (libc.setgroups(BigInt(groups.length), list) === 0) return;
      throw new TcpmuxError("permission_denied", "cannot set its groups");
    },
    monotonicTime() {
      const time = new BigInt64Array(2); // a struct timespec of 64 bits
      libc.clock_gettime(CLOCK_MONOTONIC, new Uint8Array(time.buffer));
      return time[0]! * 1_000_000n + time[1]! / 1_000n;
    },
  };
}

import { setTimeout as sleep } from "node:timers/promises";
import { TcpmuxError } from "../../errors.ts";
import { TimerList } from "../../timers.ts";
import { Buffers } from "../buffers.ts";
import { HostNames } from "../net/host_names.ts";
import { systemCalls } from "../net/libc.ts";
import { netListenOn } from "../net/listen.ts";
import { permitted } from "../permission.ts";
import { heedChildren } from "../spawning.ts";
import type { Transport } from "../transport.ts";
import { denoConnect, denoConnOn } from "./connect.ts";
import { denoLibc } from "./libc.ts";
import { denoIsDualStack, denoListen } from "./listen.ts";
import { denoSeal, denoSpawn } from "./process.ts";
import { denoOutput, denoStdio } from "./stdio.ts";

export function denoTransport(): Transport {
  heedChildren();
  const timers = new TimerList();
  const names = new HostNames();
  const buffers = new Buffers();
  const libc = denoLibc();
  return {
    name: "deno",
    abilities: {
      reset: false, // Deno has no way to send one
      get programs() {
        return (["run", "read", "sys"] as const).every((name) =>
          permitted(name)
        );
      },
      socketStdio: false, // Deno gives away no descriptor of a connection
      // Its thread opens a named pipe that anybody makes in a watched folder,
      // which blocks, and then so does whoever begins another watch.
      folderEvents: false,
      get unix() {
        return permitted("read") && permitted("write");
      },
    },
    get system() {
      return systemCalls(libc.functions);
    },
    timers,
    lookup: (host) => names.lookup(host),
    isDualStack: denoIsDualStack,
    listen: denoListen(buffers),
    // By `node:net`: Deno itself listens on no descriptor.
    listenOn: (fd, endpoint) => netListenOn(fd, endpoint, timers),
    connect: denoConnect(timers, buffers),
    spawn: (command) => denoSpawn(command, libc, timers),
    sealInherited: () => denoSeal(libc),
    closeDebugger: denoCloseDebugger,
    connOn: (fd) => denoConnOn(fd, timers),
    stdio: denoStdio,
    output: denoOutput,
  };
}

/** Milliseconds between two looks for the debugger, and how often it looks. */
const LOOK = { pause: 1, most: 2000 };

/** The module of Deno's debugger, which comes from Node. */
interface Debugger {
  url(): string | undefined;
  close(): void;
}

/**
 * `Transport.closeDebugger`: from 2.9.2 on, Deno opens its debugger on
 * 127.0.0.1:9229 at SIGUSR1, a moment after the program has seen the signal. No
 * setting keeps it from that.
 */
async function denoCloseDebugger(): Promise<void> {
  if (!permitted("sys")) {
    throw new TcpmuxError(
      "permission_denied",
      "it may be open on 127.0.0.1:9229 (start Deno with deno run -A, or " +
        "reload in place of SIGUSR1)",
    );
  }
  const name = "node:inspector";
  const inspector = process.getBuiltinModule(name) as unknown as Debugger;
  for (let looks = 0; looks < LOOK.most; looks++) {
    if (inspector.url() !== undefined) return inspector.close();
    await sleep(LOOK.pause, undefined, { ref: false });
  }
}

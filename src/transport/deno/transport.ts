import { TimerList } from "../../timers.ts";
import { Buffers } from "../buffers.ts";
import { HostNames } from "../net/host_names.ts";
import { systemCalls } from "../net/system_calls.ts";
import { netListenOn } from "../net/listen.ts";
import { permitted } from "../permission.ts";
import { heedChildren } from "../spawning.ts";
import type { Transport } from "../transport.ts";
import { denoConnect, denoConnOn } from "./connect.ts";
import { denoCloseDebugger } from "./debugger.ts";
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

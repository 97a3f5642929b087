import { TimerList } from "../../timers.ts";
import { HostNames } from "../net/host_names.ts";
import { inheritedEnds, netListen, netListenOn } from "../net/listen.ts";
import { systemCalls } from "../net/libc.ts";
import { descriptorOutput } from "../net/stdio_conn.ts";
import { heedChildren } from "../spawning.ts";
import type { Transport } from "../transport.ts";
import { bunConnect } from "./connect.ts";
import { bunConnOf, bunLibc } from "./libc.ts";
import { bunListen, bunListenOn } from "./listen.ts";
import { bunSpawn, bunSpawnOn } from "./process.ts";
import { bunStdio } from "./stdio.ts";

declare const Bun: { gc(wait: boolean): void };

export function bunTransport(): Transport {
  heedChildren();
  const timers = new TimerList();
  const names = new HostNames({ threads: 2, hostsFile: "/etc/hosts" });
  const libc = bunLibc();
  const listen = bunListen(timers);
  return {
    name: "bun",
    abilities: {
      reset: true,
      programs: true,
      socketStdio: true,
      unix: true,
      folderEvents: true,
    },
    get system() {
      return systemCalls(libc.functions);
    },
    timers,
    lookup: (host) => names.lookup(host),
    listen: (endpoint, options = {}) =>
      options.forTls
        ? netListen(endpoint, options, timers)
        : listen(endpoint, options),
    listenOn: (fd, endpoint, options) =>
      options?.forTls
        ? netListenOn(fd, endpoint, timers)
        : bunListenOn(fd, endpoint, timers),
    connect: bunConnect(timers, libc),
    spawn: (command) => bunSpawn(command, libc, timers),
    spawnOn: (command) => bunSpawnOn(command, libc, timers),
    connOn: (fd) => bunConnOf(fd, timers, inheritedEnds),
    stdio: bunStdio,
    output: descriptorOutput,
    collectGarbage: () => Bun.gc(false),
  };
}

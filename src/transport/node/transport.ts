import { TimerList } from "../../timers.ts";
import { Buffers } from "../buffers.ts";
import { HostNames } from "../net/host_names.ts";
import { systemCalls } from "../net/libc.ts";
import type { Transport } from "../transport.ts";
import { nodeConnect, nodeConnOn } from "./connect.ts";
import { nodeLibc } from "./libc.ts";
import { nodeListen } from "./listen.ts";
import { NodeSeal, nodeSpawn, nodeSpawnOn } from "./process.ts";
import { nodeOutput, nodeStdio } from "./stdio.ts";

export function nodeTransport(): Transport {
  const timers = new TimerList();
  const names = new HostNames({ threads: 2, hostsFile: "/etc/hosts" });
  const buffers = new Buffers();
  const seal = new NodeSeal();
  const libc = nodeLibc();
  const { listen, listenOn } = nodeListen(timers, buffers);
  const connect = nodeConnect(timers, buffers);
  return {
    name: "node",
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
    listen,
    listenOn,
    connect,
    spawn: (command) =>
      nodeSpawn(command, seal.rest, { listen, connect, timers }),
    spawnOn: (command) => nodeSpawnOn(command, seal.rest),
    sealInherited: () => seal.seal(),
    connOn: (fd) => nodeConnOn(fd, timers, buffers),
    stdio: nodeStdio,
    output: nodeOutput,
  };
}

/** Two machines on one wire, in namespaces of the network of their own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { skip } from "./needs.ts";

export const SERVER_ADDRESS = "192.0.2.1";

/** A machine that is there as long as its holder runs. */
interface Machine {
  readonly holder: ChildProcess;
  /** The words that start a program there. */
  readonly words: readonly string[];
}

export interface TwoMachines {
  readonly server: readonly string[];
  readonly client: readonly string[];
  /** From now on each packet is lost, and nobody hears of it. */
  cutTheWire(): void;
  close(): void;
}

export async function twoMachines(): Promise<TwoMachines> {
  const [server, client] = [await machine(), await machine()];
  const pid = (of: Machine) => String(of.holder.pid);
  const inside = (of: Machine, command: string) =>
    must([...of.words, ...command.split(" ")]);
  inside(
    server,
    `ip link add wire type veth peer name wire netns ${pid(client)}`,
  );
  inside(server, `ip addr add ${SERVER_ADDRESS}/24 dev wire`);
  inside(client, "ip addr add 192.0.2.2/24 dev wire");
  for (const one of [server, client]) {
    inside(one, "ip link set lo up");
    inside(one, "ip link set wire up");
  }
  return {
    server: server.words,
    client: client.words,
    cutTheWire: () => inside(client, "ip link set wire down"),
    close() {
      for (const { holder } of [server, client]) holder.kill("SIGKILL");
    },
  };
}

/** The options of a test that takes two machines. */
export async function needsTwoMachines(): Promise<{ skip?: string }> {
  try {
    (await twoMachines()).close();
    return {};
  } catch {
    return skip("two networks take root, unshare(1), nsenter(1) and ip(8)");
  }
}

async function machine(): Promise<Machine> {
  const holder = spawn("unshare", [
    "--net",
    "--",
    "sh",
    "-c",
    "echo up; exec sleep 600",
  ], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await new Promise<void>((resolve, reject) => {
    holder.once("error", reject);
    holder.once("exit", () => reject(new Error("there is no namespace")));
    holder.stdout!.once("data", () => resolve());
  });
  const words = ["nsenter", `--net=/proc/${holder.pid}/ns/net`, "--"];
  return { holder, words };
}

function must([program, ...args]: readonly string[]): void {
  const { status, stderr } = spawnSync(program!, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")}: ${stderr}`);
}

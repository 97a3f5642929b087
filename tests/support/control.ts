import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import type { SessionStatus, Status } from "../../src/status/status.ts";
import { type Result, tcpmux } from "./command.ts";
import { type RunningServer, withServer } from "./server.ts";

/** A server that the commands steer. */
export interface Controlled {
  readonly server: RunningServer;
  readonly folder: string;
  /** The path of its control socket. */
  readonly path: string;
  /** Runs a command with that socket. */
  readonly run: (...words: string[]) => Promise<Result>;
  /** The server's status, as `GET /status` has it. */
  readonly status: () => Promise<Status>;
  readonly sessions: () => Promise<SessionStatus[]>;
}

/**
 * Runs `use` with a server that has a control socket of its own.
 *
 * @param settings further keys of `[server]`
 */
export async function withControlled(
  services: string,
  use: (controlled: Controlled) => Promise<void>,
  settings = "",
): Promise<void> {
  await withServer(tableOf(services, settings), async (server, folder) => {
    await server.logged("control socket");
    const path = join(folder, "c.sock");
    await use({
      server,
      folder,
      path,
      run: (command = "", ...words) =>
        tcpmux([command, "--control", path, ...words]),
      status: async () => (await requestTo(path, "GET /status")).json(),
      sessions: async () => (await requestTo(path, "GET /sessions")).json(),
    });
  });
}

/** The table of {@linkcode withControlled}, `{folder}` for its folder. */
export function tableOf(services: string, settings = ""): string {
  return `[server]\ncontrol = "unix:{folder}/c.sock"\n${settings}\n${services}`;
}

/** What the control socket answers. */
export interface Answered {
  readonly code: number;
  readonly text: string;
  // deno-lint-ignore no-explicit-any -- each test knows what it asks for
  readonly json: () => any;
}

/** Asks as any HTTP client would. @param what method and path */
export function requestTo(
  socketPath: string,
  what: string,
  { body = "", headers = {} }: {
    body?: string;
    headers?: Record<string, string>;
  } = {},
): Promise<Answered> {
  const [method, path] = what.split(" ");
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath, method: method!, path: path!, headers, agent: false },
      (response: IncomingMessage) => {
        let text = "";
        response.on("data", (bytes) => text += String(bytes));
        response.once("error", reject);
        response.once("end", () =>
          resolve({
            code: response.statusCode!,
            text,
            json: () => JSON.parse(text),
          }));
      },
    );
    asked.once("error", reject);
    asked.end(body);
  });
}

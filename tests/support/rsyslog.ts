import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, withDaemon } from "./daemon.ts";
import { textOf } from "./logging.ts";
import { until } from "./wait.ts";

/** Between the parts of a line that it writes. */
const SEPARATOR = "\t";

/** A message as Debian's rsyslogd has understood it. */
export interface Message {
  /** Eight times the facility, and the severity. */
  readonly pri: number;
  readonly time: string;
  readonly host: string;
  readonly app: string;
  readonly process: string;
  readonly id: string;
  readonly data: string;
  readonly text: string;
}

/** An rsyslogd with sockets and files of its own. */
export class Rsyslog {
  readonly port: number;
  readonly socket: string;
  readonly #folder: string;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
    this.socket = join(folder, "log.sock");
  }

  static async in(folder: string): Promise<Rsyslog> {
    const rsyslog = new Rsyslog(folder, await freePort());
    rsyslog.#writeSettings();
    return rsyslog;
  }

  #writeSettings(): void {
    const parts = [
      "pri",
      "timereported:::date-rfc3339",
      "hostname",
      "app-name",
      "procid",
      "msgid",
      "structured-data",
      "msg",
    ];
    const line = parts.map((part) => `%${part}%`).join("\\t");
    writeFileSync(
      join(this.#folder, "rsyslog.conf"),
      `
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imtcp")
template(name="parts" type="string" string="${line}\\n")
ruleset(name="all") {
  action(type="omfile" file="${this.#folder}/messages" template="parts")
  action(type="omfile" file="${this.#folder}/usual" template="RSYSLOG_FileFormat")
  action(type="omfile" file="${this.#folder}/traditional" template="RSYSLOG_TraditionalFileFormat")
}
input(type="imuxsock" Socket="${this.socket}" ruleset="all")
input(type="imudp" address="127.0.0.1" port="${this.port}" ruleset="all")
input(type="imtcp" address="127.0.0.1" port="${this.port}" ruleset="all")
`,
    );
  }

  /** Runs `use` while it listens; it may do so again later. */
  run(use: () => Promise<void>): Promise<void> {
    const command = [
      "rsyslogd",
      "-n",
      "-f",
      join(this.#folder, "rsyslog.conf"),
    ];
    command.push("-i", join(this.#folder, "rsyslog.pid"));
    return withDaemon(command, this.port, async () => {
      await until("its socket is there", () => existsSync(this.socket));
      await use();
    });
  }

  get messages(): Message[] {
    const lines = textOf(join(this.#folder, "messages")).split("\n");
    return lines.slice(0, -1).map((line) => {
      const [pri, time, host, app, process, id, data, ...text] = line
        .split(SEPARATOR) as [string, ...string[]];
      return {
        pri: Number(pri),
        time: time!,
        host: host!,
        app: app!,
        process: process!,
        id: id!,
        data: data!,
        text: text.join(SEPARATOR),
      };
    });
  }

  /** The first message for which `matches` holds. */
  async message(matches: (message: Message) => boolean): Promise<Message> {
    return await until(
      () => `it has such a message: ${JSON.stringify(this.messages.slice(-5))}`,
      () => this.messages.find(matches),
    );
  }
}

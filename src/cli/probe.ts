/** A monitoring plugin by the guidelines that Nagios, Icinga and others share. */
import { messageOf, TcpmuxError } from "../errors.ts";
import {
  probe,
  PROBE_EXPIRY,
  PROBE_TIMEOUT,
  type ProbeOptions,
} from "../library/probe.ts";
import { getEnv } from "../transport/permission.ts";
import { familyOf, namedServer } from "./client.ts";
import { explain } from "./exit.ts";
import { type CommandLine, readCommandLine, usage } from "./flags.ts";
import { jsonOf, lineOf } from "./probe_report.ts";
import { PROBE } from "./spec/clients.ts";
import { ESCAPE_FORMS, PROBE_STATES } from "./spec/parts.ts";
import { endBy, printError, printOut } from "./system.ts";

const DAY = 24 * 3600 * 1000;

const encoder = new TextEncoder();

const CONTROLS: Readonly<Record<string, string>> = {
  r: "\r",
  n: "\n",
  t: "\t",
  "\\": "\\",
};

/**
 * `tcpmux probe`: one line and an exit code that monitoring understands. A
 * mistake on the command line is such a state too.
 */
export async function probeCommand(args: readonly string[]): Promise<number> {
  endBy("SIGINT", "SIGTERM", "SIGHUP");
  const { text, code } = await probeAll(args);
  try {
    printOut(text);
    return code;
  } catch (error) {
    printError(explain(error));
    return PROBE_STATES.UNKNOWN.code;
  }
}

async function probeAll(
  args: readonly string[],
): Promise<{ text: string; code: number }> {
  const json = args.includes("--json");
  try {
    const line = readCommandLine(args, PROBE, getEnv);
    const limits = readProbe(line);
    const [word, ...words] = line.positionals;
    const { server, service, tls } = await namedServer(word, line.flags);
    const names = service === undefined ? words : [service, ...words];
    const options = { ...limits, ...tls };
    const { status, services } = await probe(server, names, options);
    return {
      text: json ? jsonOf(services) : lineOf(services, limits),
      code: PROBE_STATES[status].code,
    };
  } catch (error) {
    const sentence = messageOf(error);
    return {
      text: json ? jsonOf([], sentence) : lineOf([], {}, sentence),
      code: PROBE_STATES.UNKNOWN.code,
    };
  }
}

function readProbe(
  { flags, positionals: [, ...services] }: CommandLine<typeof PROBE>,
) {
  const { warning, critical } = flags;
  if (warning !== undefined && critical !== undefined && warning > critical) {
    throw usage("--warning must not be longer than --critical");
  }
  const [send, expect] = (["send", "expect"] as const).map((name) => {
    const text = flags[name];
    if (text !== undefined && services.length === 0) {
      throw usage(`--${name} needs a SERVICE`);
    }
    return text === undefined ? undefined : readEscapes(text);
  });
  return {
    warning,
    critical,
    timeout: flags.timeout ?? PROBE_TIMEOUT,
    send,
    expect,
    family: familyOf(flags),
    expiry: flags["warn-expiry"] === undefined
      ? PROBE_EXPIRY
      : flags["warn-expiry"] * DAY,
  } satisfies ProbeOptions;
}

/**
 * The bytes that a text means in which `\r \n \t \\` and `\xHH` stand for one
 * byte each.
 *
 * @throws {TcpmuxError} code `usage`, for any other backslash
 */
export function readEscapes(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const [part] of text.matchAll(/\\x[0-9a-fA-F]{2}|\\[^]?|[^\\]+/g)) {
    if (!part.startsWith("\\")) bytes.push(...encoder.encode(part));
    else if (part.length === 4) bytes.push(parseInt(part.slice(2), 16));
    else {
      const control = CONTROLS[part.slice(1)];
      if (control === undefined) {
        throw new TcpmuxError(
          "usage",
          `${JSON.stringify(text)} has the unknown escape ${part}; allowed: ` +
            ESCAPE_FORMS,
        );
      }
      bytes.push(control.charCodeAt(0));
    }
  }
  return Uint8Array.from(bytes);
}

/** A status as lines for people. */
import { visible } from "../../log.ts";
import type {
  ServiceStatus,
  SessionStatus,
  Status,
} from "../../status/status.ts";
import { amount, clock } from "../../units.ts";

/** What the server is doing, and a line for each of its services. */
export function statusText(status: Status): string[] {
  const { version, runtime, pid, seconds, table, listeners } = status;
  const { certificates } = status;
  const facts = [
    ["server", `tcpmux ${version} on ${runtime}, process ${pid}`],
    ["up", `${clock(seconds)}${status.draining ? ", draining" : ""}`],
    ["table", table],
    ["reload", reloadText(status)],
    ["listening", listeners.join(" ") || "no more"],
    ...certificates.map(({ file, until }) =>
      ["TLS until", `${until}: ${file}`] as const
    ),
    ["sessions", String(status.sessions)],
    ["ended", outcomesText(status)],
  ] as const;
  return [
    ...facts.map(([what, fact]) => `${what.padEnd(10)} ${visible(fact)}`),
    "",
    ...columns(
      ["SERVICE", "KIND", "STATE", "NOW", "SERVED", "REFUSED", "FAILED"]
        .concat("IN", "OUT"),
      status.services.map((service) => [
        service.name,
        service.kind,
        stateOf(service),
        service.sessions,
        service.served,
        service.refused,
        service.failed,
        amount(service.bytes_in),
        amount(service.bytes_out),
      ]),
    ),
  ];
}

function reloadText({ reload }: Status): string {
  if (reload === null) return "none yet";
  return reload.ok
    ? reload.time
    : `failed at ${reload.time}, so the old table stays in force: ` +
      (reload.error ?? "");
}

function outcomesText({ outcomes }: Status): string {
  const counts = Object.entries(outcomes);
  return counts.length === 0
    ? "none yet"
    : counts.map(([outcome, count]) => `${count} ${outcome}`).join(", ");
}

function stateOf({ enabled, switched_off }: ServiceStatus): string {
  return !enabled ? "not enabled" : switched_off ? "switched off" : "on";
}

/** A line for each session. */
export function sessionsText(sessions: readonly SessionStatus[]): string[] {
  return columns(
    ["ID", "SERVICE", "CLIENT", "SERVER", "UPSTREAM", "AGE", "IN", "OUT"],
    sessions.map((session) => [
      session.id,
      session.service ?? "-",
      session.remote,
      session.local,
      session.upstream ?? "-",
      clock(session.seconds),
      amount(session.bytes_in),
      amount(session.bytes_out),
    ]),
  );
}

/** Numbers stand on the right. Nothing of it moves a terminal's cursor. */
export function columns(
  heads: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string[] {
  const lines = [heads, ...rows].map((row) =>
    row.map((cell) => visible(String(cell)))
  );
  const widths = heads.map((_, at) =>
    Math.max(...lines.map((line) => line[at]!.length))
  );
  const isRight = heads.map((head) => NUMBERS.includes(head));
  return lines.map((line) =>
    line.map((cell, at) =>
      isRight[at] ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!)
    ).join("  ").trimEnd()
  );
}

const NUMBERS = [
  "ID",
  "NOW",
  "SERVED",
  "REFUSED",
  "FAILED",
  "AGE",
  "IN",
  "OUT",
];

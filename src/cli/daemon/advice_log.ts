import type { Log } from "../../log.ts";
import { formatProblem, type Problem } from "../../table/problem.ts";

/** Logs advice that is new; what holds for several services, once. */
export function logAdvice(
  advice: readonly Problem[],
  known: readonly Problem[],
  log: Log,
): void {
  const alike = new Map<string, Problem[]>();
  for (const problem of advice) {
    const { key, message } = problem;
    if (known.some((one) => one.key === key && one.message === message)) {
      continue;
    }
    alike.set(message, [...alike.get(message) ?? [], problem]);
  }
  for (const [first, ...more] of alike.values()) {
    const key = more.length === 0
      ? first!.key
      : `${first!.key} and ${more.length} more`;
    log("warn", "warning about the table", {
      advice: formatProblem({ ...first!, key }),
    });
  }
}

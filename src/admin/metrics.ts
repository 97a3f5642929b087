/** The text of a scrape: the metrics of the server, and those of its process. */
import { readdirSync, readFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { type Metric, Registry } from "prom-client";
import { permitted } from "../transport/permission.ts";
import {
  type Definition,
  METRICS,
  type MetricsSource,
  type Sample,
} from "./metric_list.ts";

/** Makes the text of a scrape, in Prometheus' text format. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #source: () => Omit<MetricsSource, "lag">;
  #current!: MetricsSource;

  constructor(source: () => Omit<MetricsSource, "lag">) {
    this.#source = source;
    for (const { samples, ...definition } of [...METRICS, ...PROCESS_METRICS]) {
      this.#registry.registerMetric({
        name: definition.name,
        // Asked by the registry, each time that its text is made.
        get: () =>
          Promise.resolve({
            ...definition,
            aggregator: "sum",
            values: samples(this.#current).map(
              ([value, labels = {}, suffix = ""]) => ({
                value,
                labels,
                metricName: `${definition.name}${suffix}`,
              }),
            ),
          }),
      } as unknown as Metric);
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    const begin = performance.now();
    await setImmediate();
    const lag = performance.now() - begin;
    this.#current = { ...this.#source(), lag };
    return await this.#registry.metrics();
  }
}

/** The metrics that each process has, by the names that they have everywhere. */
const PROCESS_METRICS: readonly Definition[] = [
  {
    name: "process_start_time_seconds",
    type: "gauge",
    help: "When the server was started.",
    samples: ({ status }) => [[Date.parse(status.started) / 1000]],
  },
  {
    name: "process_cpu_seconds_total",
    type: "counter",
    help: "Processor time of the user and of the system.",
    samples: () => {
      const { user, system } = process.cpuUsage();
      return [[(user + system) / 1e6]];
    },
  },
  {
    name: "process_resident_memory_bytes",
    type: "gauge",
    help: "Memory that is in use.",
    samples: () => [[process.memoryUsage().rss]],
  },
  {
    name: "process_open_fds",
    type: "gauge",
    help: "Open descriptors.",
    // One of them is that of the folder itself.
    samples: () => ofProc(() => readdirSync("/proc/self/fd").length - 1),
  },
  {
    name: "process_max_fds",
    type: "gauge",
    help: "The most descriptors that may be open.",
    samples: () =>
      ofProc(() => {
        const limits = readFileSync("/proc/self/limits", "utf8");
        return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
      }),
  },
  {
    name: "nodejs_eventloop_lag_seconds",
    type: "gauge",
    help: "How late the event loop was at this scrape, on any runtime.",
    samples: ({ lag }) => [[lag / 1000]],
  },
];

/** No sample where the system or the runtime does not let it be known. */
function ofProc(read: () => number): readonly Sample[] {
  if (!permitted("read")) return [];
  try {
    const value = read();
    return Number.isFinite(value) ? [[value]] : [];
  } catch {
    return []; // another system has no such files
  }
}

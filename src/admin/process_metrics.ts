/** The metrics that each process has, by the names that they have everywhere. */
import { readdirSync, readFileSync } from "node:fs";
import { permitted } from "../transport/permission.ts";
import type { Definition, Sample } from "./metric_list.ts";

export const PROCESS_METRICS: readonly Definition[] = [
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

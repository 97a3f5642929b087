import { setImmediate } from "node:timers/promises";
import { type Metric, Registry } from "prom-client";
import { METRICS, type MetricsSource } from "./metric_list.ts";
import { PROCESS_METRICS } from "./process_metrics.ts";

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

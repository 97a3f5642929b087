import { type Metric, Registry } from "prom-client";
import { METRICS, type MetricsSource } from "./metric_list.ts";

/** Makes the text of a scrape, in Prometheus' text format. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #source: () => MetricsSource;
  #current!: MetricsSource;

  constructor(source: () => MetricsSource) {
    this.#source = source;
    for (const { samples, ...definition } of METRICS) {
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

  text(): Promise<string> {
    this.#current = this.#source();
    return this.#registry.metrics();
  }
}

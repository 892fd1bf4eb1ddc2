import {
  type Metric,
  type OpenMetricsContentType,
  openMetricsContentType,
  type PrometheusContentType,
  Registry,
} from 'prom-client';

/** Metrics as text, and the content type that says in which of the two formats. */
export interface Exposition {
  readonly type: string;
  readonly body: string;
}

/**
 * Writes a registry in the Prometheus text format, or in OpenMetrics for who asks for it.
 *
 * prom-client 15 keeps the format as a state of the registry, read again after every await, and in OpenMetrics it renames the
 * counters for good (`…_total` loses its end, in the other format too). So OpenMetrics has a registry of its own, of objects
 * that inherit from the metrics: values are shared, a new name stays on the heir.
 */
export class Exposer {
  readonly #plain: Registry<PrometheusContentType>;
  readonly #open = new Registry<OpenMetricsContentType>();

  /** All metrics must be in the registry by now. */
  constructor(registry: Registry<PrometheusContentType>) {
    this.#plain = registry;
    this.#open.setContentType(openMetricsContentType);
    for (const metric of registry.getMetricsAsArray()) {
      const heir: Metric = Object.create(metric);
      this.#open.registerMetric(heir);
    }
  }

  /** `accept` is the header of the request. */
  async write(accept: string): Promise<Exposition> {
    const registry = accept.includes('application/openmetrics-text') ? this.#open : this.#plain;
    return { type: registry.contentType, body: await registry.metrics() };
  }
}

import { appFamilies } from "./metrics/apps.ts";
import { checkFamilies } from "./metrics/checks.ts";
import { houseFamilies } from "./metrics/house.ts";
import type { StatusView } from "./view.ts";

/**
 * What Prometheus reads: the text format 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats. Every
 * family is there, also those without a sample, always in the same order.
 * The client is loaded with the first call: an idle function does without it.
 */
export async function metricsText(view: StatusView): Promise<string> {
  const { Gauge, Registry } = await import("prom-client");
  const registry = new Registry();
  for (const { name, help, samples } of [
    ...houseFamilies(view),
    ...appFamilies(view.apps),
    ...checkFamilies(view.apps),
  ]) {
    const labelNames = Object.keys(samples[0]?.labels ?? {});
    const gauge = new Gauge({ name, help, labelNames, registers: [registry] });
    // Without labels it starts as a 0, which nobody has measured.
    if (labelNames.length === 0) gauge.remove();
    for (const { labels, value } of samples) gauge.set(labels, value);
  }
  return registry.metrics();
}

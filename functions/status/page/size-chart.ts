import { html } from "hono/html";
import { type Clock, formatBytes } from "../../../shared/words.ts";
import type { AppStatus } from "../view.ts";
import type { Html } from "./parts.ts";
import { dayOf, formatDay } from "./words.ts";

const width = 300;
const height = 48;

/**
 * What backups weighed over time, from nothing up, so that half as high is half as big. A size holds until the next
 * one: the line has steps. Without two sizes there is nothing to draw.
 */
export function sizeChart({ sizes, title }: Pick<AppStatus, "sizes" | "title">, clock: Clock): Html {
  const [first] = sizes;
  const last = sizes.at(-1);
  if (!first || !last || sizes.length < 2) return html``;
  const from = Date.parse(first.at);
  const spanMs = Math.max(clock.nowMs - from, 1);
  const largest = Math.max(...sizes.map(({ sizeBytes }) => sizeBytes), 1);
  const x = (ms: number) => ((Math.min(Math.max(ms - from, 0), spanMs) / spanMs) * width).toFixed(1);
  const y = (bytes: number) => (height - 3 - (bytes / largest) * (height - 8)).toFixed(1);
  const steps = sizes.map(
    ({ at, sizeBytes }, i) =>
      `${i === 0 ? "M0" : `H${x(Date.parse(at))}`}${i === 0 ? ` ${y(sizeBytes)}` : `V${y(sizeBytes)}`}`,
  );
  const line = `${steps.join("")}H${width}`;
  const words = `${formatBytes(last.sizeBytes)}${changeSince(first.sizeBytes, last.sizeBytes)}`;
  const since = formatDay(dayOf(first.at, clock));
  return html`<figure class="chart">
<figcaption>Size: <strong>${words}</strong> since ${since}</figcaption>
<svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" role="img" aria-label="Size of ${title}'s backups since ${since}: from ${formatBytes(first.sizeBytes)} to ${formatBytes(last.sizeBytes)}, at most ${formatBytes(largest)}"><path class="area" d="${line}V${height}H0Z"/><path class="line" d="${line}"/><path class="dot" d="M${width - 3} ${y(last.sizeBytes)}h0"/></svg>
</figure>`;
}

/** ", 12 % more", ", as at first"; in multiples when it more than tripled. */
function changeSince(before: number, now: number): string {
  if (before === 0) return "";
  const ratio = now / before;
  if (ratio >= 3) return `, ${ratio >= 9.95 ? Math.round(ratio) : ratio.toFixed(1)} times as much`;
  const percent = Math.round((ratio - 1) * 100);
  if (percent === 0) return ", unchanged";
  return `, ${Math.abs(percent)} % ${percent > 0 ? "more" : "less"}`;
}

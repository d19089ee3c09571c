import { html } from "hono/html";
import type { AppStatus, PointStatus } from "../view.ts";
import { ago, command, type Html, pill } from "./parts.ts";
import { type Clock, count, formatAgo, formatBytes, formatDuration } from "./words.ts";

/** The restore points of an app as a timeline, newest first, behind one line that sums them up. */
export function restorePoints({ app, points }: Pick<AppStatus, "app" | "points">, clock: Clock): Html {
  if (points.length === 0) return html`<p class="none">There is nothing to restore yet.</p>`;
  return html`<details class="points" id="points-${app}">
<summary><strong>${count(points.length, "restore point")}</strong><span class="soft">${inWords(points, clock)}</span></summary>
<ol class="timeline">${points.map((point) => pointItem(point, clock))}</ol>
</details>`;
}

function inWords(points: readonly PointStatus[], clock: Clock): string {
  const damaged = points.filter((point) => point.damaged !== undefined).length;
  const proven = points.filter((point) => point.proven).length;
  const oldest = points.map(({ takenAt }) => takenAt).toSorted()[0];
  return [
    ...(damaged > 0 ? [`${damaged} damaged`] : []),
    ...(proven > 0 ? [`${proven} proven restorable`] : []),
    ...(points.length > 1 && oldest !== undefined ? [`the oldest from ${formatAgo(oldest, clock)}`] : []),
  ].join(", ");
}

function pointItem(point: PointStatus, clock: Clock): Html {
  const { takenAt, sizeBytes, damaged, proven, scrubbedAt } = point;
  const state = damaged === undefined ? (proven ? "proven" : "plain") : "damaged";
  return html`<li class="point ${state}">
<div class="when">${ago(takenAt, clock)}</div>
<div class="what"><span>${formatBytes(sizeBytes)}</span>${point.latest ? html`<span class="tag">latest</span>` : ""}${point.pinned ? html`<span class="tag">pinned</span>` : ""}</div>
<ul class="proofs">
${damaged === undefined ? "" : html`<li>${pill({ word: "Damaged", icon: "bad", tone: "bad" })} ${damaged}</li>`}
${proven ? html`<li>${pill({ word: "Proven restorable", icon: "good", tone: "good" })} ${formatAgo(proven.at, clock)}, back in ${formatDuration(proven.recoverySeconds * 1000)}</li>` : ""}
${scrubbedAt === undefined ? "" : html`<li>${pill({ word: "Read back", icon: "good", tone: "good" })} ${formatAgo(scrubbedAt, clock)}</li>`}
${damaged === undefined && !proven && scrubbedAt === undefined ? html`<li class="soft">${point.verified ? "Verified when it was made" : "Not made here: its checksums are not known"}</li>` : ""}
</ul>
${command(point.restore)}
</li>`;
}

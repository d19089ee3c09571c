import { html } from "hono/html";
import { type Clock, count, formatBytes, formatDuration } from "../../../shared/words.ts";
import type { AppStatus, PointStatus } from "../view.ts";
import { ago, command, type Html, pill } from "./parts.ts";
import { formatAgo } from "./words.ts";

/** How to get back to the newest good restore point, and behind one line all of them as a timeline, newest first. */
export function restorePoints(
  { app, points, running, keep }: Pick<AppStatus, "app" | "points" | "running" | "keep">,
  clock: Clock,
): Html {
  if (points.length === 0)
    return html`<div class="back"><p class="soft">There is nothing to restore yet.${running ? "" : " To make a backup now:"}</p>${running ? "" : command(`make backup-${app}`)}</div>`;
  const newest = points.find(({ damaged }) => damaged === undefined);
  return html`${newest ? html`<div class="back"><p class="soft">To go back to the newest good one:</p>${command(newest.restore)}</div>` : ""}
<details class="points" id="points-${app}">
<summary><strong>${count(points.length, "restore point")}</strong>${marks(points)}<span class="soft">${inWords(points, clock)}</span></summary>
<ol class="timeline">${points.map((point) => pointItem(point, clock))}</ol>
${keep > 1 ? html`<p class="none">The newest ${keep} are kept, and pinned ones besides.</p>` : ""}
</details>`;
}

/** What is known of a restore point, the worst or the best of it. */
const markOf = ({ damaged, proven, scrubbedAt }: PointStatus) =>
  damaged !== undefined ? "damaged" : proven ? "proven" : scrubbedAt !== undefined ? "scrubbed" : "plain";

/** All of them in a row, the newest at the right as in the strip of days. The text beside it says the same. */
const marks = (points: readonly PointStatus[]) =>
  html`<span class="marks" aria-hidden="true">${points.toReversed().map((point) => html`<i class="mark ${markOf(point)}"></i>`)}</span>`;

function inWords(points: readonly PointStatus[], clock: Clock): string {
  const damaged = points.filter((point) => point.damaged !== undefined).length;
  const proven = points.filter((point) => point.proven).length;
  const scrubbed = points.filter(({ scrubbedAt }) => scrubbedAt !== undefined).length;
  const oldest = points.map(({ takenAt }) => takenAt).toSorted()[0];
  return [
    ...(damaged > 0 ? [`${damaged} damaged`] : []),
    ...(proven > 0 ? [`${proven} proven restorable`] : []),
    ...(scrubbed > 0 ? [`${scrubbed} read back`] : []),
    ...(points.length > 1 && oldest !== undefined ? [`the oldest from ${formatAgo(oldest, clock)}`] : []),
  ].join(", ");
}

function pointItem(point: PointStatus, clock: Clock): Html {
  const { takenAt, sizeBytes, damaged, proven, scrubbedAt, latest, pinned, verified, restore } = point;
  return html`<li class="point"><i class="mark ${markOf(point)}"></i>
<div class="what">${ago(takenAt, clock)}<span>${formatBytes(sizeBytes)}</span>${latest ? html`<span class="tag">latest</span>` : ""}${pinned ? html`<span class="tag">pinned</span>` : ""}</div>
<ul class="proofs">
${damaged === undefined ? "" : html`<li>${pill({ word: "Damaged", icon: "bad", tone: "bad" })} ${damaged}</li>`}
${proven ? html`<li>${pill({ word: "Proven restorable", icon: "good", tone: "good" })} ${formatAgo(proven.at, clock)}, in ${formatDuration(proven.recoverySeconds * 1000)}</li>` : ""}
${scrubbedAt === undefined ? "" : html`<li>${pill({ word: "Read back", icon: "good", tone: "good" })} ${formatAgo(scrubbedAt, clock)}</li>`}
${damaged === undefined && !proven && scrubbedAt === undefined ? html`<li>${verified ? "Verified when it was made" : "Not made here: its checksums are not known"}</li>` : ""}
</ul>
${command(restore)}
</li>`;
}

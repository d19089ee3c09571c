import { html } from "hono/html";
import { type Clock, formatBytes, formatDuration } from "../../../shared/words.ts";
import type { RunningStatus } from "../view.ts";
import type { Html } from "./parts.ts";

/** A run in progress: what it does, how far it is where that is known, since when and by whom. */
export function runningNow(running: RunningStatus, title: string, { nowMs }: Clock): Html {
  const { operation, phase, startedAt, startedBy } = running;
  const label = `Progress of the ${operation} of ${title}`;
  const share = shareOf(running);
  return html`<div class="running">
<p><strong>${operation}</strong>${phase === undefined ? "" : ` · ${phase}`}${amount(running)}</p>
${share === undefined ? html`<progress aria-label="${label}"></progress>` : html`<progress max="1" value="${share.toFixed(4)}" aria-label="${label}"></progress>`}
<p class="soft">for ${formatDuration(nowMs - Date.parse(startedAt))}, started by ${startedBy}</p>
</div>`;
}

/** Of 1, at most; undefined: nobody knows. */
function shareOf({ doneBytes, totalBytes }: RunningStatus): number | undefined {
  return doneBytes === undefined || !totalBytes ? undefined : Math.min(doneBytes / totalBytes, 1);
}

/** " · 870 MB of 1.4 GB · 62 %" */
function amount(running: RunningStatus): string {
  if (running.doneBytes === undefined) return "";
  const share = shareOf(running);
  const of = share === undefined ? "" : ` of ${formatBytes(running.totalBytes ?? 0)} · ${Math.floor(share * 100)} %`;
  return ` · ${formatBytes(running.doneBytes)}${of}`;
}

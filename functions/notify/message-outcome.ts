import { type Message, nameOf, type Wording } from "./message.ts";
import type { OutcomeData } from "./outcome-data.ts";
import { type Line, shorten, type Text } from "./text.ts";
import { capital, change, clean, count, duration, moment, size } from "./words.ts";

const signs = { good: "✅", info: "ℹ️", warning: "⚠️", problem: "❌" } as const;
export const signOf = (urgency: Message["urgency"]): string => signs[urgency];

/** How runs end, in words: the outcome first, then whose it is. */
const ends: Readonly<Record<string, { words: string; urgency: Message["urgency"] }>> = {
  created: { words: "Saved", urgency: "good" },
  unchanged: { words: "Unchanged", urgency: "info" },
  postponed: { words: "Put off", urgency: "info" },
  restored: { words: "Restored", urgency: "good" },
  undone: { words: "Restore undone", urgency: "good" },
  pinned: { words: "Pinned", urgency: "good" },
  unpinned: { words: "Unpinned", urgency: "good" },
  accepted: { words: "Accepted", urgency: "good" },
  adopted: { words: "Taken over", urgency: "good" },
  flushed: { words: "Sent what had waited", urgency: "info" },
  cleaned: { words: "Cleaned up", urgency: "good" },
  paused: { words: "Paused", urgency: "info" },
  resumed: { words: "Goes on", urgency: "info" },
  planned: { words: "Planned", urgency: "info" },
  proven: { words: "Proven restorable", urgency: "good" },
  scrubbed: { words: "Read back and found whole", urgency: "good" },
  inconclusive: { words: "Neither proven nor disproven", urgency: "warning" },
  refused: { words: "Refused", urgency: "warning" },
  failed: { words: "Failed", urgency: "problem" },
  cancelled: { words: "Cancelled", urgency: "warning" },
  interrupted: { words: "Interrupted", urgency: "problem" },
};
const bad: ReadonlySet<string> = new Set(["refused", "failed", "cancelled", "interrupted"]);

const operations: Readonly<Record<string, string>> = {
  undo: "undoing the restore",
  accept: "accepting the data",
  adopt: "taking over what was there",
  scrub: "reading back the backups",
  drill: "restore drill",
  flush: "sending what had waited",
};

const limits = { why: 900, hint: 600, note: 250, notes: 5 } as const;

export function outcomeMessage(run: OutcomeData, wording: Wording): Message {
  const end = ends[run.outcome] ?? { words: capital(run.outcome), urgency: run.failure ? "problem" : "info" };
  const name = nameOf(run.app, run.title ?? wording.titleOf(run.app));
  const failed = run.failure !== undefined || bad.has(run.outcome);
  const isDamage = failed && run.scrub !== undefined && run.scrub.damaged.length > 0;
  const whose = failed ? `${operations[run.operation] ?? run.operation} of ${name}` : name;
  const title = isDamage ? `A backup is damaged: ${name}` : `${end.words}: ${whose}`;
  return {
    kind: run.outcome,
    app: run.app,
    urgency: end.urgency,
    title,
    text: [
      [`${signOf(end.urgency)} `, { bold: title }],
      ...(failed ? failureLines(run) : resultLines(run, wording)),
      ...factLines(run, failed),
      ...noteLines("Note", run.warnings),
      ...noteLines("Put in order", run.mended ?? []),
      ["Run ", { code: run.runId }],
    ],
  };
}

function failureLines({ failure, message, scrub }: OutcomeData): Line[] {
  const [, ...others] = scrub?.damaged ?? [];
  return [
    ...whyLines([failure?.message ?? message]),
    ...noteLines(
      "Damaged as well",
      others.map(({ file, why }) => `${file}: ${why}`),
    ),
    ...hintLines(failure?.hint, failure?.retryable),
  ];
}

export const whyLines = (reasons: readonly string[]): Text =>
  reasons.length === 1
    ? [[{ bold: "Why: " }, shorten(clean(reasons[0] as string), limits.why)]]
    : [[{ bold: "Why:" }], ...reasons.map((why): Line => [`• ${shorten(clean(why), limits.note)}`])];

export function hintLines(hint: string | undefined, retryable = false): Text {
  if (hint !== undefined) return [[{ bold: "What to do: " }, shorten(clean(hint), limits.hint)]];
  return retryable ? [[{ bold: "What to do: " }, "Nothing yet; the next run may succeed by itself."]] : [];
}

function resultLines(run: OutcomeData, { timeZone }: Wording): Line[] {
  const taken = run.point && moment(run.point.takenAt, timeZone);
  switch (run.outcome) {
    case "created":
      return [];
    case "proven":
      return [
        ...(taken ? [[`The restore point of ${taken} was restored into scratch space, and is what it was.`]] : []),
        ...(run.drill?.tookMs === undefined ? [] : [[`A restore takes ${duration(run.drill.tookMs)}`]]),
        ...compared(run),
      ];
    case "inconclusive": {
      const { hindrance } = run.drill ?? {};
      return [
        ...whyLines([hindrance?.message ?? run.message]),
        ...hintLines(hindrance?.hint, hindrance?.retryable),
        ...(taken ? [[`It was the turn of the restore point of ${taken}`]] : []),
      ];
    }
    case "unchanged":
      return taken ? [[`The newest restore point is still that of ${taken}.`]] : [];
    case "restored":
      return [
        ...(taken ? [[`From the restore point of ${taken}`]] : []),
        ...(run.restoredTo === undefined ? [] : [[`Beside production, in ${shorten(run.restoredTo, limits.note)}`]]),
      ];
    default: {
      const said = withoutPrefix(withoutPrefix(run.message, run.title ?? run.app), "postponed");
      return [[capital(shorten(clean(said), limits.why))]];
    }
  }
}

const compared = ({ drill }: OutcomeData): Line[] =>
  drill === undefined || drill.compared.length === 0
    ? []
    : [[`Compared: ${shorten(clean(drill.compared.join(", ")), limits.why)}`]];

const withoutPrefix = (text: string, prefix: string) =>
  text.startsWith(`${prefix}: `) ? text.slice(prefix.length + 2) : text;

function factLines(run: OutcomeData, failed: boolean): Line[] {
  const lines: Line[] = [];
  const sizeBytes = run.point?.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  if (sizeBytes !== undefined && (run.outcome === "created" || run.outcome === "restored")) {
    const previous = run.outcome === "created" ? run.previousSizeBytes : undefined;
    lines.push([`Size: ${size(sizeBytes)}${previous === undefined ? "" : `, ${change(sizeBytes, previous)}`}`]);
  }
  if (run.durationMs !== undefined) {
    // Schedules start most runs; who started another one matters.
    const by =
      run.startedBy !== undefined && (failed || run.startedBy !== "cron") ? `, started by ${run.startedBy}` : "";
    lines.push([`Time: ${duration(run.durationMs)}${shorten(clean(by), limits.note)}`]);
  }
  if (run.pointCount !== undefined && !failed) {
    const removed = run.removed?.length ?? 0;
    const gone = removed === 0 ? "" : `; ${count(removed, "older file was", "older files were")} removed`;
    lines.push([`Kept: ${count(run.pointCount, "restore point")}${gone}`]);
  }
  return lines;
}

export function noteLines(word: string, notes: readonly string[]): Line[] {
  const more = notes.length - limits.notes;
  return [
    ...notes.slice(0, limits.notes).map((note): Line => [`${word}: ${shorten(clean(note), limits.note)}`]),
    ...(more > 0 ? [[`${word}: and ${more} more`]] : []),
  ];
}

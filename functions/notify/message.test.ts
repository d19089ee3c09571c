import { expect, test } from "vitest";
import { type ConditionData, conditionEvent, digestEvent, eventOf, renderedEvent } from "../../events/event.ts";
import type { Outcome } from "../../shared/run/report.ts";
import { describeOutcome, describeRun } from "../../shared/testing.ts";
import { messageOf } from "./message.ts";
import { toPlain } from "./text.ts";

const wording = {
  titleOf: (app: string) => ({ factorio: "Factorio", sdtd: "7 Days to Die" })[app],
  timeZone: "Europe/Berlin",
};

function told(changes: Partial<Outcome>, operation = "backup", app = "factorio"): string {
  const run = describeRun({ id: `${operation}-${app}-1`, app });
  const title = wording.titleOf(app) ?? app;
  const message = messageOf(eventOf(describeOutcome(run, { title, operation, ...changes })), wording);
  return toPlain(message?.text ?? []);
}

const file = (sizeBytes: number) => ({ name: "factorio-x.zip", sizeBytes, sha256: "0" });
const point = { id: "20251219T170000Z", takenAt: "2025-12-19T17:00:00Z", files: [file(8_100_000), file(312_000)] };

test("messageOf() tells a backup: size and change, time, what is kept", () => {
  expect(
    told({
      point,
      previousSizeBytes: 8_100_000,
      durationMs: 4200,
      pointCount: 5,
      removed: ["factorio-a.zip", "factorio-b.zip"],
      warnings: ["RCON did not answer: the game was not asked to save"],
      mended: ["removed what run backup-factorio-0 had left"],
    }),
  ).toBe(`✅ Saved: Factorio
Size: 8.4 MB, 312 kB more than the last one
Time: 4.2 s
Kept: 5 restore points; 2 older files were removed
Note: RCON did not answer: the game was not asked to save
Put in order: removed what run backup-factorio-0 had left
Run backup-factorio-1`);
});

test("messageOf() tells a first backup, of an app whose name is not its title", () => {
  expect(told({ point, durationMs: 125_000, pointCount: 1, startedBy: "make on laptop" }, "backup", "sdtd")).toBe(`✅ Saved: 7 Days to Die (sdtd)
Size: 8.4 MB
Time: 2 min 5 s, started by make on laptop
Kept: 1 restore point
Run backup-sdtd-1`); // biome-ignore format: the text is what matters
});

test("messageOf() tells that nothing has changed since when", () => {
  expect(
    told({ outcome: "unchanged", message: "Factorio: unchanged since x", point, pointCount: 5 }),
  ).toBe(`ℹ️ Unchanged: Factorio
The newest restore point is still that of 19 Dec 2025, 18:00.
Time: 1 s
Kept: 5 restore points
Run backup-factorio-1`);
});

test("messageOf() tells why a backup was put off", () => {
  expect(told({ outcome: "postponed", message: "Factorio: postponed: a model is being pulled" })).toBe(`ℹ️ Put off: Factorio
A model is being pulled
Time: 1 s
Run backup-factorio-1`); // biome-ignore format: the text is what matters
});

test("messageOf() tells a restore, and one beside production", () => {
  expect(told({ outcome: "restored", point, startedBy: "cli" }, "restore")).toBe(`✅ Restored: Factorio
From the restore point of 19 Dec 2025, 18:00
Size: 8.4 MB
Time: 1 s, started by cli
Run restore-factorio-1`);
  expect(told({ outcome: "restored", point, restoredTo: "/tmp/look" }, "restore")).toContain(
    "\nBeside production, in /tmp/look\n",
  );
});

test("messageOf() tells what was refused", () => {
  const failure = {
    code: "source_replaced" as const,
    message: "Cannot back up Factorio: map 3f2a is wanted, is map 9c01. It is another one than before",
    hint: "To get the old one back: make restore-factorio. If the new one is right: make accept-factorio",
    retryable: false,
  };
  expect(told({ outcome: "refused", failure })).toBe(`⚠️ Refused: backup of Factorio
Why: Cannot back up Factorio: map 3f2a is wanted, is map 9c01. It is another one than before
What to do: To get the old one back: make restore-factorio. If the new one is right: make accept-factorio
Time: 1 s, started by cron
Run backup-factorio-1`);
});

test("messageOf() tells what a drill has proven, and why one could not tell", () => {
  const proven = { pointId: point.id, tookMs: 3200, compared: ["6 tables", "1200 rows"] };
  expect(told({ outcome: "proven", point, drill: proven, durationMs: 14_000 }, "drill")).toBe(`✅ Proven restorable: Factorio
The restore point of 19 Dec 2025, 18:00 was restored into scratch space, and is what it was.
A restore takes 3.2 s
Compared: 6 tables, 1200 rows
Time: 14 s
Run drill-factorio-1`);
  const hindrance = {
    code: "no_space" as const,
    message: "Cannot restore into scratch space: 8.1 MB are wanted, are 1.2 MB",
    hint: "Free some space there.",
    retryable: true,
  };
  const open = { pointId: point.id, compared: [], hindrance };
  expect(told({ outcome: "inconclusive", point, drill: open }, "drill")).toBe(`⚠️ Neither proven nor disproven: Factorio
Why: Cannot restore into scratch space: 8.1 MB are wanted, are 1.2 MB
What to do: Free some space there.
It was the turn of the restore point of 19 Dec 2025, 18:00
Time: 1 s
Run drill-factorio-1`);
}); // biome-ignore format: the text is what matters

test("messageOf() tells which file has rotted, and what is still good", () => {
  const damaged = [
    { file: "history/factorio-a.zip", why: "its sha256 is another one" },
    { file: "history/factorio-b.zip", why: "it is missing" },
  ];
  const scrub = { files: 5, bytes: 9, totalFiles: 5, totalBytes: 9, damaged, good: ["20251219-170000"] };
  const message = 'Cannot vouch for "history/factorio-a.zip" on the NAS: its sha256 is another one, and 1 more';
  const hint = "Still good: 20251219-170000. A backup makes again what can be: make backup-factorio";
  const failure = { code: "backup_damaged" as const, message, hint, retryable: false };
  expect(told({ outcome: "failed", message, failure, scrub }, "scrub")).toBe(`❌ A backup is damaged: Factorio
Why: Cannot vouch for "history/factorio-a.zip" on the NAS: its sha256 is another one, and 1 more
Damaged as well: history/factorio-b.zip: it is missing
What to do: Still good: 20251219-170000. A backup makes again what can be: make backup-factorio
Time: 1 s, started by cron
Run scrub-factorio-1`);
  const whole = "Factorio: 5 of 5 files read back, all of them as they were";
  expect(told({ outcome: "scrubbed", message: whole, durationMs: 125_000 }, "scrub")).toBe(`✅ Read back and found whole: Factorio
5 of 5 files read back, all of them as they were
Time: 2 min 5 s
Run scrub-factorio-1`);
}); // biome-ignore format: the text is what matters

test("messageOf() tells why something failed and what to do, never a stack", () => {
  const message = `Cannot read "/nas/x": a file is wanted, is gone
    at read (/app/shared/nas/points.ts:12:3)
    at async Object.run (node:internal/x:1:2)`;
  expect(
    told({
      outcome: "failed",
      message,
      failure: {
        code: "nas_write_failed",
        message,
        hint: "Look at the NAS.\nThen: make backup-factorio",
        retryable: true,
      },
    }),
  ).toBe(`❌ Failed: backup of Factorio
Why: Cannot read "/nas/x": a file is wanted, is gone
What to do: Look at the NAS.
Then: make backup-factorio
Time: 1 s, started by cron
Run backup-factorio-1`);
});

test("messageOf() tells a failure that may pass, a refusal, a drill that failed, a run that was killed", () => {
  const failure = { code: "source_smaller" as const, message: "The save is smaller", retryable: false };
  const title = (changes: Partial<Outcome>, operation?: string) => told(changes, operation).split("\n")[0];
  expect(told({ outcome: "failed", failure: { ...failure, retryable: true } })).toContain(
    "What to do: Nothing yet; the next run may succeed by itself.\n",
  );
  expect(title({ outcome: "refused", failure })).toBe("⚠️ Refused: backup of Factorio");
  expect(title({ outcome: "failed", failure }, "drill")).toBe("❌ Failed: restore drill of Factorio");
  expect(title({ outcome: "interrupted", failure }, "undo")).toBe("❌ Interrupted: undoing the restore of Factorio");
  expect(title({ outcome: "cancelled", failure }, "restore")).toBe("⚠️ Cancelled: restore of Factorio");
});

test("messageOf() tells everything else by what the run says of itself", () => {
  expect(told({ outcome: "pinned", message: "Factorio: x is kept until it is unpinned" }, "pin")).toBe(`✅ Pinned: Factorio
X is kept until it is unpinned
Time: 1 s
Run pin-factorio-1`); // biome-ignore format: the text is what matters
});

test("messageOf() tells the outcome of a later version", () => {
  const { data, ...event } = eventOf(describeOutcome(describeRun({ app: "factorio" })));
  const later = { ...event, data: { ...data, outcome: "moved", message: "Moved to the attic", failure: undefined } };
  expect(toPlain(messageOf(later, wording)?.text ?? [])).toMatch(/^ℹ️ Moved: Box \(factorio\)\nMoved to the attic\n/);
});

test("messageOf() shortens many and long notes", () => {
  const text = told({ warnings: Array.from({ length: 8 }, (_, n) => `${n} ${"x".repeat(400)}`) });
  expect(text.match(/^Note: /gm)).toHaveLength(6);
  expect(text).toContain("\nNote: and 3 more\n");
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThan(260);
});

test("messageOf() hides what looks like a password or a token", () => {
  const message = "Cannot connect to postgres://admin:planted@db/x with 123456789:AAplanted_planted_planted_planted_1";
  const text = told({ outcome: "failed", message, failure: { code: "tool_failed", message, retryable: false } });
  expect(text).toContain("Cannot connect to postgres://…@db/x with [token]\n");
  expect(text).not.toContain("planted");
});

const late = {
  condition: "late:factorio",
  app: "factorio",
  message: "Factorio should have been backed up at 18:00 and was not",
  hint: "make backup-factorio",
  severity: "problem" as const,
  since: "2025-12-19T17:00:00Z",
  details: ["cron did not call", "the last good one is of 12:00"],
};
const plain = (event: Parameters<typeof messageOf>[0]) => toPlain(messageOf(event, wording)?.text ?? []);

test("messageOf() tells what is late, still late, and well again", () => {
  expect(plain(conditionEvent("backups.late", late, { time: "2025-12-19T17:30:00Z" }))).toBe(`❌ Late: Factorio
Factorio should have been backed up at 18:00 and was not
What to do: make backup-factorio
Since 19 Dec 2025, 18:00
• cron did not call
• the last good one is of 12:00
Watch late:factorio`);
  expect(plain(conditionEvent("backups.late", late, { time: "2025-12-20T17:30:00Z", again: 1 }))).toMatch(
    /^❌ Still late: Factorio\n/,
  );
  const over = { ...late, message: "Factorio was backed up", details: [] };
  expect(plain(conditionEvent("backups.recovered", over, { time: "2025-12-19T20:20:00Z" }))).toBe(`✅ Well again: Factorio
Factorio was backed up
It lasted 3 h 20 min, since 19 Dec 2025, 18:00
Watch late:factorio`); // biome-ignore format: the text is what matters
});

test("messageOf() tells what is raised by how bad it is, and what concerns no app by itself", () => {
  const { app: _, ...ofNoApp } = { ...late, condition: "nas:away", message: "The NAS does not answer" };
  const title = (data: ConditionData, again = 0) =>
    plain(conditionEvent("backups.raised", data, { time: late.since, again }))
      .split("\n")
      .slice(0, 2);
  expect(title(late)).toEqual(["❌ Not well: Factorio", late.message]);
  expect(title({ ...late, severity: "warning" }, 1)).toEqual(["⚠️ Still to be looked at: Factorio", late.message]);
  expect(title({ ...late, severity: "info" })).toEqual(["ℹ️ To be known: Factorio", late.message]);
  expect(title(ofNoApp)).toEqual(["❌ The NAS does not answer", "What to do: make backup-factorio"]);
  expect(title(ofNoApp, 2)[0]).toBe("❌ Still: The NAS does not answer");
  const back = { ...ofNoApp, message: "The NAS is back", details: [] };
  expect(plain(conditionEvent("backups.recovered", back, { time: "2025-12-19T17:05:00Z" }))).toBe(`✅ The NAS is back
It lasted 5 min, since 19 Dec 2025, 18:00
Watch nas:away`); // biome-ignore format: the text is what matters
});

test("messageOf() passes the digest on as it is", () => {
  const { app: _, hint: __, ...data } = { ...late, condition: "digest", severity: "info" as const };
  const event = digestEvent(
    { ...data, message: "All 6 apps are saved\nOldest backup: 5 h" },
    { day: "2025-12-19", time: late.since },
  );
  expect(plain(event)).toBe(`✅ All 6 apps are saved
Oldest backup: 5 h
• cron did not call
• the last good one is of 12:00`);
});

test("messageOf() leaves a render to the outcome of its run", () => {
  expect(messageOf(renderedEvent(describeOutcome(describeRun())), wording)).toBeUndefined();
});

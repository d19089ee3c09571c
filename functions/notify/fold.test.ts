import { expect, test } from "vitest";
import { eventOf } from "../../events/event.ts";
import type { Outcome } from "../../shared/run/report.ts";
import { describeOutcome, describeRun } from "../../shared/testing.ts";
import { foldedMessage, ofOneCause } from "./fold.ts";
import { toPlain } from "./text.ts";

const wording = { titleOf: () => undefined, timeZone: "UTC" };

function failed(app: string, code: NonNullable<Outcome["failure"]>["code"], finishedAt = "2025-12-19T18:00:05Z") {
  const run = describeRun({ id: `backup-${app}-1`, app });
  const message = "Cannot use the NAS: no answer within 5 s";
  const failure = { code, message, hint: "Is it switched on?", retryable: true };
  return { event: eventOf(describeOutcome(run, { title: app.toUpperCase(), outcome: "failed", finishedAt, failure })) };
}

test("foldedMessage() names all apps that failed for one reason", () => {
  const events = ["box", "crate"].map((app) => failed(app, "nas_unreachable").event);
  expect(toPlain(foldedMessage(events, wording).text)).toBe(`❌ Failed: backup of 2 apps, for one reason
Why: Cannot use the NAS: no answer within 5 s
What to do: Is it switched on?
• BOX: run backup-box-1
• CRATE: run backup-crate-1`); // biome-ignore format: the text is what matters
});

test("foldedMessage() tells each app's reason where they differ", () => {
  const [a, b] = ["box", "crate"].map((app) => failed(app, "no_space").event) as [never, never];
  const other = structuredClone(b) as ReturnType<typeof failed>["event"];
  Object.assign(other.data.failure as object, { message: "No space left in /scratch" });
  expect(toPlain(foldedMessage([a, other], wording).text)).toContain(
    "Why:\n• BOX: Cannot use the NAS: no answer within 5 s\n• CRATE: No space left in /scratch\n",
  );
});

test("ofOneCause() takes what failed together, for a reason that apps share", () => {
  const box = failed("box", "nas_unreachable");
  const crate = failed("crate", "nas_unreachable", "2025-12-19T18:14:00Z");
  const full = failed("jar", "no_space");
  const later = failed("tin", "nas_unreachable", "2025-12-19T18:16:00Z");
  const own = failed("can", "source_unreachable");
  const all = [box, full, crate, later, own];
  expect(ofOneCause(box, all)).toEqual([box, crate]);
  expect(ofOneCause(own, [...all, failed("pot", "source_unreachable")])).toEqual([own]);
});

import { expect, test } from "vitest";
import { Event, eventOf, subjects } from "./event.ts";
import { logPublisher } from "./publisher.ts";

const outcome = {
  runId: "backup-factorio-1a2b",
  app: "factorio",
  operation: "backup",
  outcome: "created",
  message: "Factorio: factorio-20251219-180000.zip made and verified",
  finishedAt: "2025-12-19T18:00:05.000Z",
};

test("eventOf() gives a CloudEvent 1.0 whose id comes from the run's and stays the same for ever", () => {
  const event = eventOf(outcome);
  expect(event).toEqual({
    specversion: "1.0",
    id: "backup-factorio-1a2b.outcome",
    source: "/keepsake/factorio",
    type: "keepsake.backups.completed.v1",
    subject: "backups.completed",
    time: "2025-12-19T18:00:05.000Z",
    datacontenttype: "application/json",
    data: outcome,
  });
  expect(eventOf({ ...outcome, outcome: "interrupted" }).id).toBe(event.id);
  expect(Event.parse(JSON.parse(JSON.stringify(event)))).toEqual(event);
});

test("eventOf() tells every outcome under the subject that it belongs to", () => {
  const wanted = {
    created: "backups.completed", unchanged: "backups.completed", restored: "backups.restored", refused: "backups.refused",
    failed: "backups.failed", interrupted: "backups.failed", cancelled: "backups.cancelled", undone: "backups.changed",
    pinned: "backups.changed", unpinned: "backups.changed", accepted: "backups.changed", flushed: "backups.changed",
  }; // biome-ignore format: a table
  for (const [name, subject] of Object.entries(wanted)) {
    expect(eventOf({ ...outcome, outcome: name }), name).toMatchObject({ subject, type: `keepsake.${subject}.v1` });
  }
  expect(new Set(Object.values(wanted))).toEqual(new Set(Object.values(subjects)));
});

test("Event accepts additions of a later version, in the envelope and in the data, and keeps them", () => {
  const event = { ...eventOf(outcome), traceparent: "00-0af7", data: { ...outcome, drill: { seconds: 3 } } };
  expect(Event.parse(event)).toEqual(event);
});

test("Event refuses what is no such event", () => {
  const event = eventOf(outcome);
  const { message: _, ...noMessage } = outcome;
  for (const change of [
    { specversion: "0.3" }, { id: "" }, { source: "" }, { type: "somebody.else.v1" }, { subject: "backups.*" },
    { datacontenttype: "text/plain" }, { data: noMessage }, { data: "text" }, { time: undefined },
  ]) expect(Event.safeParse({ ...event, ...change }).success, JSON.stringify(change)).toBe(false); // biome-ignore format: a table
});

test("logPublisher() writes the event's id and message to the log, and nothing else of it", async () => {
  const lines: unknown[] = [];
  await logPublisher({ info: (fields, message) => lines.push([fields, message]) }).publish(eventOf(outcome));
  expect(lines).toEqual([
    [{ event: { id: "backup-factorio-1a2b.outcome", type: "keepsake.backups.completed.v1" } }, outcome.message],
  ]);
});

import { expect, test } from "vitest";
import { conditionEvent, digestEvent, Event, eventOf, OutcomeEvent, renderedEvent, subjects } from "./event.ts";
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
    pinned: "backups.changed", unpinned: "backups.changed", accepted: "backups.changed", adopted: "backups.changed", flushed: "backups.changed",
    proven: "backups.proven", scrubbed: "backups.proven", inconclusive: "backups.inconclusive",
  }; // biome-ignore format: a table
  for (const [name, subject] of Object.entries(wanted)) {
    expect(eventOf({ ...outcome, outcome: name }), name).toMatchObject({ subject, type: `keepsake.${subject}.v1` });
  }
  expect(new Set(Object.values(wanted))).toEqual(new Set(OutcomeEvent.shape.subject.options));
});

const condition = {
  condition: "late:factorio",
  app: "factorio",
  message: "Factorio: no backup since Thursday 18:00",
  hint: "make backup-factorio",
  severity: "problem" as const,
  since: "2025-12-20T00:10:00.000Z",
};
const time = "2025-12-20T00:15:00.000Z";

test("conditionEvent() and digestEvent() give ids that say which telling of which condition it is", () => {
  const raised = conditionEvent("backups.late", condition, { time });
  expect(raised).toMatchObject({
    id: "late:factorio@2025-12-20T00:10:00.000Z.raised",
    source: "/keepsake/factorio",
    type: "keepsake.backups.late.v1",
    subject: "backups.late",
    time,
    data: condition,
  });
  const { app: _, ...ofNone } = { ...condition, condition: "nas:away", severity: "warning" as const };
  const again = conditionEvent("backups.raised", ofNone, { time, again: 2 });
  const recovered = conditionEvent("backups.recovered", condition, { time });
  const digest = digestEvent(ofNone, { day: "2025-12-20", time });
  expect([again.id, again.source, recovered.id, digest.id]).toEqual([
    "nas:away@2025-12-20T00:10:00.000Z.again-2",
    "/keepsake",
    "late:factorio@2025-12-20T00:10:00.000Z.recovered",
    "digest-2025-12-20",
  ]);
  for (const event of [raised, again, recovered, digest]) expect(Event.parse(event)).toEqual(event);
});

test("renderedEvent() tells of a render beside the outcome of its run", () => {
  const event = renderedEvent({ ...outcome, app: "mapshot" });
  expect(event).toMatchObject({
    id: "backup-factorio-1a2b.rendered",
    subject: "mapshot.rendered",
    type: "keepsake.mapshot.rendered.v1",
  });
  expect(Event.parse(event)).toEqual(event);
});

test("Event knows each subject, with the data that belongs to it", () => {
  for (const subject of Object.values(subjects)) {
    const event = { ...eventOf(outcome), subject, type: `keepsake.${subject}.v1` };
    const known = [outcome, condition].filter((data) => Event.safeParse({ ...event, data }).success);
    expect(known, subject).toEqual([
      ["late", "raised", "recovered", "digest"].includes(subject.slice(8)) ? condition : outcome,
    ]);
  }
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
    { subject: "backups.failed" }, { type: "keepsake.backups.digest.v1" },
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

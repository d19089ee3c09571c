import type { V1Job, V1Pod } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { Outcome } from "../run/report.ts";
import { describeOutcome, describeRun } from "../testing.ts";
import { endOfHindered, endOfSilent, leftInPod, terminationMessage, writtenOn } from "./run-end.ts";

const run = describeRun({ id: "run-1" });
const podThatLeft = (message: string) =>
  ({ status: { containerStatuses: [{ name: "runner", state: { terminated: { message } } }] } }) as unknown as V1Pod;

test("terminationMessage() of an outcome that fits is the outcome, and leftInPod() reads it", () => {
  const outcome = describeOutcome(run, { warnings: ["the clock jumped"] });
  expect(leftInPod(podThatLeft(terminationMessage(outcome)))).toEqual(outcome);
});

const files = Array.from({ length: 400 }, (_, n) => ({ name: `file-${n}.zip`, sizeBytes: n, sha256: "ab".repeat(32) }));
const long = "ä".repeat(9000);

test.each<[what: string, more: Partial<Outcome>]>([
  ["many files", { point: { id: "20251219-180000", takenAt: "2025-12-19T18:00:00Z", files } }],
  ["many deletions", { removed: files.map(({ name }) => name) }],
  ["many warnings", { warnings: files.map(({ name, sha256 }) => `${name} ${sha256}`) }],
  ["a long story", { message: long, failure: { code: "tool_failed", message: long, hint: long, retryable: true } }],
])("terminationMessage() of an outcome with %s is shortened to an outcome that says the same", (_, more) => {
  const outcome = describeOutcome(run, { outcome: "failed", ...more });
  const text = terminationMessage(outcome);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096);
  const left = Outcome.parse(JSON.parse(text));
  const { runId, app, operation, failure } = outcome;
  expect(left).toMatchObject({
    runId,
    app,
    operation,
    outcome: "failed",
    ...(failure && { failure: { code: failure.code } }),
  });
  expect(outcome.message.startsWith(left.message.replace("…", ""))).toBe(true);
});

test("leftInPod() and writtenOn() know of nothing while a run goes on, and when something else stands there", () => {
  expect(leftInPod(undefined)).toBeUndefined();
  expect(leftInPod({ status: {} } as V1Pod)).toBeUndefined();
  expect(leftInPod(podThatLeft("Killed"))).toBeUndefined();
  expect(writtenOn({ metadata: { annotations: { "keepsake.dev/outcome": "{" } } })).toBeUndefined();
  expect(writtenOn({})).toBeUndefined();
});

const nowMs = Date.parse("2025-12-19T18:05:00Z");

test("endOfSilent() tells a run that was cancelled from one that was killed", () => {
  const cancelled = { metadata: { annotations: { "keepsake.dev/cancelled": "2025-12-19T18:01:00Z" } } } as V1Job;
  expect(endOfSilent(run, undefined, { job: cancelled, pod: undefined, nowMs })).toMatchObject({
    outcome: "cancelled",
    failure: { code: "cancelled" },
  });
  const killed = endOfSilent(run, undefined, { job: {} as V1Job, pod: undefined, nowMs });
  expect(killed).toMatchObject({ runId: "run-1", outcome: "interrupted", finishedAt: "2025-12-19T18:05:00.000Z" });
  expect(killed.message).toContain("was killed before its end: its pod was deleted");
});

test("endOfHindered() is an outcome that fits onto the Job, from which it is read again", () => {
  const outcome = endOfHindered(run, undefined, { why: 'the claim "x" is not there', hint: "Make it." }, nowMs);
  expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "job_cannot_start", hint: "Make it." } });
  expect(writtenOn({ metadata: { annotations: { "keepsake.dev/outcome": JSON.stringify(outcome) } } })).toEqual(
    outcome,
  );
});

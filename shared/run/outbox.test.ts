import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Event } from "../../events/event.ts";
import { createStep, type Step } from "../step.ts";
import { describeOutcome, describeRun, makeNas, readTree, silentLog, stepsOf, stopDeadAt, tempFolder, testDisk } from "../testing.ts"; // biome-ignore format: one line reads better
import { flushOutbox, hasOutcome, type OutboxFolders, recordOutcome, takeOverOutbox } from "./outbox.ts";

const outcomeAt = (hour: number) =>
  describeOutcome(describeRun({ id: `run-${hour}` }), {
    finishedAt: `2025-12-19T${String(hour).padStart(2, "0")}:00:00.000Z`,
  });

/** Takes events, unless it is down; `told` is what anybody has heard, in order. */
function testPublisher() {
  const told: string[] = [];
  const publisher = {
    told,
    down: (_: string) => false,
    async publish(event: Event) {
      if (publisher.down(event.id)) throw new Error("NATS is away");
      told.push(event.id);
    },
  };
  return publisher;
}

const foldersIn = async (where: "disk" | "memory" = "disk") => (await makeNas(await tempFolder(where))).folders;
const record = (folders: OutboxFolders, hour: number, step: Step = createStep()) =>
  recordOutcome(folders, outcomeAt(hour), testDisk(step));
const flush = (folders: OutboxFolders, publisher: ReturnType<typeof testPublisher>, step: Step = createStep()) =>
  flushOutbox(folders, publisher, testDisk(step), silentLog);

test("flushOutbox() tells the oldest first, each once, and keeps what was told", async () => {
  const [folders, publisher] = [await foldersIn(), testPublisher()];
  for (const hour of [14, 2, 9]) expect(await record(folders, hour)).toBe(true);
  expect(await flush(folders, publisher)).toEqual({ told: 3, waiting: 0 });
  expect(publisher.told).toEqual(["run-2.outcome", "run-9.outcome", "run-14.outcome"]);
  expect(await flush(folders, publisher)).toEqual({ told: 0, waiting: 0 });
  expect(publisher.told).toHaveLength(3);
  expect((await readdir(folders.runs)).toSorted()).toEqual([
    "run-14.outcome.json",
    "run-2.outcome.json",
    "run-9.outcome.json",
  ]);
});

test("flushOutbox() stops at the first that cannot be told, so that the order is kept, and tells the rest later", async () => {
  const [folders, publisher] = [await foldersIn(), testPublisher()];
  for (const hour of [1, 2, 3]) await record(folders, hour);
  publisher.down = (id) => id === "run-2.outcome";
  expect(await flush(folders, publisher)).toEqual({ told: 1, waiting: 2 });
  expect(publisher.told).toEqual(["run-1.outcome"]);
  publisher.down = () => false;
  expect(await flush(folders, publisher)).toEqual({ told: 2, waiting: 0 });
  expect(publisher.told).toEqual(["run-1.outcome", "run-2.outcome", "run-3.outcome"]);
});

test("recordOutcome() keeps the first record of a run, told or not, and drops a second", async () => {
  const [folders, publisher] = [await foldersIn(), testPublisher()];
  expect(await hasOutcome(folders, "run-1")).toBe(false);
  expect(await record(folders, 1)).toBe(true);
  const interrupted = { ...outcomeAt(1), outcome: "interrupted" as const };
  expect(await recordOutcome(folders, interrupted, testDisk())).toBe(false);
  expect(await hasOutcome(folders, "run-1")).toBe(true);
  await flush(folders, publisher);
  expect(await recordOutcome(folders, interrupted, testDisk())).toBe(false);
  expect(await hasOutcome(folders, "run-1")).toBe(true);
  expect(Object.values(await readTree(folders.runs)).join()).not.toContain("interrupted");
  expect(await readTree(folders.outbox)).toEqual({});
});

test("recordOutcome() and flushOutbox() stopped dead at any change lose no outcome, and tell it again under the same id at most", async () => {
  const work = (folders: OutboxFolders, publisher: ReturnType<typeof testPublisher>) => async (step: Step) => {
    await record(folders, 1, step);
    await record(folders, 2, step);
    await flush(folders, publisher, step);
  };
  const count = (await stepsOf(work(await foldersIn("memory"), testPublisher()))).length;
  let repeated = 0;
  for (let at = 1; at <= count; at += 1) {
    const [folders, publisher] = [await foldersIn("memory"), testPublisher()];
    await stopDeadAt(at, work(folders, publisher));
    // Nobody hears of an outcome that is not on record.
    for (const id of publisher.told) expect(await hasOutcome(folders, id.replace(".outcome", ""))).toBe(true);
    // What the next run does: the killed ones' outcomes are recorded if they were not.
    await work(folders, publisher)(createStep());
    expect([...new Set(publisher.told)]).toEqual(["run-1.outcome", "run-2.outcome"]);
    repeated += publisher.told.length - 2;
    expect((await readdir(folders.runs)).toSorted()).toEqual(["run-1.outcome.json", "run-2.outcome.json"]);
    expect(await flush(folders, publisher)).toEqual({ told: 0, waiting: 0 });
  }
  // Killed between telling and marking as told: this is why consumers deduplicate.
  expect(repeated).toBeGreaterThan(0);
});

test("takeOverOutbox() brings what was written on this machine while the NAS was away, and tells nothing twice", async () => {
  const [nas, local, publisher] = [await foldersIn(), await foldersIn(), testPublisher()];
  await record(local, 1);
  await flush(local, publisher);
  await record(local, 2);
  await record(nas, 3);
  await takeOverOutbox(local, nas, testDisk());
  expect([await readTree(local.outbox), await readTree(local.runs)]).toEqual([{}, {}]);
  expect(await hasOutcome(nas, "run-1")).toBe(true);
  await flush(nas, publisher);
  expect(publisher.told).toEqual(["run-1.outcome", "run-2.outcome", "run-3.outcome"]);
});

test("takeOverOutbox() stopped dead at any change loses nothing", async () => {
  const world = async () => {
    const [nas, local, publisher] = [await foldersIn("memory"), await foldersIn("memory"), testPublisher()];
    await record(local, 1);
    await flush(local, publisher);
    await record(local, 2);
    return { nas, local, publisher };
  };
  const made = await world();
  const count = (await stepsOf((step) => takeOverOutbox(made.local, made.nas, testDisk(step)))).length;
  for (let at = 1; at <= count; at += 1) {
    const { nas, local, publisher } = await world();
    await stopDeadAt(at, (step) => takeOverOutbox(local, nas, testDisk(step)));
    await takeOverOutbox(local, nas, testDisk());
    await flush(nas, publisher);
    expect(publisher.told).toEqual(["run-1.outcome", "run-2.outcome"]);
    expect(await readdir(local.outbox)).toEqual([]);
  }
});

test("flushOutbox() passes over what is not a record, and a torn one", async () => {
  const [folders, publisher] = [await foldersIn(), testPublisher()];
  await record(folders, 1);
  for (const name of [".DS_Store", "._run-1.outcome.json", "run-0.outcome.json"])
    await writeFile(join(folders.outbox, name), "{");
  expect(await flush(folders, publisher)).toMatchObject({ told: 1 });
  expect((await readdir(folders.outbox)).length).toBe(3);
});

test("flushOutbox() keeps a thousand told outcomes, the newest", async () => {
  const [folders, publisher] = [await foldersIn("memory"), testPublisher()];
  const first = outcomeAt(0);
  for (let index = 0; index < 1102; index += 1) {
    const finishedAt = new Date(Date.UTC(2025, 0, 1) + index * 60_000).toISOString();
    await recordOutcome(folders, { ...first, runId: `run-${index}`, finishedAt }, testDisk());
  }
  await flush(folders, publisher);
  const names = await readdir(folders.runs);
  expect(names).toHaveLength(1000);
  expect(names).toContain("run-1101.outcome.json");
  expect(names).not.toContain("run-101.outcome.json");
});

import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Event } from "../../events/event.ts";
import { describeOutcome, describeRun, makeNas, silentLog, tempFolder, testDisk } from "../testing.ts";
import { localOutbox } from "./outbox.ts";
import type { Outcome } from "./report.ts";
import { settle } from "./settle.ts";

/* The way of an outcome, with the NAS, NATS, or both of them away. */

async function world() {
  const { root, folders } = await makeNas();
  const local = localOutbox(join(await tempFolder(), "state"), "box");
  const told: string[] = [];
  const world = {
    root,
    folders,
    local,
    told,
    isAwayFor: (_id: string) => false,
    settle: (outcome: Outcome, nas: "there" | "away" = "there") =>
      settle(outcome, undefined, {
        folders: nas === "there" ? folders : undefined,
        local,
        disk: testDisk(),
        ownDisk: testDisk(),
        log: silentLog,
        publisher: {
          async publish({ id }: Event) {
            if (world.isAwayFor(id)) throw new Error("NATS is away");
            told.push(id);
          },
        },
      }),
    waiting: async () => ({ nas: await names(folders.outbox), here: await names(local.outbox) }),
  };
  return world;
}

const names = async (folder: string) => (await readdir(folder).catch(() => [])).sort();
const outcome = (n: number, more: Partial<Outcome> = {}) =>
  describeOutcome(describeRun({ id: `run-${n}` }), { finishedAt: `2025-12-19T18:00:0${n}.000Z`, ...more });

test("settle() with all there records the outcome, tells it, and marks it as told", async () => {
  const { settle, told, waiting, folders } = await world();
  await settle(outcome(1));
  expect([told, await names(folders.runs)]).toEqual([["run-1.outcome"], ["run-1.outcome.json"]]);
  expect(await waiting()).toEqual({ nas: [], here: [] });
});

test("settle() without NATS lets the outcome wait on the NAS; the next one tells it, older ones first", async () => {
  const w = await world();
  w.isAwayFor = () => true;
  await w.settle(outcome(1));
  await w.settle(outcome(2));
  expect([w.told, await w.waiting()]).toEqual([[], { nas: ["run-1.outcome.json", "run-2.outcome.json"], here: [] }]);
  w.isAwayFor = () => false;
  await w.settle(outcome(3));
  expect(w.told).toEqual(["run-1.outcome", "run-2.outcome", "run-3.outcome"]);
  expect(await w.waiting()).toEqual({ nas: [], here: [] });
});

test("settle() without the NAS tells at once, and not again when the record reaches the NAS", async () => {
  const { settle, told, waiting, folders } = await world();
  await settle(outcome(1), "away");
  expect([told, await waiting()]).toEqual([["run-1.outcome"], { nas: [], here: [] }]);
  await settle(outcome(2));
  expect(told).toEqual(["run-1.outcome", "run-2.outcome"]);
  expect(await names(folders.runs)).toEqual(["run-1.outcome.json", "run-2.outcome.json"]);
});

test("settle() whose NAS goes away before it can write does the same", async () => {
  const { settle, told, waiting, root } = await world();
  await rename(root, `${root}.away`);
  onTestFinished(() => rm(`${root}.away`, { recursive: true }));
  // A mount that is gone leaves a folder that nobody may write into.
  await writeFile(root, "");
  await settle(outcome(1));
  expect([told, (await waiting()).here]).toEqual([["run-1.outcome"], []]);
});

test("settle() without both keeps the outcome on this machine, for the next run that finds either", async () => {
  const w = await world();
  w.isAwayFor = () => true;
  await w.settle(outcome(1), "away");
  expect([w.told, await w.waiting()]).toEqual([[], { nas: [], here: ["run-1.outcome.json"] }]);
  w.isAwayFor = () => false;
  await w.settle(outcome(2), "away");
  expect([w.told, await w.waiting()]).toEqual([["run-1.outcome", "run-2.outcome"], { nas: [], here: [] }]);
});

test("settle() tells even what it can record nowhere", async () => {
  const { settle, told, local } = await world();
  await mkdir(join(local.outbox, ".."), { recursive: true });
  await writeFile(local.outbox, "no folder");
  await settle(outcome(1, { announces: "mapshot.rendered" }), "away");
  expect(told).toEqual(["run-1.outcome", "run-1.rendered"]);
});

test("settle() tells what an outcome announces right after it, and both again when only the one was told", async () => {
  const w = await world();
  const announcing = outcome(1, { announces: "mapshot.rendered" });
  w.isAwayFor = (id) => id.endsWith(".rendered");
  await w.settle(announcing);
  expect([w.told, (await w.waiting()).nas]).toEqual([["run-1.outcome"], ["run-1.outcome.json"]]);
  w.isAwayFor = () => false;
  await w.settle(outcome(2));
  expect(w.told).toEqual(["run-1.outcome", "run-1.outcome", "run-1.rendered", "run-2.outcome"]);
  expect(await w.waiting()).toEqual({ nas: [], here: [] });
});

import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { RestoreTarget } from "../app.ts";
import { createStep, type Step } from "../step.ts";
import { boxContext, describeRun, readTree, stepsOf, stopDeadAt, tempFolder, writeTree } from "../testing.ts";
import { type FolderApp, folderTarget } from "./folder-target.ts";

/* Restores that put in place what lies deeper in the data folder, and leave everything beside it alone. */

type Tree = Record<string, string>;
const point = { id: "20251219-180000", takenAtMs: Date.parse("2025-12-19T18:00:00Z") };
const present: Tree = { "saves/home/one/a": "old", "saves/home/two/a": "another game", "saves/admin": "a person's" };
const incoming: Tree = { "saves/home/one/a": "new", "saves/home/one/b": "new", "worlds/home/map": "new" };
const units = ["worlds/home", "saves/home/one"];
const restored: Tree = { ...present, ...incoming };

function targetOf(folder: string, step: Step, runId: string, app: Partial<FolderApp<unknown>> = {}): RestoreTarget {
  return folderTarget(boxContext(step, describeRun({ id: runId })), {
    folder,
    replaces: () => [],
    units: async () => units,
    unpack: async ({ disk }, _files, _point, into) => {
      for (const [path, content] of Object.entries(incoming)) {
        await disk.makeDir(join(into, path, ".."));
        await disk.write(join(into, path), content);
      }
    },
    describe: async () => ({ label: "a box" }),
    ...app,
  });
}

async function dataFolder(files: Tree): Promise<string> {
  const folder = join(await tempFolder("memory"), "data");
  await mkdir(folder);
  await writeTree(folder, files);
  return folder;
}

const dataOf = async (folder: string): Promise<Tree> =>
  Object.fromEntries(Object.entries(await readTree(folder)).filter(([path]) => !path.startsWith(".keepsake/")));

async function restore(target: RestoreTarget): Promise<void> {
  await target.stage(new Map(), point);
  await target.swap();
  await target.commit();
}

async function undo(target: RestoreTarget): Promise<void> {
  const [aside] = await target.asides();
  await target.stageAside(aside as never);
  await target.swap();
  await target.commit();
}

test("folderTarget() replaces the units only, in their order, and makes the folders that they need", async () => {
  const folder = await dataFolder(present);
  const steps: string[] = [];
  await restore(targetOf(folder, createStep({ onStep: (what) => void steps.push(what) }), "run-1"));
  expect(await dataOf(folder)).toEqual(restored);
  const places = steps.filter(
    (what) => what.startsWith("rename") && !what.includes("replaced") && !what.includes("tmp"),
  );
  expect(places.map((what) => what.replace(/.* to .*\/data\//, ""))).toEqual(units);
});

test("an undo puts back what was replaced, and takes away what was brought where nothing was", async () => {
  const folder = await dataFolder(present);
  await restore(targetOf(folder, createStep(), "run-1"));
  await undo(targetOf(folder, createStep(), "run-2"));
  expect(await dataOf(folder)).toEqual(present);
  await undo(targetOf(folder, createStep(), "run-3"));
  expect(await dataOf(folder)).toEqual(restored);
});

test("an undo of a restore into an empty folder empties it again", async () => {
  const folder = await dataFolder({});
  await restore(targetOf(folder, createStep(), "run-1"));
  await undo(targetOf(folder, createStep(), "run-2"));
  expect(await dataOf(folder)).toEqual({});
});

test("an undo leaves what was brought, when the app wants that", async () => {
  const folder = await dataFolder(present);
  await restore(targetOf(folder, createStep(), "run-1", { keepsBrought: true }));
  await undo(targetOf(folder, createStep(), "run-2", { keepsBrought: true }));
  expect(await dataOf(folder)).toEqual({ ...present, "worlds/home/map": "new" });
});

test("a roll back removes the folders that the restore had made", async () => {
  const folder = await dataFolder(present);
  const target = targetOf(folder, createStep(), "run-1");
  await target.stage(new Map(), point);
  await target.swap();
  await target.rollBack();
  expect(await dataOf(folder)).toEqual(present);
  expect(await readTree(join(folder, ".keepsake"))).toEqual({});
  await expect(readTree(join(folder, "worlds"))).resolves.toEqual({});
  expect((await readdir(folder)).sort()).toEqual([".keepsake", "saves"]);
});

for (const [what, work, after] of [
  ["a restore", (folder: string, step: Step) => restore(targetOf(folder, step, "run-1")), restored],
  ["an undo", (folder: string, step: Step) => undo(targetOf(folder, step, "run-1")), present],
] as const) {
  const before = what === "a restore" ? present : restored;
  const lay = async () => {
    const folder = await dataFolder(present);
    if (what === "an undo") await restore(targetOf(folder, createStep(), "run-0"));
    return folder;
  };

  test(`${what} of units killed at any change is finished or undone by the next run, whole`, async () => {
    const count = (await stepsOf(async (step) => work(await lay(), step))).length;
    expect(count).toBeGreaterThan(15);
    for (let at = 1; at <= count; at += 1) {
      const folder = await lay();
      await stopDeadAt(at, (step) => work(folder, step));
      await targetOf(folder, createStep(), "run-2").recover(async () => {});
      expect([before, after], `after change ${at}`).toContainEqual(await dataOf(folder));
      await work(folder, createStep()).catch(() => {});
      expect(Object.keys(await dataOf(folder))).toContain("saves/admin");
    }
  });
}

import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AppType, BackupApp, DrillApp, RunContext } from "../app.ts";
import { Failure, type FailureCode } from "../failures.ts";
import { readMarks } from "../nas/damage.ts";
import { listPoints } from "../nas/points.ts";
import { createStep } from "../step.ts";
import {
  boxArtefact,
  boxContext,
  boxRun,
  boxType,
  makeNas,
  makePoint,
  readTree,
  tempFolder,
  writeTree,
} from "../testing.ts";
import { runDrill } from "./drill.ts";
import { requireSame } from "./drill-compare.ts";
import { readDrillState } from "./drill-state.ts";
import { folderTarget } from "./folder-target.ts";

const ids = ["20251217-180000", "20251218-180000", "20251219-180000"] as const;
type Settings = { folder: string; size: number };

/** A drill of a box: its one file is what was recorded. */
const boxDrill: DrillApp<Settings> = {
  neededBytes: () => 100,
  open: async ({ settings }, _, folder) => ({ settings: { ...settings, folder: join(folder, "box") } }),
  compare: async ({ settings }, { id, manifest }) => {
    requireSame(id, "content", manifest?.facts.content, await readFile(join(settings.folder, "box"), "utf8"));
    return ["the content"];
  },
};

const typeOf = (drill: Partial<DrillApp<Settings>>): AppType<Settings> => ({
  ...boxType,
  loadBackup: async () => ({ verify: async () => ({ facts: {} }) }) as unknown as BackupApp<Settings>,
  loadRestore: async () => ({
    needsStop: true,
    target: (ctx) =>
      folderTarget(ctx, {
        folder: ctx.settings.folder,
        replaces: () => ["box"],
        unpack: async (_, files, __, into) => {
          for (const file of files.values()) await ctx.disk.write(join(into, "box"), file.stream());
        },
        describe: async () => undefined,
      }),
  }),
  loadDrill: async () => ({ ...boxDrill, ...drill }),
});

async function lab(drill: Partial<DrillApp<Settings>> = {}) {
  const { folders } = await makeNas();
  for (const [index, id] of ids.entries()) {
    await makePoint(folders, id, { sequence: index + 1, manifest: { facts: { content: `content of ${id}` } } });
  }
  const [production, root] = [await tempFolder(), await tempFolder()];
  const run = async (at?: string, changes: Partial<RunContext> = {}) => {
    const ctx = { ...boxContext(createStep()), settings: { folder: production, size: 1 }, ...changes };
    const appRun = { ...boxRun(ctx, folders), type: typeOf(drill) as AppType<unknown> };
    const ended = await runDrill(appRun, { operation: "drill", app: "box", ...(at !== undefined && { at }) }, root);
    expect(await readdir(root), "scratch space is empty again").toEqual([]);
    expect(await readdir(production), "nothing was put into production").toEqual([]);
    return ended;
  };
  const pathOf = (id: string) => join(folders.history, boxArtefact.naming.name(id));
  const proven = async () => {
    const state = await readDrillState(folders);
    return (await listPoints(folders, [boxArtefact])).map((point) => state.proven(point)?.at);
  };
  const good = async () => (await listPoints(folders, [boxArtefact])).map((point) => point.good);
  return { folders, run, pathOf, proven, good };
}

const failing = (code: FailureCode): Partial<DrillApp<Settings>> => ({
  compare: () => Promise.reject(new Failure(code, `Cannot: ${code}`, { hint: "Look there." })),
});

test("runDrill() lets the newest point and older ones take turns, those first that were drilled longest ago", async () => {
  const { run, proven } = await lab();
  const drilled = [];
  for (let drills = 1; drills <= 6; drills++) {
    const nowMs = Date.parse("2025-12-20T18:00:00Z") + drills * 7 * 86_400_000;
    drilled.push((await run(undefined, { now: () => nowMs })).drill?.pointId);
  }
  expect(drilled).toEqual([ids[2], ids[0], ids[2], ids[1], ids[2], ids[0]]);
  expect(await proven()).toEqual(["2026-01-31T18:00:00.000Z", "2026-01-17T18:00:00.000Z", "2026-01-24T18:00:00.000Z"]);
});

test("runDrill() proves the point that is named, and keeps how long it took", async () => {
  const { run, folders } = await lab();
  expect(await run(ids[1])).toMatchObject({
    outcome: "proven",
    message: expect.stringMatching(
      /^Box: 20251218-180000 was restored into scratch space in \d+\.\d s, and is what it was: the content$/,
    ),
    drill: { pointId: ids[1], tookMs: expect.any(Number), compared: ["the content"] },
  });
  const [, point] = await listPoints(folders, [boxArtefact]);
  expect((await readDrillState(folders)).proven(point as never)?.tookMs).toEqual(expect.any(Number));
});

test.each(["no_space", "tool_missing", "target_invalid", "override_needed", "source_unreachable"] as const)(
  "runDrill() is inconclusive when this machine lacks something (%s): nothing is marked, what was proven stays",
  async (code) => {
    const drill: Partial<DrillApp<Settings>> = {};
    const { run, folders, proven, good } = await lab(drill);
    await run(ids[2]);
    const before = await proven();
    Object.assign(drill, failing(code));
    const ended = await run(ids[2]);
    expect(ended).toMatchObject({
      outcome: "inconclusive",
      message: `Box: nothing was proven: Cannot: ${code}`,
      drill: {
        compared: [],
        hindrance: { code, hint: expect.stringContaining(code === "no_space" ? "drillFolder" : "Look there.") },
      },
    });
    expect(ended.failure).toBeUndefined();
    expect([await proven(), await good(), await readMarks(folders)]).toEqual([before, [true, true, true], []]);
  },
);

test("runDrill() looks first whether there is room", async () => {
  const opened: string[] = [];
  const { run } = await lab({
    neededBytes: () => 1e18,
    open: async (_, { id }) => {
      opened.push(id);
      throw new Error("not so far");
    },
  });
  expect(await run()).toMatchObject({ outcome: "inconclusive", drill: { hindrance: { code: "no_space" } } });
  expect(opened).toEqual([]);
});

test("runDrill() fails for a point that is not what was recorded: it counts for nothing, though its bytes are the same", async () => {
  const drill: Partial<DrillApp<Settings>> = failing("backup_damaged");
  const { run, folders, good, proven } = await lab(drill);
  expect(await run(ids[1])).toMatchObject({
    outcome: "failed",
    message: "Box: 20251218-180000 (box-20251218-180000.box) cannot be restored: Cannot: backup_damaged",
    failure: { code: "backup_damaged", hint: expect.stringContaining("make list-box") },
  });
  expect(await good()).toEqual([true, false, true]);
  expect(await readMarks(folders)).toMatchObject([{ point: ids[1], by: "drill" }]);
  Object.assign(drill, boxDrill);
  const warnings: string[] = [];
  const mended = await run(ids[1], { warn: (text: string) => void warnings.push(text) });
  expect([mended.outcome, warnings]).toEqual(["proven", ["20251218-180000 was damaged, and is what it was again"]]);
  expect([await good(), (await proven())[1]]).toEqual([[true, true, true], expect.any(String)]);
});

test("runDrill() marks the file when that is what has changed, for every point that needs it", async () => {
  const { run, pathOf, folders } = await lab();
  await writeFile(pathOf(ids[2]), `content of ${ids[1]}`);
  expect(await run(ids[2])).toMatchObject({ outcome: "failed", message: expect.stringContaining("sha256") });
  expect(await readMarks(folders)).toMatchObject([{ name: "box-20251219-180000.box", by: "drill" }]);
});

test("runDrill() that fails for another reason says that the bytes are what they were, and marks nothing", async () => {
  const { run, folders, good } = await lab(failing("tool_failed"));
  expect(await run()).toMatchObject({
    outcome: "failed",
    failure: { code: "drill_failed", message: expect.stringContaining("could not be restored: Cannot: tool_failed") },
  });
  expect([await good(), await readMarks(folders)]).toEqual([[true, true, true], []]);
});

test("runDrill() is inconclusive when the retention removes the point meanwhile", async () => {
  const compare: { now?: () => Promise<void> } = {};
  const { run, pathOf } = await lab({
    async compare() {
      await compare.now?.();
      throw new Failure("backup_damaged", "Cannot find it");
    },
  });
  compare.now = () => rm(pathOf(ids[2]));
  expect(await run(ids[2])).toMatchObject({
    outcome: "inconclusive",
    message: expect.stringContaining("20251219-180000 was replaced or removed by a backup meanwhile"),
  });
});

test("runDrill() is inconclusive where there is no backup, and of a type that has no drill", async () => {
  const { folders } = await makeNas();
  const none = { ...boxRun(boxContext(createStep()), folders), type: typeOf({}) as AppType<unknown> };
  expect(await runDrill(none, { operation: "drill", app: "box" }, await tempFolder())).toMatchObject({
    outcome: "inconclusive",
    message: "Box: nothing was proven: there is no backup yet",
  });
  await makePoint(folders, ids[0], { sequence: 1 });
  expect(
    await runDrill(boxRun(boxContext(createStep()), folders), { operation: "drill", app: "box" }, await tempFolder()),
  ).toMatchObject({ outcome: "inconclusive", message: expect.stringContaining("a backup of Box has no drill") });
});

test("runDrill() removes nothing but its own folder, wherever drills restore to", async () => {
  const { folders } = await makeNas();
  await makePoint(folders, ids[0], { sequence: 1, manifest: { facts: { content: `content of ${ids[0]}` } } });
  const root = await tempFolder();
  await writeTree(root, { "box/box": "somebody else's" });
  const run = { ...boxRun(boxContext(createStep()), folders), type: typeOf({}) as AppType<unknown> };
  expect((await runDrill(run, { operation: "drill", app: "box" }, root)).outcome).toBe("proven");
  expect(await readTree(root)).toEqual({ "box/box": "somebody else's" });
});

test("runDrill() closes what it has opened, however it ends", async () => {
  const ended: string[] = [];
  const open: DrillApp<Settings>["open"] = async (ctx, point, folder) => ({
    ...(await boxDrill.open(ctx, point, folder)),
    close: async () => void ended.push(point.id),
  });
  await (await lab({ open })).run(ids[0]);
  await (await lab({ open, ...failing("internal") })).run(ids[1]);
  const stop = new AbortController();
  const compare = async () => {
    stop.abort(new Failure("cancelled", "cancelled"));
    return [];
  };
  const aborting = await lab({ open, compare });
  await aborting.run(ids[2], { signal: stop.signal }).catch(() => {});
  expect(ended).toEqual([...ids]);
});

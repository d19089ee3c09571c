import { mkdir, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Aside, RestoreTarget } from "../app.ts";
import { createStep, type Step } from "../step.ts";
import { boxContext, describeRun, readTree, stepsOf, stopDeadAt, tempFolder, writeTree } from "../testing.ts";
import { folderTarget } from "./folder-target.ts";

type Tree = Record<string, string>;

const point = { id: "20251219-180000", takenAtMs: Date.parse("2025-12-19T18:00:00Z") };
const old: Tree = { "a.dat": "old a", "b.dat/inner": "old b", "notes.txt": "a person's", "saves/x.txt": "a person's" };
const fresh: Tree = { "a.dat": "new a", "c.dat/inner": "new c" };
const restored: Tree = { ...fresh, "notes.txt": "a person's", "saves/x.txt": "a person's" };

/** Restores `incoming` into a folder of which it replaces the names that end with ".dat". */
function targetOf(folder: string, step: Step, { runId = "run-1", incoming = fresh } = {}): RestoreTarget {
  return folderTarget(boxContext(step, describeRun({ id: runId })), {
    folder,
    replaces: (names) => names.filter((name) => name.endsWith(".dat")),
    unpack: async ({ disk }, _files, _point, into) => {
      for (const [path, content] of Object.entries(incoming)) {
        await disk.makeDir(join(into, path, ".."));
        await disk.write(join(into, path), content);
      }
    },
    describe: async () => ({ label: "a box" }),
  });
}

async function restore(target: RestoreTarget): Promise<void> {
  await target.stage(new Map(), point);
  await target.swap();
  await target.commit();
}

const dataOf = async (folder: string): Promise<Tree> =>
  Object.fromEntries(Object.entries(await readTree(folder)).filter(([path]) => !path.startsWith(".keepsake/")));

const hiddenOf = async (folder: string) => Object.keys(await readTree(join(folder, ".keepsake")));

async function folderWith(files: Tree): Promise<string> {
  const folder = join(await tempFolder("memory"), "data");
  await mkdir(folder);
  await writeTree(folder, files);
  return folder;
}

/** Recovers as the next run does, and checks that the app is stopped before any of its data moves. */
async function recoverAs(runId: string, folder: string, step: Step = createStep()) {
  const before = await dataOf(folder);
  let stopped = false;
  const recovered = await targetOf(folder, step, { runId }).recover(async () => {
    expect(await dataOf(folder)).toEqual(before);
    stopped = true;
  });
  if (!stopped) expect(await dataOf(folder)).toEqual(before);
  return recovered;
}

test("folderTarget() puts the new data in place, keeps what was there, and leaves unknown names alone", async () => {
  const folder = await folderWith(old);
  const target = targetOf(folder, createStep());
  await target.stage(new Map(), point);
  expect(await dataOf(folder)).toEqual(old);
  await target.swap();
  expect(await dataOf(folder)).toEqual(restored);
  await target.commit();
  expect(await hiddenOf(folder)).toEqual(["replaced/run-1.json", "replaced/run-1/a.dat", "replaced/run-1/b.dat/inner"]);
  expect(await target.asides()).toEqual([{ id: "run-1", setAsideAtMs: point.takenAtMs, label: "a.dat, b.dat" }]);
});

test("folderTarget() makes the folder when it is gone with all its data", async () => {
  const folder = join(await tempFolder(), "data");
  await restore(targetOf(folder, createStep()));
  expect(await dataOf(folder)).toEqual(fresh);
});

test("folderTarget() sets a name aside that the restore brings too, even one that it does not replace as a rule", async () => {
  const folder = await folderWith(old);
  const target = targetOf(folder, createStep(), { incoming: { "notes.txt": "new" } });
  await restore(target);
  expect(await dataOf(folder)).toEqual({ "notes.txt": "new", "saves/x.txt": "a person's" });
  expect(await readTree(join(folder, ".keepsake/replaced/run-1"))).toMatchObject({ "notes.txt": "a person's" });
});

test("rollBack() gives back what was there, before the swap and after it", async () => {
  for (const swapped of [false, true]) {
    const folder = await folderWith(old);
    const target = targetOf(folder, createStep());
    await target.stage(new Map(), point);
    if (swapped) await target.swap();
    await target.rollBack();
    expect(await dataOf(folder)).toEqual(old);
    expect(await hiddenOf(folder)).toEqual([]);
    expect(await target.asides()).toEqual([]);
  }
});

test("rollBack() after the commit changes nothing any more", async () => {
  const folder = await folderWith(old);
  const target = targetOf(folder, createStep());
  await restore(target);
  await target.rollBack();
  expect(await dataOf(folder)).toEqual(restored);
  expect(await target.asides()).toHaveLength(1);
});

test("stageAside() and swap() undo a restore, and can themselves be undone", async () => {
  const folder = await folderWith(old);
  await restore(targetOf(folder, createStep()));
  const undo = async (runId: string) => {
    const target = targetOf(folder, createStep(), { runId });
    const [aside] = await target.asides();
    if (aside) await target.stageAside(aside);
    await target.swap();
    await target.commit();
  };
  await undo("run-2");
  expect(await dataOf(folder)).toEqual(old);
  expect(await hiddenOf(folder)).toEqual(["replaced/run-2.json", "replaced/run-2/a.dat", "replaced/run-2/c.dat/inner"]);
  await undo("run-3");
  expect(await dataOf(folder)).toEqual(restored);
});

test("stageAside() says when what was set aside is not there any more", async () => {
  const folder = await folderWith(old);
  const target = targetOf(folder, createStep());
  await expect(target.stageAside({ id: "run-0", setAsideAtMs: 0, label: "x" })).rejects.toMatchObject({
    code: "not_found",
  });
  expect(await dataOf(folder)).toEqual(old);
});

test("removeAside() removes what was set aside, and nothing of the data", async () => {
  const folder = await folderWith(old);
  const target = targetOf(folder, createStep());
  await restore(target);
  for (const aside of await target.asides()) await target.removeAside(aside);
  expect(await dataOf(folder)).toEqual(restored);
  expect(await hiddenOf(folder)).toEqual([]);
});

test("recover() has nothing to do where nothing was left, and changes nothing", async () => {
  const folder = await folderWith(old);
  const steps = await stepsOf(async (step) => {
    expect(await recoverAs("run-2", folder, step)).toEqual({ action: "nothing" });
  });
  expect(steps).toEqual([]);
});

describe("recover() after a run that was stopped dead at any of its changes", () => {
  const scenarios: Record<string, { before: Tree; after: Tree; prepare?: (folder: string) => Promise<void> }> = {
    "a restore over data": { before: old, after: restored },
    "a restore into an empty folder": { before: {}, after: fresh },
    "an undo": {
      before: restored,
      after: old,
      prepare: async (folder) => {
        await restore(targetOf(folder, createStep(), { runId: "run-0" }));
      },
    },
  };

  for (const [name, { before, after, prepare }] of Object.entries(scenarios)) {
    const start = async () => {
      const folder = await folderWith(prepare ? after : before);
      await prepare?.(folder);
      return folder;
    };
    const change = (folder: string) => async (step: Step) => {
      const target = targetOf(folder, step);
      const [aside] = prepare ? await target.asides() : [];
      if (aside) await target.stageAside(aside);
      else await target.stage(new Map(), point);
      await target.swap();
      await target.commit();
    };

    test(`${name}: the data is exactly the old or the new, and the next try works`, { timeout: 20_000 }, async () => {
      const count = (await stepsOf(change(await start()))).length;
      expect(count).toBeGreaterThan(15);
      for (let at = 1; at <= count; at += 1) {
        // Now and then the recovery is itself stopped dead, at each of its changes in turn.
        for (const recoveryAt of at % 3 === 0 ? [0, 1 + ((at / 3) % 9)] : [0]) {
          const folder = await start();
          expect(await stopDeadAt(at, change(folder))).toBe("stopped");
          if (recoveryAt > 0) await stopDeadAt(recoveryAt, async (step) => recoverAs("run-2", folder, step));
          const { action } = await recoverAs("run-3", folder);
          const committed = (await targetOf(folder, createStep()).asides()).some(({ id }) => id === "run-1");
          expect(await dataOf(folder), `killed at ${at}`).toEqual(committed ? after : before);
          if (recoveryAt === 0 && action === "rolled_back") expect(committed).toBe(false);
          if (action === "rolled_forward") expect(committed).toBe(true);
          const left = await hiddenOf(folder);
          const kept = committed ? /^replaced\/run-1[/.]/ : /^replaced\/run-0[/.]/;
          expect(
            left.filter((path) => !kept.test(path) || path.includes(".tmp")),
            `killed at ${at}`,
          ).toEqual([]);
          expect(await recoverAs("run-4", folder)).toEqual({ action: "nothing" });
          if (!committed) await change(folder)(createStep());
          expect(await dataOf(folder)).toEqual(after);
        }
      }
    });
  }

  test("a roll back: the data is the old, whatever is left of it to do", async () => {
    const rollBack = (folder: string) => async (step: Step) => targetOf(folder, step).rollBack();
    const swapped = async () => {
      const folder = await folderWith(old);
      const target = targetOf(folder, createStep());
      await target.stage(new Map(), point);
      await target.swap();
      return folder;
    };
    const count = (await stepsOf(rollBack(await swapped()))).length;
    for (let at = 1; at <= count; at += 1) {
      const folder = await swapped();
      await stopDeadAt(at, rollBack(folder));
      await recoverAs("run-2", folder);
      expect(await dataOf(folder), `killed at ${at}`).toEqual(old);
      expect(await hiddenOf(folder)).toEqual([]);
    }
  });
});

test("recover() after a roll back that was killed while it removed the work folder, new data first, leaves the old data", async () => {
  const folder = await folderWith(old);
  const target = targetOf(folder, createStep());
  await target.stage(new Map(), point);
  await target.swap();
  const rollBack = (step: Step) => targetOf(folder, step).rollBack();
  const work = join(folder, ".keepsake/restore");
  const untilRemoval = createStep({
    onStep: (what) => {
      if (what === `remove tree ${work}`) throw new Error("killed");
    },
  });
  await expect(rollBack(untilRemoval)).rejects.toThrow("killed");
  await rm(join(work, "new"), { recursive: true });
  expect((await recoverAs("run-2", folder)).action).toBe("rolled_back");
  expect(await dataOf(folder)).toEqual(old);
  expect(await hiddenOf(folder)).toEqual([]);
});

describe("recover() that cannot know what a killed restore moved", () => {
  const half = async () => {
    const folder = await folderWith(old);
    const target = targetOf(folder, createStep());
    await target.stage(new Map(), point);
    await target.swap();
    return folder;
  };
  const journal = ".keepsake/restore/journal.json";
  const cases: Record<string, { code: string; spoil: (folder: string) => Promise<void> }> = {
    "the journal cannot be read": {
      code: "source_unreachable",
      spoil: async (folder) => {
        await rm(join(folder, journal));
        await mkdir(join(folder, journal));
      },
    },
    "the journal is damaged": { code: "restore_failed", spoil: (folder) => writeFile(join(folder, journal), '{"ru') },
    "the journal was removed by hand": { code: "restore_failed", spoil: (folder) => rm(join(folder, journal)) },
    "all of restore/ was removed by hand": {
      code: "restore_failed",
      spoil: (folder) => rm(join(folder, ".keepsake/restore"), { recursive: true }),
    },
  };
  for (const [name, { code, spoil }] of Object.entries(cases)) {
    test(`removes nothing and fails, so that no app is started over half of it: ${name}`, async () => {
      const folder = await half();
      await spoil(folder);
      const before = await readTree(folder);
      await expect(recoverAs("run-2", folder)).rejects.toMatchObject({ code });
      expect(await readTree(folder)).toEqual(before);
    });
  }
});

test("stageAside() refuses what was set aside once part of it was removed by hand", async () => {
  const folder = await folderWith(old);
  const target = targetOf(folder, createStep());
  await restore(target);
  await rm(join(folder, ".keepsake/replaced/run-1/a.dat"));
  const [aside] = await target.asides();
  await expect(target.stageAside(aside as Aside)).rejects.toMatchObject({
    code: "not_found",
    message: expect.stringContaining("a.dat"),
  });
  expect(await dataOf(folder)).toEqual(restored);
});

test("removeAside() that is stopped dead anywhere leaves no part that an undo would put in place", async () => {
  const prepare = async () => {
    const folder = await folderWith(old);
    await restore(targetOf(folder, createStep()));
    return folder;
  };
  const remove = (folder: string) => async (step: Step) => {
    const target = targetOf(folder, step);
    for (const aside of await target.asides()) await target.removeAside(aside);
  };
  const steps = await stepsOf(remove(await prepare()));
  for (let at = 1; at <= steps.length; at += 1) {
    const folder = await prepare();
    await stopDeadAt(at, remove(folder));
    // Removing a tree is many changes to a disk: one that was begun may be half done.
    if (steps[at - 1]?.startsWith("remove tree ")) {
      for (const name of await readdir(join(folder, ".keepsake/replaced"))) {
        const isRemoved = name.startsWith(".") || steps[at - 1]?.endsWith(`/${name}`);
        if (isRemoved) await rm(join(folder, ".keepsake/replaced", name, "a.dat"), { force: true });
      }
    }
    await recoverAs("run-2", folder);
    const whole = await readdir(join(folder, ".keepsake/replaced/run-1")).catch(() => []);
    expect(whole, `killed at ${at}`).toSatisfy((left: string[]) => left.length === 0 || left.includes("a.dat"));
    await remove(folder)(createStep());
    expect(await hiddenOf(folder)).toEqual([]);
  }
});

test("stage() that fails, as a full or read-only disk does, leaves the data as it was and is cleaned away", async () => {
  const folder = await folderWith(old);
  const target = folderTarget(boxContext(createStep(), describeRun({ id: "run-1" })), {
    folder,
    replaces: (names) => [...names],
    unpack: async ({ disk }, _files, _point, into) => {
      await disk.write(join(into, "a.dat"), "half");
      throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    },
    describe: async () => undefined,
  });
  await expect(target.stage(new Map(), point)).rejects.toMatchObject({ code: "ENOSPC" });
  expect(await dataOf(folder)).toEqual(old);
  expect(await recoverAs("run-2", folder)).toEqual({ action: "cleaned", runId: "run-1" });
  expect(await hiddenOf(folder)).toEqual([]);
});

test("place() puts the data beside production and touches nothing of it", async () => {
  const folder = await folderWith(old);
  const to = join(folder, "../beside/deep");
  expect(await targetOf(folder, createStep()).place(new Map(), point, to)).toBe(to);
  expect(await readTree(to)).toEqual(fresh);
  expect(await readTree(folder)).toEqual(old);
});

test("place() refuses production itself, what is above or below it, by whatever way it is reached", async () => {
  const folder = await folderWith({ ...old, "empty/": "" });
  const above = join(folder, "..");
  await symlink(join(folder, "empty"), join(above, "link"));
  for (const to of [
    folder,
    `${folder}/`,
    join(folder, "new"),
    above,
    "/",
    join(above, "link"),
    join(above, "link/x"),
  ]) {
    await expect(targetOf(folder, createStep()).place(new Map(), point, to), to).rejects.toMatchObject({
      code: "target_invalid",
    });
  }
  expect(await dataOf(folder)).toEqual(old);
});

test("place() refuses a folder that holds something, and a file", async () => {
  const folder = await folderWith(old);
  const beside = join(folder, "../beside");
  await writeTree(beside, { "kept.txt": "mine" });
  const target = targetOf(folder, createStep());
  await expect(target.place(new Map(), point, beside)).rejects.toMatchObject({ code: "target_exists" });
  await writeFile(join(folder, "../file"), "mine");
  await expect(target.place(new Map(), point, join(folder, "../file"))).rejects.toMatchObject({
    code: "target_invalid",
  });
  expect(await readTree(beside)).toEqual({ "kept.txt": "mine" });
});

test("asides() leaves out records that cannot be read, and tells the newest first", async () => {
  const folder = await folderWith({
    ".keepsake/replaced/run-1.json": JSON.stringify({ runId: "run-1", at: 1, label: "older" }),
    ".keepsake/replaced/run-2.json": JSON.stringify({ runId: "run-2", at: 2, label: "newer", sizeBytes: 5 }),
    ".keepsake/replaced/run-3.json": '{"runId": "ru',
    ".keepsake/replaced/.run-4.json.0a0b0c0d.tmp": "{}",
  });
  expect(await targetOf(folder, createStep()).asides()).toEqual([
    { id: "run-2", setAsideAtMs: 2, label: "newer", sizeBytes: 5 },
    { id: "run-1", setAsideAtMs: 1, label: "older" },
  ]);
});

test("commit() and swap() without what has to come before them are refused", async () => {
  const folder = await folderWith(old);
  const target = targetOf(folder, createStep());
  await expect(target.swap()).rejects.toThrow("without stage");
  await expect(target.commit()).rejects.toThrow("without swap");
  expect(await readTree(folder)).toEqual(old);
});

test("asides() tells the newest first also when the clock was set back between two restores, so that an undo undoes the last", async () => {
  const folder = await folderWith(old);
  const at = (runId: string, nowMs: number, incoming: Tree) =>
    folderTarget(
      { ...boxContext(createStep(), describeRun({ id: runId })), now: () => nowMs },
      {
        folder,
        replaces: (names) => names.filter((name) => name.endsWith(".dat")),
        unpack: async (_ctx, _files, _point, into) => writeTree(into, incoming),
        describe: async () => ({ label: "a box" }),
      },
    );
  await restore(at("run-1", 5000, fresh));
  await restore(at("run-2", 1000, { "a.dat": "newest" }));
  const target = at("run-3", 2000, {});
  const [aside] = await target.asides();
  expect(aside?.id).toBe("run-2");
  await target.stageAside(aside as Aside);
  await target.swap();
  await target.commit();
  expect(await dataOf(folder)).toEqual(restored);
  expect((await target.asides()).map(({ id }) => id)).toEqual(["run-3", "run-1"]);
});

test("commit() that cannot tidy up afterwards has put the data in place, and the next run tidies up", async () => {
  const folder = await folderWith(old);
  let failing = false;
  const onStep = (what: string) => {
    if (failing && what.startsWith("remove tree")) throw Object.assign(new Error("EIO"), { code: "EIO" });
  };
  const target = targetOf(folder, createStep({ onStep }));
  await target.stage(new Map(), point);
  await target.swap();
  failing = true;
  await target.commit();
  expect(await dataOf(folder)).toEqual(restored);
  expect(await recoverAs("run-2", folder)).toEqual({ action: "rolled_forward", runId: "run-1" });
  expect(await dataOf(folder)).toEqual(restored);
  expect((await hiddenOf(folder)).filter((path) => path.startsWith("restore/"))).toEqual([]);
});

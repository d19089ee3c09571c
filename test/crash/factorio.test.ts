import { execFile } from "node:child_process";
import { readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";
import { readState } from "../../deploy/local/lab/factorio/game.ts";
import { app } from "../../functions/factorio/app.ts";
import { openNas } from "../../shared/nas/nas.ts";
import { listPoints, newestGood } from "../../shared/nas/points.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { readScrubMemory } from "../../shared/run/scrub-state.ts";
import { configure, factorioServer, layLab, places, play } from "../worlds/factorio.ts";
import { serverRuns } from "../worlds/server-runs.ts";
import { describeRun, runKilled } from "./kill.ts";
import { contentHash, expectSoundNas, expectTidyNas } from "./nas-checks.ts";
import { killStories, type Story } from "./story.ts";

const exec = promisify(execFile);

interface World {
  folder: string;
  /** Hashes of all contents that may stand on the NAS. */
  known: Set<string>;
  running: boolean;
}

async function backUp(folder: string, request: RunRequest = { operation: "backup", allow: [] }): Promise<void> {
  const done = await runKilled(join(folder, "state"), places(folder).config, describeRun("factorio", request), 0);
  expect(done.outcome?.failure, done.log).toBeUndefined();
}

/** An NAS with two restore points, and a save that is newer than both. */
async function layTwoPoints(folder: string): Promise<void> {
  const { nas } = places(folder);
  await layLab(folder);
  for (const tick of [1000, 2000]) {
    await play(folder, tick);
    await backUp(folder);
  }
  await play(folder, 3000);
  await writeFile(join(places(folder).saves, "_autosave2.tmp.zip"), "half a save");
  await writeFile(join(nas, "factorio/backups/history/.DS_Store"), "Finder was here");
  await writeFile(join(nas, "factorio/factorio-space-age_linux64_2.0.72.tar.xz"), "the installer");
}

async function open(folder: string, { serve }: { serve: boolean }): Promise<World> {
  await configure(folder);
  if (serve) await exec(process.execPath, [factorioServer, "start", "--folder", places(folder).saves, "--port", "0"]);
  const { nas, saves } = places(folder);
  const known = new Set<string>();
  for (const root of [join(nas, "factorio/backups/history"), saves]) {
    for (const name of await readdir(root)) if (name.endsWith(".zip")) known.add(await contentHash(join(root, name)));
  }
  return { folder, known, running: serve };
}

async function close({ folder, running }: World): Promise<void> {
  if (running) await exec(process.execPath, [factorioServer, "stop", "--folder", places(folder).saves]);
}

/** The moment in the game that the server would load. */
async function newestTick(folder: string): Promise<number> {
  const { saves } = places(folder);
  const names = (await readdir(saves)).filter((name) => name.endsWith(".zip") && !name.endsWith(".tmp.zip"));
  return Math.max(...(await Promise.all(names.map(async (name) => (await readState(join(saves, name))).tick))));
}

async function expectUnknownFilesUntouched(nas: string): Promise<void> {
  expect(await readFile(join(nas, "factorio/backups/history/.DS_Store"), "utf8")).toBe("Finder was here");
  expect(await readFile(join(nas, "factorio/factorio-space-age_linux64_2.0.72.tar.xz"), "utf8")).toBe("the installer");
}

const common = {
  app: "factorio",
  lay: layTwoPoints,
  close,
  configPath: (folder: string) => places(folder).config,
};

/** What the NAS holds, without the names, which are moments. */
async function contents({ folder, known }: World): Promise<unknown> {
  const { nas } = places(folder);
  const points = await expectSoundNas(nas, "factorio", app.artefacts, known);
  await expectUnknownFilesUntouched(nas);
  const latest = await contentHash(join(nas, "factorio/backups/latest.zip"));
  expect(newestGood(points)?.manifest?.files[0]?.sha256, "latest.zip is the newest point").toBe(latest);
  return { latest, kept: points.map((point) => ({ sha256: point.manifest?.files[0]?.sha256, pinned: point.pinned })) };
}

const backup: Story<World> = {
  ...common,
  name: "factorio: a backup that expires an older point",
  request: { operation: "backup", allow: [] },
  sample: 5,
  outcomes: ["created", "unchanged"],
  open: (folder) => open(folder, { serve: false }),
  async lookAfterKill({ folder, known }) {
    await expectSoundNas(places(folder).nas, "factorio", app.artefacts, known);
    await expectUnknownFilesUntouched(places(folder).nas);
  },
  async lookAtEnd(world, runIds) {
    await expectTidyNas(places(world.folder).nas, "factorio", runIds);
    expect(await newestTick(world.folder), "the app's data is as it was").toBe(3000);
    return contents(world);
  },
};

const pin: Story<World> = {
  ...backup,
  name: "factorio: pinning a point",
  request: { operation: "pin", at: "latest" },
  sample: 3,
  outcomes: ["pinned"],
};

/** The app's side of a restore: never up over half of it, and old or new once it is up. */
function restoring(
  name: string,
  request: RunRequest,
  { before, after }: { before: number; after: number },
  outcomes: string[],
): Story<World> {
  return {
    ...common,
    name,
    request,
    sample: 4,
    outcomes,
    open: (folder) => open(folder, { serve: true }),
    async lookAfterKill({ folder, known }, killed) {
      await expectSoundNas(places(folder).nas, "factorio", app.artefacts, known);
      if (!(await serverRuns(folder))) return;
      // It is up, so what it has loaded is whole, and one of the two.
      expect([before, after], killed.log).toContain(await newestTick(folder));
    },
    async lookAfterMend({ folder }) {
      expect(await serverRuns(folder), "the server came back").toBe(true);
      const { saves } = places(folder);
      const zips = (await readdir(saves)).filter((file) => file.endsWith(".zip"));
      // Under these names, and nothing of the other state beside it.
      const states = { 3000: ["_autosave1.zip"], 2000: ["homelab.zip"] };
      const tick = await newestTick(folder);
      expect([before, after]).toContain(tick);
      expect(zips).toEqual(states[tick as 2000 | 3000]);
    },
    async lookAtEnd({ folder, known }, runIds) {
      await expectSoundNas(places(folder).nas, "factorio", app.artefacts, known);
      await expectTidyNas(places(folder).nas, "factorio", runIds);
      expect(await serverRuns(folder), "the server came back").toBe(true);
      const { saves } = places(folder);
      expect(await readdir(join(folder, "state/workloads")).catch(() => []), "no stop is remembered").toEqual([]);
      expect(await readdir(join(saves, ".keepsake")), "the journal is closed").toEqual(["replaced"]);
      return {
        tick: await newestTick(folder),
        files: (await readdir(saves)).filter((file) => !file.endsWith(".tmp.zip")).sort(),
      };
    },
  };
}

const restore = restoring(
  "factorio: a restore of the older point, server running",
  { operation: "restore", at: "latest", allow: [] },
  { before: 3000, after: 2000 },
  ["restored"],
);

const undo: Story<World> = {
  ...restoring(
    "factorio: the undo of a restore, server running",
    { operation: "undo" },
    { before: 2000, after: 3000 },
    ["undone", "flushed"],
  ),
  // An undo of an undo brings the restored data back; so one that was complete is not told again.
  async requestAfter({ folder }) {
    return { operation: (await newestTick(folder)) === 3000 ? "flush" : "undo" };
  },
  async lay(folder) {
    await layTwoPoints(folder);
    await backUp(folder, { operation: "restore", at: "latest", allow: [] });
    await rm(join(folder, "state/runs"), { recursive: true, force: true });
  },
};

/** A point that a scrub had found rotten, and that is well again. */
const scrub: Story<World> = {
  ...backup,
  name: "factorio: a scrub that takes a mark back",
  request: { operation: "scrub", all: true },
  sample: 3,
  outcomes: ["scrubbed"],
  async lay(folder) {
    await layTwoPoints(folder);
    const history = join(places(folder).backups, "history");
    const [oldest] = (await readdir(history)).filter((name) => name.endsWith(".zip")).sort();
    const path = join(history, oldest as string);
    const [bytes, { atime, mtime }] = [await readFile(path), await stat(path)];
    await writeFile(path, Buffer.concat([Buffer.of(0), bytes.subarray(1)]));
    const request = { operation: "scrub", all: true } as const;
    await runKilled(join(folder, "state"), places(folder).config, describeRun("factorio", request), 0);
    await writeFile(path, bytes);
    await utimes(path, atime, mtime);
  },
  async lookAfterMend() {},
  async lookAtEnd(world, runIds) {
    await expectTidyNas(places(world.folder).nas, "factorio", runIds);
    const folders = openNas(places(world.folder).nas).app("factorio");
    const points = await listPoints(folders, app.artefacts);
    expect(
      points.map(({ good }) => good),
      "the mark is gone",
    ).toEqual([true, true]);
    expect(Object.values((await readScrubMemory(folders)).files).map(({ ok }) => ok)).toEqual([true, true, true]);
    return contents(world);
  },
};

const drill: Story<World> = {
  ...backup,
  name: "factorio: a drill",
  request: { operation: "drill", at: "latest" },
  sample: 3,
  outcomes: ["proven"],
  async lookAfterKill(world, killed) {
    await backup.lookAfterKill(world, killed);
    expect(await newestTick(world.folder), "the app's data is as it was").toBe(3000);
  },
  async lookAfterMend({ folder }) {
    expect(await readdir(join(folder, "state/drills")).catch(() => []), "scratch space is free again").toEqual([]);
  },
};

killStories([backup, pin, restore, undo, scrub, drill]);

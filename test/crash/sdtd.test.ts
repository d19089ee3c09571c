import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";
import { readTtw } from "../../deploy/local/lab/sdtd/main-ttw.ts";
import { readRegion } from "../../deploy/local/lab/sdtd/region-file.ts";
import { app } from "../../functions/sdtd/app.ts";
import { backup as sdtdBackup } from "../../functions/sdtd/backup.ts";
import { folderStage, testContext } from "../../functions/sdtd/testing.ts";
import { newestGood } from "../../shared/nas/points.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { readTree } from "../../shared/testing.ts";
import { configure, layLab, places, play, serverArgs } from "../worlds/sdtd.ts";
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
  const done = await runKilled(join(folder, "state"), places(folder).config, describeRun("sdtd", request), 0);
  expect(done.outcome?.failure, done.log).toBeUndefined();
}

/** Land, players and world as one hash; the header apart, which a server writes anew at each stop. */
async function stateOf(folder: string): Promise<string> {
  const { gameFolder, worldFolder } = places(folder);
  const trees = [await readTree(join(gameFolder, "Region")), await readTree(join(gameFolder, "Player"))];
  const text = JSON.stringify([...trees, await readTree(worldFolder)]);
  return createHash("sha256").update(text).digest("hex");
}
const timeOf = async (folder: string) => readTtw(await readFile(join(places(folder).gameFolder, "main.ttw"))).worldTime;

/** Which state belongs to which time in the world, as it was laid out. */
const statesPath = (folder: string) => join(folder, "states.json");
async function remember(folder: string): Promise<void> {
  const states = JSON.parse(await readFile(statesPath(folder), "utf8").catch(() => "{}"));
  await writeFile(statesPath(folder), JSON.stringify({ ...states, [await timeOf(folder)]: await stateOf(folder) }));
}

/** An NAS with two restore points of one world, and a game that is newer than both, in a world that has changed. */
async function layTwoPoints(folder: string): Promise<void> {
  const { nas, userData, worldFolder } = places(folder);
  await layLab(folder);
  for (const minutes of [1000, 2000]) {
    await play(folder, minutes);
    await remember(folder);
    await backUp(folder);
  }
  await play(folder, 3000);
  await appendFile(join(worldFolder, "prefabs.xml"), "\n");
  await remember(folder);
  await writeFile(join(userData, "Saves/serveradmin.xml"), "<adminTools/>");
  await writeFile(join(nas, "sdtd/backups/history/.DS_Store"), "Finder was here");
  await writeFile(join(nas, "sdtd/backups/history/7dtd-notes.txt"), "nobody's");
}

/** The archives that a backup of the present game makes: the same bytes each time. */
async function archivesOf(folder: string): Promise<string[]> {
  const staging = await mkdtemp(join(tmpdir(), "sdtd-staging-"));
  try {
    const { ctx } = testContext({ userData: places(folder).userData }, join(staging, "scratch"));
    await sdtdBackup.capture(ctx, await sdtdBackup.examine(ctx), folderStage(ctx, staging));
    return await Promise.all(["save", "world"].map((kind) => contentHash(join(staging, kind))));
  } finally {
    await rm(staging, { recursive: true });
  }
}

async function open(folder: string, { serve }: { serve: boolean }): Promise<World> {
  await configure(folder);
  const known = new Set(await archivesOf(folder));
  if (serve) await exec(process.execPath, serverArgs(folder, "start"));
  const history = join(places(folder).nas, "sdtd/backups/history");
  for (const name of await readdir(history)) {
    if (name.endsWith(".tar.gz")) known.add(await contentHash(join(history, name)));
  }
  return { folder, known, running: serve };
}

async function close({ folder, running }: World): Promise<void> {
  if (running) await exec(process.execPath, serverArgs(folder, "stop"));
}

async function expectUnknownFilesUntouched(folder: string): Promise<void> {
  const { nas, userData } = places(folder);
  expect(await readFile(join(nas, "sdtd/backups/history/.DS_Store"), "utf8")).toBe("Finder was here");
  expect(await readFile(join(nas, "sdtd/backups/history/7dtd-notes.txt"), "utf8")).toBe("nobody's");
  expect(await readFile(join(userData, "Saves/serveradmin.xml"), "utf8")).toBe("<adminTools/>");
}

/** What the server loads is whole, and land, players and world belong together. @returns The time in the world. */
async function expectSoundGame(folder: string): Promise<number> {
  const { gameFolder } = places(folder);
  const regions = join(gameFolder, "Region");
  for (const name of await readdir(regions)) await readRegion(join(regions, name));
  const states = JSON.parse(await readFile(statesPath(folder), "utf8"));
  const time = await timeOf(folder);
  expect(await stateOf(folder), `game and world are those of ${time}`).toBe(states[time]);
  return time;
}
/** Of the three states that are laid out, in their order. */
const timesIn = async (folder: string) =>
  Object.keys(JSON.parse(await readFile(statesPath(folder), "utf8")))
    .map(Number)
    .sort((a, b) => a - b);

const common = {
  app: "sdtd",
  lay: layTwoPoints,
  close,
  configPath: (folder: string) => places(folder).config,
};

/** The same, but for a name that somebody put there. */
async function soundNas({ folder, known }: World) {
  const notes = join(places(folder).nas, "sdtd/backups/history/7dtd-notes.txt");
  const text = await readFile(notes, "utf8");
  await rm(notes);
  try {
    return await expectSoundNas(places(folder).nas, "sdtd", app.artefacts, known);
  } finally {
    await writeFile(notes, text);
  }
}

/** What the NAS holds, without names and times, which are moments. */
async function contents(world: World): Promise<unknown> {
  const points = await soundNas(world);
  await expectUnknownFilesUntouched(world.folder);
  const { backups } = places(world.folder);
  const latest = await Promise.all(app.artefacts.map(({ latest }) => contentHash(join(backups, latest))));
  const newest = newestGood(points)?.manifest?.files;
  expect(
    newest?.map(({ sha256 }) => sha256),
    "latest.* are those of the newest point",
  ).toEqual(latest);
  return points.map(({ manifest, pinned }) => [manifest?.files.map(({ checksum }) => checksum), pinned]);
}

const backup: Story<World> = {
  ...common,
  name: "7 Days to Die: a backup of game and world that expires an older point",
  request: { operation: "backup", allow: [] },
  sample: 3,
  outcomes: ["created", "unchanged"],
  open: (folder) => open(folder, { serve: false }),
  async lookAfterKill(world) {
    await soundNas(world);
    await expectUnknownFilesUntouched(world.folder);
  },
  async lookAtEnd(world, runIds) {
    await expectTidyNas(places(world.folder).nas, "sdtd", runIds);
    expect(await expectSoundGame(world.folder), "the app's data is as it was").toBe((await timesIn(world.folder))[2]);
    return contents(world);
  },
};

/** The app's side of a restore: never up over half of it, and old or new once it is up. */
function restoring(name: string, request: RunRequest, after: 1 | 2, outcomes: string[]): Story<World> {
  return {
    ...common,
    name,
    request,
    sample: 3,
    outcomes,
    open: (folder) => open(folder, { serve: true }),
    async lookAfterKill(world, killed) {
      await soundNas(world);
      if (!(await serverRuns(world.folder))) return;
      // It is up, so what it has loaded is whole, and one of the two.
      expect((await timesIn(world.folder)).slice(1), killed.log).toContain(await expectSoundGame(world.folder));
    },
    async lookAfterMend({ folder }) {
      expect(await serverRuns(folder), "the server came back").toBe(true);
      expect((await timesIn(folder)).slice(1)).toContain(await expectSoundGame(folder));
      await expectUnknownFilesUntouched(folder);
    },
    async lookAtEnd(world, runIds) {
      const { folder } = world;
      await soundNas(world);
      await expectTidyNas(places(folder).nas, "sdtd", runIds);
      expect(await serverRuns(folder), "the server came back").toBe(true);
      expect(await readdir(join(folder, "state/workloads")).catch(() => []), "no stop is remembered").toEqual([]);
      expect(await readdir(join(places(folder).userData, ".keepsake")), "the journal is closed").toEqual(["replaced"]);
      expect(await expectSoundGame(folder)).toBe((await timesIn(folder))[after]);
      await expectUnknownFilesUntouched(folder);
      return (await readdir(places(folder).userData)).sort();
    },
  };
}

const restore = restoring(
  "7 Days to Die: a restore of the older game and world, server running",
  { operation: "restore", at: "latest", allow: [] },
  1,
  ["restored"],
);

const undo: Story<World> = {
  ...restoring("7 Days to Die: the undo of a restore, server running", { operation: "undo" }, 2, ["undone", "flushed"]),
  // An undo of an undo brings the restored data back; so one that was complete is not told again.
  async requestAfter({ folder }) {
    return { operation: (await timeOf(folder)) === (await timesIn(folder))[2] ? "flush" : "undo" };
  },
  async lay(folder) {
    await layTwoPoints(folder);
    await backUp(folder, { operation: "restore", at: "latest", allow: [] });
    await exec(process.execPath, serverArgs(folder, "stop"));
    await rm(join(folder, "state/runs"), { recursive: true, force: true });
  },
};

killStories([backup, restore, undo]);

import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";
import { folderFiles } from "../../deploy/local/lab/open-webui/content.ts";
import { app } from "../../functions/open-webui/app.ts";
import { askSqlite } from "../../functions/open-webui/sqlite-process.ts";
import { newestGood } from "../../shared/nas/points.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { configure, layLab, places, said, say, webuiServer, workload } from "../worlds/open-webui.ts";
import { serverRuns } from "../worlds/server-runs.ts";
import { describeRun, runKilled } from "./kill.ts";
import { contentHash, expectSoundNas, expectTidyNas } from "./nas-checks.ts";
import { killStories, type Story } from "./story.ts";

const exec = promisify(execFile);
const database = [app.artefacts[0]].flatMap((artefact) => artefact ?? []);

interface World {
  folder: string;
  /** Hashes of all contents that may stand on the NAS. */
  known: Set<string>;
  running: boolean;
}

async function backUp(folder: string, request: RunRequest = { operation: "backup", allow: [] }): Promise<void> {
  const done = await runKilled(join(folder, "state"), places(folder).config, describeRun("open-webui", request), 0);
  expect(done.outcome?.failure, done.log).toBeUndefined();
}

/** An NAS with two restore points, and a database that is newer than both. */
async function layTwoPoints(folder: string, wal = false): Promise<void> {
  const { nas, database, data } = places(folder);
  await layLab(folder, { chats: 4, files: 2, wal });
  for (const title of ["one", "two"]) {
    say(database, title);
    await backUp(folder);
  }
  say(database, "three");
  await writeFile(join(data, "notes.txt"), "mine");
  await writeFile(join(nas, "open-webui/backups/history/.DS_Store"), "Finder was here");
}

const server = (folder: string, verb: string, ...options: string[]) =>
  exec(process.execPath, [webuiServer, verb, "--data", places(folder).data, ...options]);
async function open(folder: string, options: { settings?: object; serve?: string[] } = {}): Promise<World> {
  await configure(folder, { ...options.settings });
  const { nas, database } = places(folder);
  const known = new Set<string>();
  const history = join(nas, "open-webui/backups/history");
  for (const name of await readdir(history)) known.add(await contentHash(join(history, name)));
  // What a backup of the present database will hold.
  const scratch = await mkdtemp(join(tmpdir(), "keepsake-known-"));
  const [raw, into] = [join(scratch, "raw"), join(scratch, "into")];
  await askSqlite({ operation: "snapshot", from: database, raw, into, busyMs: 5000 }, { sizeBytes: 1 });
  known.add(await contentHash(into));
  await rm(scratch, { recursive: true });
  if (options.serve) await server(folder, "start", ...options.serve);
  return { folder, known, running: options.serve !== undefined };
}

async function close({ folder, running }: World): Promise<void> {
  if (running) await server(folder, "stop");
}

async function expectStrangersUntouched(folder: string): Promise<void> {
  const { nas, data } = places(folder);
  expect(await readFile(join(nas, "open-webui/backups/history/.DS_Store"), "utf8")).toBe("Finder was here");
  expect(await readFile(join(data, "notes.txt"), "utf8")).toBe("mine");
  expect((await folderFiles(places(folder).uploads)).size).toBe(2);
}

const sound = ({ folder, known }: World) => expectSoundNas(places(folder).nas, "open-webui", database, known);

/** What the NAS holds, without the names, which are moments. */
async function contents(world: World): Promise<unknown> {
  const points = await sound(world);
  await expectStrangersUntouched(world.folder);
  const latest = await contentHash(join(places(world.folder).backups, "latest.db"));
  expect(newestGood(points)?.manifest?.files[0]?.sha256, "latest.db is the newest point").toBe(latest);
  expect(await readdir(join(world.folder, "state/scratch/open-webui")).catch(() => []), "scratch is empty").toEqual([]);
  return { latest, kept: points.map(({ manifest }) => manifest?.files[0]?.sha256) };
}

const common = {
  app: "open-webui",
  lay: (folder: string) => layTwoPoints(folder),
  close,
  configPath: (folder: string) => places(folder).config,
};

const backup: Story<World> = {
  ...common,
  name: "open-webui: a backup that expires an older point",
  request: { operation: "backup", allow: [] },
  sample: 3,
  outcomes: ["created", "unchanged"],
  open: (folder) => open(folder),
  async lookAfterKill(world) {
    await sound(world);
    await expectStrangersUntouched(world.folder);
  },
  async lookAtEnd(world, runIds) {
    await expectTidyNas(places(world.folder).nas, "open-webui", runIds);
    expect(said(places(world.folder).database), "the app's data is as it was").toEqual(["one", "three", "two"]);
    return contents(world);
  },
};

/** A WAL on a network: the app is down while its files are copied. */
const asleep: Story<World> = {
  ...backup,
  name: "open-webui: a backup for which the app is stopped",
  sample: 4,
  lay: (folder) => layTwoPoints(folder, true),
  open: (folder) =>
    open(folder, { settings: { network: true, workload: workload(folder, "--wal") }, serve: ["--wal"] }),
  async lookAfterMend({ folder }) {
    expect(await serverRuns(folder), "the app came back").toBe(true);
  },
  async lookAtEnd(world, runIds) {
    expect(await serverRuns(world.folder), "the app came back").toBe(true);
    expect(await readdir(join(world.folder, "state/workloads")).catch(() => []), "no stop is remembered").toEqual([]);
    await server(world.folder, "stop");
    await expectTidyNas(places(world.folder).nas, "open-webui", runIds);
    expect(said(places(world.folder).database)).toEqual(["one", "three", "two"]);
    return contents(world);
  },
};

const [older, newer] = [
  ["one", "two"],
  ["one", "three", "two"],
];

/** The app's side of a restore: never up over half of it, and old or new once it is up. */
function restoring(name: string, request: RunRequest, outcomes: string[]): Story<World> {
  return {
    ...common,
    name,
    request,
    sample: 4,
    outcomes,
    open: (folder) => open(folder, { serve: [] }),
    async lookAfterKill(world, killed) {
      await sound(world);
      await expectStrangersUntouched(world.folder);
      if (!(await serverRuns(world.folder))) return;
      expect([older, newer], killed.log).toContainEqual(said(places(world.folder).database));
    },
    async lookAfterMend({ folder }) {
      expect(await serverRuns(folder), "the app came back").toBe(true);
      expect([older, newer]).toContainEqual(said(places(folder).database));
    },
    async lookAtEnd(world, runIds) {
      const { folder } = world;
      await sound(world);
      await expectStrangersUntouched(folder);
      await expectTidyNas(places(folder).nas, "open-webui", runIds);
      expect(await serverRuns(folder), "the app came back").toBe(true);
      expect(await readdir(join(folder, "state/workloads")).catch(() => []), "no stop is remembered").toEqual([]);
      expect(await readdir(join(places(folder).data, ".keepsake")), "the journal is closed").toEqual(["replaced"]);
      return { said: said(places(folder).database), files: (await readdir(places(folder).data)).sort() };
    },
  };
}

const restore = restoring(
  "open-webui: a restore of the newest point, server running",
  { operation: "restore", at: "latest", allow: [] },
  ["restored"],
);

const undo: Story<World> = {
  ...restoring("open-webui: the undo of a restore, server running", { operation: "undo" }, ["undone", "flushed"]),
  // An undo of an undo brings the restored data back; so one that was complete is not told again.
  async requestAfter({ folder }) {
    return { operation: said(places(folder).database).length === newer?.length ? "flush" : "undo" };
  },
  async lay(folder) {
    await layTwoPoints(folder);
    await backUp(folder, { operation: "restore", at: "latest", allow: [] });
    await rm(join(folder, "state/runs"), { recursive: true, force: true });
  },
};

killStories([backup, asleep, restore, undo]);

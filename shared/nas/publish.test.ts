import { execFile } from "node:child_process";
import { appendFile, link, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { Step } from "../step.ts";
import {
  boxArtefact,
  makeNas,
  makePoint,
  readTree,
  stepsOf,
  stopDeadAt,
  tempFolder,
  testDisk,
  writeTree,
} from "../testing.ts";
import { listPoints, newestGood, readManifests } from "./points.ts";
import { clearStaging, publishLatest, publishPoint, removeOrphanManifests, removePoints, sha256Of, sumsPath, writeSums } from "./publish.ts"; // biome-ignore format: one line reads better

const artefacts = [boxArtefact];
const [first, second, third] = ["20251219-000000", "20251219-060000", "20251219-120000"] as const;
const nameOf = (id: string) => boxArtefact.naming.name(id);
const takenAtMs = Date.UTC(2025, 11, 19);

/** One point that is there, and a second one in the staging folder with its manifest. */
async function staged(where: "disk" | "memory" = "disk") {
  const { folders, root } = await makeNas(await tempFolder(where));
  await makePoint(folders, first, { sequence: 1 });
  const manifest = await makePoint(folders, second, { sequence: 2 });
  await rm(join(folders.points, `${second}.json`));
  const path = join(folders.staging, "run-2/box");
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, `content of ${second}`);
  await rm(join(folders.history, nameOf(second)));
  return { folders, root, manifest, files: [{ path, name: nameOf(second) }] };
}

test("publishPoint() makes staged files a point that is good", async () => {
  const { folders, manifest, files } = await staged();
  await publishPoint(folders, manifest, files, testDisk());
  expect((await listPoints(folders, artefacts)).map(({ id, good }) => [id, good])).toEqual([
    [first, true],
    [second, true],
  ]);
  expect(await readTree(folders.staging)).toEqual({});
});

test("publishPoint() never replaces a file that is there", async () => {
  const { folders, manifest, files } = await staged();
  await writeTree(folders.history, { [nameOf(second)]: "somebody else's" });
  await expect(publishPoint(folders, manifest, files, testDisk())).rejects.toMatchObject({ code: "nas_write_failed" });
  expect(await readFile(join(folders.history, nameOf(second)), "utf8")).toBe("somebody else's");
});

test("publishPoint() stopped dead at any change leaves the point whole or not at all, never torn (a dropped mount left a truncated index elsewhere)", async () => {
  const publish = (at: Awaited<ReturnType<typeof staged>>) => async (step: Step) =>
    publishPoint(at.folders, at.manifest, at.files, testDisk(step));
  const count = (await stepsOf(publish(await staged("memory")))).length;
  for (let at = 1; at <= count; at += 1) {
    const world = await staged("memory");
    const { folders } = world;
    await stopDeadAt(at, publish(world));
    const points = await listPoints(folders, artefacts);
    expect(points[0]).toMatchObject({ id: first, good: true });
    if (points.length > 1) expect(points[1]).toMatchObject({ id: second, good: true });
    // What the next run does before anything else.
    await clearStaging(folders, testDisk());
    await removeOrphanManifests(folders, points, world.manifest.runId, testDisk());
    expect((await readManifests(folders)).map(({ id }) => id).toSorted()).toEqual(points.map(({ id }) => id));
    expect(await readTree(folders.staging)).toEqual({});
  }
});

describe("publishLatest()", () => {
  const latestOf = (folders: { backups: string }) => join(folders.backups, "latest.box");

  async function onePoint(where: "disk" | "memory" = "disk") {
    const { folders } = await makeNas(await tempFolder(where));
    const manifest = await makePoint(folders, first, { sequence: 1 });
    const path = join(folders.history, nameOf(first));
    return { folders, path, file: { path, sha256: manifest.files[0]?.sha256 as string, takenAtMs } };
  }

  test("makes a file of its own, never a hard link: who writes into it leaves the history alone", async () => {
    const { folders, path, file } = await onePoint();
    await publishLatest(folders, boxArtefact, file, testDisk());
    const [latest, history] = await Promise.all([stat(latestOf(folders)), stat(path)]);
    expect(latest.ino).not.toBe(history.ino);
    expect([latest.nlink, history.nlink]).toEqual([1, 1]);
    expect(latest.mtimeMs).toBe(takenAtMs);
    await appendFile(latestOf(folders), "a Mac's editor");
    expect(await sha256Of(path)).toBe(file.sha256);
  });

  test("replaces a latest that is a hard link of the history by a file of its own", async () => {
    const { folders, path, file } = await onePoint();
    await link(path, latestOf(folders));
    await publishLatest(folders, boxArtefact, file, testDisk());
    expect((await stat(path)).nlink).toBe(1);
    expect(await readFile(latestOf(folders), "utf8")).toBe(`content of ${first}`);
  });

  test("refuses a copy that is not what the manifest says, and leaves the latest that is there", async () => {
    const { folders, path, file } = await onePoint();
    await writeTree(folders.backups, { "latest.box": "the one before" });
    await writeFile(path, `CONTENT of ${first}`);
    await expect(publishLatest(folders, boxArtefact, file, testDisk())).rejects.toMatchObject({
      code: "backup_damaged",
      message: expect.stringContaining(path),
    });
    expect(await readFile(latestOf(folders), "utf8")).toBe("the one before");
    expect(await readTree(folders.staging)).toEqual({});
  });

  test("stopped dead at any change leaves the old latest or the new one, whole", async () => {
    const world = async () => {
      const made = await onePoint("memory");
      await writeTree(made.folders.backups, { "latest.box": "the one before" });
      return made;
    };
    const publish =
      ({ folders, file }: Awaited<ReturnType<typeof onePoint>>) =>
      async (step: Step) =>
        publishLatest(folders, boxArtefact, file, testDisk(step));
    const count = (await stepsOf(publish(await world()))).length;
    for (let at = 1; at <= count; at += 1) {
      const made = await world();
      await stopDeadAt(at, publish(made));
      expect(["the one before", `content of ${first}`]).toContain(await readFile(latestOf(made.folders), "utf8"));
      await publish(made)(async (_, change) => change());
      expect(await readFile(latestOf(made.folders), "utf8")).toBe(`content of ${first}`);
    }
  });
});

test("removePoints() removes expired points by their exact names, and nothing else (a clean-up removed other machines' backups elsewhere)", async () => {
  const { folders, root } = await makeNas();
  for (const [index, id] of [first, second, third].entries()) await makePoint(folders, id, { sequence: index + 1 });
  const others = { ".DS_Store": "x", [`._${nameOf(first)}`]: "x", "box-installer.tar.xz": "x", "my copy/a.box": "x" };
  await writeTree(folders.history, others);
  await writeTree(root, { "other-app/backups/history/box-20251219-000000.box": "another app's" });
  const points = await listPoints(folders, artefacts);
  expect(await removePoints(folders, points.slice(0, 2), points, testDisk())).toEqual([nameOf(first), nameOf(second)]);
  expect(Object.keys(await readTree(folders.history))).toEqual([...Object.keys(others), nameOf(third)].toSorted());
  expect(await readTree(join(root, "other-app"))).not.toEqual({});
  expect((await readManifests(folders)).map(({ id }) => id)).toEqual([third]);
});

test("removePoints() spares a file that a kept point needs", async () => {
  const { folders } = await makeNas();
  const { files } = await makePoint(folders, first, { sequence: 1 });
  await makePoint(folders, second, { sequence: 2, manifest: { files } });
  const points = await listPoints(folders, artefacts);
  expect(
    await removePoints(
      folders,
      points.filter(({ id }) => id === first),
      points,
      testDisk(),
    ),
  ).toEqual([]);
  expect(await readFile(join(folders.history, nameOf(first)), "utf8")).toBe(`content of ${first}`);
});

test("removePoints() and removeOrphanManifests() stopped dead at any change leave nothing behind for good", async () => {
  const world = async () => {
    const { folders } = await makeNas(await tempFolder("memory"));
    for (const [index, id] of [first, second, third].entries()) await makePoint(folders, id, { sequence: index + 1 });
    return folders;
  };
  const prune = (folders: Awaited<ReturnType<typeof world>>) => async (step: Step) => {
    const points = await listPoints(folders, artefacts);
    await removePoints(folders, points.slice(0, -1), points, testDisk(step));
  };
  const count = (await stepsOf(prune(await world()))).length;
  for (let at = 1; at <= count; at += 1) {
    const folders = await world();
    await stopDeadAt(at, prune(folders));
    expect(newestGood(await listPoints(folders, artefacts))?.id).toBe(third);
    await removeOrphanManifests(folders, await listPoints(folders, artefacts), "no run", testDisk());
    await prune(folders)(async (_, change) => change());
    expect(Object.keys(await readTree(folders.history))).toEqual([nameOf(third)]);
    expect((await readManifests(folders)).map(({ id }) => id)).toEqual([third]);
  }
});

test("writeSums() is what `sha256sum -c` takes in the root of the export, pinned and latest files too", async () => {
  const { folders, root } = await makeNas();
  await makePoint(folders, first, { sequence: 1, pinned: true });
  const newest = await makePoint(folders, second, { sequence: 2 });
  await makePoint(folders, third, { sequence: 3, manifest: { damaged: { at: "x", why: "y" } } });
  const file = { path: join(folders.history, nameOf(second)), sha256: newest.files[0]?.sha256 as string, takenAtMs };
  await publishLatest(folders, boxArtefact, file, testDisk());
  const write = async (step?: Step) =>
    writeSums(folders, await listPoints(folders, artefacts), artefacts, testDisk(step));
  await write();
  const check = () => promisify(execFile)("sha256sum", ["-c", sumsPath("box")], { cwd: root });
  expect((await check()).stdout.split("\n").filter(Boolean)).toEqual([
    `box/backups/history/${nameOf(second)}: OK`,
    "box/backups/latest.box: OK",
    `box/backups/pinned/${nameOf(first)}: OK`,
  ]);
  expect(await stepsOf(write)).toEqual([]);
  await appendFile(join(folders.backups, "latest.box"), "x");
  await expect(check()).rejects.toMatchObject({ stdout: expect.stringContaining("box/backups/latest.box: FAILED") });
});

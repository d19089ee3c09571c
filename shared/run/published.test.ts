import { link, lstat, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { historyNaming } from "../nas/naming.ts";
import { listPoints, type Manifest, newestGood, type RestorePoint } from "../nas/points.ts";
import { createStep, type Step } from "../step.ts";
import { boxArtefact, boxType, makeNas, makePoint, readTree, stepsOf, testDisk } from "../testing.ts";
import { ensurePublished } from "./published.ts";
import type { AppState } from "./state.ts";

const id = "20251219-180000";
const name = boxArtefact.naming.name(id);
const signal = new AbortController().signal;

async function published() {
  const { folders } = await makeNas();
  await makePoint(folders, id, { sequence: 1 });
  const ensure = async (gate?: AppState["gate"], step: Step = createStep()) => {
    const point = newestGood(await listPoints(folders, [boxArtefact])) as RestorePoint & { manifest: Manifest };
    return ensurePublished(folders, boxType, point, gate, testDisk(step), signal);
  };
  const first = await ensure();
  const gate = { pointId: id, published: first?.fingerprints ?? {} };
  return {
    folders,
    ensure,
    first,
    gate,
    history: join(folders.history, name),
    latest: join(folders.backups, "latest.box"),
  };
}

test("ensurePublished() makes latest.* when it is missing, and has nothing to do when all is as it was", async () => {
  const { folders, ensure, first, gate, latest } = await published();
  expect(first?.mended).toEqual([`latest.box was made again from ${name}`]);
  expect(Object.keys(first?.fingerprints ?? {}).toSorted()).toEqual([`history/${name}`, "latest.box"]);
  expect(await readTree(folders.backups)).toEqual({
    [`history/${name}`]: `content of ${id}`,
    "latest.box": `content of ${id}`,
  });
  const steps = await stepsOf(async (step) => expect(await ensure(gate, step)).toEqual({ ...first, mended: [] }));
  expect(steps).toEqual([]);
  await rm(latest);
  expect((await ensure(gate))?.mended).toHaveLength(1);
});

test("ensurePublished() makes latest.* again when somebody wrote into it, also under its old size and time", async () => {
  const { folders, ensure, gate, latest } = await published();
  for (const content of ["another save", `CONTENT of ${id}`]) {
    const { atime, mtime } = await stat(latest);
    await writeFile(latest, content);
    await utimes(latest, atime, mtime);
    expect((await ensure(gate))?.mended).toHaveLength(1);
    expect(Object.values(await readTree(folders.backups))).toEqual([`content of ${id}`, `content of ${id}`]);
  }
});

test("ensurePublished() makes latest.* a file of its own when somebody made it a hard link of the history", async () => {
  const { ensure, gate, history, latest } = await published();
  await rm(latest);
  await link(history, latest);
  expect((await ensure(gate))?.mended).toHaveLength(1);
  expect((await stat(history)).nlink).toBe(1);
  expect((await stat(latest)).ino).not.toBe((await stat(history)).ino);
});

test("ensurePublished() makes latest.* a file of its own when somebody made it a link to the history", async () => {
  const { ensure, gate, history, latest } = await published();
  await rm(latest);
  await symlink(history, latest);
  expect((await ensure(gate))?.mended).toHaveLength(1);
  expect((await lstat(latest)).isFile()).toBe(true);
});

test("ensurePublished() marks a point whose file is not what it was as damaged, so that it counts for nothing", async () => {
  const { folders, ensure, gate, history, latest } = await published();
  for (const path of [history, latest]) await writeFile(path, `CONTENT of ${id}`);
  expect(await ensure(gate)).toBeUndefined();
  const [point] = await listPoints(folders, [boxArtefact]);
  expect(point).toMatchObject({ good: false, manifest: { damaged: { why: expect.stringContaining(name) } } });
});

test("ensurePublished() trusts fingerprints of this point only, and reads the files when it knows none", async () => {
  const { ensure, gate, history, latest } = await published();
  for (const path of [history, latest]) await writeFile(path, `CONTENT of ${id}`);
  expect(await ensure({ ...gate, pointId: "20251218-180000" })).toBeUndefined();
});

test("ensurePublished() makes the point's file again from latest.*, which may be the last good copy", async () => {
  const { folders, ensure, gate, history } = await published();
  await writeFile(history, `CONTENT of ${id}`);
  const again = await ensure(gate);
  expect(again?.mended).toEqual([expect.stringContaining("was made again from latest.box")]);
  expect(Object.values(await readTree(folders.backups))).toEqual([`content of ${id}`, `content of ${id}`]);
  const steps = await stepsOf(async (step) => {
    expect((await ensure({ pointId: id, published: again?.fingerprints ?? {} }, step))?.mended).toEqual([]);
  });
  expect(steps).toEqual([]);
});

test("ensurePublished() marks every point that needs the damaged file, and no other", async () => {
  const { folders, ensure, history, latest } = await published();
  const [only] = await listPoints(folders, [boxArtefact]);
  const [second, third] = ["20251220-180000", "20251221-180000"];
  await makePoint(folders, second as string, { sequence: 2 });
  await makePoint(folders, third as string, { sequence: 3, manifest: { files: only?.manifest?.files ?? [] } });
  for (const path of [history, latest]) await writeFile(path, `CONTENT of ${id}`);
  expect(await ensure()).toBeUndefined();
  const points = await listPoints(folders, [boxArtefact]);
  expect(points.filter(({ good }) => good).map((point) => point.id)).toEqual([second]);
  const known = points.flatMap(({ manifest }) => manifest ?? []);
  expect(known.map(({ damaged }) => damaged !== undefined)).toEqual([true, false, true]);
});

test("ensurePublished() removes a latest.* that the point has none of only when the history has the same", async () => {
  const { folders, gate } = await published();
  const lid = {
    kind: "lid",
    latest: "latest.lid",
    naming: historyNaming({ prefix: "lid-", suffix: ".lid", join: "-" }),
  };
  const latest = join(folders.backups, lid.latest);
  const history = join(folders.history, lid.naming.name("20251218-180000"));
  const ensure = async () => {
    const point = newestGood(await listPoints(folders, [boxArtefact])) as RestorePoint & { manifest: Manifest };
    return ensurePublished(folders, { artefacts: [boxArtefact, lid] }, point, gate, testDisk(), signal);
  };
  await writeFile(latest, "the incumbent's");
  await writeFile(history, "the incumbent'S");
  expect((await ensure())?.mended).toEqual([expect.stringMatching(/latest\.lid .*stays/)]);
  expect((await readTree(folders.backups))["latest.lid"]).toBe("the incumbent's");
  await writeFile(history, "the incumbent's");
  expect((await ensure())?.mended).toEqual([expect.stringContaining("latest.lid was removed")]);
  expect(Object.keys(await readTree(folders.backups))).not.toContain("latest.lid");
});

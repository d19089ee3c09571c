import { mkdir, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Artefact } from "../app.ts";
import { boxArtefact, makeNas, makePoint, writeTree } from "../testing.ts";
import { historyNaming } from "./naming.ts";
import { factsOf, listPoints, manifestPath, newestGood, readManifests, sizeOf } from "./points.ts";

const artefacts = [boxArtefact];
const [first, second, third] = ["20251219-000000", "20251219-060000", "20251219-120000"] as const;
const nameOf = (id: string) => boxArtefact.naming.name(id);

test("listPoints() sees nothing where there is nothing yet", async () => {
  const { folders } = await makeNas();
  expect(await listPoints(folders, artefacts)).toEqual([]);
});

test("listPoints() lists what the incumbent left: by time, not verified, and none of the other files", async () => {
  const { folders } = await makeNas();
  await writeTree(folders.history, {
    [nameOf(second)]: "two", [nameOf(first)]: "one", ".DS_Store": "x", [`._${nameOf(first)}`]: "x",
    "box-headless_linux_2.0.72.tar.xz": "x", [`${nameOf(third)}.tmp`]: "x", "box-20250230-000000.box": "x",
    [`${nameOf(third)}/`]: "",
  }); // biome-ignore format: a table
  const points = await listPoints(folders, artefacts);
  expect(points.map(({ id, good, pinned, manifest }) => [id, good, pinned, manifest])).toEqual([
    [first, false, false, undefined],
    [second, false, false, undefined],
  ]);
  expect(newestGood(points)).toBeUndefined();
  expect(points[0]?.files).toEqual([
    { kind: "box", name: nameOf(first), path: join(folders.history, nameOf(first)), sizeBytes: 3, pinned: false, key: first, takenAtMs: Date.UTC(2025, 11, 19) },
  ]); // biome-ignore format: one line reads better
});

test("listPoints() calls a point good when its manifest and all its files are there", async () => {
  const { folders } = await makeNas();
  const manifest = await makePoint(folders, first, {
    sequence: 1,
    manifest: { facts: { saves: 3 }, identity: { id: "i", label: "l" } },
  });
  const [point] = await listPoints(folders, artefacts);
  expect(point).toMatchObject({ id: first, good: true, pinned: false, manifest });
  expect(sizeOf(point as never)).toBe(`content of ${first}`.length);
  expect(factsOf(point as never)).toEqual({
    id: first,
    takenAtMs: Date.UTC(2025, 11, 19),
    facts: { saves: 3 },
    about: new Map(),
    sha256s: new Map([[boxArtefact.kind, expect.stringMatching(/^[0-9a-f]{64}$/)]]),
    identity: { id: "i", label: "l" },
  });
});

test("listPoints() orders by sequence, whatever the clock said meanwhile (a name order removed the newest elsewhere)", async () => {
  const { folders } = await makeNas();
  await makePoint(folders, "20300101-000000", { sequence: 7 });
  await makePoint(folders, second, { sequence: 8 });
  await makePoint(folders, third, { sequence: 2 });
  await writeTree(folders.history, { [nameOf("20310101-000000")]: "a later one of the incumbent's" });
  const points = await listPoints(folders, artefacts);
  expect(points.map(({ id }) => id)).toEqual(["20310101-000000", third, "20300101-000000", second]);
  expect(newestGood(points)?.id).toBe(second);
});

test("listPoints() does not call a point good whose file is shorter or longer than it was", async () => {
  const { folders } = await makeNas();
  await makePoint(folders, first, { sequence: 1 });
  await makePoint(folders, second, { sequence: 2 });
  await makePoint(folders, third, { sequence: 3 });
  await truncate(join(folders.history, nameOf(second)), 3);
  await writeFile(join(folders.history, nameOf(third)), "a file that somebody wrote over it");
  const points = await listPoints(folders, artefacts);
  expect(points.map(({ id, good }) => [id, good])).toEqual([
    [first, true],
    [second, false],
    [third, false],
  ]);
  expect(newestGood(points)?.id).toBe(first);
});

test("listPoints() does not call a point good that is known to be damaged", async () => {
  const { folders } = await makeNas();
  await makePoint(folders, first, { sequence: 1, manifest: { damaged: { at: "2025-12-20T00:00:00Z", why: "bits" } } });
  expect((await listPoints(folders, artefacts)).map(({ good }) => good)).toEqual([false]);
});

test("listPoints() lists the file of a manifest that is missing, torn, damaged or another's as one that nobody vouches for", async () => {
  const { folders } = await makeNas();
  const spoil: ((path: string) => Promise<void>)[] = [
    (path) => rm(path),
    (path) => truncate(path, 20),
    (path) => writeFile(path, ""),
    (path) => writeFile(path, "\0\0\0\0"),
    (path) => writeFile(path, '{"version": 2}'),
    async (path) => writeFile(path, (await readFile(path, "utf8")).replace('"sequence":1', '"sequence":0')),
    async (path) => writeFile(path, (await readFile(path, "utf8")).replace(first, third)),
    async (path) => rename(path, `${path}.bak`),
    async (path) => {
      await rm(path);
      await mkdir(path);
    },
  ];
  for (const change of spoil) {
    await makePoint(folders, first, { sequence: 1 });
    await makePoint(folders, second, { sequence: 2 });
    await change(manifestPath(folders, first));
    const points = await listPoints(folders, artefacts);
    expect(
      points.map(({ id, good }) => [id, good]),
      String(change),
    ).toEqual([
      [first, false],
      [second, true],
    ]);
    await rm(folders.points, { recursive: true });
  }
});

test("listPoints() makes no point of a manifest whose files are all gone, but readManifests() still tells of it", async () => {
  const { folders } = await makeNas();
  await makePoint(folders, first, { sequence: 1 });
  await rm(join(folders.history, nameOf(first)));
  expect(await listPoints(folders, artefacts)).toEqual([]);
  expect((await readManifests(folders)).map(({ id }) => id)).toEqual([first]);
});

test("listPoints() knows pinned points by where they lie", async () => {
  const { folders } = await makeNas();
  await makePoint(folders, first, { sequence: 1, pinned: true });
  await makePoint(folders, second, { sequence: 2 });
  await writeTree(folders.pinned, { [nameOf(third)]: "the incumbent's, put there by hand" });
  const points = await listPoints(folders, artefacts);
  expect(points.map(({ id, pinned, good }) => [id, pinned, good])).toEqual([
    [third, true, false],
    [first, true, true],
    [second, false, true],
  ]);
});

test("listPoints() lets points share a file, and lists it as no point of its own", async () => {
  const { folders } = await makeNas();
  const world: Artefact = {
    kind: "world",
    latest: "latest-world.box",
    naming: historyNaming({ prefix: "world-", suffix: ".box", join: "-" }),
  };
  const both = [boxArtefact, world];
  await writeTree(folders.history, { [world.naming.name(first)]: "world" });
  const shared = { kind: "world", name: world.naming.name(first), sizeBytes: 5, sha256: "0", checksum: "0" };
  for (const [index, id] of [first, second].entries()) {
    const { files } = await makePoint(folders, id, { sequence: index + 1 });
    await makePoint(folders, id, { sequence: index + 1, manifest: { files: [...files, shared] } });
  }
  const points = await listPoints(folders, both);
  expect(points.map(({ id, good, files }) => [id, good, files.length])).toEqual([
    [first, true, 2],
    [second, true, 2],
  ]);
  await rm(join(folders.history, shared.name));
  expect((await listPoints(folders, both)).map(({ good }) => good)).toEqual([false, false]);
});

test("listPoints() fails when a file is there that nothing can be learnt of, and decides nothing without it", async () => {
  const { folders } = await makeNas();
  await makePoint(folders, first, { sequence: 1 });
  const path = join(folders.history, nameOf(first));
  await rm(path);
  // Stands for an NFS error: what is behind this link cannot be told.
  await symlink(path, path);
  await expect(listPoints(folders, artefacts)).rejects.toMatchObject({ code: "nas_unreachable" });
  await rm(path);
  await symlink("gone", path);
  expect(await listPoints(folders, artefacts)).toEqual([]);
});

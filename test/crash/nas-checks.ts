import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import type { Artefact } from "../../shared/app.ts";
import { openNas } from "../../shared/nas/nas.ts";
import { listPoints, type RestorePoint } from "../../shared/nas/points.ts";

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/**
 * What must hold of a NAS at every moment, also right after a kill: latest.* is there and whole, every file under a
 * final name is what its manifest says, and nothing stands among the backups that is none.
 */
export async function expectSoundNas(
  root: string,
  app: string,
  artefacts: readonly Artefact[],
  knownContents: ReadonlySet<string>,
): Promise<RestorePoint[]> {
  const folders = openNas(root).app(app);
  const points = await listPoints(folders, artefacts);
  for (const point of points) {
    for (const { name, path } of point.files) {
      const actual = sha256(await readFile(path));
      expect(knownContents, `${name} holds what was backed up once`).toContain(actual);
      const wanted = point.manifest?.files.find((file) => file.name === name)?.sha256;
      if (wanted !== undefined) expect(actual, `${name} is what its manifest says`).toBe(wanted);
    }
  }
  for (const { latest } of artefacts) {
    expect(knownContents, `${latest} is whole`).toContain(sha256(await readFile(join(folders.backups, latest))));
  }
  const names = [...(await readdir(folders.history)), ...(await readdir(folders.pinned).catch(() => []))];
  expect(names.filter((name) => name !== ".DS_Store" && !artefacts.some(({ naming }) => naming.parse(name)))).toEqual(
    [],
  );
  return points;
}

/** What must hold once a later run has ended well: nothing is left of the killed one, and everybody was told of both. */
export async function expectTidyNas(root: string, app: string, runIds: readonly string[]): Promise<void> {
  const folders = openNas(root).app(app);
  const leftovers = (await readdir(folders.hidden, { recursive: true })).filter((name) =>
    /(^|\/)\.[^/]*\.tmp$/.test(name),
  );
  expect(leftovers, "no temporary file is left").toEqual([]);
  expect(await readdir(folders.staging).catch(() => []), "staging is empty").toEqual([]);
  expect(await readdir(folders.outbox).catch(() => []), "everything was told").toEqual([]);
  const told = await readdir(folders.runs);
  for (const id of runIds) expect(told, `one outcome of ${id}`).toContain(`${id}.outcome.json`);
  for (const point of await readdir(folders.points)) {
    const manifest = JSON.parse(await readFile(join(folders.points, point), "utf8"));
    const present = [...(await readdir(folders.history)), ...(await readdir(folders.pinned).catch(() => []))];
    for (const file of manifest.files) expect(present, `${point} has its file`).toContain(file.name);
  }
}

export const contentHash = async (path: string) => sha256(await readFile(path));

import { createHash } from "node:crypto";
import { lstat, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { openNas } from "../../shared/nas/nas.ts";
import { type Manifest, manifestPath, readManifests } from "../../shared/nas/points.ts";
import type { Outcome } from "../../shared/run/report.ts";
import { carry } from "../worlds/run.ts";

/* What the tests of drills share: a drill, and copies that are not what they seem. */

/** A lab's folder that holds `nas`, `state` and `keepsake.yaml`, and its app. */
export interface Lab {
  readonly folder: string;
  readonly app: string;
}

export const drill = async ({ folder, app }: Lab, at?: string): Promise<Outcome> =>
  (await carry(join(folder, "keepsake.yaml"), app, { operation: "drill", ...(at !== undefined && { at }) })).outcome;

export const backUp = async ({ folder, app }: Lab): Promise<Outcome> =>
  (await carry(join(folder, "keepsake.yaml"), app, { operation: "backup", allow: [] })).outcome;

export const foldersOf = ({ folder, app }: Lab) => openNas(join(folder, "nas")).app(app);

/** Every point's manifest, oldest first. */
export const manifests = async (lab: Lab): Promise<Manifest[]> =>
  (await readManifests(foldersOf(lab))).sort((a, b) => a.sequence - b.sequence);

export const newest = async (lab: Lab): Promise<Manifest> => (await manifests(lab)).at(-1) as Manifest;

export const saveManifest = (lab: Lab, manifest: Manifest) =>
  writeFile(manifestPath(foldersOf(lab), manifest.id), JSON.stringify(manifest));

/**
 * Changes a file of the newest point, and lets size and sha256 in the manifest be those of the changed one: whoever
 * looks at the bytes alone finds nothing wrong.
 */
export async function plant(lab: Lab, kind: string, change: (path: string) => Promise<unknown>): Promise<string> {
  const manifest = await newest(lab);
  const entry = manifest.files.find((file) => file.kind === kind);
  if (!entry) throw new Error(`no file of kind ${kind}`);
  const path = join(foldersOf(lab).history, entry.name);
  await change(path);
  const { about: _, ...others } = entry;
  const changed = { ...others, sizeBytes: (await stat(path)).size, sha256: await sha256(path), crc32: undefined };
  await saveManifest(lab, { ...manifest, files: manifest.files.map((file) => (file === entry ? changed : file)) });
  return path;
}

export const sha256 = async (path: string) =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

/** Does something, and expects that no file of these folders was written, made, moved or removed meanwhile. */
export async function untouched<T>(lab: Lab, production: readonly string[], work: () => Promise<T>): Promise<T> {
  const places = [...production, join(lab.folder, "nas")];
  const before = await look(places);
  const result = await work();
  expect(await look(places), "production is what it was").toEqual(before);
  return result;
}

/** Where a drill may write on the NAS. */
const own = /\/\.keepsake\/[^/]+(\/(drill|outbox|runs|damaged)(\/|$)|$)/;

async function look(places: readonly string[]): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const place of places) {
    for (const name of ["", ...(await readdir(place, { recursive: true }))]) {
      const path = join(place, name);
      const { ino, size, mode, mtimeMs, ctimeMs } = await lstat(path);
      if (!own.test(path)) found[path] = `${ino} ${size} ${mode} ${mtimeMs} ${ctimeMs}`;
    }
  }
  return found;
}

/** A drill that rejects what it was given, and says which file and why; nothing of it is left on this machine. */
export async function expectRejected(lab: Lab, ...why: (string | RegExp)[]): Promise<Outcome> {
  const outcome = await drill(lab, (await newest(lab)).id);
  expect(outcome, outcome.message).toMatchObject({ outcome: "failed", failure: { code: "backup_damaged" } });
  for (const part of why) expect(outcome.message).toMatch(part);
  expect(await readdir(join(lab.folder, "state/drills")).catch(() => [])).toEqual([]);
  return outcome;
}

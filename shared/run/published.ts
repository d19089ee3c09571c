import { lstat, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Artefact } from "../app.ts";
import { type Disk, isSameFile } from "../disk.ts";
import type { AppFolders } from "../nas/nas.ts";
import { type Manifest, manifestPath, type RestorePoint } from "../nas/points.ts";
import { publishLatest, sha256Of } from "../nas/publish.ts";
import { fileFingerprint } from "../source/fingerprint.ts";
import type { AppState } from "./state.ts";

export interface Published {
  /** Fingerprints to remember, by path below backups/. */
  readonly fingerprints: Record<string, string>;
  /** latest.* had to be made again. */
  readonly mended: string[];
}

/**
 * Makes sure that the newest good point and latest.* are what the manifest says. What a fingerprint of the run before
 * proves untouched is not read again; latest.* is made again when it is missing or other than it was.
 * @returns undefined when the point itself is damaged; it is marked so, and counts for nothing from then on.
 */
export async function ensurePublished(
  folders: AppFolders,
  { artefacts }: { readonly artefacts: readonly Artefact[] },
  point: RestorePoint & { manifest: Manifest },
  gate: AppState["gate"],
  disk: Disk,
  signal: AbortSignal,
): Promise<Published | undefined> {
  const fingerprints: Record<string, string> = {};
  const mended: string[] = [];
  const known = gate?.pointId === point.id ? gate.published : {};
  const holds = async (path: string, key: string, sha256: string): Promise<boolean> => {
    const fingerprint = await fingerprintOf(path);
    if (fingerprint === undefined) return false;
    if (known[key] !== fingerprint && (await sha256Of(path, signal)) !== sha256) return false;
    fingerprints[key] = fingerprint;
    return true;
  };
  for (const { kind, name, sha256 } of point.manifest.files) {
    const file = point.files.find((candidate) => candidate.name === name);
    if (!file || !(await holds(file.path, `${file.pinned ? "pinned" : "history"}/${name}`, sha256))) {
      const damaged = { at: new Date().toISOString(), why: `"${name}" is not what it was when it was made` };
      await disk.replace(
        manifestPath(folders, point.id),
        `${JSON.stringify({ ...point.manifest, damaged }, null, 2)}\n`,
      );
      return undefined;
    }
    const artefact = artefacts.find((candidate) => candidate.kind === kind);
    if (!artefact) continue;
    const latest = join(folders.backups, artefact.latest);
    // A link has the right content, but whoever writes into it writes into the history.
    const isOwn = async () => (await lstat(latest)).isFile() && !(await isSameFile(latest, file.path));
    if ((await holds(latest, artefact.latest, sha256)) && (await isOwn())) continue;
    await publishLatest(folders, artefact, { path: file.path, sha256, takenAtMs: point.takenAtMs }, disk, signal);
    const fingerprint = await fingerprintOf(latest);
    if (fingerprint !== undefined) fingerprints[artefact.latest] = fingerprint;
    mended.push(`${artefact.latest} was made again from ${name}`);
  }
  for (const { kind, latest } of artefacts) {
    if (point.manifest.files.some((file) => file.kind === kind)) continue;
    const path = join(folders.backups, latest);
    if ((await fingerprintOf(path)) === undefined) continue;
    // It belongs to another state than the latest of the others; history/ still has it.
    await disk.remove(path);
    mended.push(`${latest} was removed: ${point.id} has none`);
  }
  return { fingerprints, mended };
}

async function fingerprintOf(path: string): Promise<string | undefined> {
  const info = await stat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return info?.isFile() ? fileFingerprint(path, info) : undefined;
}

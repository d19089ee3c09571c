import { join } from "node:path";
import { z } from "zod";
import type { Artefact, Facts, PointFacts } from "../app.ts";
import { Failure } from "../failures.ts";
import { readdir, readFile, stat } from "../files.ts";
import { parseJson } from "../json.ts";
import { type DamageMark, damageOf, readMarks } from "./damage.ts";
import { type PointId, parsePointId } from "./naming.ts";
import type { AppFolders } from "./nas.ts";

/** What was true of a restore point when it was made: what restores and drills compare with. One file a point. */
export const Manifest = z.object({
  version: z.literal(1),
  id: z.string(),
  /** Grows with every point of the app, whatever the clock does: the order of points. */
  sequence: z.number().int().min(1),
  takenAt: z.string(),
  app: z.string(),
  type: z.string(),
  runId: z.string(),
  identity: z.object({ id: z.string(), label: z.string() }).optional(),
  /** Size of the source, as the next backup compares it. */
  sourceBytes: z.number().optional(),
  files: z
    .array(
      z.object({
        kind: z.string(),
        /**
         * Under history/ or pinned/; a file that an earlier point made can belong to later ones too. Of a mirror: its
         * path below the mirror's folder, the kind being "file" or "folder".
         */
        name: z.string(),
        sizeBytes: z.number(),
        sha256: z.string(),
        /** Of the same bytes, eight hexadecimal digits: what a restore asks for before it begins. Older points have none. */
        crc32: z.string().optional(),
        /** What the data was, whatever its container looks like: the gate. */
        checksum: z.string(),
        /** What helps to read it again: the blocks of an archive. */
        about: z.record(z.string(), z.unknown()).optional(),
      }),
    )
    .min(1),
  facts: z.record(z.string(), z.unknown()).default({}),
  /** Found later to be not what it was; such a point counts for nothing. Lies beside the manifest (`damage.ts`). */
  damaged: z.object({ at: z.string(), why: z.string() }).optional(),
});
export type Manifest = z.infer<typeof Manifest>;

export interface PointFile {
  readonly kind: string;
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly pinned: boolean;
}

/** A state that can be gone back to. */
export interface RestorePoint {
  readonly id: PointId;
  readonly takenAtMs: number;
  readonly label?: string;
  readonly files: readonly PointFile[];
  readonly manifest?: Manifest;
  readonly pinned: boolean;
  /** Has a manifest, all its files are there with the right sizes, and none is known to be damaged. */
  readonly good: boolean;
}

/**
 * All restore points of an app, oldest first: by sequence where they have one, the incumbent's before, by time.
 * Unknown files are not seen. A manifest none of whose files is there is no point (see `orphanManifests`).
 * @throws {Failure} `nas_unreachable` when nothing can be learnt of a file: without it an older point would be the newest.
 */
export async function listPoints(folders: AppFolders, artefacts: readonly Artefact[]): Promise<RestorePoint[]> {
  // One after the other: a NAS that hangs in the middle then holds one thread of four, not all.
  const history = await listFiles(folders.history, artefacts, false);
  const pinned = await listFiles(folders.pinned, artefacts, true);
  const manifests = withMarks(await readManifests(folders), await readMarks(folders));
  const files = new Map([...history, ...pinned].map((file) => [file.name, file]));
  const claimed = new Set<string>();
  const points: RestorePoint[] = [];
  for (const manifest of manifests) {
    const takenAtMs = parsePointId(manifest.id);
    const present = manifest.files.flatMap(({ name }) => files.get(name) ?? []);
    if (takenAtMs === undefined || present.length === 0) continue;
    for (const { name } of present) claimed.add(name);
    const whole = manifest.files.every(({ name, sizeBytes }) => files.get(name)?.sizeBytes === sizeBytes);
    points.push(pointOf(manifest.id, takenAtMs, present, { manifest, good: whole && !manifest.damaged }));
  }
  const unclaimed = [...files.values()].filter(({ name }) => !claimed.has(name));
  for (const [key, group] of Map.groupBy(unclaimed, ({ key }) => key)) {
    const [first] = group;
    if (first) points.push(pointOf(key, first.takenAtMs, group, { good: false, label: first.label }));
  }
  return points.sort(byAge);
}

/** Manifests with what was found out about them later. */
export function withMarks(manifests: readonly Manifest[], marks: readonly DamageMark[]): Manifest[] {
  if (marks.length === 0) return [...manifests];
  return manifests.map((manifest) => {
    const mark = damageOf(manifest, marks);
    return mark ? { ...manifest, damaged: { at: mark.at, why: mark.why } } : manifest;
  });
}

function pointOf(
  id: string,
  takenAtMs: number,
  files: readonly PointFile[],
  rest: { manifest?: Manifest; good: boolean; label?: string | undefined },
): RestorePoint {
  const { label, ...others } = rest;
  return {
    id,
    takenAtMs,
    files,
    // All of them: one that it shares with a pinned point lies with that one.
    pinned: files.every((file) => file.pinned),
    ...others,
    ...(label !== undefined && { label }),
  };
}

const byAge = (a: RestorePoint, b: RestorePoint) =>
  (a.manifest?.sequence ?? 0) - (b.manifest?.sequence ?? 0) || a.takenAtMs - b.takenAtMs || (a.id < b.id ? -1 : 1);

type FoundFile = PointFile & { key: PointId; takenAtMs: number; label?: string };

async function listFiles(folder: string, artefacts: readonly Artefact[], pinned: boolean): Promise<FoundFile[]> {
  const names = await namesIn(folder);
  const found: FoundFile[] = [];
  for (const name of names) {
    for (const { kind, naming } of artefacts) {
      const parsed = naming.parse(name);
      if (!parsed) continue;
      const path = join(folder, name);
      const info = await stat(path).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === "ENOENT") return undefined;
        throw new Failure("nas_unreachable", `Cannot look at "${path}": ${cause.message}`, { cause });
      });
      if (!info?.isFile()) continue;
      const { id: key, takenAtMs, label } = parsed;
      found.push({
        kind,
        name,
        path,
        sizeBytes: info.size,
        pinned,
        key,
        takenAtMs,
        ...(label !== undefined && { label }),
      });
      break;
    }
  }
  return found;
}

/**
 * Manifests in no order. One that is damaged is left out: its file then counts as one without a manifest.
 * @throws {Failure} `nas_unreachable` when one is there and cannot be read: then nothing may be decided without it.
 */
export async function readManifests(folders: AppFolders): Promise<Manifest[]> {
  const manifests: Manifest[] = [];
  for (const name of await namesIn(folders.points)) {
    if (!/^\d{8}-\d{6}\.json$/.test(name)) continue;
    const path = join(folders.points, name);
    const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT" || cause.code === "EISDIR") return "";
      throw new Failure("nas_unreachable", `Cannot read "${path}": ${cause.message}`, { cause });
    });
    const parsed = Manifest.safeParse(parseJson(text));
    if (parsed.success && `${parsed.data.id}.json` === name) manifests.push(parsed.data);
  }
  return manifests;
}

export const manifestPath = (folders: AppFolders, id: PointId) => join(folders.points, `${id}.json`);

/** Names in a folder; none when it is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

/** The newest point that restores and gates may lean on. */
export const newestGood = (points: readonly RestorePoint[]) => points.findLast((point) => point.good);

export const sizeOf = (point: { files: readonly { sizeBytes: number }[] }) =>
  point.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** What the manifest keeps of each file of a point, by artefact. */
export const aboutOf = ({ manifest }: RestorePoint): Map<string, Facts> =>
  new Map(manifest?.files.flatMap(({ kind, about }) => (about ? [[kind, about]] : [])));

const sha256sOf = ({ files }: Manifest) => new Map(files.map(({ kind, sha256 }) => [kind, sha256]));

export const factsOf = (point: RestorePoint): PointFacts => ({
  id: point.id,
  takenAtMs: point.takenAtMs,
  ...(point.manifest && { about: aboutOf(point), sha256s: sha256sOf(point.manifest) }),
  ...(point.label !== undefined && { label: point.label }),
  ...(point.manifest && { facts: point.manifest.facts }),
  ...(point.manifest?.identity && { identity: point.manifest.identity }),
});

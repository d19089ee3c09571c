import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { type Disk, ignore } from "../disk.ts";
import { Failure } from "../failures.ts";
import { readFile } from "../files.ts";
import { parseJson } from "../json.ts";
import type { AppFolders } from "./nas.ts";
import { type Manifest, namesIn } from "./points.ts";

/*
 * Marks of what was found to be not what it was, one small file each in `.keepsake/<app>/damaged/`. They lie beside the
 * manifests, not in them: a scrub or a drill finds damage without the lock that manifests are written under.
 */

const found = { at: z.string(), why: z.string(), by: z.enum(["backup", "scrub", "drill"]) };

export const DamageMark = z.union([
  /** A file whose bytes are not those of this checksum. `name` as manifests have it; "latest.zip" for such a one. */
  z.object({ ...found, name: z.string(), sha256: z.string() }),
  /** A point whose bytes are those of its manifest, and were wrong when they were written. */
  z.object({ ...found, point: z.string(), sequence: z.number() }),
]);
export type DamageMark = z.infer<typeof DamageMark>;

type Marked =
  | { readonly name: string; readonly sha256: string }
  | { readonly point: string; readonly sequence: number };

/** @throws {Failure} `nas_unreachable` when one is there and cannot be read. */
export async function readMarks(folders: AppFolders): Promise<DamageMark[]> {
  const marks: DamageMark[] = [];
  for (const name of await namesIn(folders.damaged)) {
    if (!/^[0-9a-f]{32}\.json$/.test(name)) continue;
    const path = join(folders.damaged, name);
    const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT") return "";
      throw new Failure("nas_unreachable", `Cannot read "${path}": ${cause.message}`, { cause });
    });
    const parsed = DamageMark.safeParse(parseJson(text));
    if (parsed.success) marks.push(parsed.data);
  }
  return marks;
}

/** What makes a point of this manifest count for nothing. */
export function damageOf(
  { id, sequence, files }: Pick<Manifest, "id" | "sequence" | "files">,
  marks: readonly DamageMark[],
): DamageMark | undefined {
  return marks.find((mark) =>
    "point" in mark
      ? isPointMarked([mark], { id, sequence })
      : files.some(({ name, sha256 }) => name === mark.name && sha256 === mark.sha256),
  );
}

export const isMarked = (marks: readonly DamageMark[], file: { name: string; sha256: string }): boolean =>
  marks.some((mark) => "name" in mark && mark.name === file.name && mark.sha256 === file.sha256);

/** Whether what is wrong is not that bytes have changed since. */
export const isPointMarked = (marks: readonly DamageMark[], { id, sequence }: Pick<Manifest, "id" | "sequence">) =>
  marks.some((mark) => "point" in mark && mark.point === id && mark.sequence === sequence);

/** One that is marked already keeps the moment when it was found. */
export async function markDamage(folders: AppFolders, mark: DamageMark, disk: Disk): Promise<void> {
  await disk.makeDir(folders.damaged);
  const create = () => disk.createExclusive(markPath(folders, mark), `${JSON.stringify(mark, null, 2)}\n`);
  // A run of another lane clears temporary files away (`mend.ts`), once, at its start.
  if ((await create().catch(ignore("ENOENT"))) === undefined) await create();
}

/** Takes back what was marked: it is what it was. */
export const clearMark = (folders: AppFolders, marked: Marked, disk: Disk): Promise<void> =>
  disk.remove(markPath(folders, marked));

function markPath(folders: AppFolders, marked: Marked): string {
  const key = "point" in marked ? ["point", marked.point, marked.sequence] : ["file", marked.name, marked.sha256];
  return join(folders.damaged, `${createHash("sha256").update(JSON.stringify(key)).digest("hex").slice(0, 32)}.json`);
}

import { constants } from "node:fs";
import { access, lstat, opendir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { toFailure } from "../failures.ts";
import { freeSpace, hiddenFolder, openNas } from "./nas.ts";

/** What a process finds out of the export as the user that it is. */
export const NasLook = z.object({
  /** Why this is not the marked export; nothing else was looked at then. */
  notMarked: z.string().optional(),
  freeBytes: z.number().optional(),
  /** Whom files that this process makes belong to there, as "uid:gid": another than it is where the export squashes. */
  makes: z.string().optional(),
  /** The first few of what it cannot use, and how many there are. */
  closed: z.array(z.string()),
  closedCount: z.number(),
  /** There was more than was looked at. */
  partly: z.boolean(),
});
export type NasLook = z.infer<typeof NasLook>;

/** A map has a hundred thousand tiles: whose folder is right has them right. */
const mostEntries = 20_000;

/**
 * Looks whether an app's backups can be written by this very process: at the app's folder, and at its hidden one. Changes
 * nothing, but for an empty file in `.keepsake` that it removes again; in what is not marked not even that.
 */
export async function lookAtNas(root: string, app: string): Promise<NasLook> {
  const nas = openNas(root);
  const none = { closed: [], closedCount: 0, partly: false };
  try {
    await nas.check();
  } catch (error) {
    return { ...none, notMarked: toFailure(error).message };
  }
  const { folder, hidden } = nas.app(app);
  const found: Found = { closed: [], closedCount: 0, left: mostEntries };
  for (const place of [hidden, folder]) await lookInto(place, found);
  const makes = await ownerOfNew([hidden, join(root, hiddenFolder), folder]);
  const { freeBytes } = await freeSpace(root);
  const { closed, closedCount, left } = found;
  return { freeBytes, ...(makes !== undefined && { makes }), closed, closedCount, partly: left <= 0 };
}

interface Found {
  closed: string[];
  closedCount: number;
  left: number;
}

/** A folder has to be open for everything, a file to be read: it is replaced by a rename. */
async function lookInto(folder: string, found: Found): Promise<void> {
  const info = await stat(folder).catch(() => undefined);
  const place = info ? folder : join(folder, "..");
  const { R_OK, W_OK, X_OK } = constants;
  if (!(await may(place, R_OK | W_OK | X_OK))) {
    close(info ? folder : `${folder} (is not there, and cannot be made)`, found);
    return;
  }
  if (!info) return;
  const isSticky = (info.mode & 0o1000) !== 0;
  for await (const entry of await opendir(folder)) {
    found.left -= 1;
    if (found.left <= 0) return;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await lookInto(path, found);
    else if (entry.isFile() && !(await may(path, R_OK))) close(path, found);
    // What others have put there can be neither replaced nor removed.
    else if (isSticky && (await lstat(path)).uid !== process.getuid?.()) close(path, found);
  }
}

function close(path: string, found: Found): void {
  found.closedCount += 1;
  if (found.closed.length < 3) found.closed.push(path);
}

const may = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  );

/** Of the first folder that lets a file be made. */
async function ownerOfNew(folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, `.keepsake-look-${process.pid}-${Date.now()}.tmp`);
    try {
      await writeFile(path, "", { flag: "wx" });
      const { uid, gid } = await stat(path);
      return `${uid}:${gid}`;
    } catch {
      // The next one may.
    } finally {
      await rm(path, { force: true }).catch(() => {});
    }
  }
  return undefined;
}

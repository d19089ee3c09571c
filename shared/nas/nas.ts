import { randomUUID } from "node:crypto";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Disk } from "../disk.ts";
import { Failure } from "../failures.ts";
import { readFile, stat } from "../files.ts";

/** Everything that this system needs beside the asker's tree lives in this one folder at the root of the export. */
export const hiddenFolder = ".keepsake";

export const ExportMarker = z.object({ version: z.literal(1), id: z.string(), createdAt: z.string() });
export type ExportMarker = z.infer<typeof ExportMarker>;

/** Where things of one app lie on the NAS. Absolute paths. */
export interface AppFolders {
  readonly app: string;
  /** The app's own folder: `<export>/<app>`. */
  readonly folder: string;
  readonly backups: string;
  readonly history: string;
  readonly pinned: string;
  /** `.keepsake/<app>` */
  readonly hidden: string;
  /** Manifests, one a restore point. */
  readonly points: string;
  /** What is being written; nothing in it is a backup. */
  readonly staging: string;
  /** What a mirror has copied and not put in place yet: the next run goes on with it. */
  readonly incoming: string;
  /** Outcomes that were not told yet. */
  readonly outbox: string;
  /** Outcomes that were told. */
  readonly runs: string;
  readonly locks: string;
  /** Gate and identity. */
  readonly state: string;
  readonly sums: string;
  /** Checksums of a mirror's folders, a list for each. */
  readonly folderSums: string;
  /** Marks of files and points that were found to be not what they were. */
  readonly damaged: string;
  /** What scrubs remember, and their locks. */
  readonly scrub: string;
  /** The same of drills. */
  readonly drill: string;
}

export interface Nas {
  readonly root: string;
  /** @throws {Failure} `nas_not_marked`, `nas_unreachable`. */
  check(): Promise<ExportMarker>;
  app(name: string): AppFolders;
}

export const markerPath = (root: string) => join(root, hiddenFolder, "export.json");

/** The export that is mounted at `root`. */
export function openNas(root: string): Nas {
  return {
    root,
    check: () => readMarker(root),
    app: (name) => foldersOf(root, name),
  };
}

function foldersOf(root: string, app: string): AppFolders {
  const folder = join(root, app);
  const backups = join(folder, "backups");
  const hidden = join(root, hiddenFolder, app);
  return {
    app,
    folder,
    backups,
    history: join(backups, "history"),
    pinned: join(backups, "pinned"),
    hidden,
    points: join(hidden, "points"),
    staging: join(hidden, "staging"),
    incoming: join(hidden, "incoming"),
    outbox: join(hidden, "outbox"),
    runs: join(hidden, "runs"),
    locks: join(hidden, "locks"),
    state: join(hidden, "state.json"),
    sums: join(hidden, "SHA256SUMS"),
    folderSums: join(hidden, "folders"),
    damaged: join(hidden, "damaged"),
    scrub: join(hidden, "scrub"),
    drill: join(hidden, "drill"),
  };
}

/**
 * Without the marker this is not the export: a folder of the pod's own, or a mount that is not there. Nothing may be
 * written into it.
 */
async function readMarker(root: string): Promise<ExportMarker> {
  const path = markerPath(root);
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR") {
      throw new Failure(
        "nas_not_marked",
        `Cannot use "${root}" as the NAS: the marker "${path}" is wanted, is not there`,
        {
          cause,
          hint: `Mount the export there. If "${root}" is the export and new to Keepsake: make init-nas NAS="${root}"`,
        },
      );
    }
    throw new Failure("nas_unreachable", `Cannot read the NAS at "${root}": ${cause.message}`, { cause });
  });
  try {
    return ExportMarker.parse(JSON.parse(text));
  } catch (cause) {
    throw new Failure("nas_not_marked", `Cannot use "${root}" as the NAS: its marker "${path}" is damaged`, { cause });
  }
}

/**
 * Marks a folder as the export. Does nothing when it is marked already.
 * @throws {Failure} `nas_not_marked` when the folder is not there: it is never made, for that would hide a missing mount.
 */
export async function initNas(
  root: string,
  disk: Disk,
  now: () => number = Date.now,
): Promise<ExportMarker & { created: boolean }> {
  const folder = await stat(root).catch(() => undefined);
  if (!folder?.isDirectory()) {
    throw new Failure("nas_not_marked", `Cannot mark "${root}" as the NAS: a folder is wanted, there is none`, {
      hint: "Mount the export there first, or make the folder yourself if it is a local one.",
    });
  }
  await disk.makeDir(join(root, hiddenFolder));
  const marker: ExportMarker = { version: 1, id: randomUUID(), createdAt: new Date(now()).toISOString() };
  const created = await disk.createExclusive(markerPath(root), `${JSON.stringify(marker, null, 2)}\n`);
  return { ...(created ? marker : await readMarker(root)), created };
}

/** Of the file system that holds a folder: what an ordinary user may still fill, and all there is. */
export async function freeSpace(folder: string): Promise<{ freeBytes: number; totalBytes: number }> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/**
 * Checks that there is room before anything is filled.
 * @throws {Failure} `no_space`.
 */
export async function requireSpace(folder: string, neededBytes: number, what: string): Promise<void> {
  const { freeBytes } = await freeSpace(folder);
  // A little more than needed: a file system that is filled to the last byte harms whoever else writes there.
  const wantedBytes = Math.ceil(neededBytes * 1.05) + (16 << 20);
  if (freeBytes >= wantedBytes) return;
  throw new Failure(
    "no_space",
    `Cannot ${what}: ${wantedBytes} bytes of free space are wanted in "${folder}", are ${freeBytes}`,
    {
      hint: "Free some space there; nothing has been touched.",
    },
  );
}

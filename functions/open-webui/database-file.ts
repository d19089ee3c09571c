import type { Stats } from "node:fs";
import { open, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { ignore } from "../../shared/disk.ts";
import { Failure } from "../../shared/failures.ts";
import { fileFingerprint } from "../../shared/source/fingerprint.ts";
import { headerBytes, parseHeader } from "./header.ts";

/** Files that belong to a database, by what follows its name. Without them it is another one, or a damaged one. */
export const sidecars = ["-journal", "-wal", "-shm"] as const;

/** A database and what lies beside it, as the file system shows them. */
export interface DatabaseFile {
  /** With links followed, as SQLite does: what belongs to it lies beside this one. */
  readonly path: string;
  /** With what is in its WAL. */
  readonly sizeBytes: number;
  /** Without the pages that hold nothing. In WAL mode only a reader of the WAL can tell. */
  readonly usedBytes?: number;
  readonly changedAtMs: number;
  readonly wal: boolean;
  /** Sizes of those beside it. */
  readonly beside: ReadonlyMap<(typeof sidecars)[number], number>;
  /** Equal means that nobody has written since: the files' own, and SQLite's change counter. */
  readonly fingerprint: string;
}

/**
 * @throws {Failure} `source_missing`, `source_empty`, `source_invalid`, `source_unreachable`.
 */
export async function readDatabaseFile(wanted: string): Promise<DatabaseFile> {
  const path = await realpath(wanted).catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === "ENOENT" || cause.code === "ENOTDIR" ? missing(wanted, cause) : unreachable(wanted, cause);
  });
  const [info, head] = await readHead(path);
  if (info.size === 0) {
    throw new Failure("source_empty", `Cannot back up "${path}": a database is wanted, the file is empty`, {
      hint: "The backups are left as they are. An app that starts over an empty file makes a new database.",
    });
  }
  const header = parseHeader(head);
  if (!header) {
    throw new Failure("source_invalid", `Cannot back up "${path}": a SQLite database is wanted, its header is none`, {
      hint: "Is it encrypted (SQLCipher), or does DATABASE_URL lead to another server? The backups are left as they are.",
    });
  }
  const beside = new Map<(typeof sidecars)[number], Stats>();
  for (const suffix of sidecars) {
    const found = await stat(path + suffix)
      .catch(ignore("ENOENT"))
      .catch((cause) => {
        throw unreachable(path + suffix, cause);
      });
    if (found) beside.set(suffix, found);
  }
  // Not -shm: it is an index into the WAL, and readers write to it.
  const others = [...beside].filter(([suffix]) => suffix !== "-shm");
  const prints = [info, ...others.map(([, found]) => found)].map((found, n) =>
    fileFingerprint(n === 0 ? path : "", found),
  );
  return {
    path,
    sizeBytes: info.size + (beside.get("-wal")?.size ?? 0),
    changedAtMs: Math.max(...[info, ...others.map(([, found]) => found)].map(({ mtimeMs }) => Math.trunc(mtimeMs))),
    wal: header.wal,
    ...(!header.wal && { usedBytes: Math.max(0, info.size - header.freePages * header.pageBytes) }),
    beside: new Map([...beside].map(([suffix, { size }]) => [suffix, size])),
    fingerprint: [...others.map(([suffix]) => suffix), ...prints, head.toString("base64")].join(" "),
  };
}

async function readHead(path: string): Promise<[Stats, Buffer]> {
  try {
    const file = await open(path, "r");
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(headerBytes), 0, headerBytes, 0);
      return [await file.stat(), buffer.subarray(0, bytesRead)];
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw unreachable(path, cause as Error);
  }
}

function missing(path: string, cause: Error): Failure {
  return new Failure("source_missing", `Cannot find the database: a file "${path}" is wanted, it is not there`, {
    cause,
    hint: `Is the volume mounted at "${dirname(path)}", and are the settings \`data\` and \`database\` right?`,
  });
}

function unreachable(path: string, cause: Error): Failure {
  return new Failure("source_unreachable", `Cannot read "${path}": ${cause.message}`, {
    cause,
    hint: "Is Keepsake run as the user that the data belongs to?",
  });
}

import { open, stat } from "node:fs/promises";
import type { RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { openReadBack } from "../../shared/nas/read-back.ts";
import { type DatabaseFile, readDatabaseFile } from "./database-file.ts";

const attempts = 3;
/** What ends a journal that names another one (SQLite's pager.c, "super-journal"). */
const superJournalMagic = "d9d505f920a163d7";

/**
 * Copies a database's files as they lie, with its journal and its WAL, while nobody uses it. When somebody does, that is
 * seen: then none of them may be what it was before.
 * @returns The files as they were, and when.
 * @throws {Failure} `source_changing`, `source_invalid`.
 */
export async function copyAsleep(
  ctx: RunContext<unknown>,
  { path }: DatabaseFile,
  into: string,
): Promise<{ file: DatabaseFile; takenAtMs: number }> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const takenAtMs = ctx.now();
    const before = await readDatabaseFile(path);
    for (const suffix of attempt > 1 ? ["-journal", "-wal", ""] : []) await ctx.disk.remove(into + suffix);
    await copyFiles(ctx, before, into);
    const after = await readDatabaseFile(path);
    if (after.fingerprint === before.fingerprint) return { file: before, takenAtMs };
    ctx.log.info({ attempt, path }, "the database changed while its files were copied");
  }
  throw new Failure(
    "source_changing",
    `Cannot copy "${path}": files that stay as they are are wanted, they kept changing`,
    {
      hint: "Something still writes to the database. The next run tries again.",
    },
  );
}

async function copyFiles(ctx: RunContext<unknown>, { path, beside }: DatabaseFile, into: string): Promise<void> {
  // Not -shm: an index into the WAL, which SQLite makes anew.
  const journals = (["-journal", "-wal"] as const).filter((suffix) => (beside.get(suffix) ?? 0) > 0);
  for (const suffix of journals) {
    if (suffix === "-journal") await refuseSuperJournal(path + suffix);
    await copyFile(ctx, path + suffix, into + suffix);
  }
  await copyFile(ctx, path, into);
}

/** One that has gone meanwhile, or become shorter, shows in the fingerprint. */
async function copyFile(ctx: RunContext<unknown>, from: string, to: string): Promise<void> {
  const file = await openReadBack(from, { signal: ctx.signal }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (!file) return;
  try {
    const onBytes = (done: number) => ctx.progress("copying the database", done, file.sizeBytes);
    await ctx.disk.write(to, file.stream(), { signal: ctx.signal, mode: 0o600, onBytes }).catch((error) => {
      if (!(error instanceof Failure) || error.code !== "backup_damaged") throw error;
    });
  } finally {
    await file.close();
  }
}

/**
 * SQLite removes the file that a journal names as the one above it, wherever that is. Open WebUI has one database, so
 * its journals name none.
 */
async function refuseSuperJournal(path: string): Promise<void> {
  const { size } = await stat(path);
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, Math.max(0, size - 8));
    if (buffer.subarray(0, bytesRead).toString("hex") !== superJournalMagic) return;
  } finally {
    await file.close();
  }
  throw new Failure(
    "source_invalid",
    `Cannot back up what "${path}" belongs to: it is part of a change of several databases`,
    {
      hint: "Start the app once, so that it puts its database in order. The backups are left as they are.",
    },
  );
}

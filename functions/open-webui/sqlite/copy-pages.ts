import { rmSync } from "node:fs";
import { backup, type DatabaseSync } from "node:sqlite";
import { SqliteProblem } from "./problems.ts";

/** Pages at a time: 4 MB, so that the app waits for a moment at most when it wants to write. */
const batch = 1024;
const everything = 2 ** 31 - 1;
const patience = 5;

/**
 * Copies a database that others may be writing to, as it is at one moment. In between batches nothing is locked; when
 * somebody has written, SQLite begins anew. When that happens again and again, all of it is copied under one lock.
 * @param into Does not exist.
 * @param onPages Hears how many of how many pages are copied.
 * @throws {SqliteProblem} `busy`.
 */
export async function copyPages(
  db: DatabaseSync,
  into: string,
  onPages: (done: number, total: number) => void,
): Promise<void> {
  // In WAL mode readers and the writer do not wait for each other, so it may as well be one read.
  const wal = db.prepare("PRAGMA journal_mode").get()?.journal_mode === "wal";
  if (!wal && (await copyInBatches(db, into, onPages))) return;
  rmSync(into, { force: true });
  await copy(db, into, { rate: everything });
  onPages(1, 1);
}

/** @returns Whether it was done before the patience was at its end. */
async function copyInBatches(
  db: DatabaseSync,
  into: string,
  onPages: (done: number, total: number) => void,
): Promise<boolean> {
  const tooOften = new Error("written to again and again");
  let [left, restarts] = [Number.POSITIVE_INFINITY, 0];
  try {
    await copy(db, into, {
      rate: batch,
      progress({ totalPages, remainingPages }) {
        if (remainingPages > left) restarts += 1;
        if (restarts > patience) throw tooOften;
        left = remainingPages;
        onPages(totalPages - remainingPages, totalPages);
      },
    });
    return true;
  } catch (error) {
    if (error === tooOften) return false;
    throw error;
  }
}

async function copy(db: DatabaseSync, into: string, options: Parameters<typeof backup>[2]): Promise<void> {
  await backup(db, into, options).catch((error: Error & { errcode?: number }) => {
    // Node asks the connection what went wrong, and a lock that was not to be had is nothing that it remembers.
    throw error.errcode === 0 ? new SqliteProblem("busy", "somebody else holds its lock") : error;
  });
}

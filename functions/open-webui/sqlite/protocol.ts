import { z } from "zod";

/* What a run and its SQLite process say to each other: one request as an argument, replies as lines of JSON. */

export type SqliteRequest =
  /**
   * Copies the database `from` page by page into the new file `raw`, proves the copy, and writes what it holds into the
   * new file `into`: the same bytes for the same content. Others may be using it.
   */
  | (Copy & { readonly operation: "snapshot"; readonly busyMs: number })
  /** The same with a private copy, which is brought to rest first, with the journal or WAL beside it, and then removed. */
  | (Copy & { readonly operation: "settle" })
  /** Proves a file that nobody writes to. Changes nothing, not even beside it. */
  | { readonly operation: "prove"; readonly path: string; readonly quick?: boolean; readonly uploads?: string }
  /** Tells what a database in use holds, without proving it. */
  | { readonly operation: "look"; readonly path: string; readonly busyMs: number };

export interface Copy {
  readonly from: string;
  readonly raw: string;
  readonly into: string;
  /** The folder of uploads that the rows of `file` are compared with. */
  readonly uploads?: string | undefined;
}

export const MissingUploads = z.object({
  /** Files that rows refer to, on local storage. */
  referred: z.number(),
  missing: z.number(),
  /** Some of them. */
  names: z.array(z.string()),
});
export type MissingUploads = z.infer<typeof MissingUploads>;

export const DatabaseFacts = z.object({
  /** Alembic's: which migration the schema has reached. */
  revision: z.string(),
  /** By table. */
  rows: z.record(z.string(), z.number()),
  /** Who signed up first. Open WebUI lets nobody delete this account. */
  firstUser: z.object({ id: z.string(), createdAt: z.number().optional() }).optional(),
  /** Rows that refer to others which are not there; not counted further than 10,000. */
  danglingRows: z.number().optional(),
  /** When a folder of uploads was given. */
  uploads: MissingUploads.optional(),
  /** The version of SQLite that looked, and wrote. */
  sqliteVersion: z.string(),
});
export type DatabaseFacts = z.infer<typeof DatabaseFacts>;

export const Problem = z.object({
  /**
   * busy: locked by somebody else for too long. unsettled: it cannot be opened for reading alone, as when a crash left a
   * journal.
   * damaged: no sound SQLite file. foreign: sound, but not Open WebUI's. full: no room. unreadable: everything else.
   */
  kind: z.enum(["busy", "unsettled", "damaged", "foreign", "full", "unreadable"]),
  message: z.string(),
});
export type Problem = z.infer<typeof Problem>;

export const SqliteReply = z.union([
  z.object({
    progress: z.object({ phase: z.string(), doneBytes: z.number().optional(), totalBytes: z.number().optional() }),
  }),
  z.object({ facts: DatabaseFacts }),
  z.object({ problem: Problem }),
]);
export type SqliteReply = z.infer<typeof SqliteReply>;

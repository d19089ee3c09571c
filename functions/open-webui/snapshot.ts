import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { requireSpace } from "../../shared/nas/nas.ts";
import type { Settings } from "./app.ts";
import { copyAsleep } from "./copy-asleep.ts";
import type { DatabaseFile } from "./database-file.ts";
import { readDatabaseFile } from "./database-file.ts";
import { isOnNetwork } from "./network.ts";
import type { DatabaseFacts } from "./sqlite/protocol.ts";
import { askSqlite, SqliteRefusal } from "./sqlite-process.ts";

/** What a database held at one moment, as a file of this machine: the same bytes for the same content. */
export interface Snapshot {
  readonly path: string;
  readonly sizeBytes: number;
  readonly facts: DatabaseFacts;
  /** Nothing that was written later is in it. */
  readonly takenAtMs: number;
  /** The database as it was right before. */
  readonly file: DatabaseFile;
}

/**
 * Copies the database to this machine, proves the copy, and writes what it holds into a new file.
 * @param asleep Whether nobody uses the database, so that its files are copied as they lie. Otherwise SQLite reads it,
 *   and locks it for moments only.
 * @throws {Failure} `source_changing`, `source_invalid`, `source_empty`, `source_unreachable`, `no_space`.
 */
export async function takeSnapshot(ctx: RunContext<Settings>, path: string, asleep: boolean): Promise<Snapshot> {
  const folder = await scratchFolder(ctx);
  const [raw, into] = [join(folder, "copy.db"), join(folder, "webui.db")];
  const file = await readDatabaseFile(path);
  // The copy, and what is written from it.
  await requireSpace(folder, 2 * file.sizeBytes, "copy the database to this machine");
  const takenAtMs = ctx.now();
  const uploads = ctx.settings.uploads ? join(ctx.settings.data, "uploads") : undefined;
  const options = {
    signal: ctx.signal,
    temporary: folder,
    sizeBytes: file.sizeBytes,
    onProgress: (phase: string, done?: number, total?: number) => ctx.progress(phase, done, total),
  };
  const fromFiles = async () => {
    const from = join(folder, "files.db");
    const copied = await copyAsleep(ctx, file, from);
    const facts = await ctx.step(`write what ${from} holds to ${into}`, () =>
      askSqlite({ operation: "settle", from, raw, into, uploads }, options),
    );
    return { facts, ...copied };
  };
  const throughSqlite = async () => {
    const busyMs = ctx.settings.busyTimeoutSeconds * 1000;
    const facts = await ctx.step(`copy ${file.path} to ${into}`, () =>
      askSqlite({ operation: "snapshot", from: file.path, raw, into, uploads, busyMs }, options),
    );
    return { facts, file, takenAtMs };
  };
  try {
    const quiet = asleep || isUnused(file);
    const taken = await (quiet ? fromFiles() : throughSqlite()).catch((error) => {
      // A crash has left a journal, which SQLite would have to roll back where it lies: in a copy it may.
      if (quiet || !(error instanceof SqliteRefusal) || error.problem.kind !== "unsettled") throw error;
      ctx.log.info({ path: file.path }, "the database cannot be opened for reading alone, so its files are copied");
      return fromFiles();
    });
    return { path: into, sizeBytes: (await stat(into)).size, ...taken };
  } catch (error) {
    throw error instanceof SqliteRefusal ? sourceFailure(ctx, file.path, error) : error;
  }
}

/** In WAL mode whoever has the database open has an index into the WAL beside it; a reader would have to make one. */
const isUnused = ({ wal, beside }: DatabaseFile) => wal && !beside.has("-shm");

async function scratchFolder(ctx: RunContext<Settings>): Promise<string> {
  const folder = join(await ctx.scratch(), "database");
  // An earlier try of this run.
  await ctx.disk.removeTree(folder);
  await ctx.disk.makeDir(folder);
  if (await isOnNetwork(folder)) {
    throw new Failure(
      "invalid_config",
      `Cannot copy the database to "${folder}": a local folder is wanted, this is a network's`,
      {
        hint: "SQLite must not write to a network. Set `state` to a folder on a disk of this machine.",
      },
    );
  }
  return folder;
}

function sourceFailure(ctx: RunContext<Settings>, path: string, cause: SqliteRefusal): Failure {
  const { kind, message } = cause.problem;
  const stays = "The backups are left as they are.";
  switch (kind) {
    case "busy":
      return new Failure(
        "source_changing",
        `Cannot read "${path}": its lock is wanted within ${ctx.settings.busyTimeoutSeconds} s, somebody else has it`,
        { cause, hint: "The app is writing all the time. The next run tries again." },
      );
    case "damaged":
      return new Failure("source_invalid", `Cannot back up "${path}": a sound database is wanted, ${message}`, {
        cause,
        hint: `${stays} To get the last good one back: make restore-${ctx.app.name}`,
      });
    case "foreign":
      return new Failure("source_invalid", `Cannot back up "${path}": Open WebUI's database is wanted, ${message}`, {
        cause,
        hint: `${stays} Is the setting \`database\` of ${basename(path)} right, and has the app started once?`,
      });
    case "full":
      return new Failure("no_space", `Cannot copy "${path}" to this machine: ${message}`, {
        cause,
        hint: "Free some space in the folder of the setting `state`. Nothing was changed.",
      });
    default:
      return new Failure("source_unreachable", `Cannot read "${path}": ${message}`, {
        cause,
        hint: "Is Keepsake run as the user that the data belongs to? If locks do not work there, set `network: true`.",
      });
  }
}

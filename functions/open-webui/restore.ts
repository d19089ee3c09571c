import { lstat, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { PointFacts, PresentData, RestoreApp, RunContext } from "../../shared/app.ts";
import { ignore } from "../../shared/disk.ts";
import { Failure } from "../../shared/failures.ts";
import { sizeOf } from "../../shared/nas/points.ts";
import { openReadBack, type ReadBack } from "../../shared/nas/read-back.ts";
import { folderTarget } from "../../shared/run/folder-target.ts";
import type { Settings } from "./app.ts";
import { sidecars } from "./database-file.ts";
import { installIdentity, summaryOf } from "./facts.ts";
import { lostText } from "./lost-uploads.ts";
import { lookAtPresent } from "./present.ts";
import { damaged } from "./prove.ts";
import { askSqlite } from "./sqlite-process.ts";
import { extractUploads, unpackedBytes } from "./uploads.ts";

export const restore: RestoreApp<Settings> = {
  needsStop: true,

  target(ctx) {
    const { data, database } = ctx.settings;
    const beside = sidecars.map((suffix) => database + suffix);
    const target = folderTarget(ctx, {
      folder: data,
      // All that belongs to the present database: a journal or WAL of it would be taken for the restored one's.
      replaces: (names) => names.filter((name) => name === database || beside.includes(name)),
      neededBytes: async (files, { about }) => {
        const uploads = files.get("uploads");
        return sizeOf({ files: [...files.values()] }) + (uploads ? unpackedBytes(uploads, about) : 0);
      },
      unpack,
      describe: (folder) => describe(ctx, folder),
    });
    let restoring = false;
    return {
      ...target,
      async stage(files, point) {
        await target.stage(files, point);
        restoring = true;
      },
      async swap() {
        await target.swap();
        // An undo puts back what had lain beside the database, and belongs to it.
        if (restoring) for (const name of beside) await requireAbsent(join(data, name));
      },
    };
  },
};

/** The database's bytes as they are, proven again where they arrived, and the uploads when the point has them. */
async function unpack(
  ctx: RunContext<Settings>,
  files: ReadonlyMap<string, ReadBack>,
  point: PointFacts,
  into: string,
): Promise<void> {
  const { data, database } = ctx.settings;
  const file = files.get("database");
  if (!file) throw new Failure("backup_damaged", "Cannot restore: the database is wanted, is missing");
  const disk = ctx.disk.with(await ownershipFor(join(data, database)));
  const path = join(into, database);
  const written = await disk.write(path, file.stream(), {
    signal: ctx.signal,
    mode: (await modeOf(join(data, database))) ?? 0o644,
    onBytes: (done) => ctx.progress("copying", done, file.sizeBytes),
  });
  await requireArrived(path, written.sha256, await file.sha256());
  const archive = files.get("uploads");
  const uploads = join(archive ? into : data, "uploads");
  if (archive) await extractUploads(archive, uploads, { disk, about: point.about, signal: ctx.signal });
  ctx.progress("checking the database");
  const { sizeBytes } = file;
  const facts = await askSqlite(
    { operation: "prove", path, quick: true, uploads },
    { signal: ctx.signal, sizeBytes },
  ).catch((error) => {
    throw damaged(path, error);
  });
  requireRows(point, facts.rows);
  if (facts.uploads && facts.uploads.missing > 0) ctx.warn(lostText(facts.uploads, join(data, "uploads")));
  await warnOfRevision(ctx, facts.revision);
}

async function requireArrived(path: string, sent: string, wanted: string): Promise<void> {
  const arrived = await openReadBack(path);
  try {
    if ((await arrived.sha256()) === sent && sent === wanted) return;
  } finally {
    await arrived.close();
  }
  throw new Failure("restore_failed", `Cannot restore "${path}": the bytes that were sent are wanted, others arrived`, {
    hint: "This disk or its memory damages data. Nothing was replaced.",
  });
}

/** What the manifest counted is what has to be there again. */
function requireRows({ id, facts }: PointFacts, rows: Readonly<Record<string, number>>): void {
  const wanted = facts?.rows;
  if (typeof wanted !== "object" || wanted === null) return;
  for (const [table, count] of Object.entries(wanted)) {
    if (rows[table] === count) continue;
    throw new Failure(
      "backup_damaged",
      `Cannot restore ${id}: ${count} rows of "${table}" are wanted, are ${rows[table] ?? "none, nor the table"}`,
      { hint: `The app was not touched. ${summaryOf({ rows })} are in it.` },
    );
  }
}

/** Which of two revisions is the newer one cannot be told from them. */
async function warnOfRevision(ctx: RunContext<Settings>, revision: string): Promise<void> {
  const present = await lookAtPresent(ctx.settings, ctx.signal);
  const before =
    present?.revision ?? (await ctx.pointsOf(ctx.app.name)).findLast(({ good }) => good)?.manifest?.facts.revision;
  if (typeof before !== "string" || before === revision) return;
  ctx.warn(
    `The backup's database has revision ${revision}, the present one ${before}. An older one is brought up to date when the app starts; for a newer one the app must be at least as new as the one that wrote it, or it fails with "Can't locate revision identified by '${revision}'"`,
  );
}

async function requireAbsent(path: string): Promise<void> {
  if (!(await lstat(path).catch(ignore("ENOENT")))) return;
  throw new Failure("restore_failed", `Cannot put the database in place: no "${path}" is wanted, it is there again`, {
    hint: "Something still has the old database open. Is the `workload` in the settings right?",
  });
}

/** Only root can give files away; anyone else is the app's user already, or a laptop's. */
async function ownershipFor(path: string): Promise<{ owner?: { uid: number; gid: number } }> {
  if (process.getuid?.() !== 0) return {};
  const found = await stat(path).catch(() => undefined);
  if (found) return { owner: { uid: found.uid, gid: found.gid } };
  const parent = dirname(resolve(path));
  return parent === resolve(path) ? {} : ownershipFor(parent);
}

const modeOf = async (path: string) => {
  const found = await stat(path).catch(() => undefined);
  return found && found.mode & 0o777;
};

async function describe(ctx: RunContext<Settings>, folder: string): Promise<PresentData | undefined> {
  const { database } = ctx.settings;
  const found = await stat(join(folder, database)).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  const wal = await stat(join(folder, `${database}-wal`)).catch(() => undefined);
  const facts = await lookAtPresent(ctx.settings, ctx.signal);
  const identity = facts && installIdentity(facts);
  return {
    label: facts ? `${database}: ${summaryOf(facts)}` : database,
    sizeBytes: found.size + (wal?.size ?? 0),
    changedAtMs: Math.floor(Math.max(found.mtimeMs, wal?.mtimeMs ?? 0)),
    ...(identity && { identity }),
  };
}

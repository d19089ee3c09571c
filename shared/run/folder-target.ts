import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import type { Aside, PointFacts, PresentData, Recovered, RestoreTarget, RunContext } from "../app.ts";
import { ignore, isTemporary, isWithin, temporaryFor } from "../disk.ts";
import { Failure, toFailure } from "../failures.ts";
import { lstat, readFile, stat } from "../files.ts";
import { parseJson } from "../json.ts";
import { hiddenFolder, requireSpace } from "../nas/nas.ts";
import { namesIn, sizeOf } from "../nas/points.ts";
import type { ReadBack } from "../nas/read-back.ts";

export interface FolderApp<Settings> {
  /** The folder that holds the data. */
  readonly folder: string;
  /** Which of its top-level names a restore replaces; all others are left alone, save what it brings itself. */
  replaces(names: readonly string[]): string[];
  /**
   * What of the unpacked content is put in place as a whole, in this order: paths with "/" between their parts, none
   * within another. Its top-level names when absent.
   */
  units?(unpacked: string): Promise<string[]>;
  /** Bytes that unpacking takes; those of the files when absent. */
  neededBytes?(files: ReadonlyMap<string, ReadBack>, point: PointFacts): Promise<number>;
  /** An undo leaves what a restore has brought where nothing was; it takes it away when absent. */
  readonly keepsBrought?: true;
  /** Writes the restored content into an empty folder, as it shall stand in the data folder. */
  unpack(
    ctx: RunContext<Settings>,
    files: ReadonlyMap<string, ReadBack>,
    point: PointFacts,
    into: string,
  ): Promise<void>;
  /** What is there now, for people; undefined when there is nothing. */
  describe(folder: string): Promise<PresentData | undefined>;
}

/*
 * Beside the data, in <folder>/.keepsake, which is on the same file system, so that putting data in place is renames:
 *   restore/journal.json   what the run under way does
 *   restore/new/           what will be put in place
 *   replaced/<run>/        what a restore has replaced, with replaced/<run>.json
 * The journal goes from "staging" over "swapping" (with the names to move) to being removed; the moment that
 * replaced/<run>.json exists, the swap is committed.
 */
const Journal = z.object({
  runId: z.string(),
  phase: z.enum(["staging", "swapping"]),
  /** Paths that are set aside, and paths that take their place. */
  out: z.array(z.string()).default([]),
  in: z.array(z.string()).default([]),
  /** Folders that have to be made for them, outermost first. */
  made: z.array(z.string()).default([]),
  /** The set-aside state that is being put back, of an undo. */
  fromAside: z.string().optional(),
});
type Journal = z.infer<typeof Journal>;

const AsideRecord = z.object({
  runId: z.string(),
  at: z.number(),
  label: z.string(),
  sizeBytes: z.number().optional(),
  /** What was set aside, so that an undo knows whether all of it is still there. */
  names: z.array(z.string()).default([]),
  /** What the restore had put in place. */
  brought: z.array(z.string()).default([]),
});

/** Restores into a folder of files: what is there is set aside by renaming, what is new is renamed into place. */
export function folderTarget<Settings>(ctx: RunContext<Settings>, app: FolderApp<Settings>): RestoreTarget {
  const { disk } = ctx;
  const folder = resolve(app.folder);
  const hidden = join(folder, hiddenFolder);
  const work = join(hidden, "restore");
  const fresh = join(work, "new");
  const journalPath = join(work, "journal.json");
  const replaced = join(hidden, "replaced");
  const asideFolder = (id: string) => join(replaced, id);
  const asideRecord = (id: string) => join(replaced, `${id}.json`);

  /** Without it nobody knows what is old and what is new, so no app may be started and nothing removed. */
  const unknown = (why: string) =>
    new Failure("restore_failed", `Cannot tell what a restore that was killed has moved in "${folder}": ${why}`, {
      hint: `Nothing is lost: what was there is in "${replaced}", what was to come is in "${fresh}". Put into "${folder}" what shall be there, then remove "${work}", and from "${replaced}" the folder that has no .json beside it.`,
    });
  const readJournal = async (): Promise<Journal | undefined> => {
    const text = await readFile(journalPath, "utf8")
      .catch(ignore("ENOENT", "ENOTDIR"))
      .catch((cause) => {
        throw new Failure("source_unreachable", `Cannot read "${journalPath}": ${cause.message}`, {
          cause,
          hint: "Is Keepsake run as the user that the data belongs to?",
        });
      });
    if (text === undefined) {
      // Only a swap that was neither finished nor undone leaves such a folder, and it had a journal.
      for (const id of await namesIn(replaced).catch(() => [])) {
        if (id.startsWith(".") || id.endsWith(".json") || (await there(asideRecord(id)))) continue;
        if ((await namesIn(asideFolder(id)).catch(() => [])).length > 0) throw unknown(`"${journalPath}" is gone`);
      }
      return undefined;
    }
    const parsed = Journal.safeParse(parseJson(text));
    if (!parsed.success) throw unknown(`"${journalPath}" is damaged`);
    return parsed.data;
  };
  const writeJournal = (journal: Journal) => disk.replace(journalPath, JSON.stringify(journal));
  const moveIfThere = async (from: string, to: string) => {
    if (await there(from)) await move(from, to);
  };
  const move = async (from: string, to: string) => {
    if (!(await there(dirname(to)))) await disk.makeDir(dirname(to));
    await disk.rename(from, to);
  };

  /** Opens the journal before anything is written, so that what a crash leaves is known to be nobody's. */
  const begin = async (fromAside?: string) => {
    const parent = await stat(folder).catch(() => undefined);
    if (!parent) await disk.makeDir(folder);
    await disk.removeTree(work);
    await disk.makeDir(fresh);
    await writeJournal({
      runId: ctx.run.id,
      phase: "staging",
      out: [],
      in: [],
      made: [],
      ...(fromAside !== undefined && { fromAside }),
    });
  };

  /** Undoes an uncommitted swap, whatever part of it happened, in the opposite order. */
  const undoMoves = async ({ runId, out, in: incoming, made, fromAside }: Journal) => {
    const source = fromAside === undefined ? fresh : asideFolder(fromAside);
    for (const name of incoming.toReversed()) {
      // A name that goes both out and in is the new one only once the old one has gone.
      const oldHasGone = !out.includes(name) || (await there(join(asideFolder(runId), name)));
      if (oldHasGone && !(await there(join(source, name)))) await moveIfThere(join(folder, name), join(source, name));
    }
    for (const name of out.toReversed()) await moveIfThere(join(asideFolder(runId), name), join(folder, name));
    for (const path of made.toReversed()) await disk.removeEmptyDir(join(folder, path));
    for (const path of foldersOf(out).toReversed()) await disk.removeEmptyDir(join(asideFolder(runId), path));
    await disk.removeEmptyDir(asideFolder(runId));
  };

  /** What an undo takes away: what the restore had brought, as far as it is still there. */
  const broughtBy = async (asideId: string): Promise<string[]> => {
    if (app.keepsBrought) return [];
    const record = AsideRecord.safeParse(parseJson(await readFile(asideRecord(asideId), "utf8").catch(() => "")));
    const brought = await Promise.all(
      (record.data?.brought ?? []).map(async (path) => ((await there(join(folder, path))) ? [path] : [])),
    );
    return brought.flat();
  };

  const removeTemporaries = async (): Promise<boolean> => {
    const left = (await namesIn(replaced).catch(ignore("ENOTDIR")))?.filter(isTemporary) ?? [];
    for (const name of left) await disk.removeTree(join(replaced, name));
    return left.length > 0;
  };

  const finish = async () => {
    await removeTemporaries();
    await disk.removeTree(work);
  };

  const rollBack = async () => {
    const journal = await readJournal();
    if (journal?.phase === "swapping" && !(await there(asideRecord(journal.runId)))) await undoMoves(journal);
    await finish();
  };

  const closeCommitted = async ({ fromAside }: Journal) => {
    if (fromAside !== undefined) {
      await disk.remove(asideRecord(fromAside));
      await disk.removeTree(asideFolder(fromAside));
    }
    await finish();
  };

  /** Of an undo: what was set aside, in its order. */
  const unitsIn = async (source: string, fromAside: string | undefined): Promise<string[]> => {
    if (fromAside === undefined) return app.units ? app.units(source) : namesIn(source);
    const record = AsideRecord.safeParse(parseJson(await readFile(asideRecord(fromAside), "utf8")));
    return record.data?.names ?? namesIn(source);
  };

  const asides = async (): Promise<Aside[]> => {
    const names = (await namesIn(replaced)).filter((name) => name.endsWith(".json") && !name.startsWith("."));
    const read = await Promise.all(
      names.map(async (name): Promise<Aside[]> => {
        const parsed = AsideRecord.safeParse(parseJson(await readFile(join(replaced, name), "utf8").catch(() => "")));
        if (!parsed.success) return [];
        const { runId, at, label, sizeBytes } = parsed.data;
        return [{ id: runId, setAsideAtMs: at, label, ...(sizeBytes !== undefined && { sizeBytes }) }];
      }),
    );
    return read.flat().sort((a, b) => b.setAsideAtMs - a.setAsideAtMs);
  };

  return {
    async recover(stopApp): Promise<Recovered> {
      const journal = await readJournal();
      if (!journal) {
        if (!(await there(work))) return { action: (await removeTemporaries()) ? "cleaned" : "nothing" };
        await finish();
        return { action: "cleaned" };
      }
      const { runId } = journal;
      if (await there(asideRecord(runId))) {
        await closeCommitted(journal);
        return { action: "rolled_forward", runId };
      }
      if (journal.phase === "swapping") {
        await stopApp();
        await rollBack();
        return { action: "rolled_back", runId };
      }
      await finish();
      return { action: "cleaned", runId };
    },

    present: () => app.describe(folder),

    async stage(files, point) {
      await begin();
      const neededBytes = (await app.neededBytes?.(files, point)) ?? sizeOf({ files: [...files.values()] });
      await requireSpace(fresh, neededBytes, "restore");
      await app.unpack(ctx, files, point, fresh);
      await disk.syncDir(fresh);
    },

    async stageAside(aside) {
      if (!(await there(asideFolder(aside.id)))) {
        throw new Failure("not_found", `Cannot undo: what "${aside.id}" set aside is not in "${replaced}" any more`);
      }
      const record = AsideRecord.safeParse(parseJson(await readFile(asideRecord(aside.id), "utf8")));
      const missing: string[] = [];
      for (const name of record.data?.names ?? []) {
        if (!(await there(join(asideFolder(aside.id), name)))) missing.push(name);
      }
      if (missing.length > 0) {
        throw new Failure(
          "not_found",
          `Cannot undo: "${missing.join('", "')}" is not in "${asideFolder(aside.id)}" any more`,
          { hint: `The app was not touched. What is left there can be put into "${folder}" by hand.` },
        );
      }
      await begin(aside.id);
    },

    async swap() {
      const journal = await readJournal();
      if (!journal) throw new Error("swap() without stage()");
      const source = journal.fromAside === undefined ? fresh : asideFolder(journal.fromAside);
      const incoming = await unitsIn(source, journal.fromAside);
      const present = (await namesIn(folder)).filter((name) => name !== hiddenFolder);
      const brought = journal.fromAside === undefined ? [] : await broughtBy(journal.fromAside);
      const out = [];
      for (const path of new Set([...app.replaces(present), ...brought, ...incoming])) {
        if (await there(join(folder, path))) out.push(path);
      }
      const made = await missingFolders(folder, incoming);
      await disk.makeDir(asideFolder(ctx.run.id));
      await writeJournal({ ...journal, phase: "swapping", out, in: incoming, made });
      for (const path of out) await move(join(folder, path), join(asideFolder(ctx.run.id), path));
      for (const path of incoming) await move(join(source, path), join(folder, path));
    },

    rollBack,

    async commit() {
      const journal = await readJournal();
      if (!journal) throw new Error("commit() without swap()");
      const label = journal.out.length === 0 ? "nothing" : journal.out.join(", ");
      const { out: names, in: brought } = journal;
      const [newest] = await asides();
      // Their order is what an undo goes by, whatever somebody did to the clock.
      const at = Math.max(ctx.now(), (newest?.setAsideAtMs ?? 0) + 1);
      const record = { runId: ctx.run.id, at, label: label.slice(0, 500), names, brought };
      await disk.replace(asideRecord(ctx.run.id), JSON.stringify(record));
      // From here on the data is in place, and whoever comes next closes the journal.
      await closeCommitted(journal).catch((error) => {
        if (toFailure(error).code === "lock_lost") throw error;
        ctx.warn(`What the restore needed is left in "${work}" until the next run: ${(error as Error).message}`);
      });
    },

    asides,

    async removeAside({ id }) {
      // Under another name first: killed in the middle, half of it would be what an undo puts in place.
      const leaving = temporaryFor(asideFolder(id));
      await moveIfThere(asideFolder(id), leaving);
      await disk.remove(asideRecord(id));
      await disk.removeTree(leaving);
    },

    async place(files, point, to) {
      const wanted = resolve(to);
      const [there, production] = await Promise.all([realPath(wanted), realPath(folder)]);
      if (isWithin(there, production) || isWithin(production, there)) {
        throw new Failure(
          "target_invalid",
          `Cannot restore to "${wanted}": a folder beside production is wanted, this one belongs to "${folder}"`,
        );
      }
      const names = await namesIn(wanted).catch((cause) => {
        throw new Failure("target_invalid", `Cannot restore to "${wanted}": ${cause.message}`, { cause });
      });
      if (names.length > 0) {
        throw new Failure(
          "target_exists",
          `Cannot restore to "${wanted}": an empty or new folder is wanted, it holds something`,
        );
      }
      await disk.makeDir(wanted);
      try {
        await app.unpack(ctx, files, point, wanted);
      } catch (error) {
        for (const name of await namesIn(wanted)) await disk.removeTree(join(wanted, name));
        throw error;
      }
      return wanted;
    },
  };
}

/** Folders that are not there and that these paths need, outermost first. */
async function missingFolders(folder: string, paths: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const path of foldersOf(paths)) if (!(await there(join(folder, path)))) missing.push(path);
  return missing;
}

/** All folders that lead to these paths, outermost first. */
function foldersOf(paths: readonly string[]): string[] {
  const folders = paths.flatMap((path) => {
    const parts = path.split("/").slice(0, -1);
    return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
  });
  return [...new Set(folders)].sort();
}

const there = (path: string) =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** Where a path leads once links are followed; what is not there is taken as it is written. */
async function realPath(path: string): Promise<string> {
  const real = await realpath(path).catch(ignore("ENOENT", "ENOTDIR"));
  return real ?? join(await realPath(dirname(path)), basename(path));
}

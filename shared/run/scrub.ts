import { Failure } from "../failures.ts";
import { clearMark, type DamageMark, isMarked, markDamage, readMarks } from "../nas/damage.ts";
import { namesIn, readManifests } from "../nas/points.ts";
import type { AppRun, Ended } from "./app-run.ts";
import type { RunRequest } from "./description.ts";
import { paced } from "./pace.ts";
import { pointsOf } from "./points-of.ts";
import { type ScrubFile, scrubFiles } from "./scrub-files.ts";
import { type Judgement, type ReadOptions, readFileBack } from "./scrub-read.ts";
import { shareOf } from "./scrub-share.ts";
import { readScrubMemory, type ScrubMemory, writeScrubMemory } from "./scrub-state.ts";

/** How often the memory is written while a scrub goes on: so much is read again after a kill. */
const savedEveryMs = 10_000;

type Suspect = { readonly file: ScrubFile; readonly judged: Judgement };

/**
 * Reads a share of an app's files on the NAS back and compares them with their checksums. What is found to be another
 * one is marked, so that it counts for nothing; what was marked and is well again counts again. Changes no backup.
 */
export async function runScrub(run: AppRun, request: Extract<RunRequest, { operation: "scrub" }>): Promise<Ended> {
  const { ctx, folders, config } = run;
  const { scrubDays, scrubMegabytesPerSecond } = config.common;
  ctx.progress("looking what is due");
  await ctx.disk.makeDir(folders.scrub);
  const files = await scrubFiles(run);
  const memory = await readScrubMemory(folders);
  const share = shareOf(files, memory, { nowMs: ctx.now(), days: scrubDays, all: request.all });
  remember(memory, files, ctx.now());
  Object.assign(memory, { lastRunAtMs: ctx.now(), creditBytes: share.creditBytes });

  const pace = paced(scrubMegabytesPerSecond * 1e6, ctx.signal);
  const totalBytes = share.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  let savedAtMs = ctx.now();
  const save = () => writeScrubMemory(folders, memory, ctx.disk);
  const options: ReadOptions = {
    folders,
    signal: ctx.signal,
    onBytes: async (bytes) => {
      doneBytes += bytes;
      memory.creditBytes -= bytes;
      ctx.progress("reading back", Math.min(doneBytes, totalBytes), totalBytes);
      await pace(bytes);
      // A clock that was set back makes it late, not never: from there it goes on.
      if (Math.abs(ctx.now() - savedAtMs) < savedEveryMs) return;
      await save();
      savedAtMs = ctx.now();
    },
  };
  const suspects: Suspect[] = [];
  try {
    for (const file of share.files) {
      ctx.signal.throwIfAborted();
      const judged = await readOne(file, memory, options);
      if (judged.ok) await settleGood(run, memory, file, judged);
      else suspects.push({ file, judged });
    }
    const damaged = await confirm(run, memory, suspects, options);
    await clearStale(run);
    await save();
    return await endOf(run, memory, { files: share.files.length, bytes: doneBytes, damaged });
  } catch (error) {
    await save().catch((left) => ctx.log.warn({ err: left }, "what was read is read again next time"));
    throw error;
  }
}

/** Of files that are new: since when they are known. Of others that are gone: nothing any more. */
function remember(memory: ScrubMemory, files: readonly ScrubFile[], nowMs: number): void {
  const paths = new Set(files.map(({ path }) => path));
  for (const path of Object.keys(memory.files)) if (!paths.has(path)) delete memory.files[path];
  for (const { path } of files) memory.files[path] ??= { seenAtMs: nowMs };
}

function readOne(file: ScrubFile, memory: ScrubMemory, options: ReadOptions): Promise<Judgement> {
  const entry = memory.files[file.path];
  const isSameList = entry?.sha256 === file.wanted[0];
  return readFileBack(file, entry, {
    ...options,
    upTo: isSameList ? entry?.upTo : undefined,
    onFile: async (path) => {
      if (!entry) return;
      // Of the files of another list nothing is known yet.
      if (entry.sha256 !== file.wanted[0]) delete entry.ok;
      Object.assign(entry, { upTo: path, sha256: file.wanted[0] });
    },
  });
}

/** It is what it has to be. One that was marked counts again. */
async function settleGood({ ctx, folders }: AppRun, memory: ScrubMemory, file: ScrubFile, { sha256 }: Judgement) {
  const { seenAtMs = ctx.now() } = memory.files[file.path] ?? {};
  memory.files[file.path] = {
    ...{ seenAtMs, readAtMs: ctx.now(), ok: true },
    sha256: sha256 ?? (file.wanted[0] as string),
    ...(file.look !== undefined && { look: file.look }),
  };
  const { name } = file;
  if (name === undefined) return;
  const marks = await readMarks(folders);
  for (const sum of file.wanted) {
    if (!isMarked(marks, { name, sha256: sum })) continue;
    await clearMark(folders, { name, sha256: sum }, ctx.disk);
    ctx.warn(`${file.shown} was damaged, and is what it was again`);
  }
}

/**
 * Looks at what seems wrong once more: a backup may have removed or replaced it meanwhile.
 * @returns What is wrong.
 */
async function confirm(
  run: AppRun,
  memory: ScrubMemory,
  suspects: readonly Suspect[],
  options: ReadOptions,
): Promise<Judgement[]> {
  if (suspects.length === 0) return [];
  const { ctx, folders } = run;
  ctx.progress("looking once more at what seems damaged");
  const restBefore = await restMark(run);
  const now = new Map((await scrubFiles(run)).map((file) => [file.path, file]));
  const damaged: Judgement[] = [];
  for (const { file: before } of suspects) {
    const file = now.get(before.path);
    const entry = memory.files[before.path];
    if (!file || !entry) continue;
    const judged = await readFileBack(file, entry, options);
    if (judged.ok) {
      await settleGood(run, memory, file, judged);
      continue;
    }
    const isJudgeable =
      !(file.moves || judged.isMissing) || (restBefore !== undefined && restBefore === (await restMark(run)));
    if (!isJudgeable) {
      ctx.warn(`${judged.file} is read again by the next scrub: a backup is at work on it`);
      continue;
    }
    const { readAtMs: _, upTo: __, ...rest } = entry;
    const isNews = !(judged.isMissing && entry.missing);
    memory.files[before.path] = {
      ...{ ...rest, readAtMs: ctx.now(), ok: false },
      ...(judged.isMissing && { missing: true }),
    };
    const { name, wanted } = file;
    const [sha256] = wanted;
    // A point without one of its files is not good anyway, and is again when the file comes back.
    if (name !== undefined && sha256 !== undefined && !judged.isMissing) {
      const why = `${judged.file}: ${judged.why}`;
      const mark: DamageMark = { name, sha256, at: new Date(ctx.now()).toISOString(), why, by: "scrub" };
      await markDamage(folders, mark, ctx.disk);
    }
    if (isNews) damaged.push(judged);
    else ctx.warn(`${judged.file} is still missing`);
  }
  return damaged;
}

/** Changes with every run of the main lane; undefined while one is at work, or was killed and is to be put in order. */
async function restMark({ folders, place }: AppRun): Promise<string | undefined> {
  if (await place.lockHolder(folders, "main")) return undefined;
  return (await namesIn(folders.locks)).sort().join(" ");
}

/** Marks of what is on the NAS no more. */
async function clearStale(run: AppRun): Promise<void> {
  const { ctx, folders } = run;
  const marks = await readMarks(folders);
  if (marks.length === 0) return;
  const files = await scrubFiles(run);
  const manifests = await readManifests(folders);
  for (const mark of marks) {
    const isOfSomething =
      "point" in mark
        ? manifests.some(({ id, sequence }) => id === mark.point && sequence === mark.sequence)
        : files.some(({ name, wanted }) => name === mark.name && wanted.includes(mark.sha256));
    if (!isOfSomething) await clearMark(folders, mark, ctx.disk);
  }
}

async function endOf(
  run: AppRun,
  memory: ScrubMemory,
  read: { files: number; bytes: number; damaged: readonly Judgement[] },
): Promise<Ended> {
  const { ctx, folders, type } = run;
  const files = await scrubFiles(run);
  const entries = files.map(({ path }) => memory.files[path]?.readAtMs);
  const allSince = entries.includes(undefined) ? undefined : Math.min(...(entries as number[]));
  const points = await pointsOf(folders, type);
  const good = points.filter((point) => point.good).map(({ id }) => id);
  const known = (await readMarks(folders)).flatMap((mark) =>
    "name" in mark ? [{ file: mark.name, why: mark.why }] : [],
  );
  const news = read.damaged.map(({ file, why }) => ({ file, why }));
  const older = known.filter(({ why }) => !news.some((one) => why === `${one.file}: ${one.why}`));
  const scrub: Ended["scrub"] = {
    files: read.files,
    bytes: read.bytes,
    totalFiles: files.length,
    totalBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    ...(allSince !== undefined && files.length > 0 && { allSince: new Date(allSince).toISOString() }),
    damaged: [...news, ...older],
    good: good.toReversed(),
  };
  for (const { why } of older) ctx.warn(`Still damaged: ${why}`);
  const [first] = read.damaged;
  if (first) {
    const more = read.damaged.length > 1 ? `, and ${read.damaged.length - 1} more` : "";
    const message = `Cannot vouch for "${first.file}" on the NAS: ${first.why}${more}`;
    const failure = new Failure("backup_damaged", message, { hint: remedy(run, scrub.good) });
    return { outcome: "failed", message, failure, scrub };
  }
  const what =
    read.files === 0 ? "nothing was due" : `${read.files} of ${files.length} files read back, all of them as they were`;
  return { outcome: "scrubbed", message: `${ctx.app.title}: ${what}`, scrub };
}

function remedy({ ctx }: AppRun, good: readonly string[]): string {
  const left =
    good.length === 0
      ? "No restore point is known to be good any more."
      : `Still good: ${good.slice(0, 10).join(", ")}${good.length > 10 ? `, and ${good.length - 10} more` : ""}.`;
  return `${left} What is damaged counts for nothing. A backup makes again what can be: make backup-${ctx.app.name}`;
}

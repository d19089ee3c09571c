import { join } from "node:path";
import { Event, eventOf, renderedEvent } from "../../events/event.ts";
import type { Publisher } from "../../events/publisher.ts";
import { type Disk, ignore } from "../disk.ts";
import { access, readFile } from "../files.ts";
import { parseJson } from "../json.ts";
import type { Logger } from "../log.ts";
import { namesIn } from "../nas/points.ts";
import type { Outcome } from "./report.ts";

/** Told outcomes that are kept, newest first. */
const keptRuns = 1000;

/**
 * Outcomes of runs on their way to whoever wants to know. A record is created in `outbox`, exclusively, before
 * anything else hears of the outcome; once it was told it moves to `runs`. So every outcome is told at least once,
 * whatever dies in between, and the oldest first.
 */
export interface OutboxFolders {
  readonly outbox: string;
  readonly runs: string;
}

/** Where the outcomes of an app wait on this machine while the NAS is away. */
export const localOutbox = (stateFolder: string, app: string): OutboxFolders => ({
  outbox: join(stateFolder, "outbox", app, "waiting"),
  runs: join(stateFolder, "outbox", app, "told"),
});

/** @returns Whether this was the first record of the run; a second one is dropped. */
export async function recordOutcome(folders: OutboxFolders, outcome: Outcome, disk: Disk): Promise<boolean> {
  const event = eventOf(outcome);
  if (await exists(join(folders.runs, recordName(event)))) return false;
  await disk.makeDir(folders.outbox);
  const path = join(folders.outbox, recordName(event));
  const text = `${JSON.stringify(event, null, 2)}\n`;
  // A run of another lane clears temporary files away (`mend.ts`), once, at its start.
  const created = await disk.createExclusive(path, text).catch(ignore("ENOENT"));
  return created ?? disk.createExclusive(path, text);
}

/** Whether an outcome of this run is recorded, told or not. */
export async function hasOutcome(folders: OutboxFolders, runId: string): Promise<boolean> {
  const name = `${runId}.outcome.json`;
  return (await exists(join(folders.outbox, name))) || exists(join(folders.runs, name));
}

/** The recorded outcome of a run, told or not. */
export async function readOutcome(folders: OutboxFolders, runId: string): Promise<Outcome | undefined> {
  for (const folder of [folders.runs, folders.outbox]) {
    const text = await readFile(join(folder, `${runId}.outcome.json`), "utf8").catch(() => "");
    const parsed = Event.safeParse(parseJson(text));
    if (parsed.success) return parsed.data.data as Outcome;
  }
  return undefined;
}

/**
 * Tells what waits, oldest first, and stops at the first that cannot be told: order is kept, and the rest waits too.
 * @returns How many were told, and how many wait.
 */
export async function flushOutbox(
  folders: OutboxFolders,
  publisher: Publisher,
  disk: Disk,
  log: Logger,
): Promise<{ told: number; waiting: number }> {
  const events = await readRecords(folders.outbox);
  events.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  if (events.length > 0) await disk.makeDir(folders.runs);
  let told = 0;
  for (const event of events) {
    try {
      for (const one of toldWith(event)) await publisher.publish(one);
    } catch (error) {
      log.warn({ err: error, event: event.id }, "an outcome could not be told; it waits");
      break;
    }
    // What a power cut brings back is told again, under the same id. A run of another lane may have told it as well.
    await disk
      .rename(join(folders.outbox, recordName(event)), join(folders.runs, recordName(event)), { durable: false })
      .catch(ignore("ENOENT"));
    told += 1;
  }
  if (told > 0) await trimRuns(folders, disk);
  return { told, waiting: events.length - told };
}

/** How many outcomes wait to be told. */
export const countWaiting = async ({ outbox }: Pick<OutboxFolders, "outbox">): Promise<number> =>
  (await namesIn(outbox)).filter(isRecord).length;

/** Moves records that were written on this machine while the NAS was away to the NAS, told or not. */
export async function takeOverOutbox(from: OutboxFolders, to: OutboxFolders, disk: Disk): Promise<void> {
  for (const folder of ["outbox", "runs"] as const) {
    for (const event of await readRecords(from[folder])) {
      await disk.makeDir(to[folder]);
      if (!(await exists(join(to.runs, recordName(event))))) {
        await disk.createExclusive(join(to[folder], recordName(event)), `${JSON.stringify(event, null, 2)}\n`);
      }
      await disk.remove(join(from[folder], recordName(event)));
    }
  }
}

async function trimRuns(folders: OutboxFolders, disk: Disk): Promise<void> {
  if ((await namesIn(folders.runs)).length <= keptRuns * 1.1) return;
  const events = await readRecords(folders.runs);
  events.sort((a, b) => (a.time < b.time ? 1 : -1));
  for (const event of events.slice(keptRuns)) await disk.remove(join(folders.runs, recordName(event)));
}

const isRecord = (name: string) => /^[a-z0-9].*\.json$/.test(name);

/**
 * What is told for one record. What an outcome announces has no record of its own: so there is no moment in which one
 * of the two is safe and the other is not, and both are told again after a crash.
 */
function toldWith(event: Event): Event[] {
  const { announces } = event.data as Partial<Outcome>;
  return announces === undefined ? [event] : [event, renderedEvent(event.data as Outcome)];
}

/** Tells an outcome that could not be recorded anywhere. */
export async function tellUnrecorded(outcome: Outcome, publisher: Publisher): Promise<void> {
  for (const event of toldWith(eventOf(outcome))) await publisher.publish(event);
}

const recordName = (event: Event) => `${event.id}.json`;

async function readRecords(folder: string): Promise<Event[]> {
  const names = (await namesIn(folder)).filter(isRecord);
  const read = await Promise.all(
    names.map(async (name) => {
      const parsed = Event.safeParse(parseJson(await readFile(join(folder, name), "utf8").catch(() => "")));
      return parsed.success ? [parsed.data] : [];
    }),
  );
  return read.flat();
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

import { join } from "node:path";
import { z } from "zod";
import { type Disk, ignore } from "../disk.ts";
import { Failure } from "../failures.ts";
import { readFile, stat } from "../files.ts";
import { parseJson } from "../json.ts";
import type { AppFolders } from "../nas/nas.ts";
import { namesIn } from "../nas/points.ts";
import { type Lane, RunDescription } from "./description.ts";
import { ProcessIdentity, stateOf } from "./process-identity.ts";

/*
 * One run per app at a time. The lock is a folder of numbered files; the highest number holds it, until that file
 * says that it is released or its process is gone. Whoever takes over creates the next number with link(2), which
 * succeeds for one of them only; so a stale lock is never removed, and the number is a fencing token.
 */

const Entry = z.object({ run: RunDescription, holder: ProcessIdentity, released: z.boolean().default(false) });
type Entry = z.infer<typeof Entry>;

export interface Lock {
  /** The fencing token: grows with every run of the app. */
  readonly number: number;
  /** The run before this one, when it ended without releasing the lock. */
  readonly abandoned?: RunDescription;
  /** @throws {Failure} `lock_lost` when another run has taken over. */
  fence(): Promise<void>;
  release(): Promise<void>;
}

export interface Holder {
  readonly run: RunDescription;
  readonly state: "alive" | "gone" | "unknown";
}

/** Where the locks of a lane are. */
export const locksOf = (folders: AppFolders, lane: Exclude<Lane, "none">): string =>
  lane === "main" ? folders.locks : join(folders[lane], "locks");

/** Who holds the lock; undefined when nobody does. A holder that is gone left its run unfinished. */
export async function lockHolder(folder: string): Promise<Holder | undefined> {
  const top = await topEntry(folder);
  if (!top?.entry || top.entry.released) return undefined;
  const { run, holder } = top.entry;
  return { run, state: await stateOf(holder) };
}

/**
 * Takes the lock, at once or not at all.
 * @throws {Failure} `app_busy`, naming who is running and since when.
 */
export async function takeLock(
  folder: string,
  run: RunDescription,
  holder: ProcessIdentity,
  disk: Disk,
): Promise<Lock> {
  for (;;) {
    await disk.makeDir(folder);
    const top = await topEntry(folder);
    const previous = top?.entry;
    if (previous && !previous.released) {
      const state = await stateOf(previous.holder);
      if (state !== "gone") throw busy(previous.run, hintOf(previous, state, top.path));
    }
    const number = (top?.number ?? 0) + 1;
    const path = pathOf(folder, number);
    const entry: Entry = { run, holder, released: false };
    // The holder clears temporary files away (`mend.ts`): whoever loses one like that has lost the race as well.
    const created = await disk.createExclusive(path, JSON.stringify(entry)).catch(ignore("ENOENT"));
    if (!created) continue;
    const mark = async () => {
      const info = await stat(path, { bigint: true }).catch(ignore("ENOENT"));
      return info && `${info.ino} ${info.mtimeNs}`;
    };
    const own = await mark();
    // A slow taker can create a number that later ones have passed and cleaned up behind them. And another export that
    // is mounted there meanwhile has locks of its own, and numbers begin at 1 everywhere. Asked before every change, so
    // nothing is read.
    const holds = async () =>
      Math.max(...(await numbersIn(folder))) === number && own !== undefined && (await mark()) === own;
    if (!(await holds())) {
      await disk.remove(path);
      continue;
    }
    for (const old of await numbersIn(folder)) if (old < number) await disk.remove(pathOf(folder, old));
    return {
      number,
      ...(previous && !previous.released && { abandoned: previous.run }),
      async fence() {
        if (await holds()) return;
        // The lock went with the NAS. Nobody takes it over while this process lives, which can still put back what is here.
        if (!(await disk.hasMount())) return;
        throw new Failure(
          "lock_lost",
          `Cannot go on with run "${run.id}": another run has taken over the lock of "${run.app}"`,
        );
      },
      // After a power cut nobody holds it either way.
      release: () =>
        disk.replace(path, JSON.stringify({ ...entry, released: true } satisfies Entry), {
          sync: false,
          durable: false,
        }),
    };
  }
}

/** Another run holds the lock. */
export const busy = (run: RunDescription, hint: string): Failure =>
  new Failure(
    "app_busy",
    `Cannot start: ${run.request.operation} of "${run.app}" is running since ${run.startedAt}, started by ${run.startedBy} (run ${run.id})`,
    { hint },
  );

const hintOf = ({ run, holder }: Entry, state: "alive" | "unknown", path: string): string =>
  state === "alive"
    ? `Wait for it, or: make cancel-${run.app}`
    : `It runs on "${holder.host}". If that machine is gone for good, remove "${path}".`;

const pathOf = (folder: string, number: number) => join(folder, `${String(number).padStart(10, "0")}.json`);

async function numbersIn(folder: string): Promise<number[]> {
  return (await namesIn(folder))
    .filter((name) => /^\d{10,15}\.json$/.test(name))
    .map((name) => Number.parseInt(name, 10));
}

async function topEntry(folder: string): Promise<{ number: number; path: string; entry?: Entry } | undefined> {
  const number = Math.max(0, ...(await numbersIn(folder)));
  if (number === 0) return undefined;
  const path = pathOf(folder, number);
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    // Removed since it was listed: then there is a higher one, which the taker of the next number runs into.
    if (cause.code === "ENOENT") return "";
    // Whoever it names may be alive.
    throw new Failure("nas_unreachable", `Cannot read the lock "${path}": ${cause.message}`, { cause });
  });
  const parsed = Entry.safeParse(parseJson(text));
  // Entries appear whole (link of a complete file), so one that cannot be read was damaged by hand: nobody holds it.
  return { number, path, ...(parsed.success && { entry: parsed.data }) };
}

import type { RunRequest } from "../../shared/run/description.ts";
import type { Outcome } from "../../shared/run/report.ts";

/** What a client can be told to do, and what it answers. */
export interface Orders {
  /** Makes this folder of the export a NAS. */
  mark: { order: { nas: string }; answer: null };
  /**
   * One run, as the runner carries it out. Right before the first step that matches `pauseAt` it says so and waits,
   * for as long as it takes; meanwhile it can be told to do other things. A file that this step fsyncs has been
   * fsynced by then.
   */
  run: {
    order: { config: string; app: string; runId: string; request: RunRequest; pauseAt?: string };
    answer: Outcome;
  };
  /** The sha256 of a file, as any program reads it: from the client's cache, where it has it. */
  hash: { order: { path: string }; answer: string };
  /** Removes a file, by hand. */
  remove: { order: { path: string }; answer: null };
  /** Answers which of these paths there are. */
  exist: { order: { paths: string[] }; answer: boolean[] };
  /** Gives each of these names to a file with this content, unless it is taken. Answers which ones it got. */
  claim: {
    order: { way: "createExclusive" | "renameExclusive"; folder: string; names: string[]; content: string };
    answer: boolean[];
  };
  /** Takes the locks in these folders and keeps them. Answers with the number of each, or why it did not get it. */
  lock: { order: { folders: string[] }; answer: (number | string)[] };
  /** Asks each of these locks whether it has it still. Answers true, or with the failure's code. */
  fence: { order: object; answer: (true | string)[] };
  /** Gives back the locks that it has. */
  release: { order: object; answer: null };
}

export type OrderName = keyof Orders;

/** What a client says, one line each. */
export type Said = { ready: true } | { paused: string } | { answer: unknown } | { error: string };

/** What it is told. */
export type Told = { name: OrderName; order: unknown } | { goOn: true };

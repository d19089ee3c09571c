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
  /** Makes the files of these names, each unless it is there. Answers which ones were made. */
  create: { order: { folder: string; names: string[]; content: string }; answer: boolean[] };
  /** Gives files that it makes these names, each unless it is taken. Answers which ones were free. */
  rename: { order: { folder: string; names: string[]; content: string }; answer: boolean[] };
  /** Takes the locks in these folders and keeps them. Answers with a number for each, or the failure's code. */
  lock: { order: { folders: string[] }; answer: (number | string)[] };
  /** Gives back the locks that it has. */
  release: { order: object; answer: null };
}

export type OrderName = keyof Orders;

/** What a client says, one line each. */
export type Said = { ready: true } | { paused: string } | { answer: unknown } | { error: string };

/** What it is told. */
export type Told = { name: OrderName; order: unknown } | { goOn: true };

import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../failures.ts";
import { parseJson } from "../json.ts";
import type { Logger } from "../log.ts";
import { RunLine } from "../run/report.ts";
import type { FoundRun } from "../run/runs.ts";
import type { Cluster } from "./client.ts";
import { LogAway, runnerLog } from "./run-log.ts";
import { hasBegun, podName, type RunInJob } from "./seen-job.ts";

const lookMs = 300;

interface Sight {
  readonly cluster: Cluster;
  readonly see: (id: string) => Promise<RunInJob | undefined>;
  readonly find: (id: string) => Promise<FoundRun | undefined>;
  /** A log that has told nothing for so long is opened again, in ms. */
  readonly silentMs: number;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * What a run tells, from its line `after` on, to its outcome: from before its pod has a log, through connections that
 * are cut and a cluster that is away, to an end of which only Kubernetes or the NAS knows.
 */
export async function* followJob(
  id: string,
  after: number,
  { cluster, see, find, silentMs, log, signal }: Sight,
): AsyncGenerator<{ number: number; line: RunLine }> {
  let number = 0;
  while (!signal.aborted) {
    const seen = await unlessAway(see(id));
    if (seen !== "away" && seen?.pod && hasBegun(seen.pod)) {
      let told = 0;
      try {
        for await (const text of runnerLog(cluster, podName(seen.pod), { follow: true, silentMs, signal })) {
          told += 1;
          const line = RunLine.safeParse(parseJson(text)).data;
          // What was read before the connection was cut comes again; of a long log the beginning may be gone.
          const isNew = told > number;
          number = Math.max(number, told);
          if (!line || (!isNew && line.type !== "outcome")) continue;
          if (number > after || line.type === "outcome") yield { number, line };
          if (line.type === "outcome") return;
        }
      } catch (error) {
        if (signal.aborted) return;
        log.debug({ err: error, run: id }, error instanceof LogAway ? "no log yet" : "a log was cut off");
      }
    }
    const found = seen === "away" ? seen : await unlessAway(find(id));
    if (!found) return;
    if (found !== "away" && found.outcome) {
      yield { number: number + 1, line: found.outcome };
      return;
    }
    await delay(lookMs, undefined, { signal }).catch(() => {});
  }
}

/** For whoever goes on looking until the cluster is back: the run goes on meanwhile. */
export const unlessAway = <T>(look: Promise<T>): Promise<T | "away"> =>
  look.catch((error) => {
    if (error instanceof Failure && error.code === "cluster_unreachable") return "away";
    throw error;
  });

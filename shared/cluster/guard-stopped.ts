import type { Failure } from "../failures.ts";
import { toFailure } from "../failures.ts";
import type { Cluster } from "./client.ts";
import type { LiveWorkload } from "./live-workload.ts";
import { seeWorkload } from "./seen-workload.ts";
import { fought } from "./workload-failures.ts";

/** Keeps an eye on a workload that is to stay stopped. */
export interface Guard {
  /** @throws {Failure} `workload_failed` once somebody has started it, or put another one in its place. */
  check(): void;
  end(): void;
}

/** While the API is away nobody can start anything, so nothing is seen either. */
export function guardStopped(cluster: Cluster, app: string, live: LiveWorkload): Guard {
  const stop = new AbortController();
  let failure: Failure | undefined;
  const seen = seeWorkload(cluster, live, { signal: stop.signal, onChange: () => look() });
  function look(): void {
    if (failure || seen.sources.some(({ items }) => items === undefined)) return;
    try {
      const current = seen.current();
      if (current.replicas > 0) throw fought(app, "stopped", current);
    } catch (error) {
      failure = toFailure(error);
    }
  }
  return {
    check() {
      if (failure) throw failure;
    },
    end: () => stop.abort(),
  };
}

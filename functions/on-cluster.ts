import { connect } from "../shared/cluster/client.ts";
import { clusterRuns } from "../shared/cluster/cluster-runs.ts";
import { clusterView } from "../shared/cluster/place.ts";
import type { Config } from "../shared/config.ts";
import type { Logger } from "../shared/log.ts";
import { natsUrlOf } from "../shared/nats-url.ts";
import { tellUnrecorded } from "../shared/run/outbox.ts";
import type { PlaceView } from "../shared/run/place.ts";
import type { Runs } from "../shared/run/runs.ts";
import type { Rest } from "./function.ts";
import { publisherTo } from "./publisher.ts";

/** How long one request to the API may take, so that the function's own caller hears of it, in ms. */
const answerMs = 5000;

/** What a function starts and sees its runs with on a cluster. Loads the client library: imported there alone. */
export function onCluster(
  config: Config,
  { log, natsUrl }: { log: Logger; natsUrl: string | undefined },
): { runs: Runs; place: PlaceView; rest: () => Promise<Rest> } {
  const cluster = connect(undefined, answerMs);
  const tell: Parameters<typeof clusterRuns>[0]["tell"] = async (outcome) => {
    const publisher = publisherTo(() => natsUrlOf(config, natsUrl), { name: outcome.function, log });
    await tellUnrecorded(outcome, publisher).finally(() => publisher.close());
  };
  const runs = clusterRuns({ cluster, config, tell, log });
  return {
    runs,
    place: clusterView(cluster, config),
    // Whoever started a run may be gone: somebody has to stay who tells that it cannot begin.
    rest: async () => (runs.isSeeingTo() ? { forMs: 0 } : {}),
  };
}

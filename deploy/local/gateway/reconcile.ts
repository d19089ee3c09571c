import type { Config } from "../../../shared/config.ts";
import type { Logger } from "../../../shared/log.ts";
import { withDeadline } from "../../../shared/nas/deadline.ts";
import { findAbandoned } from "../../../shared/run/abandoned.ts";
import { localPlace } from "../../../shared/run/place.ts";

export interface ReconcileOptions {
  readonly config: Config;
  readonly gatewayUrl: string;
  readonly token: string;
  readonly log: Logger;
  /** How often is looked, in ms. */
  readonly everyMs?: number;
}

/**
 * Looks at the start, and once a minute, whether a killed run has left something: a stopped server, half a restore, an
 * outcome that was not told. If so, a `flush` run of that app puts it right.
 * @returns Ends it.
 */
export function startReconcile({ config, gatewayUrl, token, log, everyMs = 60_000 }: ReconcileOptions): () => void {
  const place = localPlace(config);
  const look = async () => {
    const abandoned = () => findAbandoned(config, place);
    for (const app of await withDeadline("what killed runs left", config.nasTimeoutMs, abandoned)) {
      const type = config.apps.find(({ name }) => name === app)?.type;
      log.info({ app }, "a killed run left something; a run puts it right");
      const response = await fetch(`${gatewayUrl}/function/${type?.verb ?? "backup"}-${type?.type}`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, prefer: "respond-async", "x-keepsake-client": "the gateway" },
        body: JSON.stringify({ operation: "flush", app }),
      });
      if (!response.ok) log.warn({ app, answer: (await response.text()).trim() }, "that run could not be started");
    }
  };
  const guarded = () => look().catch((error) => log.warn(`Cannot see what killed runs left: ${error.message}`));
  void guarded();
  const timer = setInterval(guarded, everyMs);
  return () => clearInterval(timer);
}

import { basename, join } from "node:path";
import { readNatsUrl } from "../../../events/nats/address.ts";
import type { Config } from "../../../shared/config.ts";
import { toFailure } from "../../../shared/failures.ts";
import { natsUrlOf } from "../../../shared/nats-url.ts";
import { startNatsServer } from "../lab/nats/server.ts";

export interface GatewayNats {
  /** undefined: events are only logged. */
  readonly url?: string;
  /** For people, without a password. */
  readonly about: string;
  /** Ends a server of its own. */
  stop(): Promise<void>;
}

/** Where a NATS of its own has its store, below the state folder. */
export const natsFolder = (state: string) => join(state, "nats");

/**
 * The NATS that somebody has named, or else one of the gateway's own, with its store in the state folder.
 * @param given NATS_URL.
 */
export async function gatewayNats(
  config: Config,
  given: string | undefined,
  start = startNatsServer,
): Promise<GatewayNats> {
  const named = await natsUrlOf(config, given);
  if (named !== undefined) return { url: named, about: readNatsUrl(named).servers.join(", "), stop: async () => {} };
  try {
    const { url, stop } = await start({ folder: natsFolder(config.state) });
    return { url, about: `${url}, a nats-server of its own; its store is ${basename(config.state)}/nats`, stop };
  } catch (error) {
    const { code, message, hint } = toFailure(error);
    const why = code === "tool_missing" ? `nats-server is not installed. ${hint}` : message;
    return { about: `none, events are only logged: ${why}`, stop: async () => {} };
  }
}

import type { EventBus } from "../events/bus.ts";
import { logPublisher, type Publisher } from "../events/publisher.ts";
import type { Logger } from "../shared/log.ts";

export interface OwnPublisher extends Publisher {
  /** Ends the connection, if there ever was one. */
  close(): Promise<void>;
}

/**
 * Tells to NATS, or to the log alone when nobody has named one. It is connected to, and its client is loaded, when
 * there is something to tell: a run that tells nothing does not wait for it. What could not be reached once is not
 * tried again: a run has an end, and the next one tells what waits.
 * @param options.name Who tells, for people who look at the NATS server.
 */
export function publisherTo(
  url: () => Promise<string | undefined>,
  { name, log }: { name: string; log: Logger },
): OwnPublisher {
  let opening: Promise<EventBus | undefined> | undefined;
  const open = async () => {
    const address = await url();
    if (address === undefined) return undefined;
    const { openBus } = await import("../events/bus.ts");
    return openBus(address, { name, log });
  };
  return {
    async publish(event) {
      opening ??= open();
      const bus = await opening;
      await (bus?.publisher ?? logPublisher(log)).publish(event);
    },
    async close() {
      const bus = await opening?.catch(() => undefined);
      await bus?.close();
    },
  };
}

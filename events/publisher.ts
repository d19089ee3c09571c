import type { Event } from "./event.ts";

/** Where events go. Resolves once the event is safely taken; rejects when it has to be told again later. */
export interface Publisher {
  publish(event: Event): Promise<void>;
}

/** Tells events to the log only. */
export function logPublisher(log: { info(fields: object, message: string): void }): Publisher {
  return {
    async publish(event) {
      log.info({ event: { id: event.id, type: event.type } }, event.data.message);
    },
  };
}

import { AckPolicy, DeliverPolicy, JetStreamApiError } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import type { Connection } from "./connect.ts";
import { streamName } from "./stream.ts";

const changeable = {
  /** What nobody has taken, nor is at work on, comes again after so long. */
  ack_wait: nanos(30_000),
  max_deliver: -1,
  /** Also what was put off counts. */
  max_ack_pending: 10_000,
};

/** The server's numbers for "there is one, and it is configured otherwise": 10148 since 2.10. */
const otherConfiguration = [10148, 10013];

/** Makes a durable consumer that begins with the oldest event, or makes it what it has to be; what it took stays taken. */
export async function declareDurable({ manager }: Pick<Connection, "manager">, durable: string): Promise<void> {
  try {
    await manager.consumers.add(streamName, {
      durable_name: durable,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ...changeable,
    });
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || !otherConfiguration.includes(error.code)) throw error;
    await manager.consumers.update(streamName, durable, changeable);
  }
}

import { DiscardPolicy, JetStreamApiCodes, JetStreamApiError, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import type { Connection } from "./connect.ts";
import { streamSubjects } from "./subjects.ts";

export const streamName = "backups";

const dayMs = 86_400_000;

/** Every event of ninety days. Its size is that of many years; the bound is there so that nothing else is crowded out. */
export const streamConfig = {
  name: streamName,
  description: "Keepsake: how backups and restores ended, and what the watch has found",
  subjects: streamSubjects,
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  discard: DiscardPolicy.Old,
  max_age: nanos(90 * dayMs),
  max_bytes: 256 << 20,
  /** An event that was told, but not marked as told before the power was cut, is told again by the app's next run. */
  duplicate_window: nanos(7 * dayMs),
};

/** The server's number for "there is one, and it is configured otherwise". */
const otherConfiguration = 10058;

/** Makes the stream, or makes it what it has to be; what somebody else has set (replicas, placement) stays. */
export async function declareStream({ manager }: Pick<Connection, "manager">): Promise<void> {
  try {
    await manager.streams.add(streamConfig);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== otherConfiguration) throw withoutJetStream(error);
    const { name, retention: _, storage: __, ...changeable } = streamConfig;
    await manager.streams.update(name, changeable);
  }
}

function withoutJetStream(error: unknown): Error {
  const isOff = error instanceof Error && /no responders|jetstream (is )?not enabled/i.test(error.message);
  if (!isOff) return error as Error;
  return new Error("Cannot keep events: JetStream is wanted, this NATS server has none (nats-server -js)", {
    cause: error,
  });
}

/** Whether what was asked for is not there: a store that was lost, or a stream that somebody has deleted. */
function isGone(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { StreamNotFound, ConsumerNotFound } = JetStreamApiCodes;
  if (error instanceof JetStreamApiError) return error.code === StreamNotFound || error.code === ConsumerNotFound;
  return (
    error.name === "JetStreamNotEnabled" || /no responders|(stream|consumer) (deleted|not found)/i.test(error.message)
  );
}

/** Does it once more after `declare`, when what it needs is gone. */
export async function declaredAgain<T>(work: () => Promise<T>, declare: () => Promise<void>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isGone(error)) throw error;
    await declare();
    return work();
  }
}

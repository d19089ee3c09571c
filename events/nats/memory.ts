import { type KV, Kvm } from "@nats-io/kv";
import type { Memory } from "../memory.ts";
import { answerMs, type Connection } from "./connect.ts";
import { within } from "./deadline.ts";
import { declaredAgain } from "./stream.ts";

/** @throws {Error} When NATS is away. */
export async function openMemory({ js, connected }: Connection, bucket: string): Promise<Memory> {
  const manager = new Kvm(js);
  const declare = async () => {
    // Asked directly, a bucket that is gone would not say so but keep silent.
    const options = { description: `Keepsake: what ${bucket} remembers`, history: 1, allow_direct: false };
    store = await manager.create(bucket, options);
  };
  let store: KV | undefined;
  await declare();
  const use = <T>(work: (store: KV) => Promise<T>): Promise<T> => {
    if (!connected()) return Promise.reject(new Error("Cannot use the memory: NATS is away"));
    return within(
      2 * answerMs,
      "answer",
      declaredAgain(() => work(store as KV), declare),
    );
  };
  return {
    get: (key) =>
      use(async (store) => {
        const entry = await store.get(key);
        return entry?.operation === "PUT" ? entry.string() : undefined;
      }),
    set: (key, text) =>
      use(async (store) => {
        await store.put(key, text);
      }),
  };
}

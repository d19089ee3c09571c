import type { Memory } from "../../events/memory.ts";
import { Failure } from "../../shared/failures.ts";

/** A memory that is away at times; then both methods reject. */
export class LateMemory implements Memory {
  /** undefined: it is away. */
  now: Memory | undefined;

  async get(key: string): Promise<string | undefined> {
    return this.#there().get(key);
  }

  async set(key: string, text: string): Promise<void> {
    await this.#there().set(key, text);
  }

  #there(): Memory {
    if (this.now) return this.now;
    throw new Failure("source_unreachable", "Cannot look up what was told: NATS is away");
  }
}

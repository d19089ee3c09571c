import { createHash } from "node:crypto";

/** What must outlive this process: JSON texts by key. */
export interface Memory {
  get(key: string): Promise<string | undefined>;
  set(key: string, text: string): Promise<void>;
}

/** So many lists of so many entries: months of a home lab's events, at a few kB for each note. */
const lists = 64;
const entriesPerList = 100;
const entriesHere = 2000;

/** What was told already, on which channel: events come more than once. */
export class ToldBefore {
  readonly #memory: Memory;
  readonly #here: Set<string>;

  /** @param here Also what could not be written down; for all connections of this process. */
  constructor(memory: Memory, here = new Set<string>()) {
    this.#memory = memory;
    this.#here = here;
  }

  /** Rejects when the memory cannot be reached: whoever cannot know must not tell. */
  async has(channel: string, eventId: string): Promise<boolean> {
    const entry = entryOf(channel, eventId);
    const remembered = parse(await this.#memory.get(listOf(entry)));
    return this.#here.has(entry) || remembered.some(([known]) => known === entry);
  }

  /** @param messageId As the channel calls it, for whoever looks into the memory. */
  async add(channel: string, eventIds: readonly string[], messageId = ""): Promise<void> {
    const entries = eventIds.map((id) => entryOf(channel, id));
    for (const entry of entries) this.#here.add(entry);
    for (const entry of this.#here) {
      if (this.#here.size <= entriesHere) break;
      this.#here.delete(entry);
    }
    for (const entry of entries) {
      const key = listOf(entry);
      const others = parse(await this.#memory.get(key)).filter(([known]) => known !== entry);
      await this.#memory.set(key, JSON.stringify([...others, [entry, messageId]].slice(-entriesPerList)));
    }
  }
}

const entryOf = (channel: string, eventId: string) => `${channel} ${eventId}`;

const listOf = (entry: string) => `told-${createHash("sha256").update(entry).digest().readUInt32BE() % lists}`;

function parse(text: string | undefined): [entry: string, messageId: string][] {
  try {
    const list: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

import { createHash } from "node:crypto";
import type { Memory } from "../../events/memory.ts";
import { oneByOne } from "./one-by-one.ts";

/** So many lists of so many entries: months of a home lab's events, at a few kB for each note. */
const lists = 64;
const entriesPerList = 100;
const entriesHere = 2000;

/** What came of telling an event on a channel; `perhaps`: it was begun, and its answer never came. */
export type Known = "told" | "perhaps" | "no";

/** An entry, and the message's id as the channel calls it; null while its answer is out. */
type Note = readonly [entry: string, messageId: string | null];

/** What was told already, on which channel: events come more than once, and processes end at any point. */
export class ToldBefore {
  readonly #memory: Memory;
  readonly #serial = oneByOne();
  /** Of this process, with those that could not be written down yet: the memory may be away. */
  readonly #here = new Map<string, string>();
  readonly #unwritten = new Set<string>();

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** By this process. */
  wasToldHere(channel: string, eventId: string): boolean {
    return this.#here.has(entryOf(channel, eventId));
  }

  /** Rejects when the memory cannot be reached and this process does not know. */
  async know(channel: string, eventId: string): Promise<Known> {
    const entry = entryOf(channel, eventId);
    if (this.#here.has(entry)) return "told";
    const found = parse(await this.#memory.get(listOf(entry))).find(([known]) => known === entry);
    return found === undefined ? "no" : found[1] === null ? "perhaps" : "told";
  }

  /**
   * Writes down that they are about to be told: whoever finds that after a crash knows that they may have been.
   * Rejects when it cannot be written, and then nothing must be told: it could happen twice.
   */
  async begin(channel: string, eventIds: readonly string[]): Promise<void> {
    await this.#write(eventIds.map((id) => [entryOf(channel, id), null]));
  }

  /** They were not told, which is certain. */
  async notTold(channel: string, eventIds: readonly string[]): Promise<void> {
    const gone = new Set(eventIds.map((id) => entryOf(channel, id)));
    await this.#change([...gone], (notes) => notes.filter(([entry]) => !gone.has(entry)));
  }

  /** Never rejects: what cannot be written down is known to this process, and written by `catchUp`. */
  async add(channel: string, eventIds: readonly string[], messageId = ""): Promise<void> {
    const notes = eventIds.map((id): [string, string] => [entryOf(channel, id), messageId]);
    for (const [entry] of notes) {
      this.#here.set(entry, messageId);
      this.#unwritten.add(entry);
    }
    for (const entry of this.#here.keys()) {
      if (this.#here.size <= entriesHere) break;
      if (!this.#unwritten.has(entry)) this.#here.delete(entry);
    }
    await this.catchUp().catch(() => {});
  }

  /** Writes down what could not be written before. */
  async catchUp(): Promise<void> {
    const entries = [...this.#unwritten];
    await this.#write(entries.map((entry) => [entry, this.#here.get(entry) ?? ""]));
    for (const entry of entries) this.#unwritten.delete(entry);
  }

  async #write(notes: readonly Note[]): Promise<void> {
    const entries = notes.map(([entry]) => entry);
    await this.#change(entries, (before, key) => [
      ...before.filter(([entry]) => !entries.includes(entry)),
      ...notes.filter(([entry]) => listOf(entry) === key),
    ]);
  }

  async #change(entries: readonly string[], change: (notes: Note[], key: string) => Note[]): Promise<void> {
    for (const key of new Set(entries.map(listOf))) {
      await this.#serial(async () => {
        const notes = change(parse(await this.#memory.get(key)), key);
        await this.#memory.set(key, JSON.stringify(notes.slice(-entriesPerList)));
      });
    }
  }
}

const entryOf = (channel: string, eventId: string) => `${channel} ${eventId}`;

const listOf = (entry: string) => `told-${createHash("sha256").update(entry).digest().readUInt32BE() % lists}`;

function parse(text: string | undefined): Note[] {
  try {
    const list: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

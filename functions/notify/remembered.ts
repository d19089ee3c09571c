import { z } from "zod";
import type { Memory } from "../../events/memory.ts";
import { parseJson } from "../../shared/json.ts";
import type { MovedChats } from "./channels/telegram.ts";
import { oneByOne } from "./one-by-one.ts";

/** An event that could not be told, put aside so that it blocks no other. */
export const Parked = z.object({
  id: z.string(),
  subject: z.string(),
  why: z.string(),
  parkedAt: z.string(),
  /** The beginning of it, as it came. */
  raw: z.string(),
});
export type Parked = z.infer<typeof Parked>;

/** What is told with the next digest only. */
const DigestLine = z.object({ id: z.string(), title: z.string(), at: z.string() });
export type DigestLine = z.infer<typeof DigestLine>;

/** A list in the memory, bounded: the oldest entries go first. An id stands in it once. */
class RememberedList<T extends { id: string }> {
  readonly #memory: Memory;
  readonly #key: string;
  readonly #schema: z.ZodType<T>;
  readonly #maximum: number;
  readonly #serial = oneByOne();

  constructor(memory: Memory, key: string, schema: z.ZodType<T>, maximum: number) {
    this.#memory = memory;
    this.#key = key;
    this.#schema = schema;
    this.#maximum = maximum;
  }

  async all(): Promise<T[]> {
    const list = z.array(this.#schema).safeParse(parseJson(await this.#memory.get(this.#key)));
    return list.success ? list.data : [];
  }

  async add(entry: T): Promise<void> {
    await this.#change((all) => [...all.filter(({ id }) => id !== entry.id), entry].slice(-this.#maximum));
  }

  async remove(ids: ReadonlySet<string>): Promise<void> {
    await this.#change((all) => all.filter(({ id }) => !ids.has(id)));
  }

  async #change(change: (all: T[]) => T[]): Promise<void> {
    await this.#serial(async () => this.#memory.set(this.#key, JSON.stringify(change(await this.all()))));
  }
}

export const parkedIn = (memory: Memory) => new RememberedList<Parked>(memory, "parked", Parked, 30);
export const digestLinesIn = (memory: Memory) =>
  new RememberedList<DigestLine>(memory, "digest-lines", DigestLine, 200);
export type DigestLines = ReturnType<typeof digestLinesIn>;
export type ParkedList = ReturnType<typeof parkedIn>;

const chatsKey = "moved-chats";

/** Groups that were upgraded, by their old id. What cannot be written down is known as long as this process lives. */
export function movedChats(memory: Memory): MovedChats & { load(): Promise<void> } {
  const chats = new Map<string, string>();
  const save = () => memory.set(chatsKey, JSON.stringify(Object.fromEntries(chats)));
  return {
    async load() {
      const known = z.record(z.string(), z.string()).safeParse(parseJson(await memory.get(chatsKey)));
      const before = chats.size;
      for (const [from, to] of Object.entries(known.data ?? {})) if (!chats.has(from)) chats.set(from, to);
      if (before > 0) await save();
    },
    get: (chat) => chats.get(chat),
    async moved(from, to) {
      chats.set(from, to);
      await save().catch(() => {});
    },
  };
}

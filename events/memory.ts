/** What must outlive a process: texts by key, of letters, digits and `-_./=`. */
export interface Memory {
  /** Rejects when NATS is away. */
  get(key: string): Promise<string | undefined>;
  /** Resolves once it is safely kept. Rejects when NATS is away. */
  set(key: string, text: string): Promise<void>;
}

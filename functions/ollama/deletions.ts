import type { Memory } from "./memory.ts";
import type { Model, Store } from "./store.ts";

export interface DeletionsInput {
  readonly nas: Pick<Store, "models" | "bad" | "blobs">;
  /** All that the source has, also what cannot be backed up now: by where it belongs. */
  readonly present: ReadonlySet<string>;
  /** What this backup puts on the NAS. */
  readonly published: readonly Pick<Model, "path" | "blobs">[];
  readonly memory: Memory;
  readonly nowMs: number;
  /** How long what is gone at the source is kept. */
  readonly keepMs: number;
  /** Somebody said that so much less is right. */
  readonly allowSmaller: boolean;
}

export interface Deletions {
  readonly waiting: Memory["waiting"];
  readonly unused: Memory["unused"];
  readonly expired: Memory["expired"];
  /** Models that went too suddenly to believe it: they stay, and their wait has not begun. */
  readonly held: Memory["held"];
}

/**
 * Decides what on the NAS has to go, and when; deletes nothing.
 *
 * A model that is gone at the source waits for `keepMs`, then goes with the blobs that only it needs. When more than
 * half of the models went at once they are held: their wait does not begin, and none ends, until somebody says that it
 * is right or they are back; for a lost disk looks just like that, also once new models are on it. A blob that no model
 * on the NAS needs waits as long, unless a manifest there cannot be read, for then nobody knows.
 */
export function decideDeletions(input: DeletionsInput): Deletions {
  const { nas, present, published, memory, nowMs, keepMs, allowSmaller } = input;
  // A clock that was ahead when this was written down must not make a wait longer.
  const sinceOf = (since: number | undefined) => Math.min(since ?? nowMs, nowMs);
  /** Since when a model is known to be gone. One that expired and still is there: the run that let it go was killed. */
  const knownSince = ({ path, sha256 }: Model): number | undefined => {
    const wait = memory.waiting[path];
    if (wait?.sha256 === sha256) return sinceOf(wait.since);
    return memory.expired.manifests[path] === sha256 ? nowMs - keepMs : undefined;
  };

  const gone = nas.models.filter(({ path }) => !present.has(path));
  const known = gone.filter((model) => knownSince(model) !== undefined);
  const heldBefore = gone.filter((model) => !known.includes(model) && memory.held[model.path] === model.sha256);
  const fresh = gone.filter((model) => !known.includes(model) && !heldBefore.includes(model));
  const tooMany = fresh.length * 2 > nas.models.length - known.length - heldBefore.length;
  const held = allowSmaller ? [] : [...heldBefore, ...(tooMany ? fresh : [])];
  const isDue = (since: number) => held.length === 0 && nowMs - since >= keepMs;

  const waiting: Record<string, { since: number; sha256: string }> = {};
  const expired: { manifests: Record<string, string>; blobs: string[] } = { manifests: {}, blobs: [] };
  for (const model of gone.filter((candidate) => !held.includes(candidate))) {
    const since = knownSince(model) ?? nowMs;
    if (isDue(since)) expired.manifests[model.path] = model.sha256;
    else waiting[model.path] = { since, sha256: model.sha256 };
  }

  const replaced = new Set(published.map(({ path }) => path));
  const staying = nas.models.filter(({ path }) => !replaced.has(path) && !(path in expired.manifests));
  const needed = new Set([...staying, ...published].flatMap(({ blobs }) => blobs.map(({ name }) => name)));
  const leaving = new Set(
    nas.models.filter(({ path }) => path in expired.manifests).flatMap(({ blobs }) => blobs.map(({ name }) => name)),
  );
  const unknown = nas.bad.some(({ path }) => path !== undefined);
  const unused: Record<string, number> = {};
  for (const blob of nas.blobs.keys()) {
    if (needed.has(blob)) continue;
    const since = memory.expired.blobs.includes(blob) ? nowMs - keepMs : sinceOf(memory.unused[blob]);
    if (!unknown && (leaving.has(blob) || isDue(since))) expired.blobs.push(blob);
    else unused[blob] = since;
  }
  return {
    waiting,
    unused,
    expired,
    held: Object.fromEntries(held.map(({ path, sha256 }) => [path, sha256])),
  };
}

import { join } from "node:path";
import type { RunContext } from "../../shared/app.ts";
import { openReadBack } from "../../shared/nas/read-back.ts";
import type { Model, Store } from "./store.ts";

/** What a store lacks of some models. */
export interface Lacking {
  /** Names and sizes of blobs. */
  readonly blobs: ReadonlyMap<string, number>;
  /** Manifests, and where they go: that of a name in `manifests-v2` goes there, for Ollama looks there first. */
  readonly manifests: readonly { readonly at: string; readonly bytes: Uint8Array }[];
}

/**
 * Compares by content: a blob that has its name and its size is read, because Ollama itself never looks whether it is
 * what its name says, and would keep a damaged one for ever.
 * @param source Where the models come from.
 */
export async function lackingOf(
  { signal, progress }: Pick<RunContext, "signal" | "progress">,
  models: readonly Model[],
  source: Store,
  store: Store,
): Promise<Lacking> {
  const names = new Set(models.flatMap((model) => model.blobs.map(({ name }) => name)));
  const sizes = new Map([...names].map((name) => [name, source.blobs.get(name) as number]));
  const blobs = new Map<string, number>();
  const there = [...sizes].filter(([name, size]) => store.blobs.get(name) === size);
  const totalBytes = there.reduce((sum, [, size]) => sum + size, 0);
  let doneBytes = 0;
  for (const [name, size] of sizes) {
    const isThere = store.blobs.get(name) === size;
    const tell = (done: number) => progress("reading what is there", doneBytes + done, totalBytes);
    if (!isThere || (await blobNameOf(join(store.folder, "blobs", name), signal, tell)) !== name) blobs.set(name, size);
    if (isThere) doneBytes += size;
  }
  const manifests = models.flatMap(({ path, sha256, bytes }) => {
    const present = store.models.find((model) => model.path === path);
    const wrong = [
      ...store.bad.filter((bad) => bad.path === path),
      ...(present && present.sha256 !== sha256 ? [present] : []),
    ].map(({ at }) => at);
    return (present || wrong.length > 0 ? wrong : [path]).map((at) => ({ at, bytes }));
  });
  return { blobs, manifests };
}

/** What a blob with this content is called. */
async function blobNameOf(path: string, signal: AbortSignal, onBytes: (done: number) => void): Promise<string> {
  const file = await openReadBack(path, { signal, onBytes });
  try {
    return `sha256-${await file.sha256()}`;
  } finally {
    await file.close();
  }
}

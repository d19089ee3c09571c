import { createHash } from "node:crypto";
import { join } from "node:path";
import type { RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { stat } from "../../shared/files.ts";
import type { PublishedMirror } from "../../shared/mirror-app.ts";
import type { OllamaSource, Settings } from "./app.ts";
import { type Flaw, flawsOf } from "./completeness.ts";
import { type Deletions, decideDeletions } from "./deletions.ts";
import { readMemory } from "./memory.ts";
import { findPulls, isUnderWay } from "./pulls.ts";
import { type Model, readStore, type Store } from "./store.ts";
import { storeIdentity } from "./store-identity.ts";

const dayMs = 86_400_000;

/**
 * What Ollama has, what the NAS has, and what is to come of it. Reads manifests, sizes and times; no blob.
 * @throws {Failure} `source_missing`, `source_empty`, `source_invalid`, `source_unreachable`, `nas_unreachable`.
 */
export async function examineStore(ctx: RunContext<Settings>, published: PublishedMirror): Promise<OllamaSource> {
  const { models: folder, keepDeletedDays } = ctx.settings;
  const store = await readSource(folder);
  const checked = store.models.map((model) => ({ model, flaws: flawsOf(model, store.blobs) }));
  const nothing = { models: [], blobs: new Map(), staying: [], memory: readMemory(published.manifest?.facts) };
  const postponed = await whyPostponed(
    ctx,
    store,
    checked.flatMap(({ flaws }) => flaws),
  );
  if (postponed !== undefined) return { ...nothing, fingerprint: "", postponed };

  const whole = checked.flatMap(({ model, flaws }) => (flaws.length === 0 ? [model] : []));
  tellWhatIsLeftOut(ctx, store, checked);
  requireModels(ctx, store, whole);
  const nas = await readNas(published.root);
  const present = new Set([...store.models.map(({ path }) => path), ...store.bad.flatMap(({ path }) => path ?? [])]);
  const decided = decideDeletions({
    nas,
    present,
    published: whole,
    memory: readMemory(published.manifest?.facts),
    nowMs: ctx.now(),
    keepMs: keepDeletedDays * dayMs,
    allowSmaller: ctx.allows("smaller"),
  });
  const staying = nas.models.filter(
    ({ path }) => !whole.some((model) => model.path === path) && !(path in decided.expired.manifests),
  );
  tellWhatStays(ctx, nas, staying, decided);
  const blobs = new Map(
    whole.flatMap((model) => model.blobs.map(({ name }) => [name, store.blobs.get(name) as number] as const)),
  );
  const identity = await storeIdentity(folder);
  const { waiting, held, unused, expired } = decided;
  return {
    ...(identity && { identity }),
    fingerprint: fingerprintOf(whole, blobs, decided, checked),
    models: whole,
    blobs,
    staying: [
      ...staying.flatMap((model) => [model.path, ...model.blobs.map(({ name }) => `blobs/${name}`)]),
      ...Object.keys(unused).map((name) => `blobs/${name}`),
    ],
    memory: { waiting, held, unused, expired },
  };
}

/**
 * Equal means that there is nothing to do: the same manifests over blobs of the same sizes, and no wait that began or
 * ended. Times are left out, for Ollama touches a blob that it uses again; so is what is over, for the next run
 * does not see it any more.
 */
function fingerprintOf(
  whole: readonly Model[],
  blobs: ReadonlyMap<string, number>,
  { waiting, unused, held }: Deletions,
  checked: readonly { model: Model; flaws: readonly Flaw[] }[],
): string {
  const state = {
    models: whole.map(({ path, sha256 }) => [path, sha256]),
    blobs: [...blobs].sort(([a], [b]) => (a < b ? -1 : 1)),
    flawed: checked.flatMap(({ model, flaws }) => flaws.map(({ why }) => [model.path, why])),
    waiting: Object.keys(waiting).sort(),
    unused: Object.keys(unused).sort(),
    held: Object.keys(held).sort(),
  };
  return createHash("sha256").update(JSON.stringify(state)).digest("hex");
}

/** A download is neither cut off by a stop, nor mistaken for damage. */
async function whyPostponed(
  { settings, canStop, now }: RunContext<Settings>,
  store: Store,
  flaws: readonly Flaw[],
): Promise<string | undefined> {
  const pulls = await findPulls(store.folder, store.others);
  const underWay = pulls.filter((pull) => isUnderWay(pull, now(), settings.pullIdleMinutes * 60_000));
  const repairing = underWay.find(({ blob }) => flaws.some((flaw) => flaw.blob === blob));
  const [any] = canStop ? underWay : [];
  const pull = repairing ?? any;
  if (!pull) return undefined;
  const what = pull.blob === undefined ? "a model is being made" : `${pull.blob.slice(0, 19)}… is being downloaded`;
  return `${what}. The next run backs it up`;
}

function tellWhatIsLeftOut(
  ctx: RunContext<Settings>,
  { folder, bad }: Store,
  checked: readonly { model: Model; flaws: readonly Flaw[] }[],
): void {
  for (const { at, path, why } of bad) {
    const end = path === undefined ? "Remove it." : "What the NAS has of this model stays.";
    ctx.warn(`"${join(folder, at)}" is left out: ${why}. ${end}`);
  }
  for (const { model, flaws } of checked) {
    const [first] = flaws;
    if (!first) continue;
    const more = flaws.length > 1 ? `, and ${flaws.length - 1} more` : "";
    const remedy = `Get it again with: ollama rm ${model.name} && ollama pull ${model.name}`;
    ctx.warn(`${model.name} is left out: ${first.why}${more}. What the NAS has of it stays. ${remedy}`);
  }
}

function requireModels({ app }: RunContext<Settings>, { folder, models, bad }: Store, whole: readonly Model[]): void {
  if (whole.length > 0) return;
  const hint = `The backup is left as it is. To get the models back: make restore-${app.name}`;
  if (models.length + bad.filter(({ path }) => path !== undefined).length === 0) {
    throw new Failure("source_empty", `Cannot back up ${app.title}: a model is wanted in "${folder}", there is none`, {
      hint,
    });
  }
  throw new Failure("source_invalid", `Cannot back up ${app.title}: no model in "${folder}" is whole`, { hint });
}

function tellWhatStays(
  { app, settings, warn }: RunContext<Settings>,
  nas: Store,
  staying: readonly Model[],
  { held }: Deletions,
): void {
  const names = staying.flatMap(({ name, path }) => (path in held ? [name] : []));
  if (names.length > 0) {
    const what = `${names.length} of the NAS's ${nas.models.length} models went from "${settings.models}" at once: ${names.join(", ")}`;
    const remedy = `If that is right: make backup-${app.name} ALLOW=smaller. If not: make restore-${app.name}`;
    warn(`${what}. The NAS keeps them, and removes nothing. ${remedy}`);
  }
  for (const { name, ...model } of staying) {
    const [flaw] = flawsOf(model, nas.blobs);
    if (flaw) warn(`What the NAS has of ${name} is not whole: ${flaw.why}`);
  }
  for (const { at, why } of nas.bad.filter(({ path }) => path !== undefined)) {
    warn(`"${join(nas.folder, at)}" on the NAS cannot be read: ${why}. Until it can, no blob is removed there.`);
  }
}

async function readSource(folder: string): Promise<Store> {
  const unreachable = (cause: Error) =>
    new Failure("source_unreachable", `Cannot read "${folder}": ${cause.message}`, {
      cause,
      hint: "Is Keepsake run as the user that the models belong to?",
    });
  const found = await stat(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw unreachable(cause);
  });
  if (!found?.isDirectory()) {
    throw new Failure("source_missing", `Cannot back up Ollama: a folder is wanted at "${folder}", there is none`, {
      hint: "Is the volume mounted, and is `models` in the settings the folder with blobs and manifests?",
    });
  }
  return readStore(folder).catch((cause) => {
    throw unreachable(cause);
  });
}

export function readNas(root: string): Promise<Store> {
  return readStore(root).catch((cause) => {
    throw new Failure("nas_unreachable", `Cannot read "${root}": ${(cause as Error).message}`, { cause });
  });
}

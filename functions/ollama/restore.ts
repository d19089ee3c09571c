import { readdir, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import type { PointFacts, PresentData, RestoreApp, RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { hiddenFolder, requireSpace } from "../../shared/nas/nas.ts";
import { folderTarget } from "../../shared/run/folder-target.ts";
import type { Settings } from "./app.ts";
import { copyBlob } from "./copy-blob.ts";
import { readNas } from "./examine.ts";
import { type Lacking, lackingOf } from "./lacking.ts";
import { manifestFolders } from "./model-name.ts";
import { readStore, type Store } from "./store.ts";
import { storeIdentity } from "./store-identity.ts";
import { damagedHint, wantedModels } from "./wanted.ts";

/** What a restore brings, and where it comes from. */
interface Cargo {
  readonly nas: Store;
  readonly models: ReturnType<typeof wantedModels>;
  readonly lacking: Lacking;
}

export const restore: RestoreApp<Settings> = {
  needsStop: true,

  /**
   * Brings what the store lacks, and replaces what differs; a model that the NAS does not have stays. An undo puts back
   * what was replaced, and leaves what was brought.
   */
  target(ctx) {
    const folder = resolve(ctx.settings.models);
    // Found out once for the size and the copying: it reads the blobs that are there.
    let ahead: { point: PointFacts; cargo: Cargo } | undefined;
    return folderTarget(ctx, {
      folder,
      replaces: () => [],
      units: filesInOrder,
      keepsBrought: true,
      async neededBytes(_, point) {
        ahead = { point, cargo: await cargoOf(ctx, point, folder) };
        return sizeOfAll(ahead.cargo.lacking);
      },
      async unpack(_, __, point, into) {
        // Beside production there is nothing yet that could be left out.
        const isProduction = into.startsWith(join(folder, hiddenFolder));
        const known = isProduction && ahead?.point === point ? ahead.cargo : undefined;
        ahead = undefined;
        const cargo = known ?? (await cargoOf(ctx, point, isProduction ? folder : into));
        if (!isProduction) await requireSpace(into, sizeOfAll(cargo.lacking), "restore");
        await unpack(ctx, cargo, into);
      },
      describe,
    });
  },
};

async function cargoOf(ctx: RunContext<Settings>, point: PointFacts, folder: string): Promise<Cargo> {
  if (!point.tree) throw new Error("a restore of Ollama without a tree");
  const nas = await readNas(point.tree.root);
  const models = wantedModels(nas, point, ctx.app.name);
  return { nas, models, lacking: await lackingOf(ctx, models, nas, await readStore(folder)) };
}

const sizeOfAll = ({ blobs }: Lacking) => [...blobs.values()].reduce((sum, size) => sum + size, 0);

/** Blobs, each proven, then manifests. Everything is as young as it is: Ollama removes what is old and has no manifest. */
async function unpack(ctx: RunContext<Settings>, { nas, models, lacking }: Cargo, into: string): Promise<void> {
  const disk = ctx.disk.with({ owner: await ownerFor(resolve(ctx.settings.models)), fileMode: 0o644, dirMode: 0o755 });
  const totalBytes = sizeOfAll(lacking);
  let doneBytes = 0;
  if (lacking.blobs.size + lacking.manifests.length === 0) ctx.warn("Nothing was missing: all of it was there already");
  await disk.makeDir(join(into, "blobs"));
  await disk.makeDir(join(into, "manifests"));
  for (const [name, sizeBytes] of lacking.blobs) {
    const model = models.find(({ blobs }) => blobs.some((blob) => blob.name === name))?.name ?? name;
    await copyBlob({
      from: join(nas.folder, "blobs", name),
      to: join(into, "blobs", name),
      disk,
      signal: ctx.signal,
      onBytes: (done) => ctx.progress(`copying ${model}`, doneBytes + done, totalBytes),
    }).catch((cause) => {
      if (!(cause instanceof Failure) || cause.code !== "backup_damaged") throw cause;
      const whole = models.filter(({ blobs }) => !blobs.some((blob) => blob.name === name));
      throw damaged(
        ctx,
        cause,
        model,
        whole.map((other) => other.name),
      );
    });
    doneBytes += sizeBytes;
  }
  await disk.syncDir(join(into, "blobs"));
  for (const { at, bytes } of lacking.manifests) {
    await disk.makeDir(dirname(join(into, at)));
    await disk.write(join(into, at), bytes);
    await disk.syncDir(dirname(join(into, at)));
  }
}

function damaged({ app }: RunContext, cause: Failure, model: string, whole: readonly string[]): Failure {
  return new Failure("backup_damaged", `Cannot restore ${model}: ${cause.message}`, {
    cause,
    hint: damagedHint(app.name, whole),
  });
}

/** Every file by itself, blobs before manifests. */
async function filesInOrder(folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const top of ["blobs", ...manifestFolders]) {
    const entries = await readdir(join(folder, top), { recursive: true, withFileTypes: true }).catch(() => []);
    const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    files.push(...paths.map((path) => relative(folder, path)).sort());
  }
  return files;
}

async function describe(folder: string): Promise<PresentData | undefined> {
  const { models, blobs } = await readStore(folder).catch(() => ({ models: [], blobs: new Map<string, number>() }));
  if (models.length === 0) return undefined;
  const times = await Promise.all(models.map(({ at }) => stat(join(folder, at)).catch(() => undefined)));
  const names = new Set(models.flatMap((model) => model.blobs.map(({ name }) => name)));
  const identity = await storeIdentity(folder);
  return {
    label: `${models.length} ${models.length === 1 ? "model" : "models"}: ${models.map(({ name }) => name).join(", ")}`,
    sizeBytes: [...names].reduce((sum, name) => sum + (blobs.get(name) ?? 0), 0),
    changedAtMs: Math.max(...times.map((found) => found?.mtimeMs ?? 0)),
    ...(identity && { identity }),
  };
}

/** Ollama's image runs as root, a package as its own user. Only root can give files away. */
async function ownerFor(folder: string): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const found = await stat(folder).catch(() => undefined);
  if (found) return { uid: found.uid, gid: found.gid };
  return folder === dirname(folder) ? undefined : ownerFor(dirname(folder));
}

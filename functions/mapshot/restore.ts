import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { PointFacts, PresentData, RestoreApp, RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import type { MirrorTree } from "../../shared/mirror-app.ts";
import { namesIn } from "../../shared/nas/points.ts";
import { folderTarget } from "../../shared/run/folder-target.ts";
import type { Settings } from "./app.ts";
import type { EmptyTiles } from "./complete.ts";
import { lastChangeOf } from "./complete.ts";
import { copyMap } from "./copy-map.ts";
import { mapIdentity } from "./map-identity.ts";
import { isRenderName, openRender, pageName } from "./render-folder.ts";
import { endLeftRenderer } from "./renderer-process.ts";

export const restore: RestoreApp<Settings> = {
  // Nobody holds the files open: a renderer that is at work is one of this system, and there is one run at a time.
  needsStop: false,
  target(ctx) {
    const { renders, emptyTiles } = ctx.settings;
    const target = folderTarget(ctx, {
      folder: renders,
      replaces,
      units,
      neededBytes: async (_, { tree }) => tree?.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) ?? 0,
      unpack: (_ctx, _files, point, into) => unpack(ctx, point, into, emptyTiles),
      describe: () => describe(renders),
    });
    return {
      ...target,
      async recover(stopApp) {
        await endLeftRenderer(ctx);
        return target.recover(stopApp);
      },
    };
  },
};

/** Everything that a renderer leaves, earlier renders too: an undo brings all of it back. */
function replaces(names: readonly string[]): string[] {
  const viewer = /^(index\.html|manifest\.json|thumbnail\.png|viewer-[0-9a-f]+\.js|[\w.-]+\.(svg|css))$/;
  return names.filter((name) => isRenderName(name) || viewer.test(name));
}

/** index.html last: before it is there, nothing names the render. */
async function units(unpacked: string): Promise<string[]> {
  const names = await namesIn(unpacked);
  return [...names.filter((name) => name !== pageName).sort(), pageName];
}

async function unpack(
  ctx: RunContext<Settings>,
  { id, tree, facts }: PointFacts,
  into: string,
  emptyTiles: EmptyTiles,
): Promise<void> {
  if (!tree) throw new Failure("backup_damaged", `Cannot restore ${id}: a map is wanted, there is none`);
  const owner = await ownerFor(ctx.settings.renders);
  // As it was made: the settings may be others by now.
  const skipped = facts?.emptyTiles === "skipped" ? "skipped" : emptyTiles;
  await copyMap(ctx, owner ? ctx.disk.with({ owner }) : ctx.disk, tree as MirrorTree, into, skipped);
}

/** The renderer has to be able to write over it. Only root can give files away; anyone else is that user already. */
async function ownerFor(folder: string): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const found = await stat(folder).catch(() => undefined);
  if (found) return { uid: found.uid, gid: found.gid };
  return folder === dirname(folder) ? undefined : ownerFor(dirname(folder));
}

async function describe(folder: string): Promise<PresentData | undefined> {
  const names = (await namesIn(folder)).filter(isRenderName);
  const render = await openRender(folder, "source_invalid").catch(() => undefined);
  if (!render && names.length === 0) return undefined;
  if (!render) return { label: `${names.length} renders, none of which "${join(folder, pageName)}" names` };
  const hours = Math.floor(render.info.tick / 216_000);
  return {
    label: `the render ${render.name}, of ${hours} h of play`,
    changedAtMs: await lastChangeOf(render),
    identity: mapIdentity(render.info.seed),
  };
}

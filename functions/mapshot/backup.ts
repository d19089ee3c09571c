import { createHash } from "node:crypto";
import { join } from "node:path";
import type { RunContext } from "../../shared/app.ts";
import { Failure, toFailure } from "../../shared/failures.ts";
import { lstat, readFile } from "../../shared/files.ts";
import type { MirrorApp, MirrorPlan, MirrorUnit, PublishedMirror } from "../../shared/mirror-app.ts";
import { fileFingerprint } from "../../shared/source/fingerprint.ts";
import type { MapshotSource, Settings } from "./app.ts";
import { cleanUp } from "./cleanup.ts";
import { type Damage, lastChangeOf, lookForDamage } from "./complete.ts";
import { mapIdentity } from "./map-identity.ts";
import { prepareRender, takePrepared } from "./prepared.ts";
import { isRenderOf, newestSave, recordRendered, render, renderedFrom, type Save } from "./render.ts";
import { filesOf, type Look, lookAtFiles } from "./render-files.ts";
import { openRender, pageName, type Render } from "./render-folder.ts";

type Context = RunContext<Settings>;

/** A renderer that is at work writes something before so long, though Factorio takes its time to begin. */
const quietMs = 45 * 60_000;

export const backup: MirrorApp<Settings, MapshotSource> = {
  prepare: prepareRender,

  async examine(ctx, published) {
    const rendered = await renderIfChanged(ctx);
    const found = await findRender(ctx, published, rendered);
    if (typeof found === "string") return { fingerprint: "", postponed: found };
    const fingerprint = createHash("sha256").update(found.look.fingerprint);
    for (const name of [pageName, ...found.render.viewer]) {
      const path = join(ctx.settings.renders, name);
      fingerprint.update(`${fileFingerprint(path, await lstat(path))}\n`);
    }
    return {
      found,
      identity: mapIdentity(found.render.info.seed),
      sizeBytes: found.look.sizeBytes,
      fingerprint: fingerprint.digest("hex"),
    };
  },

  async plan(ctx, { found }) {
    if (!found) throw new Error("plan() of a postponed run");
    return planOf(ctx, found.render, found.look);
  },

  cleanup: cleanUp,

  async survey({ settings: { emptyTiles }, signal }, root) {
    const render = await openRender(root, "backup_damaged").catch((error) => toFailure(error));
    if (render instanceof Failure) return { proven: [], unproven: [{ file: pageName, why: render.message }] };
    const { damage, tiles } = await lookForDamage(render, { emptyTiles, signal });
    if (damage) return { proven: [], unproven: [{ file: unitOf(render), why: `${damage.file}: ${damage.why}` }] };
    return { proven: [`${unitOf(render)} (${tiles} tiles)`], unproven: [] };
  },
};

/** Renders when the game has a newer backup than the one that was rendered. */
async function renderIfChanged(ctx: Context): Promise<boolean> {
  const { render: settings, factorio } = ctx.settings;
  if (!settings) return false;
  if (ctx.companion !== undefined) return publishPrepared(ctx, settings, ctx.companion);
  const save = await newestSave(ctx);
  if (!save) {
    ctx.warn(`Nothing was rendered: there is no verified backup of "${factorio}" yet`);
    return false;
  }
  if (await isRenderOf(ctx, save)) return false;
  await renderAndProve(ctx, settings, save);
  return true;
}

async function renderAndProve(ctx: Context, settings: NonNullable<Settings["render"]>, save: Save): Promise<void> {
  await render(ctx, settings, save);
  await prove(ctx, settings, save);
}

/** What another container has rendered by now; one that a run killed in between has not proven is rendered anew. */
async function publishPrepared(
  ctx: Context,
  settings: NonNullable<Settings["render"]>,
  folder: string,
): Promise<boolean> {
  const save = await takePrepared(ctx, settings, folder);
  if (save) await prove(ctx, settings, save);
  return save !== undefined;
}

/** Remembers of which save the render is, once every tile of it is known to be there. */
async function prove(
  ctx: Context,
  settings: NonNullable<Settings["render"]>,
  save: Pick<Save, "pointId" | "sha256">,
): Promise<void> {
  const made = await openRender(ctx.settings.renders, "source_invalid");
  const { damage } = await look(ctx, made);
  if (damage) throw refusal(damage, "The renderer said that it was done. What is published stays as it is.");
  await recordRendered(ctx, made.page.hash, save, settings.command);
}

/** The render that index.html names, proven; or why it is not the time for it. */
async function findRender(
  ctx: Context,
  published: PublishedMirror,
  rendered: boolean,
): Promise<{ render: Render; look: Look } | string> {
  const { renders, render: settings, emptyTiles } = ctx.settings;
  await requireFolder(renders);
  const found = await openRender(renders, "source_invalid");
  warnOfBlankPage(
    ctx,
    found,
    await readFile(join(renders, found.viewer.find((name) => name.endsWith(".js")) ?? pageName), "latin1"),
  );
  // Looked at before it is proven: whatever is touched after this is noticed once it is copied.
  const seen = await lookAtFiles(found, { emptyTiles, signal: ctx.signal }).catch((error: unknown) => {
    if (error instanceof Failure) return error;
    throw error;
  });
  const isKnown = published.manifest?.files.some(
    ({ name, checksum }) => name === unitOf(found) && !(seen instanceof Failure) && checksum === seen.fingerprint,
  );
  if (isKnown && !(seen instanceof Failure)) return { render: found, look: seen };
  const { damage } = await look(ctx, found);
  if (!damage) {
    if (seen instanceof Failure) throw seen;
    return { render: found, look: seen };
  }
  const quietSinceMs = ctx.now() - (await lastChangeOf(found));
  if (damage.unfinished && !rendered && quietSinceMs < quietMs) {
    return `a render is under way: ${damage.file}: ${damage.why}`;
  }
  const canRender = settings && !rendered && ctx.companion === undefined;
  const save = canRender ? await newestSave(ctx) : undefined;
  if (!settings || !save) throw refusal(damage, "Render it anew. What is published stays as it is.");
  ctx.warn(`The render was damaged and is made anew: ${damage.file}: ${damage.why}`);
  await renderAndProve(ctx, settings, save);
  return findRender(ctx, published, true);
}

const look = (ctx: Context, render: Render) =>
  lookForDamage(render, {
    emptyTiles: ctx.settings.emptyTiles,
    signal: ctx.signal,
    isHere: true,
    onTile: (done, total) => {
      if (done % 5000 === 0) ctx.progress(`looking at tile ${done} of ${total}`);
    },
  });

const refusal = ({ file, why, hint }: Damage, otherwise: string) =>
  new Failure("source_invalid", `Cannot vouch for the render: "${file}": ${why}`, {
    hint: hint ?? `${otherwise} If the renderer leaves out empty tiles (--minjpgquality 0): set "emptyTiles: skipped".`,
  });

async function requireFolder(path: string): Promise<void> {
  const info = await lstat(join(path, pageName)).catch(() => undefined);
  if (info) return;
  throw new Failure("source_missing", `Cannot publish a map: "${join(path, pageName)}" is wanted, it is not there`, {
    hint: 'Has nothing been rendered yet? The setting "renders" names the folder that the renderer writes index.html into.',
  });
}

/** Mapshot 0.0.24 wrote pages that its own viewer does not understand. */
function warnOfBlankPage(ctx: Context, { page }: Render, viewer: string): void {
  if (page.key !== "path" || !viewer.includes("encoded_path")) return;
  ctx.warn(
    'The map stays blank in a browser: its index.html names the render as "path", its viewer reads "encoded_path". Mapshot 0.0.25 mends that.',
  );
}

const unitOf = ({ name }: Render) => `renders/${name}`;

async function planOf(ctx: Context, render: Render, seen: Look): Promise<MirrorPlan> {
  const { emptyTiles } = ctx.settings;
  const again = () => openRender(ctx.settings.renders, "source_changing");
  const viewer: MirrorUnit[] = [];
  for (const name of render.viewer) {
    const from = join(render.folder, name);
    viewer.push({ kind: "file", path: name, from, sizeBytes: (await lstat(from)).size });
  }
  const page = render.page.at("renders/");
  const { info } = render;
  const made = await renderedFrom(ctx, render.page.hash);
  return {
    units: [
      {
        kind: "folder",
        path: unitOf(render),
        sizeBytes: seen.sizeBytes,
        fingerprint: seen.fingerprint,
        look: async () => (await lookAtFiles(await again(), { emptyTiles, signal: ctx.signal })).fingerprint,
        files: () => filesOf(render, { emptyTiles, signal: ctx.signal }),
      },
      ...viewer,
      // Last: with it, whoever opens the map sees the new render.
      { kind: "file", path: pageName, from: page, sizeBytes: page.length },
    ],
    keep: [],
    facts: {
      render: render.name,
      tiles: seen.files - 1,
      emptyTiles,
      surfaces: info.surfaces.map(({ surface_name }) => surface_name),
      seed: info.seed,
      mapId: info.map_id,
      tick: info.tick,
      ...(info.game_version !== undefined && { gameVersion: info.game_version }),
      ...(typeof info.active_mods?.mapshot === "string" && { mapshotVersion: info.active_mods.mapshot }),
      ...(made && { save: { point: made.pointId, sha256: made.saveSha256 } }),
    },
  };
}

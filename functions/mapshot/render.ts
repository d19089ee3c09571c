import { hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import type { RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { parseJson } from "../../shared/json.ts";
import { hiddenFolder } from "../../shared/nas/nas.ts";
import type { Settings } from "./app.ts";
import { readPage } from "./index-html.ts";
import { pageName } from "./render-folder.ts";
import { runRenderer } from "./renderer.ts";
import { forgetRenderer, rememberRenderer } from "./renderer-process.ts";

type Context = RunContext<Settings>;

/** A save to render. */
export interface Save {
  /** The backup that it is. */
  readonly pointId: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Of which save the render in the folder is, and how it was made; beside it, so that nobody renders it once more. */
const Rendered = z.object({
  version: z.literal(1),
  hash: z.string(),
  pointId: z.string(),
  saveSha256: z.string(),
  commandSha256: z.string(),
});
export type Rendered = z.infer<typeof Rendered>;

const recordPath = ({ settings }: Context) => join(settings.renders, hiddenFolder, "rendered.json");

/** What is known of how the render `d-<renderHash>` was made; undefined when something else has made it. */
export async function renderedFrom(ctx: Context, renderHash: string): Promise<Rendered | undefined> {
  const parsed = Rendered.safeParse(parseJson(await readFile(recordPath(ctx), "utf8").catch(() => "")));
  return parsed.success && parsed.data.hash === renderHash ? parsed.data : undefined;
}

/** The newest verified backup of the game; undefined when there is none. */
export async function newestSave(ctx: Context): Promise<Save | undefined> {
  const points = await ctx.pointsOf(ctx.settings.factorio);
  const point = points.findLast(({ good }) => good);
  const [file] = point?.manifest?.files ?? [];
  const there = point?.files.find(({ name }) => name === file?.name);
  return (
    point && file && there && { pointId: point.id, path: there.path, sizeBytes: file.sizeBytes, sha256: file.sha256 }
  );
}

/** Whether the render that index.html names is of this save, made with this command. */
export async function isRenderOf(ctx: Context, save: Save): Promise<boolean> {
  const page = await readPage(join(ctx.settings.renders, pageName), "source_invalid").catch(() => undefined);
  const made = page && (await renderedFrom(ctx, page.hash));
  const command = ctx.settings.render?.command ?? "";
  return made?.saveSha256 === save.sha256 && made.commandSha256 === hash("sha256", command);
}

/**
 * Renders a copy of the save; the save itself, and the game, are not touched. What is published stays as it is.
 * @throws {Failure} `tool_failed`, `backup_damaged` when the save is not what it was, `invalid_config`.
 */
export async function render(ctx: Context, settings: NonNullable<Settings["render"]>, save: Save): Promise<void> {
  const { disk, signal } = ctx;
  const hidden = join(ctx.settings.renders, hiddenFolder);
  const scratch = await ctx.scratch();
  const work = join(scratch, "work");
  // Mapshot takes the name of its folder from that of the save.
  const copy = join(scratch, `${basename(ctx.settings.renders)}.zip`);
  await disk.makeDir(work);
  await disk.makeDir(hidden);
  await copySave(ctx, save, copy);
  // What was rendered before is about to be written over.
  await forgetRendered(ctx);
  ctx.progress("rendering");
  const { output, hung } = await ctx.step("render the map", () =>
    runRenderer({
      command: settings.command,
      folder: work,
      env: { SAVE: copy, WORK: work },
      timeoutMs: settings.timeoutHours * 3_600_000,
      graceMs: settings.graceSeconds * 1000,
      signal,
      onLine: (line) => ctx.log.info({ renderer: line }, "renderer"),
      onStart: (pid) => rememberRenderer(ctx, pid),
    }),
  );
  await forgetRenderer(ctx);
  if (hung) ctx.warn(`The renderer had not ended ${settings.graceSeconds} s after it was done, and was ended`);
  await expectThere(ctx, output);
}

/** @throws {Failure} `backup_damaged` when the save is not what it was. */
export async function copySave({ disk, signal, progress }: Context, save: Save, to: string): Promise<void> {
  await disk.remove(to);
  const written = await disk.write(to, createReadStream(save.path, { highWaterMark: 1 << 19 }), {
    signal,
    onBytes: (done) => progress("copying the save", done, save.sizeBytes),
  });
  if (written.sha256 === save.sha256) return;
  throw new Failure(
    "backup_damaged",
    `Cannot render "${save.path}": sha256 ${save.sha256} is wanted, is ${written.sha256}`,
    { hint: "The backup of the game is damaged: make a new one." },
  );
}

export const forgetRendered = (ctx: Context) => ctx.disk.remove(recordPath(ctx));

/** What was rendered is what will be published: else a render elsewhere would be done again and again for nothing. */
export async function expectThere({ settings }: Context, output: string): Promise<void> {
  const real = (path: string) => realpath(path).catch(() => path);
  const [wanted, actual] = await Promise.all([real(settings.renders), real(dirname(output))]);
  const page = await readPage(join(settings.renders, pageName), "source_invalid");
  if (wanted === actual && basename(output) === `d-${page.hash}`) return;
  throw new Failure(
    "invalid_config",
    `Cannot use what was rendered: "${join(wanted, `d-${page.hash}`)}" is wanted, the renderer tells "${output}"`,
    { hint: 'Set "renders" to the folder that the renderer writes index.html into.' },
  );
}

/** Called once the render has been proven. */
export async function recordRendered(
  ctx: Context,
  renderHash: string,
  save: Pick<Save, "pointId" | "sha256">,
  command: string,
): Promise<void> {
  const made = { pointId: save.pointId, saveSha256: save.sha256, commandSha256: hash("sha256", command) };
  const record: Rendered = { version: 1, hash: renderHash, ...made };
  await ctx.disk.makeDir(dirname(recordPath(ctx)));
  await ctx.disk.replace(recordPath(ctx), `${JSON.stringify(record)}\n`);
}

import { dirname, join } from "node:path";
import type { RunContext } from "../../shared/app.ts";
import { isTemporary } from "../../shared/disk.ts";
import { readFile } from "../../shared/files.ts";
import { parseJson } from "../../shared/json.ts";
import { hiddenFolder } from "../../shared/nas/nas.ts";
import { namesIn } from "../../shared/nas/points.ts";
import { identify, ProcessIdentity, stateOf } from "../../shared/run/process-identity.ts";
import type { Settings } from "./app.ts";
import { killGroup } from "./renderer.ts";

type Context = Pick<RunContext<Settings>, "settings" | "disk" | "step" | "warn">;

const recordPath = ({ settings }: Context) => join(settings.renders, hiddenFolder, "renderer.json");

/** Remembers the renderer's process beside the render, so that a run that is killed does not leave it to itself. */
export async function rememberRenderer(ctx: Context, pid: number): Promise<void> {
  const process = await identify(pid).catch(() => undefined);
  if (process) await ctx.disk.replace(recordPath(ctx), `${JSON.stringify(process)}\n`);
}

export const forgetRenderer = (ctx: Context) => ctx.disk.remove(recordPath(ctx));

/** Ends the renderer of a run that was killed: two of them in one folder would spoil each other's tiles. */
export async function endLeftRenderer(ctx: Context): Promise<void> {
  const hidden = dirname(recordPath(ctx));
  for (const name of await namesIn(hidden).catch(() => [])) {
    if (isTemporary(name)) await ctx.disk.remove(join(hidden, name));
  }
  const text = await readFile(recordPath(ctx), "utf8").catch(() => undefined);
  if (text === undefined) return;
  const renderer = ProcessIdentity.safeParse(parseJson(text)).data;
  if (renderer && (await stateOf(renderer)) === "alive") {
    ctx.warn("The renderer of a run that was killed was still at work, and was ended");
    await ctx.step("end the renderer that a killed run has left", () => killGroup(renderer));
  }
  await forgetRenderer(ctx);
}

import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import type { RunContext } from "../../shared/app.ts";
import { parseJson } from "../../shared/json.ts";
import type { Settings } from "./app.ts";
import { installFactorio } from "./install-factorio.ts";
import { copySave, expectThere, forgetRendered, isRenderOf, newestSave, type Save } from "./render.ts";
import { judge, withoutSecrets } from "./renderer.ts";

type Context = RunContext<Settings>;
type Renderer = NonNullable<Settings["render"]>;

/*
 * On a cluster three containers of one pod render, one after the other, and share a folder and the lock: `prepare`
 * decides and lays the save out; one of the user's image carries out `command` and leaves `log` and `status`; the runner
 * judges that, and publishes. What is not there was not come to.
 */
const files = { save: "save.json", command: "command", log: "log", status: "status", hung: "hung" } as const;

const Prepared = z.object({ pointId: z.string(), sha256: z.string() });

/** Decides whether there is a new save to render, and lays out what the renderer needs. The command comes last. */
export async function prepareRender(ctx: Context): Promise<void> {
  const { companion: folder, settings, disk } = ctx;
  const save = settings.render && (await newestSave(ctx));
  if (folder === undefined || !settings.render || !save || (await isRenderOf(ctx, save))) return;
  const factorio = join(settings.renders, "../../..");
  await installFactorio(ctx, { from: join(save.path, "../../.."), into: factorio });
  await copySave(ctx, save, join(folder, saveName(settings)));
  // What was rendered before is about to be written over.
  await forgetRendered(ctx);
  await disk.replace(join(folder, files.save), JSON.stringify({ pointId: save.pointId, sha256: save.sha256 }));
  await disk.replace(join(folder, files.command), script(folder, settings, settings.render, factorio));
}

/**
 * What came of it.
 * @returns The save that was rendered; undefined when there was nothing to render.
 * @throws {Failure} `tool_failed`, `invalid_config`.
 */
export async function takePrepared(
  ctx: Context,
  { timeoutHours, graceSeconds }: Renderer,
  folder: string,
): Promise<Pick<Save, "pointId" | "sha256"> | undefined> {
  const read = (name: string) => readFile(join(folder, name), "utf8").catch(() => undefined);
  const save = Prepared.safeParse(parseJson((await read(files.save)) ?? "")).data;
  const status = (await read(files.status))?.trim();
  if (!save || status === undefined) return undefined;
  const lines = ((await read(files.log)) ?? "").split("\n").map((line) => withoutSecrets(line.slice(0, 2000)));
  const output = lines.map((line) => /^Output: (\/.+)$/.exec(line)?.[1]).find((path) => path !== undefined);
  const isHung = (await read(files.hung)) !== undefined;
  // As the program `timeout` says it.
  const stopped = isHung ? "hung" : status === "124" ? "late" : undefined;
  const tail = lines.filter((line) => line.trim() !== "").slice(-8);
  const timeoutMs = timeoutHours * 3_600_000;
  const rendered = judge({ status: `exit status ${status}`, output, stopped, tail, timeoutMs });
  if (rendered.hung) ctx.warn(`The renderer had not ended ${graceSeconds} s after it was done, and was ended`);
  await expectThere(ctx, rendered.output);
  return save;
}

/** Mapshot takes the name of its folder from that of the save. */
const saveName = ({ renders }: Settings) => `${basename(renders)}.zip`;

/**
 * What the other container carries out: the command of the settings with SAVE, WORK and FACTORIO; once that has told
 * "Output: ", it is given a while to end.
 */
function script(folder: string, settings: Settings, { command, graceSeconds }: Renderer, factorio: string): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  return `export SAVE=${quoted(join(folder, saveName(settings)))} WORK=${quoted(join(folder, "work"))} FACTORIO=${quoted(factorio)}
mkdir -p "$WORK" && cd "$WORK" || exit 1
setsid /bin/sh -c ${quoted(command)} &
pid=$!
while kill -0 $pid 2>/dev/null; do
  sleep 1
  grep -q '^Output: /' ${quoted(join(folder, files.log))} || continue
  left=${Math.round(graceSeconds)}
  while [ $left -gt 0 ] && kill -0 $pid 2>/dev/null; do sleep 1; left=$((left - 1)); done
  kill -0 $pid 2>/dev/null || break
  : >${quoted(join(folder, files.hung))}
  kill -s TERM -- "-$pid"
  left=5
  while [ $left -gt 0 ] && kill -0 $pid 2>/dev/null; do sleep 1; left=$((left - 1)); done
  kill -s KILL -- "-$pid" 2>/dev/null
  break
done
wait $pid
`;
}

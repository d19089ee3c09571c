import { mkdir, rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeSave } from "../../deploy/local/lab/factorio/make-save.ts";
import { Disk } from "../../shared/disk.ts";
import { initNas } from "../../shared/nas/nas.ts";
import { createStep } from "../../shared/step.ts";
import { programPath } from "../programs.ts";

export const factorioServer = programPath("deploy/local/lab/factorio/server.ts");

/** A Factorio home lab in one folder: where things are. */
export const places = (folder: string) => ({
  nas: join(folder, "nas"),
  saves: join(folder, "saves"),
  state: join(folder, "state"),
  config: join(folder, "keepsake.yaml"),
  backups: join(folder, "nas/factorio/backups"),
});

/** Marks the NAS and writes the settings; they hold absolute paths, so each copy of a lab gets its own. */
export async function layLab(folder: string, settings: Record<string, unknown> = {}): Promise<void> {
  const { nas } = places(folder);
  await mkdir(nas, { recursive: true });
  await initNas(nas, new Disk(createStep()));
  await configure(folder, settings);
}

export async function configure(folder: string, settings: Record<string, unknown> = {}): Promise<void> {
  const { saves, config } = places(folder);
  const control = (verb: string) => `${process.execPath} ${factorioServer} ${verb} --folder ${saves} --port 0`;
  // No node process for a look: it is asked for again and again.
  const pid = `$(sed -n 's/.*"pid":\\([0-9]*\\).*/\\1/p' ${join(folder, "server/server.json")})`;
  const workload = { stop: control("stop"), start: control("start"), status: `kill -0 "${pid}"`, timeoutSeconds: 20 };
  const factorio = { saves, keep: 2, workload, ...settings };
  await writeFile(config, JSON.stringify({ nas: "./nas", state: "./state", nasTimeoutSeconds: 1, apps: { factorio } }));
}

/** A map that was played for so long, saved into a slot at that second after the epoch: the largest tick is the newest. */
export async function play(
  folder: string,
  tick: number,
  { slot = "_autosave1", seed = 7, levelBytes = 200_000 }: { slot?: string; seed?: number; levelBytes?: number } = {},
): Promise<string> {
  const { saves } = places(folder);
  await mkdir(saves, { recursive: true });
  const temporary = join(saves, `.${slot}.made`);
  await writeSave(temporary, slot, { seed, tick, saves: 1, levelBytes });
  await rename(temporary, join(saves, `${slot}.zip`));
  await utimes(join(saves, `${slot}.zip`), tick, tick);
  return join(saves, `${slot}.zip`);
}

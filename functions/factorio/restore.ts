import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { PresentData, RestoreApp, RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { openReadBack, type ReadBack } from "../../shared/nas/read-back.ts";
import { folderTarget } from "../../shared/run/folder-target.ts";
import type { Settings } from "./app.ts";
import { mapIdentity } from "./map-identity.ts";
import { openRcon } from "./rcon-save.ts";
import { proveSave } from "./save-zip.ts";
import { isCompleteSave, listSaves, mapHashOf } from "./saves-folder.ts";

export const restore: RestoreApp<Settings> = {
  needsStop: true,

  async beforeStop(ctx) {
    const { rcon: settings, warnSeconds } = ctx.settings;
    if (!settings) return;
    const rcon = await openRcon(ctx, settings);
    try {
      const online = await rcon.command("/players online");
      if (/\(0\)/.test(online)) return;
      // A line that is no command is said in the game's chat. Lua would say it too, and end the achievements.
      const line = `The server stops in ${warnSeconds} s: a backup is being restored.`;
      await ctx.step("warn the players", () => rcon.command(line));
    } finally {
      rcon.close();
    }
    ctx.progress(`giving the players ${warnSeconds} s`);
    await delay(warnSeconds * 1000, undefined, { signal: ctx.signal });
  },

  target(ctx) {
    const target = folderTarget(ctx, { folder: ctx.settings.saves, replaces, unpack, describe });
    return {
      ...target,
      async swap() {
        await target.swap();
        // The server wrote a save when it stopped, which is newer than what was staged. It is set aside, but in a
        // folder below this one, and "load the latest" may look there. Rounded up: the clock of files is finer.
        const [newest] = await listSaves(ctx.settings.saves);
        if (newest) await ctx.disk.setTimes(newest.path, ctx.now() + 1);
      },
    };
  },
};

/**
 * Every complete save, because a server loads the latest one. Half-written ones stay: the image deletes them at its
 * start, wherever below this folder they lie, and no server takes them for the latest once the restored save is newer.
 */
function replaces(names: readonly string[]): string[] {
  return names.filter(isCompleteSave);
}

/** The bytes as they are, under the name of the settings, for the user whom the folder belongs to. */
async function unpack(
  ctx: RunContext<Settings>,
  files: ReadonlyMap<string, ReadBack>,
  _: unknown,
  into: string,
): Promise<void> {
  const file = files.get("save");
  if (!file) throw new Failure("backup_damaged", "Cannot restore: the save is wanted, is missing");
  const path = join(into, `${ctx.settings.saveName}.zip`);
  const owner = await ownerFor(ctx.settings.saves);
  const written = await ctx.disk.with({ owner }).write(path, file.stream(), {
    signal: ctx.signal,
    mode: 0o644,
    onBytes: (done) => ctx.progress("copying", done, file.sizeBytes),
  });
  const arrived = await openReadBack(path, { signal: ctx.signal });
  try {
    if ((await arrived.sha256()) !== written.sha256 || written.sha256 !== (await file.sha256())) {
      throw new Failure(
        "restore_failed",
        `Cannot restore "${path}": the bytes that were sent are wanted, others arrived`,
        {
          hint: "This disk or its memory damages data. Nothing was replaced.",
        },
      );
    }
    await proveSave(arrived, ctx.signal);
  } finally {
    await arrived.close();
  }
}

/** The server's image runs as uid 845. Only root can give files away; anyone else is that user already, or a laptop's. */
async function ownerFor(folder: string): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const found = await stat(folder).catch(() => undefined);
  if (found) return { uid: found.uid, gid: found.gid };
  return folder === dirname(folder) ? undefined : ownerFor(dirname(folder));
}

async function describe(folder: string): Promise<PresentData | undefined> {
  const saves = await listSaves(folder).catch(() => []);
  const [newest] = saves;
  if (!newest) return undefined;
  const hash = await mapHashOf(newest.path);
  return {
    label: `${saves.length} ${saves.length === 1 ? "save" : "saves"}, newest ${newest.name}`,
    sizeBytes: newest.sizeBytes,
    changedAtMs: newest.savedAtMs,
    ...(hash !== undefined && { identity: mapIdentity(hash) }),
  };
}

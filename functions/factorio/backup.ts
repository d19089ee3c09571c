import type { BackupApp, Capture, KnownSource, RunContext, Stage } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { chunksOf } from "../../shared/source/chunks.ts";
import { fileFingerprint } from "../../shared/source/fingerprint.ts";
import type { FactorioSource, Settings } from "./app.ts";
import { mapIdentity } from "./map-identity.ts";
import { saveThroughRcon } from "./rcon-save.ts";
import { proveSave, readMapHash } from "./save-zip.ts";
import { newestSave, openSave } from "./saves-folder.ts";

const attempts = 5;

export const backup: BackupApp<Settings, FactorioSource> = {
  async examine(ctx, known) {
    if (ctx.settings.rcon) await saveThroughRcon(ctx, ctx.settings.rcon);
    return chooseSave(ctx, known);
  },

  async capture(ctx, source, stage) {
    let chosen = source;
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const capture = await copySave(chosen, stage);
      if (capture) return capture;
      ctx.log.info({ attempt, save: chosen.path }, "the save moved while it was copied");
      chosen = await chooseSave(ctx);
      if (chosen.identity?.id !== source.identity?.id) break;
    }
    throw new Failure(
      "source_changing",
      `Cannot copy "${chosen.path}": a save that stays as it is wanted, it kept changing`,
      {
        hint: "Something writes into the folder of saves. The next run tries again.",
      },
    );
  },

  async verify(files, { signal }) {
    const file = files.get("save");
    if (!file) throw new Failure("backup_damaged", "Cannot vouch for the backup: its save is wanted, is missing");
    const { mapHash, ...facts } = await proveSave(file, signal);
    return { facts, ...(mapHash !== undefined && { identity: mapIdentity(mapHash) }) };
  },

  // The map stays the same one, so this is no reason to refuse; but an older server cannot load the save any more.
  changes({ gameVersion: before }, { gameVersion: now }) {
    if (before === undefined || now === undefined || before === now) return [];
    return [
      `The game's version changed from ${before} to ${now}: a server of the old version cannot load the new saves`,
    ];
  },
};

/** Looks again when the chosen slot is rotated away before it is open. */
async function chooseSave(
  { settings, now, signal, warn }: RunContext<Settings>,
  known?: KnownSource,
): Promise<FactorioSource> {
  for (let attempt = 1; ; attempt++) {
    const lookedAtMs = now();
    const newest = await newestSave(settings.saves);
    const save = await openSave(newest.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" && attempt < attempts) return;
      throw new Failure("source_unreachable", `Cannot read the newest save "${newest.path}": ${error.message}`, {
        cause: error,
        hint: "Is Keepsake run as the user that the saves belong to?",
      });
    });
    if (!save) continue;
    try {
      const { path } = newest;
      const fingerprint = fileFingerprint(path, save.stat);
      const found = {
        path,
        sizeBytes: save.stat.size,
        savedAtMs: Math.trunc(save.stat.mtimeMs),
        lookedAtMs,
        fingerprint,
      };
      if (known?.identity && known.fingerprint === fingerprint) return { ...found, identity: known.identity };
      const mapHash = await readMapHash(save.bytes, signal);
      if (mapHash !== undefined) return { ...found, identity: mapIdentity(mapHash) };
      warn(`"${path}" has no level-init.dat, so another map in its place would not be noticed`);
      return found;
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      // Somebody who copies a save into the folder is not done yet, or it is broken for good.
      const changing = (await save.handle.stat()).mtimeMs !== save.stat.mtimeMs;
      throw new Failure(
        changing ? "source_changing" : "source_invalid",
        `Cannot back up the newest save: ${cause.message}`,
        {
          cause,
          hint: `The backups are left as they are. If "${newest.path}" is broken, move it away: then the save before it is taken.`,
        },
      );
    } finally {
      await save.handle.close();
    }
  }
}

/**
 * Copies the bytes as they are. The moment that the copy shows is when the folder was looked at: what was saved later
 * is not in it, and moments only go forward, whatever the times of the files say.
 * @returns undefined when this was not the chosen file any more, or was written to meanwhile.
 */
async function copySave(source: FactorioSource, stage: Stage): Promise<Capture | undefined> {
  const save = await openSave(source.path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (!save) return undefined;
  try {
    if (fileFingerprint(source.path, save.stat) !== source.fingerprint) return undefined;
    const { sha256, sizeBytes } = await stage.write("save", chunksOf(save.handle, source.sizeBytes), source.sizeBytes);
    // Not ctime: it also moves when a rotation takes the name away, and the bytes stay.
    const { size, mtimeMs } = await save.handle.stat();
    if (size !== save.stat.size || mtimeMs !== save.stat.mtimeMs || sizeBytes !== source.sizeBytes) return undefined;
    return {
      takenAtMs: source.lookedAtMs,
      checksums: new Map([["save", sha256]]),
      sizeBytes,
      fingerprint: source.fingerprint,
      facts: {
        save: source.path.slice(source.path.lastIndexOf("/") + 1),
        savedAt: new Date(source.savedAtMs).toISOString(),
      },
    };
  } finally {
    await save.handle.close();
  }
}

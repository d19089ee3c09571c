import type { Stats } from "node:fs";
import { join } from "node:path";
import { Failure } from "../../shared/failures.ts";
import { openSmall, readdir, type SmallFileHandle, stat } from "../../shared/files.ts";
import { readMapHash } from "./save-zip.ts";
import type { ZipBytes } from "./zip.ts";

export interface Save {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  /** When the game finished writing it, in ms since the epoch. */
  readonly savedAtMs: number;
  readonly stat: Stats;
}

/** The game writes `<name>.tmp.zip` and renames it when it is whole; hidden names are Finder's and our own. */
export function isCompleteSave(name: string): boolean {
  return /\.zip$/i.test(name) && !/\.tmp\.zip$/i.test(name) && !name.startsWith(".");
}

/** @returns The complete saves in the folder itself, newest first. One that vanishes meanwhile (slots rotate) is left out. */
export async function listSaves(folder: string): Promise<Save[]> {
  const names = (await readdir(folder)).filter(isCompleteSave);
  const saves = await Promise.all(
    names.map(async (name): Promise<Save[]> => {
      const path = join(folder, name);
      const found = await stat(path).catch(() => undefined);
      if (!found?.isFile()) return [];
      return [{ name, path, sizeBytes: found.size, savedAtMs: Math.trunc(found.mtimeMs), stat: found }];
    }),
  );
  const newer = (a: Save, b: Save) => b.stat.mtimeMs - a.stat.mtimeMs || (a.name < b.name ? -1 : 1);
  return saves.flat().sort(newer);
}

/**
 * The newest complete save by its modification time: the one that a server loads which loads the latest.
 * @throws {Failure} `source_missing`, `source_empty`, `source_unreachable`.
 */
export async function newestSave(folder: string): Promise<Save> {
  const [newest] = await listSaves(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT" && cause.code !== "ENOTDIR") {
      throw new Failure("source_unreachable", `Cannot read the folder of saves "${folder}": ${cause.message}`, {
        cause,
        hint: "Is Keepsake run as the user that the saves belong to?",
      });
    }
    throw new Failure("source_missing", `Cannot find the saves: a folder "${folder}" is wanted, it is not there`, {
      cause,
      hint: "Is the volume mounted, and is the setting `saves` right?",
    });
  });
  if (newest) return newest;
  throw new Failure("source_empty", `Cannot find a save: a complete *.zip in "${folder}" is wanted, there is none`, {
    hint: "The backups are left as they are. A server that starts over an empty folder makes a new map.",
  });
}

/** An open save, read through its descriptor: whatever becomes of its name, these are the bytes that were chosen. */
export async function openSave(path: string): Promise<{ handle: SmallFileHandle; stat: Stats; bytes: ZipBytes }> {
  const handle = await openSmall(path, "r");
  const found = await handle.stat();
  const read = async (offset: number, lengthBytes: number) => {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(lengthBytes), 0, lengthBytes, offset);
    if (bytesRead === lengthBytes) return buffer;
    throw new Failure(
      "backup_damaged",
      `Cannot read "${path}": ${lengthBytes} bytes are wanted at ${offset}, are ${bytesRead}`,
    );
  };
  return { handle, stat: found, bytes: { path, sizeBytes: found.size, read } };
}

/** Which map a save on disk is of; undefined when that cannot be read. */
export async function mapHashOf(path: string): Promise<string | undefined> {
  const save = await openSave(path).catch(() => undefined);
  try {
    return save && (await readMapHash(save.bytes));
  } catch {
    return undefined;
  } finally {
    await save?.handle.close();
  }
}

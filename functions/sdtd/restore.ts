import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { PointFacts, PresentData, RestoreApp, RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { hiddenFolder } from "../../shared/nas/nas.ts";
import type { ReadBack } from "../../shared/nas/read-back.ts";
import { folderTarget } from "../../shared/run/folder-target.ts";
import type { Settings } from "./app.ts";
import { archiveAbout } from "./archive.ts";
import { openConsole, playersOnline, say } from "./console.ts";
import { comesWithTheGame, findGame, folderOf } from "./find-game.ts";
import { identityOf, readHeader } from "./identity.ts";
import { lookAt } from "./listing.ts";
import { countsAsChange } from "./members.ts";
import { unpackFolder } from "./unpack-folder.ts";

export const restore: RestoreApp<Settings> = {
  needsStop: true,
  trustsChecksums: true,

  async beforeStop(ctx) {
    const { telnet: settings, warnSeconds } = ctx.settings;
    if (!settings) return;
    const telnet = await openConsole(ctx, settings);
    try {
      if ((await playersOnline(telnet)) === 0) return;
      const text = `The server stops in ${warnSeconds} s: a backup is being restored.`;
      await ctx.step("warn the players", () => say(telnet, text));
    } finally {
      telnet.close();
    }
    ctx.progress(`giving the players ${warnSeconds} s`);
    await delay(warnSeconds * 1000, undefined, { signal: ctx.signal });
  },

  target: (ctx) =>
    folderTarget(ctx, {
      folder: ctx.settings.userData,
      // Only what comes is replaced: other worlds, other games and Saves/serveradmin.xml stay.
      replaces: () => [],
      units,
      neededBytes,
      unpack,
      describe: () => describe(ctx),
    }),
};

/** The game, then its world: `Saves/<World>/<Game>`, `GeneratedWorlds/<World>`. */
async function units(unpacked: string): Promise<string[]> {
  const found: string[] = [];
  for (const top of await readdir(unpacked)) {
    for (const world of await readdir(join(unpacked, top))) {
      if (top.toLowerCase() !== "saves") found.push(`${top}/${world}`);
      else for (const game of await readdir(join(unpacked, top, world))) found.unshift(`${top}/${world}/${game}`);
    }
  }
  return found;
}

async function neededBytes(files: ReadonlyMap<string, ReadBack>, { about }: PointFacts): Promise<number> {
  // Of the incumbent's archives nobody knows: a game becomes about three times its size.
  const sizes = [...files].map(
    ([kind, { sizeBytes }]) => archiveAbout(about?.get(kind))?.unpackedBytes ?? 3 * sizeBytes,
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/**
 * Unpacks both archives as they shall stand in the folder of user data.
 * @throws {Failure} `target_invalid` when nobody knows the world that the game belongs to, or it is nowhere.
 */
async function unpack(
  ctx: RunContext<Settings>,
  files: ReadonlyMap<string, ReadBack>,
  point: PointFacts,
  into: string,
): Promise<void> {
  const [save, worldFile] = [files.get("save"), files.get("world")];
  if (!save) throw new Failure("backup_damaged", "Cannot restore: the game is wanted, is missing");
  const userData = resolve(ctx.settings.userData);
  const disk = ctx.disk.with({ owner: await ownerFor(userData) });
  const [savesName, worldsName] = [await nameIn(userData, "Saves"), await nameIn(userData, "GeneratedWorlds")];
  const totalBytes = await neededBytes(files, point);
  let doneBytes = 0;
  const put = async (kind: string, file: ReadBack, folder: string, isLast: boolean) => {
    const before = doneBytes;
    const onBytes = (bytes: number) => {
      doneBytes = before + bytes;
      ctx.progress("unpacking", doneBytes, totalBytes);
    };
    const about = archiveAbout(point.about?.get(kind));
    const sha256 = point.sha256s?.get(kind);
    return unpackFolder({ file, about, signal: ctx.signal, worker: point.worker }, folder, {
      disk,
      sha256,
      sync: isLast,
      onBytes,
    });
  };

  const told = point.label ?? (typeof point.facts?.world === "string" ? point.facts.world : undefined);
  const world = worldFile ? await put("world", worldFile, join(into, worldsName), false) : told;
  if (world === undefined) {
    throw new Failure(
      "target_invalid",
      `Cannot restore "${basename(save.path)}": the name of its world is wanted, it is neither in its name nor in a world archive`,
      { hint: "Name it 7dtd-<World>-<date>-<time>.tar.gz, as it was in history/." },
    );
  }
  if (told !== undefined && told !== world) {
    throw new Failure("backup_damaged", `Cannot restore: the world "${told}" is wanted, the archive has "${world}"`);
  }
  const inProduction = dirname(dirname(into)) === join(userData, hiddenFolder);
  if (!worldFile && inProduction) await needWorld(ctx.settings, join(userData, worldsName), world);
  const game = await put("save", save, join(into, savesName, world), true);
  if (inProduction) await warnOfOthers(ctx, world, game);
}

/** A game whose world is nowhere would be begun anew by the server. */
async function needWorld({ worldsOfTheGame }: Settings, worlds: string, world: string): Promise<void> {
  if (comesWithTheGame(world, worldsOfTheGame)) return;
  const there = await stat(join(worlds, world)).catch(() => undefined);
  if (there?.isDirectory()) return;
  throw new Failure(
    "target_invalid",
    `Cannot restore: the world "${world}" is wanted, it is neither in the backup nor in "${worlds}", and does not come with the game`,
    { hint: "Choose a restore point that has a world archive, or put the world there first." },
  );
}

/** What is played is up to the server's own settings. */
async function warnOfOthers(ctx: RunContext<Settings>, world: string, game: string): Promise<void> {
  const { userData, worldsOfTheGame } = ctx.settings;
  const present = await findGame({ userData, worldsOfTheGame }).catch(() => undefined);
  if (!present || (present.world === world && present.game === game)) return;
  ctx.warn(
    `"${present.world}/${present.game}" stays beside "${world}/${game}": see that the server's GameWorld and GameName mean the restored one, and set \`world\` and \`game\` here`,
  );
}

async function nameIn(userData: string, name: string): Promise<string> {
  return basename((await folderOf(userData, name)) ?? name);
}

/** The server's image runs as uid 1000. Only root can give files away; anyone else is that user already, or a laptop's. */
async function ownerFor(folder: string): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const found = await stat(folder).catch(() => undefined);
  if (found) return { uid: found.uid, gid: found.gid };
  return folder === dirname(folder) ? undefined : ownerFor(dirname(folder));
}

async function describe({ settings, signal }: RunContext<Settings>): Promise<PresentData | undefined> {
  let found: Awaited<ReturnType<typeof findGame>>;
  try {
    // A world that is missing is no reason to see nothing.
    found = await findGame({ ...settings, worldMayBeMissing: true });
  } catch (error) {
    // Several games: one of them may be what is replaced.
    if (error instanceof Failure && error.code === "invalid_config") return { label: "several games" };
    return undefined;
  }
  const look = await lookAt(found.gameFolder, { counts: countsAsChange, signal }).catch(() => undefined);
  if (!look) return { label: `"${found.world}/${found.game}"` };
  const header = await readHeader(found.gameFolder, signal).catch(() => undefined);
  const worldHeader = found.worldFolder
    ? await readHeader(found.worldFolder, signal).catch(() => undefined)
    : undefined;
  const name = `game "${found.game}" in "${found.world}"`;
  const identity = identityOf(header, worldHeader, name);
  return {
    label: header?.day === undefined ? name : `${name}, day ${header.day}`,
    sizeBytes: look.sizeBytes,
    ...(look.changedAtMs > 0 && { changedAtMs: look.changedAtMs }),
    ...(identity && { identity }),
  };
}

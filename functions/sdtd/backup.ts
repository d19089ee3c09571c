import type { BackupApp, Facts, RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import type { SdtdSource, Settings } from "./app.ts";
import { archiveAbout, proveArchive } from "./archive.ts";
import { captureFolder, type FolderCapture } from "./capture-folder.ts";
import { saveThroughConsole } from "./console.ts";
import { type FoundGame, findGame } from "./find-game.ts";
import { identityOf, readHeader } from "./identity.ts";
import { lookAt } from "./listing.ts";
import { countsAsChange, GameCheck, WorldCheck } from "./members.ts";

const everything = () => true;

export const backup: BackupApp<Settings, SdtdSource> = {
  async examine(ctx) {
    const { telnet } = ctx.settings;
    const played = telnet ? await saveThroughConsole(ctx, telnet) : {};
    const found = await findGame(ctx.settings);
    warnAboutAnother(ctx, found, played);
    const { gameFolder, worldFolder } = found;
    const { signal } = ctx;
    const game = await lookAt(gameFolder, { counts: countsAsChange, signal });
    const world = worldFolder === undefined ? undefined : await lookAt(worldFolder, { counts: everything, signal });
    if (game.regions === 0) {
      throw new Failure("source_empty", `Cannot back up "${gameFolder}": its Region/ has no region file`, {
        hint: "The backups are left as they are. A game that nobody has joined yet has none.",
      });
    }
    const header = await readHeader(gameFolder, ctx.signal);
    const worldHeader = worldFolder === undefined ? undefined : await readHeader(worldFolder, ctx.signal);
    const identity = identityOf(header, worldHeader, `game "${found.game}" in "${found.world}"`);
    if (!identity) {
      ctx.warn(`"${gameFolder}/main.ttw" has no GUID that is known, so another game in its place would not be noticed`);
    }
    const fingerprints = new Map([
      ["save", game.fingerprint],
      ...(world ? [["world", world.fingerprint] as const] : []),
    ]);
    return {
      found,
      // Of the game alone: next to a world that never changes nobody would notice that most of a game is gone.
      sizeBytes: game.sizeBytes,
      fingerprint: whole(fingerprints),
      fingerprints,
      ...(identity && { identity }),
    };
  },

  async capture(ctx, { found, fingerprints }, stage) {
    const { world, game, gameFolder, worldFolder } = found;
    const captured = new Map<string, FolderCapture>();
    // The world first: it is static, so the moment that the point shows is that of the game.
    if (worldFolder !== undefined && !stage.untouched.has("world")) {
      captured.set(
        "world",
        await captureFolder(ctx, stage, "world", { folder: worldFolder, root: world, counts: everything }),
      );
    }
    const takenAtMs = ctx.now();
    if (!stage.untouched.has("save")) {
      captured.set(
        "save",
        await captureFolder(ctx, stage, "save", { folder: gameFolder, root: game, counts: countsAsChange }),
      );
    }
    const now = new Map([
      ...(fingerprints ?? []),
      ...[...captured].map(([kind, { fingerprint }]) => [kind, fingerprint] as const),
    ]);
    return {
      takenAtMs: captured.get("save")?.takenAtMs ?? takenAtMs,
      label: world,
      checksums: new Map([...captured].map(([kind, { checksum }]) => [kind, checksum])),
      about: new Map([...captured].map(([kind, { about }]) => [kind, about])),
      untouched: new Set([...stage.untouched].filter((kind) => kind === "save" || worldFolder !== undefined)),
      fingerprint: whole(now),
      fingerprints: now,
      facts: { world, game },
    };
  },

  async verify(files, { signal, about }) {
    const archive = (kind: string) => {
      const file = files.get(kind);
      return file && { file, about: archiveAbout(about?.get(kind)), signal };
    };
    const [save, worldFile] = [archive("save"), archive("world")];
    if (!save && !worldFile) {
      throw new Failure("backup_damaged", "Cannot vouch for the backup: its save is wanted, is missing");
    }
    const [game, world] = [new GameCheck(), new WorldCheck()];
    const gameName = save && (await proveArchive(save, game));
    const worldName = worldFile && (await proveArchive(worldFile, world));
    const where = worldName === undefined ? "" : ` in "${worldName}"`;
    const identity = save && identityOf(game.header, worldFile && world.header, `game "${gameName}"${where}`);
    const facts: Facts = {
      ...(save && { game: gameName, ...game.facts }),
      ...(worldName !== undefined && { world: worldName }),
    };
    return { facts, ...(identity && { identity }), ...(save && { sizeBytes: game.sizeBytes }) };
  },

  changes({ gameVersion: before }, { gameVersion: now }) {
    if (before === undefined || now === undefined || before === now) return [];
    return [
      `The game's version changed from ${before} to ${now}: a server of the old version may not load the new saves`,
    ];
  },
};

const whole = (fingerprints: ReadonlyMap<string, string>) =>
  [...fingerprints]
    .map(([kind, fingerprint]) => `${kind}:${fingerprint}`)
    .sort()
    .join(" ");

/** A console of another server, or of another game of this one, has saved something else. */
function warnAboutAnother(
  ctx: RunContext<Settings>,
  found: FoundGame,
  { world, game }: { world?: string; game?: string },
): void {
  // Until a world is loaded the banner says what the settings say.
  const other =
    (game !== undefined && game !== found.game) || (world !== undefined && world !== "RWG" && world !== found.world);
  if (!other) return;
  ctx.warn(
    `The console says that "${world}/${game}" is played, but "${found.world}/${found.game}" is what is backed up: is it the console of this game?`,
  );
}

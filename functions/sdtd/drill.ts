import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import type { DrillApp, RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { namesIn, type RestorePoint } from "../../shared/nas/points.ts";
import { requireFacts, requireSame } from "../../shared/run/drill-compare.ts";
import { Contents } from "../../shared/source/checksum.ts";
import { walkFiles } from "../../shared/source/walk.ts";
import type { Settings } from "./app.ts";
import { archiveAbout } from "./archive.ts";
import { identityOf } from "./identity.ts";
import { countsAsChange, type FolderCheck, GameCheck, WorldCheck } from "./members.ts";

export const drill: DrillApp<Settings> = {
  neededBytes: ({ files, manifest }) =>
    files.reduce((sum, { kind, sizeBytes }) => {
      const about = archiveAbout(manifest?.files.find((file) => file.kind === kind)?.about);
      return sum + (about?.unpackedBytes ?? 3 * sizeBytes);
    }, 0),

  async open({ settings: { telnet: _, world: __, game: ___, ...settings } }, ____, folder) {
    return { settings: { ...settings, userData: join(folder, "UserData") } };
  },

  /** Every file: what it means, and with all others the checksum that the backup had; and that game and world belong together. */
  async compare(ctx, point) {
    const { id, manifest } = point;
    const { userData } = ctx.settings;
    const saves = join(userData, "Saves");
    const world = await onlyName(saves);
    const gameName = await onlyName(join(saves, world));
    const game = new GameCheck();
    const files = await prove(ctx, point, "save", join(saves, world, gameName), game, countsAsChange);
    const compared = [
      `${files} files of the game`,
      ...requireFacts(id, manifest?.facts, { ...game.facts, game: gameName, world }),
    ];
    const landscape = new WorldCheck();
    if (point.files.some(({ kind }) => kind === "world")) {
      const folder = join(userData, "GeneratedWorlds", world);
      compared.push(`${await prove(ctx, point, "world", folder, landscape, () => true)} of its world`);
    }
    if (manifest?.identity) {
      const found = identityOf(game.header, landscape.header, `game "${gameName}" in "${world}"`);
      requireSame(id, "game and world", manifest.identity.id, found?.id);
      compared.push(manifest.identity.label);
    }
    return compared;
  },
};

/** @returns How many files. @throws {Failure} `backup_damaged`, naming the file and why. */
async function prove(
  { signal }: RunContext,
  { id, manifest }: RestorePoint,
  kind: string,
  folder: string,
  check: FolderCheck,
  counts: (path: string) => boolean,
): Promise<number> {
  const damaged = (what: string) => new Failure("backup_damaged", `Cannot prove ${id}: ${what}`);
  const content = new Contents();
  let files = 0;
  for await (const { path, kind: is, sizeBytes } of walkFiles(folder, { signal })) {
    if (is !== "file") throw damaged(`${path}: a file is wanted, is something else`);
    const look = check.open(path, sizeBytes);
    const hash = createHash("sha256");
    for await (const piece of createReadStream(join(folder, path), { signal })) {
      look?.update(piece as Buffer);
      hash.update(piece as Buffer);
    }
    const why = look?.end();
    if (why !== undefined) throw damaged(`${path}: ${why}`);
    files += 1;
    if (counts(path)) content.add({ path, sizeBytes, sha256: hash.digest("hex") });
  }
  const missing = check.missing();
  if (missing !== undefined) throw damaged(missing);
  const recorded = manifest?.files.find((file) => file.kind === kind);
  if (recorded) requireSame(id, `checksum of the files of the ${kind}`, recorded.checksum, content.checksum());
  return files;
}

async function onlyName(folder: string): Promise<string> {
  const [name, ...others] = await namesIn(folder);
  if (name !== undefined && others.length === 0) return name;
  throw new Failure(
    "backup_damaged",
    `Cannot find what was restored: one name is wanted in "${folder}", are ${1 + others.length}`,
  );
}

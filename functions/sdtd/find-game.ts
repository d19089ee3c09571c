import type { Stats } from "node:fs";
import { join } from "node:path";
import { Failure } from "../../shared/failures.ts";
import { readdir, stat } from "../../shared/files.ts";

/** A game, and the world that it is played in. */
export interface FoundGame {
  /** The name of the folder of the world: for generated ones what the generator made up, not "RWG". */
  readonly world: string;
  readonly game: string;
  readonly gameFolder: string;
  /** Absent for a world that comes with the game. */
  readonly worldFolder?: string;
}

export interface FindGame {
  readonly userData: string;
  readonly world?: string | undefined;
  readonly game?: string | undefined;
  readonly worldsOfTheGame: readonly string[];
  /** For a look at what is there; otherwise a game without its world is an error. */
  readonly worldMayBeMissing?: true;
}

interface Candidate {
  readonly world: string;
  readonly game: string;
  readonly gameFolder: string;
  readonly archived: boolean;
}

/**
 * Finds the one game of a server by what is on disk: `Saves/<World>/<Game>/main.ttw`.
 * @throws {Failure} `source_missing`, `source_empty`, `source_unreachable`; `invalid_config` when there are several and
 * the settings do not say which.
 */
export async function findGame(wanted: FindGame): Promise<FoundGame> {
  const saves = await folderOf(wanted.userData, "Saves");
  if (saves === undefined) {
    throw new Failure(
      "source_missing",
      `Cannot find the game: a folder "${join(wanted.userData, "Saves")}" is wanted, it is not there`,
      { hint: "Is the volume mounted, and is the setting `userData` right?" },
    );
  }
  const found = await listGames(saves);
  const { world, game, gameFolder } = choose(wanted, saves, found);
  const worlds = await folderOf(wanted.userData, "GeneratedWorlds");
  const worldFolder = worlds && (await folderOf(worlds, world));
  if (worldFolder === undefined && !wanted.worldMayBeMissing && !comesWithTheGame(world, wanted.worldsOfTheGame)) {
    const there = worlds === undefined ? [] : await foldersIn(worlds);
    throw new Failure(
      "source_missing",
      `Cannot find the world of ${shown({ world, game })}: "${join(wanted.userData, "GeneratedWorlds", world)}" is wanted, ${listed(there, "there is no world")}`,
      {
        hint: "The backups are left as they are. If that world comes with the game or a mod: name it in the setting `worldsOfTheGame`.",
      },
    );
  }
  return { world, game, gameFolder, ...(worldFolder !== undefined && { worldFolder }) };
}

/** The worlds that are installed with the game. */
export function comesWithTheGame(world: string, others: readonly string[]): boolean {
  return /^(Navezgane|Pregen\w+)$/i.test(world) || others.includes(world);
}

/** Every game below a folder of saves. */
async function listGames(saves: string): Promise<Candidate[]> {
  const games: Candidate[] = [];
  for (const world of await foldersIn(saves)) {
    for (const game of await foldersIn(join(saves, world))) {
      const gameFolder = join(saves, world, game);
      const names = (await namesIn(gameFolder)).map((name) => name.toLowerCase());
      if (names.includes("main.ttw"))
        games.push({ world, game, gameFolder, archived: names.includes("archived.flag") });
    }
  }
  return games;
}

function choose(wanted: FindGame, saves: string, found: readonly Candidate[]): Candidate {
  const named = wanted.world !== undefined || wanted.game !== undefined;
  const matching = found.filter(
    ({ world, game, archived }) =>
      (wanted.world ?? world) === world && (wanted.game ?? game) === game && (named || !archived),
  );
  const [only, ...others] = matching;
  if (only && others.length === 0) return only;
  if (only) {
    throw new Failure(
      "invalid_config",
      `Cannot choose the game: one is wanted in "${saves}", are ${matching.length}: ${matching.map(shown).join(", ")}`,
      { hint: "Say which one in the settings `world` and `game`." },
    );
  }
  const what = named ? shown({ world: wanted.world ?? "*", game: wanted.game ?? "*" }) : "a main.ttw in <World>/<Game>";
  const names = found.map((game) => `${shown(game)}${game.archived ? " (archived)" : ""}`);
  throw new Failure(
    named && found.length > 0 ? "source_missing" : "source_empty",
    `Cannot find the game: ${what} is wanted in "${saves}", ${listed(names, "there is no game")}`,
    { hint: "The backups are left as they are. A server that starts over an empty folder begins a new game." },
  );
}

const shown = ({ world, game }: { world: string; game: string }) => `"${world}/${game}"`;
const listed = (names: readonly string[], none: string) =>
  names.length === 0 ? none : `there ${names.length === 1 ? "is" : "are"} ${names.slice(0, 20).join(", ")}`;

/** The folder of that name, else the one that differs in the case of its letters alone. */
export async function folderOf(parent: string, name: string): Promise<string | undefined> {
  const names = await foldersIn(parent);
  const found =
    names.find((other) => other === name) ?? names.find((other) => other.toLowerCase() === name.toLowerCase());
  return found === undefined ? undefined : join(parent, found);
}

/** Hidden ones are ours, or Finder's. */
async function foldersIn(parent: string): Promise<string[]> {
  const folders: string[] = [];
  for (const name of await namesIn(parent)) {
    if (name.startsWith(".")) continue;
    const found = await stat(join(parent, name)).catch(absentOr<Stats>(join(parent, name)));
    if (found?.isDirectory()) folders.push(name);
  }
  return folders;
}

async function namesIn(folder: string): Promise<string[]> {
  return ((await readdir(folder).catch(absentOr<string[]>(folder))) ?? []).sort();
}

function absentOr<T>(path: string): (error: NodeJS.ErrnoException) => T | undefined {
  return (cause) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR" || cause.code === "ELOOP") return undefined;
    throw new Failure("source_unreachable", `Cannot read "${path}": ${cause.message}`, {
      cause,
      hint: "Is Keepsake run as the user that the game belongs to?",
    });
  };
}

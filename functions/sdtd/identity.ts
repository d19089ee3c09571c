import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Identity } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { openSmall, readdir, stat } from "../../shared/files.ts";
import { chunksOf } from "../../shared/source/chunks.ts";
import { MainTtwCheck, type TtwHeader } from "./main-ttw.ts";

/**
 * Which game this is: by the GUID of its header, which every new game gets for its own, whatever its name and world;
 * and by that of the world's header, so that a world that was generated again under an old game shows too.
 * Undefined when the game's header has none that is known.
 */
export function identityOf(
  game: TtwHeader | undefined,
  world: TtwHeader | undefined,
  name: string,
): Identity | undefined {
  if (game?.guid === undefined) return undefined;
  const id = `guid:${game.guid}${world?.guid === undefined ? "" : ` world:${world.guid}`}`;
  const parts = [game.guid, world?.guid].flatMap((guid) => guid?.slice(0, 8) ?? []);
  return { id, label: `${name} (${parts.join(", ")})` };
}

const attempts = 20;

/**
 * Reads the header of a game or a world. It is rewritten in place, so a bad one is looked at again for a second.
 * @throws {Failure} `source_invalid`, `source_unreachable`; `source_missing` when there is none.
 */
export async function readHeader(folder: string, signal?: AbortSignal): Promise<TtwHeader | undefined> {
  for (let attempt = 1; ; attempt++) {
    const path = join(folder, await nameIn(folder, "main.ttw"));
    const check = new MainTtwCheck();
    try {
      const file = await openSmall(path, "r");
      try {
        for await (const piece of chunksOf(file)) check.update(piece);
      } finally {
        await file.close();
      }
    } catch (cause) {
      throw new Failure("source_unreachable", `Cannot read "${path}": ${(cause as Error).message}`, { cause });
    }
    const why = check.end();
    if (why === undefined) return check.header;
    if (attempt === attempts) {
      throw new Failure("source_invalid", `Cannot back up "${path}": ${why}`, {
        hint: `The backups are left as they are. The game keeps the header before this one as main.ttw.bak.`,
      });
    }
    await delay(50, undefined, { signal });
  }
}

async function nameIn(folder: string, wanted: string): Promise<string> {
  const names = await readdir(folder).catch(() => []);
  const name = names.find((other) => other.toLowerCase() === wanted);
  if (name !== undefined) return name;
  const why = await stat(folder).then(
    () => "it is not there",
    (error: Error) => error.message,
  );
  throw new Failure("source_missing", `Cannot find "${join(folder, wanted)}": ${why}`);
}

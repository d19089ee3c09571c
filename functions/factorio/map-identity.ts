import { createHash } from "node:crypto";
import type { Identity } from "../../shared/app.ts";
import { GameVersion } from "./game-version.ts";

/**
 * Which map a save is of: sha256 of its `level-init.dat`, the map as it was created.
 *
 * Wube does not document this. It was looked at in public saves, from 0.11 to 2.0.69:
 * - it is the same, byte for byte, in all saves and autosave slots of one game, whatever their name and play time
 *   (nine games of two to twenty-nine saves);
 * - it differs between all games on maps of their own, also those of the same game version;
 * - a later version of the game leaves it as it is (saves by 2.0.55 of a map from 1.1.107, by 2.0.7 of one from 1.2.16).
 *
 * Not known: whether the map editor or a change of mods writes it anew, which would look like another map and ask for
 * `make accept-…`. A scenario with a fixed map that is started again is not told from the game before.
 */
export class MapHash {
  readonly #hash = createHash("sha256");
  readonly #version = new GameVersion();

  update(piece: Buffer): void {
    this.#hash.update(piece);
    this.#version.update(piece);
  }

  get createdWith(): string | undefined {
    return this.#version.text;
  }

  digest(): string {
    return this.#hash.digest("hex");
  }
}

export function mapIdentity(hash: string): Identity {
  return { id: `level-init.dat:${hash}`, label: `map ${hash.slice(0, 8)}` };
}

import { type FileCheck, MagicCheck } from "./file-check.ts";
import { MainTtwCheck, type TtwHeader } from "./main-ttw.ts";
import { ChunkBuffer, RegionCheck } from "./region.ts";
import { XmlCheck } from "./xml-check.ts";

/*
 * What is in the folders of a game and of a world. The names are the game's constants; their case differs between its
 * versions (Region and region, Player and players), so none is matched by case.
 */

/** Looks at the files of one folder as they pass by, one after the other. Paths are below the folder. */
export interface FolderCheck {
  /** @returns What looks at this file; undefined when nothing has to be known of it. */
  open(path: string, sizeBytes: number): FileCheck | undefined;
  /** After the last file. @returns What is missing. */
  missing(): string | undefined;
}

/** What a game's folder tells of itself. */
export interface GameFacts {
  readonly regions: number;
  readonly chunks: number;
  readonly players: number;
  readonly gameVersion?: string;
  readonly day?: number;
}

export class GameCheck implements FolderCheck {
  readonly #chunk = new ChunkBuffer();
  /** The one that passes by now. */
  #region: RegionCheck | undefined;
  #regions = 0;
  #chunks = 0;
  #players = 0;
  #main: MainTtwCheck | undefined;
  #sizeBytes = 0;

  open(path: string, sizeBytes: number): FileCheck | undefined {
    this.#sizeBytes += sizeBytes;
    this.#count();
    const lower = path.toLowerCase();
    if (lower === "main.ttw") {
      this.#main = new MainTtwCheck();
      return this.#main;
    }
    if (lower === "players.xml") return new XmlCheck();
    if (isRegion(lower)) {
      this.#region = new RegionCheck(this.#chunk);
      return this.#region;
    }
    if (!/^players?\/[^/]+\.ttp$/.test(lower)) return undefined;
    this.#players += 1;
    return new MagicCheck("ttp\0");
  }

  missing(): string | undefined {
    if (!this.#main) return "main.ttw is missing";
    return this.#regions === 0 ? "Region/ has no region file: the land that was played in is missing" : undefined;
  }

  /** Only the counts of a region that has passed by are kept. */
  #count(): void {
    if (!this.#region) return;
    this.#regions += 1;
    this.#chunks += this.#region.chunks;
    this.#region = undefined;
  }

  /** Of all its files. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get header(): TtwHeader | undefined {
    return this.#main?.header;
  }

  get facts(): GameFacts {
    const { gameVersion, day } = this.header ?? {};
    return {
      regions: this.#regions,
      chunks: this.#chunks,
      players: this.#players,
      ...(gameVersion !== undefined && { gameVersion }),
      ...(day !== undefined && { day }),
    };
  }
}

/** A generated world: its header, its description, its heights. What else it has differs between generators. */
export class WorldCheck implements FolderCheck {
  readonly #found = new Set<string>();
  #main: MainTtwCheck | undefined;

  open(path: string): FileCheck | undefined {
    const lower = path.toLowerCase();
    this.#found.add(/^dtm\.(raw|png|tga)$/.test(lower) ? "dtm.*" : lower);
    if (lower === "main.ttw") {
      this.#main = new MainTtwCheck();
      return this.#main;
    }
    if (/^(map_info|prefabs|spawnpoints)\.xml$/.test(lower)) return new XmlCheck();
    return lower.startsWith("dtm.") ? new NotEmpty() : undefined;
  }

  missing(): string | undefined {
    const wanted = ["main.ttw", "map_info.xml", "dtm.*"].find((name) => !this.#found.has(name));
    return wanted === undefined ? undefined : `${wanted === "dtm.*" ? "dtm.raw, the heights," : wanted} is missing`;
  }

  get header(): TtwHeader | undefined {
    return this.#main?.header;
  }
}

class NotEmpty implements FileCheck {
  #empty = true;

  update(piece: Buffer): void {
    if (piece.length > 0) this.#empty = false;
  }

  end(): string | undefined {
    return this.#empty ? "it is empty" : undefined;
  }
}

/** Half of a file that will have another name in a moment; never looked at, never kept. */
export const isTransient = (path: string): boolean => /\.tmp$/i.test(path);

/**
 * Whether a file of a game's folder counts when it is asked whether anything has changed. `main.ttw` holds the time of
 * day and the weather, and is new with every save though nobody plays; copies of what was before, and what only repeats
 * another file (`.meta` the level of a `.ttp`), do not count either. What is not known does.
 */
export function countsAsChange(path: string): boolean {
  const lower = path.toLowerCase();
  return !/^main\.ttw/.test(lower) && !/\.(bak|tmp|meta|loadfailed)$/.test(lower);
}

export const isRegion = (path: string): boolean => /^region\/[^/]+\.7r[gr]$/i.test(path);

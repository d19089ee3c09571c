import { type FileCheck, FileEnds, wrongMagic } from "./file-check.ts";

/*
 * `main.ttw`, the header of a game, and of a world. Not documented by its makers; known from code of the game that
 * others have published (its WorldState.SaveLoad, versions 22 and 23 of the format), little endian:
 *   "ttw\0", u32 version
 *   from 12: the version of the game that wrote it, as a .NET string (7 bits of length a byte, then UTF-8)
 *   from 15: four i32: kind of release, major, minor, build
 *   u32 0, i32 mode, u32 0, f32 water level, i32 × 4 sizes, i32 provider, i32 seed, u64 time in the world, …
 *   from 16: at the very end, as a .NET string, the GUID of the game
 * The time in the world counts 24,000 a day from day 1.
 *
 * The GUID is made when a game is begun ("GenerateNewGuid" right after the header of the world was loaded for a folder
 * without a main.ttw) and is only ever read and written back afterwards. So it says whether this is the same game.
 */

export interface TtwHeader {
  /** Of the format. */
  readonly version: number;
  /** "V 2.5 (b32)" */
  readonly gameVersion?: string;
  /** "day 43" */
  readonly day?: number;
  readonly guid?: string;
}

/** Since which version of the format a file ends with the GUID, and up to which that is known. */
const guidVersions = { first: 16, lastKnown: 23 } as const;
const headBytes = 512;

/** Reads the header as the file passes by. A file that was cut short (it is rewritten in place) does not end with a GUID. */
export class MainTtwCheck implements FileCheck {
  readonly #ends = new FileEnds(headBytes, 37);

  update(piece: Buffer): void {
    this.#ends.update(piece);
  }

  end(): string | undefined {
    const { head } = this.#ends;
    const wrong = wrongMagic(head, "ttw\0");
    if (wrong !== undefined) return wrong;
    if (head.length < 8) return `it has only ${head.length} bytes`;
    const { version, guid } = this.header as TtwHeader;
    const { first, lastKnown } = guidVersions;
    if (version >= first && version <= lastKnown && guid === undefined) {
      return `it does not end with the game's GUID, as version ${version} of the format does: it was cut short`;
    }
    return undefined;
  }

  /** Undefined when these are not the bytes of a main.ttw. */
  get header(): TtwHeader | undefined {
    const { head, tail } = this.#ends;
    if (head.length < 8 || wrongMagic(head, "ttw\0") !== undefined) return undefined;
    const version = head.readUInt32LE(4);
    const guid = version >= guidVersions.first ? guidAtEnd(tail) : undefined;
    return { version, ...versionAndDay(head, version), ...(guid !== undefined && { guid }) };
  }
}

/** With or without hyphens, after a byte with its length. */
function guidAtEnd(tail: Buffer): string | undefined {
  for (const length of [32, 36]) {
    const at = tail.length - length - 1;
    if (at < 0 || tail[at] !== length) continue;
    const hex = tail.toString("latin1", at + 1).replaceAll("-", "");
    if (/^[0-9a-f]{32}$/i.test(hex)) return hex.toLowerCase();
  }
  return undefined;
}

/** What is told to people; nothing when it is not as it is known. */
function versionAndDay(head: Buffer, version: number): Pick<TtwHeader, "gameVersion" | "day"> {
  if (version <= 14) return {};
  // Longer strings than that are none of the game's.
  const length = head[8] ?? 0;
  const after = 9 + length;
  if (length === 0 || length > 127 || head.length < after + 64) return {};
  const gameVersion = head.toString("utf8", 9, after);
  if (!/^[\x20-\x7e]+$/.test(gameVersion)) return {};
  // Past the four numbers of the version, mode and padding, water level, sizes, provider and seed.
  const time = head.readBigUInt64LE(after + 16 + 12 + 4 + 16 + 4 + 4);
  const day = Number(time / 24_000n) + 1;
  return { gameVersion, ...(day < 1_000_000 && { day }) };
}

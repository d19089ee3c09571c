import { createCipheriv, createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { deflateSync } from "node:zlib";
import { ZipFile } from "yazl";

/** What a game of the stand-in is: everything in a save follows from it. */
export interface GameState {
  /** Of the map. Two seeds are two maps. */
  readonly seed: number;
  /** Moves while somebody plays; 60 make a second. */
  readonly tick: number;
  /**
   * How often it was saved with something new in it. A restart counts as new: a server that starts and stops writes
   * other bytes though nobody played. Two saves in between are the same bytes.
   */
  readonly saves: number;
  /** How big the map is, before compression. */
  readonly levelBytes: number;
}

export const gameVersion = [2, 0, 72, 0] as const;
const sliceBytes = 1 << 20;

/**
 * Writes a save as Factorio 2.0 lays it out (compared with public saves of 2.0.69): one folder named after the save,
 * `level.dat0…` stored, each a zlib stream of 1 MiB, the other members deflated, sizes in data descriptors, no dates.
 * The same state and name give the same bytes. Holds one slice in memory at a time.
 */
export async function writeSave(path: string, name: string, state: GameState): Promise<void> {
  const zip = new ZipFile();
  const fixed = { mtime: new Date(1980, 0, 1), mode: 0o100644, forceDosTimestamp: true };
  const add = (member: string, bytes: Buffer | string) => zip.addBuffer(Buffer.from(bytes), `${name}/${member}`, fixed);
  const addSlice = (index: number) =>
    zip.addReadStreamLazy(`${name}/level.dat${index}`, { ...fixed, compress: false }, (done) =>
      done(null, Readable.from([deflateSync(slice(state, index), { level: 1 })])),
    );

  add("control.lua", 'local handler = require("event_handler")\nhandler.add_lib(require("freeplay"))\n');
  add("description.json", '{"order": "a", "multiplayer-compatible": true}');
  add("freeplay.lua", "script.on_init(function() storage.created_items = {} end)\n".repeat(40));
  add("level-init.dat", Buffer.concat([versionHeader(), noise(`map ${state.seed}`, 96 << 10)]));
  for (const language of ["cs", "da", "de", "en", "fi", "fr", "it", "ja", "pl", "sv"]) {
    add(`locale/${language}/freeplay.cfg`, `[freeplay]\nmsg-intro=Factorio (${language})\n`.repeat(12));
  }
  add("script.dat", noise(`script ${state.seed} ${state.tick}`, 24 << 10));
  add("info.json", "null");
  for (let index = 0; index * sliceBytes < levelLength(state); index++) addSlice(index);
  const total = Buffer.alloc(8);
  total.writeBigUInt64LE(BigInt(levelLength(state)));
  add("level.datmetadata", total);
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(path));
}

/** The state stands where the real game has its header: after the version, as a length and JSON. */
function header(state: GameState): Buffer {
  const json = Buffer.from(JSON.stringify(state));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([versionHeader(), length, json]);
}

/** @throws When these are not the first bytes of a level.dat0 that `writeSave` made. */
export function parseHeader(level: Buffer): GameState {
  const length = level.readUInt32LE(8);
  return JSON.parse(level.toString("utf8", 12, 12 + length)) as GameState;
}

const levelLength = (state: GameState) => Math.max(state.levelBytes, header(state).length);

function slice(state: GameState, index: number): Buffer {
  const bytes = Buffer.alloc(Math.min(sliceBytes, levelLength(state) - index * sliceBytes));
  // A slice far from the start is a place far from the factory: it changes rarely.
  const age = Math.floor(state.tick / (3600 * 2 ** Math.min(index, 20)));
  noise(`level ${state.seed} ${index} ${age}`, bytes.length >> 2).copy(bytes);
  bytes.fill(`grass-${state.seed % 9};`, bytes.length >> 2);
  if (index === 0) header(state).copy(bytes);
  return bytes;
}

function versionHeader(): Buffer {
  const bytes = Buffer.alloc(8);
  gameVersion.forEach((part, index) => {
    bytes.writeUInt16LE(part, index * 2);
  });
  return bytes;
}

/** Bytes that do not compress, always the same ones for a key. */
function noise(key: string, lengthBytes: number): Buffer {
  const secret = createHash("md5").update(key).digest();
  return createCipheriv("aes-128-ctr", secret, Buffer.alloc(16)).update(Buffer.alloc(lengthBytes));
}
